"""The attention alignment loss: look at the modality that was asked about.

loss = mean over questions and the upper half of the layers of -log(share), where share is the attention
that a question's last position gives, averaged over heads, to the tokens of the asked modality. Plugs
into models/probe.py in the place of a Recorder. Does not know any model or lesson.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models import probe

SMALLEST = 1e-4  # share below which the loss stops growing


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which positions should look where: N questions.

    sample, query: N indices into batch and sequence; targets: bool, N x T, the tokens of the asked modality.
    """

    sample: Tensor
    query: Tensor
    targets: Tensor


class AlignmentLoss:
    """Collects the loss while a forward pass runs; differentiable."""

    def __init__(self, layers: list[nn.Module], wanted: Wanted):
        self.upper = {id(layer) for layer in layers[len(layers) // 2 :]}
        self.wanted = wanted
        self.terms: list[Tensor] = []

    def watch(self, module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float, _row) -> None:
        """Add one layer's term; of all rows, not the last alone."""
        if id(module) not in self.upper or not len(self.wanted.query):
            return
        want = self.wanted
        heads, groups = query.shape[1], key.shape[1]
        asked = query[want.sample, :, want.query].unflatten(1, (groups, heads // groups))  # N x G x H/G x D
        scores = torch.einsum("nghd,ngtd->nght", asked, key[want.sample]).flatten(1, 2).float() * scaling
        if mask is not None:
            seen = mask[want.sample, :, want.query][..., : scores.shape[-1]]
            scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen.float()
        share = (scores.softmax(-1) * want.targets[:, None]).sum(-1).mean(1)
        self.terms.append(-share.clamp(min=SMALLEST).log().mean())

    def value(self) -> Tensor | float:
        """Mean over the layers noted; 0.0 when nothing was asked about a modality."""
        return torch.stack(self.terms).mean() if self.terms else 0.0


@contextmanager
def aligning(layers: list[nn.Module], wanted: Wanted) -> Iterator[AlignmentLoss]:
    """Collect the loss of the forward passes run inside; the model must use probe.PROBE attention."""
    loss = AlignmentLoss(layers, wanted)
    token = probe._recorder.set(loss)
    try:
        yield loss
    finally:
        probe._recorder.reset(token)
