"""What is kept for later, bounded by bytes, and memory given back to the system.

Knows arrays, least recently used, and glibc's allocator. Does not know what is kept or why.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

ARENA_MAX, ARENAS = -8, 2  # mallopt's M_ARENA_MAX; each arena keeps what its threads once used


class Kept:
    """Values by key, the least recently used dropped beyond `most` bytes. Safe among threads.

    The newest value stays even if it alone is larger.
    """

    def __init__(self, most: int):
        self.most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of all that is kept; what two values share is counted twice."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, None if it is not kept (any more)."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value and drop what there is no more room for."""
        size = size_of(value)
        with self._lock:
            self._bytes += size - self._values.pop(key, (None, 0))[1]
            self._values[key] = value, size
            while self._bytes > self.most and len(self._values) > 1:
                self._bytes -= self._values.popitem(last=False)[1][1]

    def pop(self, key: Hashable) -> None:
        """Forget a key, if it is there."""
        with self._lock:
            self._bytes -= self._values.pop(key, (None, 0))[1]

    def made(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value of a key, made now if it is not kept."""
        value = self.get(key)
        if value is None:
            self.put(key, value := make())
        return value


def size_of(value: Any) -> int:
    """Bytes of the arrays, tensors and texts that a value reaches, each counted once.

    Dataclasses, mappings and sequences are looked through; an array that is a view counts what it keeps alive.
    """
    seen: set[int] = set()
    todo, total = [value], 0
    while todo:
        one = todo.pop()
        base = getattr(one, "base", None)
        one = base if base is not None and hasattr(base, "nbytes") else one
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if hasattr(one, "nbytes"):
            total += int(one.nbytes)
        elif isinstance(one, str | bytes):
            total += sys.getsizeof(one)
        elif isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list | tuple | set | frozenset):
            total += sys.getsizeof(one)
            todo += one
        elif is_dataclass(one) and not isinstance(one, type | Path):
            todo += [getattr(one, field.name) for field in fields(one)]
    return total


def few_arenas() -> None:
    """Let all threads share few pools of freed memory; call it before there are threads. Only glibc has them.

    The same as MALLOC_ARENA_MAX, which must be set before a process starts.
    """
    if hasattr(libc := _libc(), "mallopt"):
        libc.mallopt(ARENA_MAX, ARENAS)


def trim() -> None:
    """Give freed memory back to the system. Only glibc needs to be asked."""
    if hasattr(libc := _libc(), "malloc_trim"):
        libc.malloc_trim(0)


def _libc() -> Any:
    return ctypes.CDLL(None) if sys.platform.startswith("linux") else None
