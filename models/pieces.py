"""The text of each token. Knows that a byte-level vocabulary may spell one character with several tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BYTES = 4  # of a character in UTF-8, at most; so many tokens can spell one
BROKEN = "\ufffd"  # what a decoder writes for bytes that are no whole character


def spelled(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """A string for each of these tokens, which follow each other: put together they are the text.

    A character that several tokens spell, such as an emoji, stands whole at the first of them, and "" at the others.
    """
    pieces: list[str] = []
    for end in range(1, len(ids) + 1):
        start = len(pieces)
        text = tokenizer.decode([int(one) for one in ids[start:end]])
        if not text.endswith(BROKEN) or end - start == BYTES or end == len(ids):
            pieces += [text] + [""] * (end - start - 1)
    return pieces
