"""What is kept is bounded by bytes, counted as it lies in memory."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from demo.visitors.memory import Kept, size_of


@dataclass
class Pair:
    first: object
    second: object


def test_sizes_are_those_of_the_arrays_reached_once_each():
    frames = np.zeros((10, 20, 30), np.uint8)
    assert size_of(frames) == 6000
    assert size_of(Pair(frames, {"again": frames})) == 6000
    assert size_of(frames[:1]) == 6000  # a view keeps all of it alive
    assert size_of(Pair(torch.zeros(100), None)) == 400
    assert 6000 < size_of([frames, "text", (1, 2.0)]) < 7000
    assert size_of(None) == 0


def test_the_least_recently_used_goes_first_and_the_newest_stays():
    kept = Kept(1000)
    for name in "abc":
        kept.put(name, np.zeros(400, np.uint8))
    assert kept.get("a") is None and kept.get("b") is not None and kept.bytes == 800
    kept.put("d", np.zeros(400, np.uint8))
    assert kept.get("c") is None and kept.get("b") is not None
    kept.put("huge", np.zeros(5000, np.uint8))
    assert len(kept) == 1 and kept.get("huge") is not None
    kept.put("huge", np.zeros(10, np.uint8))
    kept.pop("absent")
    assert kept.bytes == 10
    kept.pop("huge")
    assert (kept.bytes, len(kept)) == (0, 0)


def test_made_once():
    kept, made = Kept(1000), []
    for _ in range(2):
        assert kept.made("a", lambda: made.append(1) or "value") == "value"
    assert made == [1]
    with pytest.raises(ZeroDivisionError):
        kept.made("b", lambda: 1 / 0)
    assert len(kept) == 1


def test_many_threads_keep_count():
    kept = Kept(50_000)

    def fill(seed):
        rng = np.random.default_rng(seed)
        for _ in range(300):
            kept.put(int(rng.integers(200)), np.zeros(int(rng.integers(1, 3000)), np.uint8))
            kept.pop(int(rng.integers(200)))

    threads = [threading.Thread(target=fill, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = [kept.get(key) for key in range(200)]
    assert kept.bytes == sum(len(value) for value in held if value is not None) <= 50_000
