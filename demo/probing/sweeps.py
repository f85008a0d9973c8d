"""Curves: the last question under one intervention many times, along the layers or along a strength.

Knows which values a curve is drawn over and how far it has come. Does not know pages, or how many are asked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from demo.compare import Comparison
from demo.probing import tellings
from demo.questions import agree
from demo.session import Lab
from demo.visitors.sameness import key_of
from demo.visitors.turns import Wait
from demo.vocabulary import plain
from models.interventions import Control, Cut, Exit, Intervention, cut, exit
from models.omni import McGurkError, Stimulus, unless
from models.wording import ABSTAIN, YES_NO

FACTORS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)  # of what has no upper end that counts
STEPS = 11  # values of any other strength, its ends among them
SPAN = cut.SPAN  # layers of a window


@dataclass(frozen=True, eq=False)
class Curve:
    """Probabilities along an axis, as far as they are known.

    xs: where each point lies: the window's middle layer, the last layer, or the strength. ways: what is done at each.
    points: adapter -> for each of xs the probability of each option, None where it is not known (yet). plain: adapter
    -> the same with nothing done.
    """

    does: Intervention
    axis: str
    label: str
    xs: tuple[float, ...]
    ways: tuple[Intervention, ...]
    points: dict[str, tuple[dict[str, float] | None, ...]]
    plain: dict[str, dict[str, float]]

    @property
    def done(self) -> int:
        return sum(point is not None for points in self.points.values() for point in points)

    @property
    def total(self) -> int:
        return sum(map(len, self.points.values()))

    @property
    def stopped(self) -> bool:
        """Whether points are missing; true of one that is still being drawn, too."""
        return self.done < self.total


def axes(it: Intervention) -> dict[str, str]:
    """What a curve can be drawn along: name of a control -> how it is called; {} for a method that has none."""
    if it.rewrites:
        return {}
    left_out = {"plausible", "layers"} if getattr(it, "chosen", ()) else {"plausible"}  # heads lie where they lie
    return {c.name: _label(it.id, c) for c in it.controls() if c.kind in ("layers", "layer", "number")
            and c.name not in left_out}  # fmt: skip


def usual(it: Intervention) -> str | None:
    """The axis that one would try: the first strength that does something, else the first of all, if any."""
    numbers = {c.name: c.neutral for c in it.controls() if c.kind == "number"}
    found = axes(it)
    return next(
        (name for name in found if name in numbers and getattr(it, name) != numbers[name]), next(iter(found), None)
    )


def holds(curve: Curve, it: Intervention) -> bool:
    """Whether a curve is of this intervention, which may stand anywhere along its axis."""
    does = curve.does
    return it.id == does.id and replace(it, **{curve.axis: getattr(does, curve.axis)}) == does


def along(it: Intervention, axis: str, layers: int) -> list[tuple[float, Intervention]]:
    """(x, what is done there) of each point of a curve. Raises McGurkError for an axis that it does not have."""
    control = next((c for c in it.controls() if c.name == axis and axis in axes(it)), None)
    if control is None:
        named = ", ".join(axes(it)) or "nothing"
        raise McGurkError(f"A curve of “{it.title}” can be drawn along {named}, not along {axis!r}.")
    if control.kind == "layer":
        ways = exit.along(it.kind, layers) if isinstance(it, Exit) else []
        return list(zip(range(-1, layers), ways, strict=True))
    if control.kind == "layers":
        _check_effect(it)
        windows = [one.layers for one in cut.along(Cut(), layers, min(SPAN, layers))]
        return [(at, replace(it, layers=window)) for at, window in enumerate(windows)]
    points = [(value, replace(it, **{axis: value})) for value in _values(control)]
    if not any(way for _, way in points):
        raise McGurkError(tellings.NOTHING)
    return points


def sweep(lab: Lab, session: str, it: Intervention, axis: str) -> Iterator[Wait | Curve]:
    """Yield Waits, then the curve as far as it has come, of what the session asked last; both adapters.

    It is kept with what was asked as far as it has come, so that one that is stopped is not lost.
    Raises McGurkError where there is no curve, nothing was asked or offered to choose from, or the model can't.
    """
    asked = lab.asked_last(session)
    question, encoded, model = asked.comparison.question, asked.encoded, lab.model()
    if not question.options:
        raise McGurkError("A curve shows probabilities of options: let them answer from a list.")
    model.require_insides()
    ways = along(it, axis, model.layers)
    plainly = {adapter: answer.options for adapter, answer in asked.comparison.answers.items()}

    def work(stop: Callable[[], bool]) -> Iterator[Curve]:
        points = {adapter: [None] * len(ways) for adapter in model.adapters}
        xs, done = tuple(float(x) for x, _ in ways), tuple(way for _, way in ways)
        found = model.sweep(encoded, question.prompt, question.options, list(done), stop=stop)
        for adapter, place, shares in found:
            unless(stop)
            points[adapter][place] = shares
            known = {name: tuple(values) for name, values in points.items()}
            yield Curve(it, axis, axes(it)[axis], xs, done, known, plainly)

    key = key_of(asked.situation.digest, "sweep", question, it, axis)
    for step in lab.run(session, work, key=key):
        last = lab.last(session)
        if isinstance(step, Curve) and last is not None and last.comparison is asked.comparison:
            lab.keep(session, replace(last, curve=step))
        yield step


def told(comparison: Comparison) -> dict[str, str]:
    """Option -> what is true of it: "seen", "heard", "read", several with " + ", or "right" / "abstains"; in order."""
    stimulus, options = comparison.stimulus, comparison.question.options
    if set(options) == set(YES_NO):
        return {option: "right" if (option == "yes") == agree(stimulus) else "wrong" for option in options}
    found: dict[str, str] = {}
    for word, label in _truths(stimulus):
        for option in options:
            if label and plain(label) == plain(option):
                found[option] = f"{found[option]} + {word}" if option in found else word
    return found | {option: "abstains" for option in options if option == ABSTAIN}


def to_values(curve: Curve) -> dict[str, Any]:
    """A curve as plain values; points that are not known are None."""
    return {
        "stopped": curve.stopped,
        "axis": curve.axis,
        "label": curve.label,
        "x": list(curve.xs),
        "points": {adapter: list(points) for adapter, points in curve.points.items()},
        "plain": curve.plain,
    }


def _truths(stimulus: Stimulus) -> Sequence[tuple[str, str | None]]:
    return ("seen", stimulus.seen), ("heard", stimulus.heard), ("read", stimulus.read)


def _check_effect(it: Intervention) -> None:
    if not it:
        raise McGurkError(tellings.told(it))


def _label(id: str, control: Control) -> str:
    named = {"layers": f"the middle of {SPAN} layers", "layer": "the layer it goes after"}
    return named.get(control.kind) or tellings.called(id, control.label)


def _values(control: Control) -> tuple[float, ...]:
    if control.high > FACTORS[-1] or (control.neutral == 1.0 and control.high > 1.0):
        return tuple(value for value in FACTORS if control.low <= value <= control.high)
    step = (control.high - control.low) / (STEPS - 1)
    return tuple(round(control.low + at * step, 6) for at in range(STEPS))
