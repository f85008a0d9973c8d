"""A short run of tests/fuzz.py: mutants are read or refused, and leave nothing behind."""

import re
import subprocess
import sys

import numpy as np

from tests import fuzz


def test_a_few_mutants():
    """In a process of its own: the memory of a child is counted from what its parent holds."""
    command = [sys.executable, "-m", "tests.fuzz", "--mutants", "24", "--seed", "1", "--files", "12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    refused = re.search(r"^ *(\d+)  refused$", done.stdout, re.MULTILINE)
    assert refused is not None and 0 < int(refused[1]) < 24 and "crashed" not in done.stdout


def test_mutants_are_the_same_for_a_seed_and_differ_from_the_file():
    data, other = bytes(range(256)) * 20, bytes(5000)
    first, again = (fuzz.mutated(data, other, np.random.default_rng([3, 4])) for _ in range(2))
    assert first == again != data
    assert len({fuzz.mutated(data, other, np.random.default_rng([0, n])) for n in range(50)}) > 45
