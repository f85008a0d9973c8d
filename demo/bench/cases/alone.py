"""What an encoder alone would answer: by the classes that it recognised, without any language model.

Knows lists of classes with scores, best first. Does not know models, nor where class names come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from demo.questions import ABSTAIN
from demo.vocabulary import names_in

Perceived = Sequence[tuple[str, float]]  # (class name, score), best first


def recognised(perceived: Perceived, options: Sequence[str], classes: Mapping[str, frozenset[str]]) -> str | None:
    """The option that an encoder alone would choose: that of its best class which belongs to one; None if none does.

    classes: encoder class names by label, where known; else a class belongs to the option that its name says.
    """
    for name, _score in perceived:
        said = names_in(name, tuple(option for option in options if option != ABSTAIN))
        for option in options:
            if option != ABSTAIN and (
                name.lower() in classes.get(option, ()) or option in said or name.lower() == option
            ):
                return option
    return None


def score(perceived: Perceived, label: str, classes: Mapping[str, frozenset[str]]) -> float:
    """Score of the best class that belongs to a label; 0 if none of those given does."""
    return max((value for name, value in perceived if recognised([(name, value)], (label,), classes)), default=0.0)
