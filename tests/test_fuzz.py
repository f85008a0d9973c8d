"""A short run of tests/fuzz.py: mutants are read or refused, and leave nothing behind."""

import numpy as np

from tests import fuzz


def test_a_few_mutants():
    table = fuzz.run(24, seed=1, corpus=12)
    assert not table.failures, "\n".join(table.failures)
    assert sum(table.outcomes.values()) == 24 and table.outcomes["refused"] < 24


def test_mutants_are_the_same_for_a_seed_and_differ_from_the_file():
    data, other = bytes(range(256)) * 20, bytes(5000)
    first, again = (fuzz.mutated(data, other, np.random.default_rng([3, 4])) for _ in range(2))
    assert first == again != data
    assert len({fuzz.mutated(data, other, np.random.default_rng([0, n])) for n in range(50)}) > 45
