"""What the bench found inside a model: attention by kind and layer, and how far it depends on the question.

Knows samples as they are written. Does not know how tables are shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.bench.cases.asking import MEDIA, Sample, unpacked
from demo.bench.cases.conditions import EFFECT_CONDITIONS
from demo.bench.results import measures
from models.omni import Kind


@dataclass(frozen=True)
class LayerShare:
    """Mean attention on one kind of token, per layer: raw and divided by the number of tokens."""

    pool: str
    condition: str
    ask: str
    adapter: str
    kind: str
    raw: tuple[float, ...]
    per_token: tuple[float, ...]
    n: int


@dataclass(frozen=True, eq=False)
class Effect:
    """Cohen's d of the attention on one kind of token between visual and audio questions (visual minus audio)."""

    pool: str
    condition: str
    adapter: str
    kind: str  # "video" or "audio" tokens
    heads: np.ndarray  # layers x heads
    layers: np.ndarray  # layers, of the mean over heads
    n: tuple[int, int]  # visual, audio questions

    @property
    def largest(self) -> float:
        """max |d| over layers and heads; nan if there is none."""
        known = np.abs(self.heads[np.isfinite(self.heads)])
        return float(known.max()) if len(known) else float("nan")


@dataclass(frozen=True)
class Alignment:
    """Implicit alignment score per layer, where a model shows its hidden states."""

    pool: str
    condition: str
    adapter: str
    layers: tuple[float, ...]
    n: int


def layer_shares(samples: Sequence[Sample]) -> list[LayerShare]:
    """Attention by kind and layer for every condition, question and adapter that was watched."""
    groups = _watched(samples)
    made = []
    for (pool, condition, ask, adapter), answers in groups.items():
        kinds = dict.fromkeys(kind for answer in answers for kind in answer["layers"])
        for kind in kinds:
            having = [answer for answer in answers if kind in answer["layers"]]
            raw = np.array([answer["layers"][kind] for answer in having])
            counts = np.array([max(1, answer["tokens"].get(kind, 1)) for answer in having])
            per_token = (raw / counts[:, None]).mean(0)
            made.append(
                LayerShare(pool, condition, ask, adapter, kind, tuple(raw.mean(0)), tuple(per_token), len(having))
            )
    return made


def effects(samples: Sequence[Sample]) -> list[Effect]:
    """Cohen's d per layer and head, for aligned and swapped clips, where both questions were asked."""
    groups = _watched(samples)
    made = []
    for pool, condition, adapter in dict.fromkeys((pool, cond, adapter) for pool, cond, _, adapter in groups):
        seen, heard = (groups.get((pool, condition, ask, adapter), []) for ask in ("see", "hear"))
        if condition not in EFFECT_CONDITIONS or len(seen) < 2 or len(heard) < 2:
            continue
        visual, audio = (np.stack([unpacked(a["heads"], a["heads_shape"]) for a in some]) for some in (seen, heard))
        for place, kind in enumerate(MEDIA):
            made.append(
                Effect(
                    pool,
                    condition,
                    adapter,
                    Kind(kind).value,
                    measures.cohens_d(visual[..., place], audio[..., place]),
                    measures.cohens_d(visual[..., place].mean(2), audio[..., place].mean(2)),
                    (len(seen), len(heard)),
                )
            )
    return made


def alignments(samples: Sequence[Sample]) -> list[Alignment]:
    """Mean implicit alignment score per layer; [] for a model that does not show its hidden states."""
    groups: dict[tuple, list] = defaultdict(list)
    for sample in samples:
        for adapter, answer in sample.get("answers", {}).items():
            if "alignment" in answer:
                groups[sample["pool"], sample["condition"], adapter].append(answer["alignment"])
    return [Alignment(*key, tuple(np.mean(values, 0)), len(values)) for key, values in groups.items()]


def _watched(samples: Sequence[Sample]) -> dict[tuple[str, str, str, str], list[dict]]:
    """Answers with attention by (pool, condition, ask, adapter)."""
    groups: dict[tuple[str, str, str, str], list[dict]] = defaultdict(list)
    for sample in samples:
        for adapter, answer in sample.get("answers", {}).items():
            if "layers" in answer:
                groups[sample["pool"], sample["condition"], sample["ask"], adapter].append(answer)
    return groups
