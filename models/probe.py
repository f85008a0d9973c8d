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
_steer: ContextVar[Callable | None] = ContextVar("steer", default=None)


class Recorder:
    """Collects the last query row of every text layer, forward pass by forward pass.

    layers: the text layers' attention modules in order; any other attention (vision and audio towers) is left alone.
    """

    def __init__(self, layers: list[nn.Module]):
        self.index = {id(module): i for i, module in enumerate(layers)}
        self.passes: list[list[Tensor]] = [[] for _ in layers]  # per layer, per pass: batch x heads x keys

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
        self.passes[layer].append(scores.softmax(-1).detach())

    def rows(self, sample: int = 0) -> np.ndarray:
        """float16, layers x heads x passes x keys of the last pass; keys ahead of a row are 0."""
        widest = max(row.shape[-1] for row in self.passes[0])
        heads, count = self.passes[0][0].shape[1], len(self.passes[0])
        rows = np.zeros((len(self.passes), heads, count, widest), np.float16)
        for layer, caught in enumerate(self.passes):
            for n, row in enumerate(caught):
                rows[layer, :, n, : row.shape[-1]] = row[sample].cpu().numpy()
        return rows


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
def steering(bias: Callable[[nn.Module, int, int, torch.device], Tensor | None] | None) -> Iterator[None]:
    """Apply an additive bias on attention scores inside.

    bias(module, queries, keys, device) -> float queries x keys to add before the softmax, or None.
    """
    token = _steer.set(bias)
    try:
        yield
    finally:
        _steer.reset(token)


def probed_attention(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """SDPA that a Recorder can watch and a bias can steer; a drop-in attention function of transformers."""
    bias, recorder = _steer.get(), _recorder.get()
    if bias is not None:
        added = bias(module, query.shape[2], key.shape[2], query.device)
        if added is not None:
            attention_mask = _steered(attention_mask, added, query)
    if recorder is not None:
        recorder.note(module, query, key, attention_mask, scaling or query.shape[-1] ** -0.5)
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)


def _steered(mask: Tensor | None, added: Tensor, query: Tensor) -> Tensor:
    """The mask as floats with the bias added; without a mask the causal one is made explicit."""
    queries, keys = added.shape
    if mask is None:
        mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)[None, None]
    if mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, device=query.device).masked_fill(~mask, torch.finfo(query.dtype).min)
    return (mask.float() + added).clamp(min=torch.finfo(query.dtype).min).to(query.dtype)


AttentionInterface.register(PROBE, probed_attention)
AttentionMaskInterface.register(PROBE, sdpa_mask)  # a name missing here silently loses the causal mask
