"""What makes two stimuli, or two questions about them, the same, so that an answer can be recalled.

Knows values. Does not know models or what is kept.
"""

from __future__ import annotations

import hashlib
import pickle
from itertools import chain
from typing import Any

from models import content
from models.omni import Stimulus


def digest(stimulus: Stimulus) -> str:
    """The same for stimuli that hold the same frames, sound, text and truths."""
    return content.digest(*chain.from_iterable(vars(stimulus).items())).hex()


def key_of(digest: str, *asked: Any) -> tuple[str, bytes] | None:
    """What makes two questions the same; None if that can't be told."""
    try:
        return (digest, hashlib.blake2b(pickle.dumps(asked), digest_size=20).digest()) if digest else None
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
