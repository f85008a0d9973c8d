"""What the tokens say: in which layers the truth stands in picture and sound, and where the answer begins.

Knows which names are looked for and what is kept of them. Does not know pages, or how states are read out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from demo.compare import Comparison
from demo.probing.sweeps import told
from demo.session import Lab
from demo.visitors.sameness import key_of
from demo.visitors.turns import Wait
from demo.vocabulary import plain
from models.omni import Kind, McGurkError, unless
from models.wording import ABSTAIN, YES_NO

if TYPE_CHECKING:
    from models.lens import Said

WHERE = {"picture": Kind.VIDEO, "sound": Kind.AUDIO, "answer": None}


@dataclass(frozen=True, eq=False)
class Lens:
    """said: adapter -> what its tokens say. roles: name -> "seen", "heard", "read", as sweeps.told gives them."""

    said: dict[str, Said]
    roles: dict[str, str]

    def curve(self, where: str) -> dict[str, dict[str, list[float]]]:
        """Adapter -> name that is true of something -> for each layer the share of tokens that say it most."""
        found = {}
        for adapter, said in self.said.items():
            telling = said.telling(WHERE[where])
            found[adapter] = {name: telling[:, said.names.index(name)].tolist() for name in self.roles}
        return found

    def has(self, where: str) -> bool:
        """Whether there are such tokens."""
        said = next(iter(self.said.values()))
        return WHERE[where] is None or WHERE[where] in said.tokens.kinds


def names_of(comparison: Comparison) -> tuple[str, ...]:
    """The names that are looked for: what is true, then the options that are names. Raises McGurkError for none."""
    stimulus, options = comparison.stimulus, comparison.question.options
    true = [label for label in (stimulus.seen, stimulus.heard, stimulus.read) if label]
    offered = [] if set(options) == set(YES_NO) else [option for option in options if option != ABSTAIN]
    found: dict[str, str] = {}
    for name in (*true, *offered):
        found.setdefault(plain(name), name)
    if not true or len(found) < 2:
        raise McGurkError("The tokens are searched for what is true: label the clip, and let them answer from a list.")
    return tuple(found.values())


def read(lab: Lab, session: str) -> Iterator[Wait | Lens]:
    """Yield Waits, then what the tokens of the session's last question say. Raises McGurkError where nobody can."""
    asked, model = lab.asked_last(session), lab.model()
    comparison = asked.comparison
    names, prompt = names_of(comparison), comparison.question.prompt
    roles = {name: role for name, role in _roles(comparison, names).items() if role != "abstains"}

    def work(stop: Callable[[], bool]) -> Iterator[Lens]:
        said = {}
        for adapter in model.adapters:
            unless(stop)
            said[adapter] = model.lens(asked.encoded, prompt, names, adapter, stop)
        yield Lens(said, roles)

    for step in lab.run(session, work, key=key_of(asked.situation.digest, "lens", prompt, names)):
        if isinstance(step, Lens):
            lab.keep(session, replace(lab.asked_last(session), lens=step))
        yield step


def to_values(lens: Lens) -> dict[str, Any]:
    """What is said where, as plain values."""
    rounded = lambda by_name: {name: np.round(values, 4).tolist() for name, values in by_name.items()}  # noqa: E731
    written: dict[str, Any] = {"roles": lens.roles}
    for where in filter(lens.has, WHERE):
        written[where] = {adapter: rounded(by_name) for adapter, by_name in lens.curve(where).items()}
    return written


def _roles(comparison: Comparison, names: tuple[str, ...]) -> dict[str, str]:
    return told(replace(comparison, question=replace(comparison.question, options=names)))
