"""Attention rows, caught inside a registered attention function while it runs; interventions there too.

The function calls SDPA for the output and computes softmax(q K^T) for one query row only: the last of
each forward pass, in the text layers, while a Recorder is active. Nothing of size T x T is kept. Knows
queries and keys. Does not know which positions are frames, sound or words (TokenMap does), nor which
interventions there are (models/steer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

PROBE = "mcgurk_probe"  # the name to load a model with: attn_implementation=PROBE

_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
_steer: ContextVar[Masks | None] = ContextVar("steer", default=None)


class Recorder:
    """Collects the last query row of every text layer, forward pass by forward pass.

    layers: the text layers' attention modules in order; any other attention (vision and audio towers) is left alone.
    """

    def __init__(self, layers: list[nn.Module]):
        self.index = {id(module): i for i, module in enumerate(layers)}
        self.passes: list[list[Tensor]] = [[] for _ in layers]  # per layer, per pass: batch x heads x keys
        self._leaving: list[tuple[int, Tensor]] = []  # (layer, row) of a pass that is not over

    def note(self, module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float) -> None:
        """Compute and keep softmax(q K^T) of the last query row; grouped-query attention is expanded here."""
        layer = self.index.get(id(module))
        if layer is None:
            return
        batch, heads, _, width = query.shape
        groups = key.shape[1]
        row = query[:, :, -1].reshape(batch, groups, heads // groups, width).float()
        scores = (row @ key.float().transpose(-1, -2) * scaling).reshape(batch, heads, -1)
        if mask is not None:
            last = mask[..., -1, : scores.shape[-1]].expand(batch, heads if mask.shape[1] > 1 else 1, -1)
            scores = scores.masked_fill(~last, -torch.inf) if last.dtype == torch.bool else scores + last.float()
        self._keep(layer, scores.softmax(-1).detach())

    def _keep(self, layer: int, row: Tensor) -> None:
        """Rows leave an accelerator once a pass, together and as float16: there they would take GBs."""
        if row.device.type == "cpu":
            self.passes[layer].append(row)
            return
        self._leaving.append((layer, row.half()))
        if len(self._leaving) < len(self.index):
            return
        home = next(iter(self._leaving))[1].device  # layers may lie on several cards
        gone = torch.cat([row.to(home).flatten() for _, row in self._leaving]).cpu()
        parts = gone.split([row.numel() for _, row in self._leaving])
        for (at, row), part in zip(self._leaving, parts, strict=True):
            self.passes[at].append(part.view(row.shape))
        self._leaving = []

    def rows(self, sample: int = 0) -> np.ndarray:
        """float16, layers x heads x passes x keys of the last pass; keys ahead of a row are 0."""
        widest = max(row.shape[-1] for row in self.passes[0])
        heads, count = self.passes[0][0].shape[1], len(self.passes[0])
        rows = np.zeros((len(self.passes), heads, count, widest), np.float16)
        for layer, caught in enumerate(self.passes):
            for n, row in enumerate(caught):
                rows[layer, :, n, : row.shape[-1]] = row[sample].cpu().numpy()
        return rows


class Masks:
    """Masks with a bias added. Layers that are given the same mask and bias share one: it is as large as T x T."""

    def __init__(self, bias: Callable[[nn.Module, int, torch.device], Tensor | None]):
        self.bias = bias
        self._made: tuple = ()  # (mask given, bias row, queries, keys, mask made) of the layer before

    def of(self, module: nn.Module, mask: Tensor | None, query: Tensor, keys: int) -> Tensor | None:
        """The mask for one layer's attention."""
        row, queries = self.bias(module, keys, query.device), query.shape[2]
        if row is None:
            return mask
        if self._made:
            given, before, *sizes, made = self._made
            if given is mask and before is row and sizes == [queries, keys]:
                return made
        self._made = ()  # let go of the last one before the next is made
        self._made = (mask, row, queries, keys, made := _steered(mask, row, query, keys))
        return made


@contextmanager
def recording(layers: list[nn.Module]) -> Iterator[Recorder]:
    """Record the forward passes run inside."""
    recorder = Recorder(layers)
    token = _recorder.set(recorder)
    try:
        yield recorder
    finally:
        _recorder.reset(token)


@contextmanager
def paused() -> Iterator[None]:
    """Do not record inside (option scoring)."""
    token = _recorder.set(None)
    try:
        yield
    finally:
        _recorder.reset(token)


@contextmanager
def steering(bias: Callable[[nn.Module, int, torch.device], Tensor | None] | None) -> Iterator[None]:
    """Apply an additive bias on attention scores inside.

    bias(module, keys, device) -> float32, what is added to the score of each key before the softmax, or None. The same
    for every query; a position's look at itself is left alone.
    """
    token = _steer.set(None if bias is None else Masks(bias))
    try:
        yield
    finally:
        _steer.reset(token)


def probed_attention(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """SDPA that a Recorder can watch and a bias can steer; a drop-in attention function of transformers."""
    masks, recorder = _steer.get(), _recorder.get()
    if masks is not None:
        attention_mask = masks.of(module, attention_mask, query, key.shape[2])
    if recorder is not None:
        recorder.note(module, query, key, attention_mask, scaling or query.shape[-1] ** -0.5)
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)


def _steered(mask: Tensor | None, row: Tensor, query: Tensor, keys: int) -> Tensor:
    """The mask with a row of biases added, in the model's dtype; without a mask the causal one is made explicit."""
    queries, least = query.shape[2], torch.finfo(query.dtype).min
    if mask is None:
        made = torch.full((1, 1, queries, keys), least, dtype=query.dtype, device=query.device).triu_(
            keys - queries + 1
        )
    elif mask.dtype == torch.bool:
        made = torch.zeros(mask.shape, dtype=query.dtype, device=query.device).masked_fill_(~mask, least)
    else:
        made = mask.to(query.dtype, copy=True)
    itself = made.diagonal(keys - queries, -2, -1).clone()
    made.add_(row.to(query.dtype)).clamp_(min=least)
    made.diagonal(keys - queries, -2, -1).copy_(itself)
    return made


AttentionInterface.register(PROBE, probed_attention)
AttentionMaskInterface.register(PROBE, sdpa_mask)  # a name missing here silently loses the causal mask
