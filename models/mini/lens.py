"""What `mini`'s picture and sound tokens say in each layer, and which soft words they were blended of.

Knows `mini`'s norm, embeddings and classifiers. Does not know how a page shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.lens import Said, places_of, scores
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES
from models.mini.processing import switching
from models.omni import Kind, Stimulus, never, unless

if TYPE_CHECKING:
    from models.mini.backend import Mini
    from models.mini.reading import Encoded

BLENDED = 3  # classes that are told of each token
CLASSES = {Kind.VIDEO: SEEN_NAMES, Kind.AUDIO: HEARD_NAMES}


@torch.inference_mode()
def read_out(
    mini: Mini,
    encoded: Encoded,
    question: str,
    names: Sequence[str],
    adapter: str,
    stop: Callable[[], bool] = never,
) -> Said:
    """See OmniModel.lens. The output matrix is that of the embeddings: a name's mean embedding is its read-out."""
    unless(stop)
    found, tokens = mini.hidden_states(encoded, question, adapter)
    places = places_of(tokens)
    states = torch.from_numpy(found[:, places]).to(mini.device, mini.dtype)
    states[:-1] = mini.inner.language_model.model.norm(states[:-1])  # the last layer's are normed
    tokenizer, inner = mini.processor.tokenizer, mini.inner
    with switching:
        named = inner.name_embeddings(names, tokenizer).float()
    shares = torch.stack([layer.softmax(-1) for layer in scores(states.float(), named)])
    best = {}
    for kind, table in ((Kind.VIDEO, inner.vision_names), (Kind.AUDIO, inner.sound_names)):
        unless(stop)
        there = [n for n, at in enumerate(places[:-1]) if tokens.kinds[at] is kind]
        if there:
            tops = (layer.argmax(-1).tolist() for layer in scores(states[:, there].float(), table.float()))
            best[kind] = tuple(tuple(CLASSES[kind][top] for top in layer) for layer in tops)
    return Said(tuple(names), tokens, places, shares.float().cpu().numpy(), best, _blends(mini, encoded.stimulus))


def _blends(mini: Mini, stimulus: Stimulus) -> dict:
    """Kind of media -> for each of its tokens the classes that weigh most in it."""
    found = {}
    pixels, _ = mini.processor.pixels(stimulus)
    if pixels is not None:
        features = mini.inner.vision(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(mini.device))
        found[Kind.VIDEO] = _largest(mini.inner.vision_distribution(features), SEEN_NAMES)
    if stimulus.waveform is not None and len(stimulus.waveform):
        patches = mini.processor.patches(Stimulus(None, 1.0, np.ascontiguousarray(stimulus.waveform)))
        features = mini.inner.sound(torch.from_numpy(patches).to(mini.device))
        found[Kind.AUDIO] = _largest(mini.inner.sound_distribution(features), HEARD_NAMES)
    return found


def _largest(distribution: torch.Tensor, names: Sequence[str]) -> tuple:
    best = distribution.flatten(0, -2).float().topk(BLENDED)
    return tuple(
        tuple((names[at], round(share, 3)) for share, at in zip(shares, places, strict=True))
        for shares, places in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )
