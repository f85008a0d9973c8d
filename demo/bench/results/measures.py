"""The formulas of the bench: intervals, tests and the scores of the papers it follows, on plain numbers.

Knows arithmetic and where each definition comes from. Does not know samples, files or models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Z_95 = 1.959963984540054  # standard normal quantile of 97.5 %


def wilson(right: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion, 95 % by default; (0, 1) for n = 0.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22:209-212:
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    """
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if right == 0 else (middle - reach) / scale
    high = 1.0 if right == n else (middle + reach) / scale
    return low, high


@dataclass(frozen=True)
class McNemar:
    """Two raters of the same questions: how many only the first or only the second got right, and the p value."""

    first_only: int
    second_only: int
    p: float


def percent(share: float, low: float, high: float, n: int | str, digits: int = 1) -> str:
    """A share with its interval, 0..1 each, as it stands in tables: "73.5 (57–85, n 34)"."""
    return f"{100 * share:.{digits}f} ({100 * low:.0f}–{100 * high:.0f}, n {n})"


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> McNemar:
    """Exact two-sided McNemar test of two raters' right and wrong answers to the same questions.

    McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12:153-157, in its exact form: the discordant pairs are a fair coin under the null hypothesis,
    p = min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2).
    """
    b = sum(bool(x) and not y for x, y in zip(first, second, strict=True))
    c = sum(bool(y) and not x for x, y in zip(first, second, strict=True))
    n = b + c
    if n == 0:
        return McNemar(b, c, 1.0)
    # an exact quotient of whole numbers: powers of two as floats would overflow beyond 1,000 pairs
    tail = sum(math.comb(n, k) for k in range(min(b, c) + 1))
    return McNemar(b, c, min(1.0, 2 * tail / 2**n))


def cohens_d(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> np.ndarray:
    """Standardised difference of two groups' means along their first axis: (mean1 - mean2) / pooled deviation.

    Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., p. 67, with the pooled deviation
    √(((n1-1) s1² + (n2-1) s2²) / (n1 + n2 - 2)). nan where a group has fewer than two members or nothing varies.
    MMA-Bench (arXiv 2511.22826) draws it per layer and head: attention on a kind of token, visual against audio
    questions.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(a) < 2 or len(b) < 2:
        return np.full(np.broadcast_shapes(a.shape[1:], b.shape[1:]), np.nan)
    pooled = ((len(a) - 1) * a.var(0, ddof=1) + (len(b) - 1) * b.var(0, ddof=1)) / (len(a) + len(b) - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(pooled > 0, (a.mean(0) - b.mean(0)) / np.sqrt(pooled), np.nan)


def text_preference_ratio(text: int, media: int) -> float:
    """Share of the text among the answers that sided with either, nan if none did.

    Deng et al. 2025, "Words or Vision: Do Vision-Language Models Have Blind Faith in Text?" (arXiv 2503.02199): of the
    answers that differ between text and picture, the share that agrees with the text. Our reading: answers that agree
    with neither are left out, and for audio questions the sound stands where the paper has the picture.
    """
    return text / (text + media) if text + media else math.nan


def modality_importance(performance: Mapping[frozenset[str], float], modality: str) -> float:
    """Mean accuracy with the modality minus mean accuracy without it, over the subsets given; nan if one lacks.

    Park et al. 2024, "Assessing Modality Bias in Video Question Answering Benchmarks with Multimodal Large Language
    Models" (arXiv 2408.12763): MIS_m = perf(q | M+) - perf(q | M-), perf being the mean of the right answers over the
    non-empty subsets of modalities that hold m (M+) and that do not (M-). The empty subset is ignored here too.
    """
    usable = {subset: value for subset, value in performance.items() if subset}
    held = [value for subset, value in usable.items() if modality in subset]
    lacking = [value for subset, value in usable.items() if modality not in subset]
    if not held or not lacking:
        return math.nan
    return sum(held) / len(held) - sum(lacking) / len(lacking)


def multimodal_gain(with_media: float, without: float) -> float:
    """What picture and sound add to the accuracy: S_v - S_wv.

    Chen et al. 2024, "Are We on the Right Way for Evaluating Large Vision-Language Models?" (MMStar, arXiv 2403.20330).
    """
    return with_media - without


def multimodal_leakage(without: float, language_model: float) -> float:
    """What is answered without media beyond what the bare language model knows: max(0, S_wv - S_t).

    MMStar, arXiv 2403.20330. Our reading: where the bare language model can't be asked, S_t is the accuracy of a guess
    among the names that are offered.
    """
    return max(0.0, without - language_model)


def wording_stability(accuracies: Iterable[float]) -> float:
    """Standard deviation of the accuracy over wordings of one question: 0 is stable; nan for fewer than two.

    Yang et al. 2023, "MM-BigBench" (arXiv 2310.09036): a model's stability is the standard deviation over instructions,
    lower is better. Our reading: the population's deviation, as the wordings are all there are.
    """
    values = list(accuracies)
    return float(np.std(values)) if len(values) > 1 else math.nan


@dataclass(frozen=True)
class YesNo:
    """How a model answers yes-or-no questions; "yes" is the positive class. nan where nothing can be divided by."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    yes_rate: float
    n: int


def yes_no(truths: Sequence[str], answers: Sequence[str]) -> YesNo:
    """Accuracy, precision, recall, F1 and yes-rate as AVHBench (Sung-Bin et al. 2024, arXiv 2410.18325) reports them.

    An answer that is neither "yes" nor "no" is wrong and no "yes".
    """
    pairs = list(zip(truths, answers, strict=True))
    hits = sum(truth == answer == "yes" for truth, answer in pairs)
    said = sum(answer == "yes" for _, answer in pairs)
    positive = sum(truth == "yes" for truth, _ in pairs)
    right = sum(truth == answer for truth, answer in pairs)
    return YesNo(
        accuracy=_share(right, len(pairs)),
        precision=_share(hits, said),
        recall=_share(hits, positive),
        f1=_share(2 * hits, said + positive),
        yes_rate=_share(said, len(pairs)),
        n=len(pairs),
    )


def implicit_alignment(hidden: np.ndarray, perceptual: Collection[int], textual: Collection[int]) -> np.ndarray:
    """Mean cosine between the perceptual and the textual tokens' states, per layer: float64, layers.

    hidden: layers x T x width; perceptual, textual: positions. nan if a group is empty. After Shukor and Cord 2024,
    "Implicit Multimodal Alignment" (arXiv 2405.16700). Our reading: all pairs of a perceptual and a textual token of
    one prompt, averaged; the mean of all pairs' cosines is the dot product of the two groups' mean unit vectors.
    """
    perceptual, textual = list(perceptual), list(textual)
    if not perceptual or not textual:
        return np.full(len(hidden), np.nan)
    states = np.asarray(hidden, np.float64)
    unit = states / np.maximum(np.linalg.norm(states, axis=-1, keepdims=True), 1e-12)
    return (unit[:, perceptual].mean(1) * unit[:, textual].mean(1)).sum(-1)


def attention_shift(before: Sequence[float] | np.ndarray, after: Sequence[float] | np.ndarray) -> float:
    """1 - Pearson's correlation, over layers, of the attention on text before the media and on text after them.

    0: both get it in the same layers; 2: where one has it, the other lacks it; nan for fewer than two layers or where a
    curve is flat. After Wings' MLLM-LAWS (Zhang et al. 2024, arXiv 2406.03496), whose code does not hold the measure.
    Our reading: the same text in both places, the first token left out, seen from the prompt's last position.
    """
    one, other = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if len(one) < 2 or not one.std() or not other.std():
        return math.nan
    return 1 - float(np.corrcoef(one, other)[0, 1])


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
