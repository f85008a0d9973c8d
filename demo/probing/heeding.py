"""Whether a wrong answer was bias or deafness: did the encoder alone have it, although it was not said?

After "Is Cognition Consistent with Perception?" (arXiv 2411.07722): what was perceived is the encoder's best class that
names one of the options, or what is true. Knows answers and truths. Does not know pages, or how an encoder works.
"""

from __future__ import annotations

from dataclasses import dataclass

from demo import perception
from demo.bench.cases.asking import recognised
from demo.compare import Comparison
from demo.questions import BOTH, PICTURE, SOUND
from models.everyday import means

SENSES = {"see": (PICTURE, "seen"), "hear": (SOUND, "heard")}


@dataclass(frozen=True)
class Heeded:
    """sense: "picture" or "sound". perceived, right: whether the encoder, and the answer, have what is true there.

    names: what the encoder named first.
    """

    sense: str
    perceived: bool
    right: bool
    names: tuple[str, ...]


def heeded(comparison: Comparison, adapter: str) -> Heeded | None:
    """Which of the four it is; None for a question about both, where nobody told what is true, or no encoder tells."""
    question, stimulus, answer = comparison.question, comparison.stimulus, comparison.answers[adapter]
    sense, field = SENSES.get(question.kind, ("", ""))
    truth = getattr(stimulus, field, None)
    names = tuple(name for name, _ in perception.names(answer.perceived, sense))
    if not truth or not names or sense in comparison.untold:
        return None
    also = getattr(stimulus, f"{field}_also")
    chosen = recognised(answer.perceived[sense], question.options, {}) or names[0]
    return Heeded(sense, means(chosen, truth, also), comparison.followed[adapter] in (sense, BOTH), names)
