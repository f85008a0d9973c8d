"""Whose work is done next, how long the others wait, and whether anybody still wants the result.

Knows visitors, work and results. Does not know models, pages or what is computed.

Visitors take turns, so one visitor's ten questions don't stand before another's first. Work with the same key is done
once for all who ask for it, now or later. Work that nobody waits for any more is left off.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

from demo.visitors.memory import Kept
from models.omni import McGurkError, Stopped, never

MOST, EACH = 40, 10  # pieces of work that may wait, in all and of one visitor
LOOK = 0.2  # s between two looks whether a visitor is still there
SAY = 1.0  # s between two estimates that a waiting visitor is given
IDLE = 120.0  # s after which a worker without work ends its thread
FIRST_GUESS = 2.0  # s that a piece of work is thought to take before any was done
SMOOTHING = 0.2  # weight of the newest piece of work in the mean time


@dataclass(frozen=True)
class Wait:
    """How long a visitor waits: pieces of work that come first, and about how many seconds."""

    before: int
    seconds: float


class Full(McGurkError):
    """Too much work waits already. seconds: about how long that takes."""

    def __init__(self, seconds: float):
        self.seconds = max(1, round(seconds))
        super().__init__(f"Too many questions are waiting: there is room again in about {self.seconds} s.")


@dataclass(eq=False)
class _Work:
    key: Hashable | None
    do: Callable[[Callable[[], bool]], Iterable[Any]]
    context: Context
    results: list[Any] = field(default_factory=list)
    listeners: int = 0
    visitors: set[str] = field(default_factory=set)
    began: float | None = None
    over: bool = False
    error: BaseException | None = None

    def nobody_waits(self) -> bool:
        return self.listeners <= 0


class Turns:
    """Does work for visitors, `workers` pieces at a time, each visitor in turn.

    most, each: pieces that may wait, in all and of one visitor. remembered: bytes of results that are kept.
    """

    def __init__(self, workers: int = 1, most: int = MOST, each: int = EACH, remembered: int = 0):
        self.workers, self.most, self.each = workers, most, each
        self.remembered = Kept(remembered) if remembered else None
        self.seconds = FIRST_GUESS  # a piece of work takes, mean of the last few
        self._change = threading.Condition()
        self._lines: OrderedDict[str, deque[_Work]] = OrderedDict()  # in the order in which visitors have their turns
        self._known: dict[Hashable, _Work] = {}
        self._running: list[_Work] = []
        self._threads = 0

    @property
    def waiting(self) -> int:
        """Pieces of work that have not begun."""
        with self._change:
            return self._count()

    def remembers(self, key: Hashable | None) -> bool:
        """Whether the results of this work are kept."""
        return self.remembered is not None and key is not None and self.remembered.get(key) is not None

    @property
    def idle(self) -> bool:
        """Whether nothing is being done and nothing waits."""
        with self._change:
            return not self._running and not self._count()

    def take(
        self,
        visitor: str,
        do: Callable[[Callable[[], bool]], Iterable[Any]],
        *,
        key: Hashable | None = None,
        gone: Callable[[], bool] = never,
    ) -> Iterator[Any]:
        """Yield Waits while others come first, then the results of `do(stop)` as they come.

        do: runs in another thread; it should leave off, by raising Stopped, once stop() is true. key: what makes work
        the same for everybody; None for work that is done for this visitor alone. gone: whether the visitor has left.
        Raises what `do` raises, Full where too much waits, and Stopped once gone() is true.
        """
        known = self.remembered.get(key) if self.remembered is not None and key is not None else None
        if known is not None:
            yield from known
            return
        work = self._join(visitor, do, key)
        given, said, said_at = 0, None, -SAY
        try:
            while True:
                with self._change:
                    if given == len(work.results) and not work.over:
                        self._change.wait(LOOK)
                    results, over = work.results[given:], work.over
                    wait = None if work.began or over else self._wait(visitor, work)
                if gone():
                    raise Stopped("Nobody waited for this answer any more: ask again.")
                given += len(results)
                yield from results
                if over:
                    break
                now = time.monotonic()
                if wait and wait.before and now - said_at >= SAY and wait != said:
                    said, said_at = wait, now
                    yield wait
            if work.error:
                raise work.error
        finally:
            self._leave(visitor, work)

    def _join(self, visitor: str, do: Callable, key: Hashable | None) -> _Work:
        with self._change:
            work = self._known.get(key) if key is not None else None
            if work is None:
                line = self._lines.get(visitor, ())
                if len(line) >= self.each or (self._count() >= self.most and not self._make_room(len(line))):
                    raise Full(self._count() * self.seconds / self.workers)
                work = _Work(key, do, copy_context())
                if key is not None:
                    self._known[key] = work
            work.listeners += 1
            if work.began is None and visitor not in work.visitors:
                work.visitors.add(visitor)
                self._lines.setdefault(visitor, deque()).append(work)
            if self._threads < self.workers and self._count() > self._threads - len(self._running):
                self._threads += 1
                threading.Thread(target=self._serve, name="turns", daemon=True).start()
            self._change.notify_all()
            return work

    def _make_room(self, own: int) -> bool:
        """Refuse the last piece of whoever has most of them, if that is more than the newcomer would have."""
        line = max(self._lines.values(), key=len)
        if len(line) <= own + 1:
            return False
        work = line[-1]
        if len(work.visitors) > 1:  # others want it too
            return False
        self._forget(work)
        self._end(work, Full(self._count() * self.seconds / self.workers))
        return True

    def _leave(self, visitor: str, work: _Work) -> None:
        with self._change:
            work.listeners -= 1
            if work.nobody_waits() and not work.over:
                self._forget(work)
            elif work.began is None and visitor in work.visitors and len(work.visitors) > 1:
                work.visitors.discard(visitor)
                self._take_out(visitor, work)
            self._change.notify_all()

    def _forget(self, work: _Work) -> None:
        """Nobody is to find this work any more."""
        if self._known.get(work.key) is work:
            del self._known[work.key]
        for visitor in work.visitors:
            self._take_out(visitor, work)
        work.visitors.clear()

    def _take_out(self, visitor: str, work: _Work) -> None:
        line = self._lines.get(visitor)
        if line and work in line:
            line.remove(work)
        if line is not None and not line:
            del self._lines[visitor]

    def _serve(self) -> None:
        while True:
            with self._change:
                if not self._lines and not self._change.wait_for(lambda: self._lines, IDLE):
                    self._threads -= 1
                    return
                visitor, line = next(iter(self._lines.items()))
                work = line[0]
                self._lines.move_to_end(visitor)
                for each in list(work.visitors):
                    self._take_out(each, work)
                work.began = time.monotonic()
                self._running.append(work)
                self._change.notify_all()
            work.context.run(self._do, work)

    def _do(self, work: _Work) -> None:
        error = None
        try:
            for result in work.do(work.nobody_waits):
                with self._change:
                    work.results.append(result)
                    self._change.notify_all()
                if work.nobody_waits():
                    raise Stopped("Nobody waited for this answer any more: ask again.")
        except BaseException as raised:
            error = raised
        with self._change:
            self._running.remove(work)
            if not isinstance(error, Stopped):
                self.seconds += SMOOTHING * (time.monotonic() - work.began - self.seconds)
            self._end(work, error)

    def _end(self, work: _Work, error: BaseException | None) -> None:
        if error is None and self.remembered is not None and work.key is not None:
            self.remembered.put(work.key, tuple(work.results))
        if self._known.get(work.key) is work:
            del self._known[work.key]
        work.error, work.over = error, True
        self._change.notify_all()

    def _count(self) -> int:
        return len({id(work) for line in self._lines.values() for work in line})

    def _wait(self, visitor: str, work: _Work) -> Wait | None:
        """What comes before a visitor's work: as many of everybody's as rounds pass until then, and what is running."""
        line = self._lines.get(visitor)
        if not line or work not in line:
            return None
        rounds, place, before = line.index(work), list(self._lines).index(visitor), len(self._running)
        for at, (other, theirs) in enumerate(self._lines.items()):
            before += rounds if other == visitor else min(len(theirs), rounds + (at < place))
        running = sum(min(1.0, (time.monotonic() - each.began) / self.seconds) for each in self._running)
        return Wait(before, max(0.0, before - running) * self.seconds / self.workers)
