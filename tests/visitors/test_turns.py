"""Turns: fair among visitors, shared among those who ask the same, left off for those who are gone."""

import threading
import time

import pytest

from demo.visitors.turns import Full, Turns, Wait
from models.omni import McGurkError, Stopped, unless


def results(steps):
    return [step for step in steps if not isinstance(step, Wait)]


class Gate:
    """Work that goes on when it is let; remembers what began and what was stopped."""

    def __init__(self):
        self.began, self.stopped, self.open = [], [], threading.Event()

    def work(self, name):
        def do(stop):
            self.began.append(name)
            yield f"{name} began"
            while not self.open.wait(0.01):
                try:
                    unless(stop)
                except Stopped:
                    self.stopped.append(name)
                    raise
            yield name

        return do


@pytest.fixture
def gate():
    opened = Gate()
    yield opened
    opened.open.set()


def in_thread(steps):
    """(thread, results so far)."""
    found = []

    def listen():
        try:
            for step in steps:
                found.append(step)
        except McGurkError as error:
            found.append(error)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread, found


def until(true, seconds=5):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def test_one_visitors_ten_do_not_stand_before_anothers_first(gate):
    turns = Turns()
    first, _ = in_thread(turns.take("greedy", gate.work("first")))
    until(lambda: gate.began)
    threads = [first]
    for n in range(9):
        threads.append(in_thread(turns.take("greedy", gate.work(f"greedy {n}")))[0])
        until(lambda n=n: turns.waiting == n + 1)
    threads.append(in_thread(turns.take("modest", gate.work("modest 0")))[0])
    threads.append(in_thread(turns.take("modest", gate.work("modest 1")))[0])
    until(lambda: turns.waiting == 11)
    gate.open.set()
    for thread in threads:
        thread.join(5)
    assert gate.began[:5] == ["first", "greedy 0", "modest 0", "greedy 1", "modest 1"]
    assert len(gate.began) == 12 and turns.idle


def test_who_waits_is_told_how_much_comes_first(gate):
    turns = Turns()
    in_thread(turns.take("a", gate.work("a")))
    until(lambda: gate.began)
    in_thread(turns.take("b", gate.work("b")))
    until(lambda: turns.waiting == 1)
    wait = next(turns.take("c", gate.work("c")))
    assert wait.before == 2 and 0 < wait.seconds <= 2 * turns.seconds


def test_the_same_is_done_once_for_all_and_goes_on_when_the_first_leaves(gate):
    turns = Turns(remembered=1000)
    mine = turns.take("me", gate.work("same"), key="same")
    assert next(mine) == "same began"
    yours = turns.take("you", gate.work("same"), key="same")
    assert next(yours) == "same began"
    mine.close()
    gate.open.set()
    assert list(yours) == ["same"] and gate.began == ["same"] and not gate.stopped
    assert list(turns.take("them", gate.work("same"), key="same")) == ["same began", "same"]
    assert gate.began == ["same"] and turns.remembers("same") and not turns.remembers("other")


def test_work_is_left_off_when_nobody_waits(gate):
    turns = Turns(remembered=1000)
    left = turns.take("me", gate.work("left"), key="left")
    next(left)
    left.close()
    again = turns.take("me", gate.work("left"), key="left")  # not the one that is being stopped
    assert next(again) == "left began" and gate.stopped == ["left"]
    gate.open.set()
    assert list(again) == ["left"] and gate.began == ["left", "left"]


def test_who_has_gone_is_not_answered(gate):
    turns, here = Turns(), [True]
    busy = turns.take("a", gate.work("a"))
    next(busy)
    thread, found = in_thread(turns.take("b", gate.work("b"), gone=lambda: not here[0]))
    until(lambda: turns.waiting == 1)
    here[0] = False
    thread.join(2)
    assert isinstance(found[-1], Stopped) and turns.waiting == 0
    gate.open.set()
    assert list(busy) == ["a"] and gate.began == ["a"]


def test_a_full_queue_says_how_long_it_is_but_takes_a_first_question(gate):
    turns = Turns(most=3, each=2)
    in_thread(turns.take("a", gate.work("a")))
    until(lambda: gate.began)
    many = [in_thread(turns.take("greedy", gate.work(f"greedy {n}"))) for n in range(2)]
    until(lambda: turns.waiting == 2)
    with pytest.raises(Full, match="room again in about") as refused:
        next(turns.take("greedy", gate.work("one too many")))
    assert refused.value.seconds >= 1
    in_thread(turns.take("b", gate.work("b")))
    until(lambda: turns.waiting == 3)
    in_thread(turns.take("c", gate.work("c")))
    until(lambda: any(found and isinstance(found[-1], Full) for _, found in many))
    assert turns.waiting == 3  # greedy's second piece made room for c's first
    with pytest.raises(Full):
        next(turns.take("d", gate.work("d")))


def test_errors_reach_those_who_asked_and_nothing_is_remembered():
    turns, tried = Turns(remembered=1000), []

    def fails(_stop):
        tried.append(1)
        yield 1
        raise McGurkError("It can't be done: do something else.")

    for n in (1, 2):
        steps = turns.take("me", fails, key="fails")
        assert next(steps) == 1
        with pytest.raises(McGurkError, match="can't be done"):
            next(steps)
        assert len(tried) == n
    assert list(turns.take("me", lambda _stop: [7], key="fails")) == [7]


def test_several_workers_work_at_a_time(gate):
    turns = Turns(workers=2)
    waiting = [in_thread(turns.take(name, gate.work(name))) for name in "abc"]
    until(lambda: len(gate.began) == 2)
    assert turns.waiting == 1
    gate.open.set()
    for thread, _ in waiting:
        thread.join(5)
    assert sorted(gate.began) == ["a", "b", "c"]


def test_many_threads_lose_and_mix_nothing():
    turns, done = Turns(workers=2, most=500, each=100, remembered=100_000), []

    def ask(visitor):
        for n in range(40):
            number = (visitor * 7 + n) % 30
            steps = turns.take(str(visitor), lambda _stop, number=number: iter([number, -number]), key=number)
            if n % 5 == 4:
                next(steps)
                steps.close()
            else:
                done.append((number, results(steps)))

    threads = [threading.Thread(target=ask, args=(visitor,)) for visitor in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 12 * 32 and all(found == [number, -number] for number, found in done)
    until(lambda: turns.idle)
