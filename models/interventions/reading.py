"""What a backend lends to an intervention: a prompt that can be read in several ways, and a plan of what to do to it.

Knows plans, readers and masks made of blocks. Does not know any one method, nor how a backend reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.asks import Asks, Mask
from models.interventions.intervention import ALL, REMOVED
from models.omni import TokenMap

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Plan:
    """What is done to one prompt.

    contrasts: further readings of the prompt, each with what is asked of them and its weight w: the logits that count
    are z + sum of w (z - z_contrast). plausible: tokens below this share of the likeliest one's probability (under z)
    are never written; 0: all may be. split: the last rows, from this position on, are read after `touch` was
    called with the cache. layers, rows, passes, notes: for the receipt; afterwards: what is known only once the answer
    is given, for it too.
    """

    asks: Asks | None = None
    contrasts: tuple[tuple[Reader, Asks | None, float], ...] = ()
    plausible: float = 0.0
    split: int | None = None
    touch: Callable[[Any], None] | None = None
    layers: tuple[int, ...] = ()
    rows: str = ALL
    passes: int = 0  # extra ones
    notes: tuple[str, ...] = ()
    afterwards: Callable[[], tuple[str, ...]] = tuple


class Reader(ABC):
    """One prompt in front of one adapter: what an intervention may ask of a backend before the answer.

    attention, blocks: the attention modules and the decoder layers of the language model, in order; a tuple of modules
    counts as one layer.
    """

    model: str
    tokens: TokenMap
    attention: Sequence[nn.Module | tuple[nn.Module, ...]]
    blocks: Sequence[nn.Module]
    heads: int

    @abstractmethod
    def less(self, without: Collection[str], stand_in: str = REMOVED) -> Reader:
        """The same question about less: modalities REMOVED (no tokens of theirs), BLANK (black frames, silence), or
        LEARNED (as many tokens that a model has learnt to take for nothing)."""

    @abstractmethod
    def read(self, asks: Asks | None = None, split: int | None = None, touch: Callable | None = None):
        """(cache, logits rows x vocabulary after the prompt), doing what is asked; see Plan for `split` and `touch`."""

    @abstractmethod
    def read_many(self, asks: Sequence[Asks]):
        """The same with a row of the batch for each of these; what lies before the first row touched is read once."""

    @abstractmethod
    def shares(self, cache: Any, logits: Tensor, options: Sequence[str]) -> list[dict[str, float]]:
        """For each row: probability of each option's full text after what was read. The cache is left as it was."""

    def biased(self, terms: Sequence[tuple], layers: Sequence[int], first: int, rows: str = ALL, opens=None) -> Plan:
        """A plan that is one bias in some layers and nothing else; terms, opens: see Terms, first: see Asks."""
        asks = Asks(self.attention, masks=dict.fromkeys(layers, Terms(terms, opens)), first=first)
        return Plan(asks, layers=tuple(layers), rows=rows)

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What make() measures of this prompt, measured once however many interventions of a sweep ask for it."""
        measured = self.__dict__.setdefault("_measured", {})
        if name not in measured:
            measured[name] = make()
        return measured[name]

    @property
    def layers(self) -> int:
        return len(self.attention)

    def modules(self, layer: int) -> tuple[nn.Module, ...]:
        """The attention modules that a layer stands for; the last one's weights are shown."""
        group = self.attention[layer]
        return group if isinstance(group, tuple) else (group,)

    @property
    def next_position(self) -> float:
        """Where the first token of the answer stands."""
        return len(self.tokens)


class Terms(Mask):
    """A sum of (rows, columns) blocks: each adds its columns' bias to its rows. A position's own column is left alone.

    rows: bool, P + 1, the last for every position after the prompt. columns: float, P. opens: (rows, columns), both
    bool, P: pairs that are seen although the column lies ahead.
    """

    def __init__(
        self, terms: Sequence[tuple[np.ndarray, np.ndarray]] = (), opens: tuple[np.ndarray, np.ndarray] | None = None
    ):
        self.terms = [(torch.from_numpy(rows), torch.from_numpy(columns).float()) for rows, columns in terms]
        self.opens = None if opens is None else tuple(map(torch.from_numpy, opens))
        touched = np.any([rows for rows, _ in (*terms, *([opens] if opens else []))], axis=0)
        self._after = sum(columns * float(rows[-1]) for rows, columns in self.terms)  # for every token of an answer
        self._before = np.concatenate([[0], np.cumsum(touched)]).tolist()  # asked in every layer of every pass

    def touches(self, start: int, stop: int) -> bool:
        last = len(self._before) - 2  # goes on for ever
        return self._before[min(stop, last + 1)] > self._before[min(start, last)]

    def bias(self, start: int, stop: int, keys: int) -> Tensor:
        added = torch.zeros(stop - start, keys)
        if self.terms and start >= len(self._after):
            added[:, : len(self._after)] = self._after
            return added
        for rows, columns in self.terms:
            known = min(keys, len(columns))
            added[:, :known] += _rows(rows, start, stop).float()[:, None] * columns[:known]
        own = torch.arange(start, min(stop, keys))
        added[own - start, own] = 0.0
        return added

    def opened(self, start: int, stop: int, keys: int) -> Tensor | None:
        if self.opens is None:
            return None
        rows, columns = self.opens
        found = torch.zeros(stop - start, keys, dtype=torch.bool)
        known = min(keys, len(columns))
        found[:, :known] = _rows(rows, start, stop)[:, None] & columns[:known]
        return found


def _rows(rows: Tensor, start: int, stop: int) -> Tensor:
    """What holds for the positions start..stop, of P + 1 values of which the last goes on for ever."""
    return rows[torch.arange(start, stop).clamp(max=len(rows) - 1)]


class Dense(Mask):
    """A bias of its own for each pair of some rows and columns; positions behind the prompt get the last row's.

    rows, columns: bool, P. values: float, chosen rows x chosen columns.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray):
        self.place = torch.full((len(rows) + 1,), -1)
        self.place[torch.from_numpy(np.flatnonzero(rows))] = torch.arange(int(rows.sum()))
        self.place[-1] = len(values) - 1
        self.columns, self.values = torch.from_numpy(np.flatnonzero(columns)), torch.from_numpy(values).float()

    def touches(self, start: int, stop: int) -> bool:
        return bool((_rows(self.place, start, stop) >= 0).any())

    def bias(self, start: int, stop: int, keys: int) -> Tensor:
        added = torch.zeros(stop - start, keys)
        place = _rows(self.place, start, stop)
        chosen, known = place >= 0, self.columns < keys
        rows = torch.zeros(int(chosen.sum()), keys)
        rows[:, self.columns[known]] = self.values[place[chosen]][:, known]
        added[chosen] = rows
        return added
