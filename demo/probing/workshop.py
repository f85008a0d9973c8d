"""The workshop: the last question asked once more under an intervention, what that does and what it costs.

Knows what is kept of a visitor and what it takes to ask again. Does not know pages, components or how a model is
reached into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from demo import inside
from demo.compare import Comparison, compare
from demo.probing import regions, steering, tellings
from demo.questions import PICTURE, SOUND, Question
from demo.session import Asked, Lab
from demo.visitors.sameness import key_of
from demo.visitors.turns import Wait
from models.interventions import INTERVENTIONS, Intervention
from models.omni import McGurkError


def usual(id: str, question: Question | None, layers: int) -> Intervention:
    """What one would try of a method for a question, in a model of that many layers. Raises McGurkError."""
    if id not in INTERVENTIONS:
        raise McGurkError(f"There is no intervention {id!r}: choose {', '.join(INTERVENTIONS)}.")
    return INTERVENTIONS[id].usual(asked_about(question), layers)


def asked_about(question: Question | None) -> str:
    """The modality that a question is about: "sound" where it asks what is heard, else "picture"."""
    return SOUND if question is not None and question.kind == "hear" else PICTURE


def meant(lab: Lab, session: str, word: str) -> Intervention:
    """What a word asks for; picked places are looked up in the prompt of the last answers. Raises McGurkError."""
    if not regions.is_pick(word):
        return steering.from_word(word)
    return regions.cut(inside.prompt(lab.asked_last(session)), word)


def region(asked: Asked | None, it: Intervention | None) -> str:
    """In words what is picked for an intervention, of the prompt of these answers; "" where nothing is, or unknown."""
    picked = getattr(it, "region", ())
    try:
        return regions.told(inside.prompt(asked), picked) if asked is not None and picked else ""
    except McGurkError:  # not answered yet, or nobody can look inside
        return ""


def steer(lab: Lab, session: str, it: Intervention) -> Iterator[Wait | Asked]:
    """Yield Waits, then what the session asked last together with the answers to the same question under it.

    Raises McGurkError where nothing would change, nothing was asked, or the model can't be intervened on.
    """
    asked = lab.asked_last(session)
    if not it:
        raise McGurkError(tellings.told(it))
    original = asked.comparison
    how = {"steering": it, "attention": False, "untold": original.untold}

    def answer(stop: Callable[[], bool]) -> Iterator[Comparison]:
        model, again = lab.model(), {"encoded": asked.encoded, "stop": stop}
        each = _elsewhere(asked, it, model.alternatives)
        *_, steered = compare(model, original.stimulus, original.question, each=each, **again, **how)
        yield _with_places(steered, it, region(asked, it))

    for step in lab.run(session, answer, key=key_of(asked.situation.digest, "steer", original.question, how)):
        if isinstance(step, Wait):
            yield step
            continue
        found = replace(lab.asked_last(session), changed=(it, step))
        if found.comparison is not original:
            raise McGurkError("Another question was asked meanwhile: try it again on that one.")
        lab.keep(session, found)
        yield found


def _elsewhere(asked: Asked, it: Intervention, others: Iterable[str]) -> dict[str, dict[str, Intervention]]:
    """For each of the others, whose prompts begin differently: what to do at the same places of theirs."""
    picked = getattr(it, "region", ())
    found = {}
    for adapter in others if picked else ():
        region = regions.moved(inside.prompt(asked), picked, inside.prompts(asked)[adapter])
        if not region:
            raise McGurkError("What was picked stands in one of the two prompts only: pick what both have.")
        found[adapter] = {"steering": replace(it, region=region)}
    return found


def _with_places(steered: Comparison, it: Intervention, places: str) -> Comparison:
    """The same with receipts that say in words which places were cut off, not by their positions."""
    if not places:
        return steered
    told = {}
    for adapter, answer in steered.answers.items():
        done = answer.receipt.intervention | {"what": tellings.told(it, places)}
        told[adapter] = replace(answer, receipt=replace(answer.receipt, intervention=done))
    return replace(steered, answers=told)


def cost(asked: Asked) -> tuple[float, float, int]:
    """(seconds of both answers as they were, seconds under the intervention, extra readings of the prompt each)."""
    _, changed = asked.changed
    passes = [answer.receipt.intervention.get("extra passes", 0) for answer in changed.answers.values()]
    before, after = (sum(a.seconds for a in c.answers.values()) for c in (asked.comparison, changed))
    return before, after, max(passes, default=0)


def notes(changed: Comparison) -> dict[str, str]:
    """Adapter -> what the method has to say about its answer, "" for nothing."""
    return {name: " ".join(answer.receipt.intervention.get("notes", ())) for name, answer in changed.answers.items()}
