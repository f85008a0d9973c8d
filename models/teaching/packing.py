"""Packed sequences of several lessons side by side: padded to one width, questions of one clip apart from each other.

Knows lists of numbers and which question each place belongs to. Does not know tokens or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def padded(items: Sequence[Mapping], key: str, fill: int) -> Tensor:
    """The lists `key` of the items as B x T long, T that of the longest "ids", filled up at the end."""
    rows = torch.full((len(items), max(len(item["ids"]) for item in items)), fill, dtype=torch.long)
    for row, item in zip(rows, items, strict=True):
        row[: len(item[key])] = torch.tensor(item[key])
    return rows


def visible(branches: Tensor) -> Tensor:
    """B x T numbers of questions, 0 shared by all -> B x T x T bool: the past that is shared or one's own."""
    causal = torch.ones(branches.shape[1], branches.shape[1], dtype=torch.bool).tril()
    return causal & ((branches[:, None, :] == 0) | (branches[:, None, :] == branches[:, :, None]))
