"""What makes two stimuli, or two questions about them, the same, so that an answer can be recalled.

Knows values. Does not know models or what is kept.
"""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import numpy as np

from models.omni import Stimulus


def digest(stimulus: Stimulus) -> str:
    """The same for stimuli that hold the same frames, sound, text and truths."""
    made = hashlib.blake2b(digest_size=20)
    for name, value in vars(stimulus).items():
        if isinstance(value, np.ndarray):
            made.update(f"{name} {value.shape} {value.dtype} ".encode())
            made.update(np.ascontiguousarray(value))
        else:
            made.update(f"{name} {value!r} ".encode("utf-8", "surrogatepass"))
    return made.hexdigest()


def key_of(digest: str, *asked: Any) -> tuple[str, bytes] | None:
    """What makes two questions the same; None if that can't be told."""
    try:
        return (digest, hashlib.blake2b(pickle.dumps(asked), digest_size=20).digest()) if digest else None
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
