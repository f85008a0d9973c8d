"""Scores of what a conflict does to an answer: detection, interference, disagreement, selection, bias against deafness.

Formulas on plain numbers, each with its source, and the measures they make of a run's samples. Knows samples as they
are written. Does not know how they were asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from demo.bench.cases.asking import Sample
from demo.questions import PICTURE, SOUND, verdict

SENSE = {"see": PICTURE, "hear": SOUND}
CELLS = (
    "recognised, said so",
    "recognised, said otherwise (bias)",
    "not recognised, not said (deafness)",
    "not recognised, yet right (luck)",
)


def detection(hits: int, signals: int, alarms: int, noises: int) -> float:
    """d' of telling signals from noises: z(hit rate) - z(false alarm rate); nan without one of either.

    Green & Swets 1966. A rate of 0 or 1 has no z: then half a case is added to both counts, as Hautus 1995 does.
    """
    if not signals or not noises:
        return math.nan
    if hits in (0, signals) or alarms in (0, noises):
        hits, signals, alarms, noises = hits + 0.5, signals + 1, alarms + 0.5, noises + 1
    z = NormalDist().inv_cdf
    return z(hits / signals) - z(alarms / noises)


def interference(alone: Sequence[float], beside: Sequence[float]) -> float:
    """Mean of both Kullback-Leibler divergences, nats: answer probabilities with a modality alone, and beside another.

    The distance that Math-PUMA (arXiv 2408.08640) trains on with alpha = 0.5, without its z-scored logits.
    """
    floor = 1e-6
    p, q = ([max(value, floor) for value in values] for values in (alone, beside))
    return 0.5 * sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))


def disagreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Sum over answers of (p - q)^2, 0 to 2 (arXiv 2306.04539), of what a model answers by either modality alone."""
    return sum((p - q) ** 2 for p, q in zip(one, other, strict=True))


def agreement(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the likeliest answer by one modality alone is that by the other alone."""
    return max(range(len(one)), key=one.__getitem__) == max(range(len(other)), key=other.__getitem__)


def cell(recognised: bool, right: bool) -> str:
    """Which of four cells an answer is in: encoder right or wrong, answer right or wrong.

    After "Is Cognition Consistent with Perception?" (arXiv 2411.07722); perception is the encoder's best class.
    """
    return CELLS[(0 if right else 1) if recognised else (3 if right else 2)]


def cells(samples: Sequence[Sample], adapter: str) -> dict[str, int]:
    """How many of the samples are in each cell; those whose encoder named no option are left out."""
    counts = dict.fromkeys(CELLS, 0)
    for sample in samples:
        named = sample.get("perceived", {}).get(SENSE.get(sample["ask"], ""))
        if named:
            counts[cell(named == sample["truth"], sample["answers"][adapter]["correct"])] += 1
    return counts


def selection(samples: Sequence[Sample], adapter: str) -> tuple[int, int]:
    """(answers that followed the asked modality, answers that followed picture or sound alone)."""
    whom = [(sample["answers"][adapter]["followed"], SENSE.get(sample["ask"])) for sample in samples]
    decided = [(followed, asked) for followed, asked in whom if followed in (PICTURE, SOUND)]
    return sum(followed == asked for followed, asked in decided), len(decided)


def matching(samples: Sequence[Sample], adapter: str) -> tuple[int, int, int, int]:
    """(yes to what matches, what matches, yes to what does not, what does not) of the match question."""
    said = [(sample["truth"], verdict(sample["answers"][adapter]["text"])) for sample in samples]
    yes = {truth: sum(t == truth and answer == "yes" for t, answer in said) for truth in ("yes", "no")}
    of = {truth: sum(t == truth for t, _ in said) for truth in ("yes", "no")}
    return yes["yes"], of["yes"], yes["no"], of["no"]
