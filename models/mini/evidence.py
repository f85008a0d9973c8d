"""What the encoders' logits say, as distributions over words: what a soft word is a blend of.

A classifier was trained on pooled features: place by place it is noisy and sure of itself. So each place's logits are
mixed with those of the whole (its frame; its sound patch and the loudest patch of the clip), and a place differs from
another by what is left of its own. Knows logits and class lists. Does not know embeddings or language models.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from models.mini.encoders import AUDIOSET_CLASSES

PLACE = 0.4  # share of a place's own logits, the rest is the frame's or the patch's
VISION_TEMPERATURE = 0.6  # EfficientNet-Lite was trained with smoothed labels: below 1 undoes it
WORDS_SHARE = 0.6  # of a visual token's mass, on everyday words; the rest is on ImageNet's classes
WORDS_POWER = 2.0  # on the words' probabilities before they are normalised: the sure ones speak
CLIP_SHARE = 0.4  # of a moment's logits, those of the clip's patch where the class is loudest
SOUND_POWER = 1.5
HEARD = 0.2  # sigmoid score from which a specific sound silences background, speech and music altogether
UNDER = 0.05  # what is left of them then
GIVES_WAY = 1.0  # power with which a parent gives way to its child


def seen_words(logits: Tensor, words: Tensor, temperature: float = 1.0, without: Sequence[int] = ()) -> Tensor:
    """(F x 7 x 7 x 1000 ImageNet logits, F x 7 x 7 x W word logits) -> F x 7 x 7 x (1000 + W) shares, sum 1.

    temperature, without: lessons flatten or sharpen the shares, or leave out what is sure (numbers of the 1000 + W).
    """
    for n in without:
        (logits if n < logits.shape[-1] else words)[..., n if n < logits.shape[-1] else n - logits.shape[-1]] = -20.0
    classes = _with_whole(logits, (1, 2)).div(VISION_TEMPERATURE * temperature).softmax(-1)
    said = _with_whole(words, (1, 2)).sigmoid().pow(WORDS_POWER / temperature)
    said = said / said.sum(-1, keepdim=True).clamp(min=1e-9)
    return torch.cat([classes * (1 - WORDS_SHARE), said * WORDS_SHARE], -1)


def heard_words(logits: Tensor, temperature: float = 1.0, without: Sequence[int] = ()) -> Tensor:
    """P x 3 x 2 x 521 AudioSet logits -> P x 3 x 2 x 521 shares, sum 1. temperature, without: as for seen_words.

    AudioSet's classes contain each other and all of them may be true at once. A parent gives way as far as a child of
    it is heard as well, and ambience, speech and music speak where nothing more specific does.
    """
    if len(without):
        logits[..., list(without)] = -20.0
    places = _with_whole(logits, (1, 2))
    loudest = logits.mean((1, 2)).amax(0)
    scores = ((1 - CLIP_SHARE) * places + CLIP_SHARE * loudest).sigmoid()
    ancestors, descendants, general = (table.to(scores.device) for table in hierarchy())
    below = torch.zeros_like(scores)  # the best descendant of each class
    below.scatter_reduce_(-1, ancestors.expand(*scores.shape[:-1], -1), scores[..., descendants], "amax")
    scores = scores * (1 - (below / scores.clamp(min=1e-6)).clamp(max=1)).pow(GIVES_WAY).clamp(min=UNDER)
    specific = scores.masked_fill(general, 0).amax(-1, keepdim=True)
    quiet = (1 - specific / HEARD).clamp(min=UNDER)
    scores = torch.where(general, scores * quiet, scores).pow(SOUND_POWER / temperature)
    return scores / scores.sum(-1, keepdim=True).clamp(min=1e-9)


def _with_whole(logits: Tensor, places: tuple[int, ...]) -> Tensor:
    """Each place's logits mixed with their mean over all places, which are the logits of the pooled features."""
    return PLACE * logits + (1 - PLACE) * logits.mean(places, keepdim=True)


@cache
@torch.inference_mode(False)  # made while answering, they serve training all the same
def hierarchy() -> tuple[Tensor, Tensor, Tensor]:
    """(E ancestors, E descendants: class numbers, pair by pair; 521 bool: ambience, speech and music)."""
    with open(Path(__file__).parent / "audioset_parents.csv", newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    number = {name: n for n, name in enumerate(AUDIOSET_CLASSES)}
    pairs = set()
    for name in AUDIOSET_CLASSES:
        waiting = [name]
        while waiting:
            for parent in filter(None, rows[waiting.pop()]["parents"].split(";")):
                if (number[parent], number[name]) not in pairs:
                    pairs.add((number[parent], number[name]))
                    waiting.append(parent)
    ancestors, descendants = torch.tensor(sorted(pairs)).T
    return ancestors, descendants, torch.tensor([bool(rows[name]["role"]) for name in AUDIOSET_CLASSES])
