"""What can be asked of the attention function: a bias, other weights, louder values, changed outputs.

Knows scores, weights and values of layers and positions. Does not know which positions are frames, sound or words, nor
which interventions there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

BLOCK = 256  # query rows that are worked on by hand at a time
ALIGNED_TO = 16  # elements: the memory-efficient kernels copy a mask whose rows begin elsewhere


class Mask(ABC):
    """A bias on attention scores that several layers share; it is made once a forward pass, whatever their number."""

    @abstractmethod
    def touches(self, start: int, stop: int) -> bool:
        """Whether any of the positions start..stop is to look otherwise than it does."""

    @abstractmethod
    def bias(self, start: int, stop: int, keys: int) -> Tensor:
        """float32 (stop - start) x keys: what is added to the scores of the positions start..stop."""

    def opened(self, start: int, stop: int, keys: int) -> Tensor | None:
        """bool (stop - start) x keys: keys that are seen although they lie ahead; None: none."""
        return None


@dataclass(frozen=True, eq=False)
class Edit:
    """Weights in place of softmax(scores), for the positions from `first` on.

    weigh(scores, start, layer): scores float32, batch x heads x rows x keys, closed keys at -inf, of the positions
    from `start` on -> weights of the same shape.
    """

    first: int
    weigh: Callable[[Tensor, int, int], Tensor]


@dataclass(eq=False)
class Asks:
    """What one intervention asks of the attention function, by layer; a layer that is not named is left alone.

    layers: the text layers' attention modules in order; a tuple of modules counts as one layer.
    values: factor on what a position says, float32, (1 or query heads) x positions; positions beyond: 1.
    outputs: the heads' output (batch x rows x query heads x width, the first row's position, layer, the attention
        module: a layer may be several, whose widths differ) -> what replaces it.
    first: the first position whose row is touched, or could be: keys and values before it are those of a plain pass.
    """

    layers: Sequence[nn.Module | tuple[nn.Module, ...]]
    masks: Mapping[int, Mask] = field(default_factory=dict)
    edits: Mapping[int, Edit] = field(default_factory=dict)
    values: Mapping[int, Tensor] = field(default_factory=dict)
    outputs: Mapping[int, Callable[[Tensor, int, int, nn.Module], Tensor]] = field(default_factory=dict)
    first: int = 0


class Steered:
    """Several Asks at work: one for the whole batch, or one for each of its rows."""

    def __init__(self, asks: Sequence[Asks]):
        self.asks = asks
        groups = ((one if isinstance(one, tuple) else (one,)) for one in asks[0].layers)
        self.index = {id(module): i for i, group in enumerate(groups) for module in group}
        self._made: dict[int, Tensor] = {}  # of the present forward pass, by what was wanted
        self._joined: tuple = ((), None)
        self._for: tuple = ()

    def mask(self, layer: int, mask: Tensor | None, query: Tensor, keys: int) -> Tensor | None:
        """The mask with what is asked added: floats, (1 or batch) x 1 x queries x keys."""
        start = keys - query.shape[2]
        wanted = [ask.masks.get(layer) for ask in self.asks]
        wanted = [one if one is not None and one.touches(start, keys) else None for one in wanted]
        if not any(wanted):
            return mask
        if self._for != (now := (keys, query.shape[2], query.dtype, id(mask))):
            self._made, self._joined, self._for, self._base = {}, ((), None), now, mask
        for one in wanted:
            if id(one) not in self._made:
                base = mask if mask is None or len(wanted) == 1 else mask[:1]  # rows with asks of their own: one prompt
                self._made[id(one)] = _made(one, base, query, keys)
        if len(wanted) == 1:
            return self._made[id(wanted[0])]
        if self._joined[0] != (key := tuple(map(id, wanted))):
            self._joined = key, torch.cat([self._made[one] for one in key])
        return self._joined[1]

    def values(self, layer: int, key: Tensor, value: Tensor, heads: int) -> tuple[Tensor, Tensor]:
        """Keys and values with what is asked multiplied in; one for each query head where heads differ."""
        wanted = [ask.values.get(layer) for ask in self.asks]
        if all(one is None for one in wanted):
            return key, value
        finest = max(one.shape[0] for one in wanted if one is not None)
        factors = torch.ones(len(wanted), finest, value.shape[2], device=value.device)
        for row, one in enumerate(wanted):
            if one is not None:
                known = min(one.shape[-1], value.shape[2])
                factors[row, :, :known] = one[:, :known].to(value.device)
        if finest > 1:
            key, value = (one.repeat_interleave(heads // one.shape[1], 1) for one in (key, value))
        return key, value * factors[..., None].to(value.dtype)

    def each(self, name: str, layer: int, batch: int) -> Iterator[tuple[slice, object]]:
        """(rows of the batch, what is asked of them) for edits or outputs."""
        for row, ask in enumerate(self.asks):
            if (wanted := getattr(ask, name).get(layer)) is not None:
                yield slice(row, row + 1) if len(self.asks) > 1 else slice(0, batch), wanted


def causal(start: int, stop: int, keys: int, device: torch.device) -> Tensor:
    """bool (stop - start) x keys: what each of the positions start..stop may see of the keys up to itself."""
    return torch.arange(keys, device=device) <= torch.arange(start, stop, device=device)[:, None]


def _made(wanted: Mask | None, mask: Tensor | None, query: Tensor, keys: int) -> Tensor:
    """The one mask of a forward pass, in the queries' type: (1 or batch) x 1 x queries x keys, made block by block."""
    queries, lowest = query.shape[2], torch.finfo(query.dtype).min
    start, batch = keys - queries, 1 if mask is None else len(mask)
    wide = -(-keys // ALIGNED_TO) * ALIGNED_TO
    made = torch.empty(batch, 1, queries, wide, dtype=query.dtype, device=query.device)[..., :keys]
    if mask is None and queries == 1:  # one more token of an answer sees all there is
        made.zero_()
        if wanted is not None:
            made[0, 0] = wanted.bias(start, keys, keys).clamp(min=lowest).to(query.dtype)
        return made
    for at in range(0, queries, BLOCK):
        stop = min(at + BLOCK, queries)
        given = causal(start + at, start + stop, keys, query.device)[None, None]
        if mask is not None:
            given = mask[..., at:stop, :keys]
        added = torch.zeros(stop - at, keys, device=query.device)
        if wanted is not None:
            added = wanted.bias(start + at, start + stop, keys).to(query.device)
            if given.dtype == torch.bool and (more := wanted.opened(start + at, start + stop, keys)) is not None:
                given = given | more.to(query.device)
        if given.dtype == torch.bool:
            made[:, :, at:stop] = torch.where(given, added.clamp(min=lowest).to(query.dtype), lowest)
        else:
            made[:, :, at:stop] = (given.float() + added).clamp(min=lowest).to(query.dtype)
    return made
