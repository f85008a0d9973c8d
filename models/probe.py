"""Attention rows, caught inside a registered attention function while it runs; interventions reach in there too.

The function calls SDPA for the output and computes softmax(q K^T) for one query row only: the last of
each forward pass, in the text layers, while a Recorder is active. Nothing of size T x T is kept. Knows
queries, keys and values, and does what is asked of them (models/asks.py). Does not know which positions are frames,
sound or words (TokenMap does), nor which interventions there are (models/interventions/).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from models.asks import BLOCK, Asks, Edit, Steered, causal

PROBE = "mcgurk_probe"  # the name to load a model with: attn_implementation=PROBE
LONG, ROWS = 1024, 512  # queries from which on a CPU reads a masked prompt in blocks, and rows of a block

_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
_steered: ContextVar[Steered | None] = ContextVar("steered", default=None)


class Recorder:
    """Collects the last query row of every text layer, forward pass by forward pass.

    layers: the text layers' attention modules in order; any other attention (vision and audio towers) is left alone.
    """

    def __init__(self, layers: list[nn.Module]):
        self.index = {id(module): i for i, module in enumerate(layers)}
        self.passes: list[list[Tensor]] = [[] for _ in layers]  # per layer, per pass: batch x heads x keys
        self._leaving: list[tuple[int, Tensor]] = []  # (layer, row) of a pass that is not over

    def watch(self, module: nn.Module, query: Tensor, key: Tensor, mask, scaling: float, last_row) -> None:
        """Keep a pass' last row (`last_row()`: batch x heads x 1 x keys), if the module is one of the layers."""
        if (layer := self.index.get(id(module))) is not None:
            self._keep(layer, last_row()[:, :, 0].detach())

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
def steering(*asks: Asks | None) -> Iterator[None]:
    """Do inside what is asked: of every row of a batch, or, where several are given, of each its own; None: nothing."""
    token = _steered.set(Steered(asks) if asks and asks[0] is not None else None)
    try:
        yield
    finally:
        _steered.reset(token)


def probed_attention(module, query, key, value, attention_mask, scaling=None, **kwargs):
    """SDPA that a Recorder can watch and an intervention can reach into; an attention function of transformers."""
    steered, recorder = _steered.get(), _recorder.get()
    scale = scaling or query.shape[-1] ** -0.5
    layer = None if steered is None else steered.index.get(id(module))
    edits: list = []
    if layer is not None:
        attention_mask = steered.mask(layer, attention_mask, query, key.shape[2])
        edits = list(steered.each("edits", layer, len(query)))
    if recorder is not None:
        given = query, key, attention_mask
        recorder.watch(module, *given, scale, lambda: _last_row(*given, scale, edits, layer))
    if layer is not None:
        key, value = steered.values(layer, key, value, query.shape[1])
    start = key.shape[2] - query.shape[2]
    if edits and sum(rows.stop - rows.start for rows, edit in edits if edit.first <= start) == len(query):
        output = query.new_empty(query.transpose(1, 2).shape)  # all of it is written by the edits
    elif key.shape[1] == query.shape[1] and getattr(module, "num_key_value_groups", 1) > 1:
        output = _plain(query, key, value, attention_mask, scale)
    else:
        output = _attended(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    if layer is not None:
        for rows, edit in edits:
            _edit(output[rows], edit, layer, query[rows], key[rows], value[rows], _of(attention_mask, rows), scale)
        for rows, change in steered.each("outputs", layer, len(query)):
            output[rows] = change(output[rows], start, layer, module)
    return output, None


def _attended(module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **kwargs) -> Tensor:
    """SDPA: batch x queries x heads x width.

    Under a mask a CPU computes closed keys too, which is half of a long prompt: block by block each row is read with
    the keys up to its block's end, where the mask closes all others.
    """
    queries, keys = query.shape[2], key.shape[2]
    stops = [*range(ROWS, queries, ROWS), queries]
    blocks = [(slice(at, stop), keys - queries + stop) for at, stop in zip([0, *stops], stops, strict=False)]
    if (
        mask is None or query.device.type != "cpu" or queries < LONG
        or not all(_closed(mask[..., rows, end:keys]) for rows, end in blocks)
    ):  # fmt: skip
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)[0]
    read = [
        sdpa_attention_forward(
            module, query[:, :, rows], key[:, :, :end], value[:, :, :end], mask[..., rows, :end], **kwargs
        )[0]
        for rows, end in blocks
    ]
    return torch.cat(read, 1)


def _closed(mask: Tensor) -> bool:
    return bool((~mask if mask.dtype == torch.bool else mask <= torch.finfo(mask.dtype).min).all())


def _plain(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """SDPA of as many keys as query heads: batch x queries x heads x width."""
    if mask is None and query.shape[2] > 1:
        mask = causal(key.shape[2] - query.shape[2], key.shape[2], key.shape[2], query.device)[None, None]
    attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    return attended.transpose(1, 2).contiguous()


def _edit(output: Tensor, edit: Edit, layer: int, query, key, value, mask: Tensor | None, scale: float) -> None:
    """Write into `output` (batch x queries x heads x width) what the edited rows read."""
    queries, keys, heads = query.shape[2], key.shape[2], query.shape[1]
    start = keys - queries
    spoken = value.repeat_interleave(heads // value.shape[1], 1).float()
    for at in range(max(edit.first - start, 0), queries, BLOCK):
        stop = min(at + BLOCK, queries)
        weights = edit.weigh(scores(query, key, mask, scale, at, stop), start + at, layer)
        output[:, at:stop] = (weights @ spoken).transpose(1, 2).to(output.dtype)


def _last_row(query, key, mask: Tensor | None, scale: float, edits: list, layer: int | None) -> Tensor:
    """Weights of the last query row, edited where they are: float32, batch x heads x 1 x keys."""
    last = scores(query, key, mask, scale, query.shape[2] - 1, query.shape[2])
    weights, position = last.softmax(-1), key.shape[2] - 1
    for rows, edit in edits:
        if position >= edit.first:
            weights[rows] = edit.weigh(last[rows], position, layer)
    return weights


def scores(query: Tensor, key: Tensor, mask: Tensor | None, scale: float, first: int, last: int) -> Tensor:
    """float32, batch x heads x (last - first) x keys of the query rows first..last, the mask in it, closed at -inf."""
    batch, heads, queries, width = query.shape
    groups, keys = key.shape[1], key.shape[2]
    # the heads that share keys are rows of one product: broadcast, the keys would be copied for each of them
    rows = query[:, :, first:last].reshape(batch, groups, heads // groups * (last - first), width).float()
    found = (rows @ key.float().transpose(-1, -2) * scale).reshape(batch, heads, last - first, keys)
    start = keys - queries
    if mask is None and start + first + 1 >= keys:
        return found  # the last row alone sees everything
    if mask is None:
        return found.masked_fill(~causal(start + first, start + last, keys, query.device), -torch.inf)
    mask = mask[..., first:last, :keys]
    if mask.dtype == torch.bool:
        return found.masked_fill(~mask, -torch.inf)
    return (found + mask.float()).masked_fill(mask <= torch.finfo(mask.dtype).min, -torch.inf)


def _of(mask: Tensor | None, rows: slice) -> Tensor | None:
    return mask if mask is None or len(mask) == 1 else mask[rows]


AttentionInterface.register(PROBE, probed_attention)
AttentionMaskInterface.register(PROBE, sdpa_mask)  # a name missing here silently loses the causal mask
