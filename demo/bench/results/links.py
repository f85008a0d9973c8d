"""From a sample of the bench to the same situation in the Lab, as a state link.

Knows samples of gallery clips. Does not know pages.
"""

from __future__ import annotations

from typing import Any

from demo.bench.cases.conditions import CONDITIONS
from demo.clips import gallery
from demo.conflicts import Conflict
from demo.questions import ABSTAIN
from demo.visitors.state import State, to_query
from models.omni import McGurkError


def lab_query(sample: dict[str, Any]) -> str:
    """Query string of the Lab page that shows a sample's clip, conflict, question and options; "" if it can't.

    Only gallery clips can be linked. Noise and long text are drawn anew; hidden tokens are not part of a link.
    """
    ids = {clip.path.name: clip.id for clip in gallery()}
    clip, other = ids.get(sample["clip"]), ids.get(sample.get("other") or "", "")
    condition = CONDITIONS.get(sample["condition"])
    if clip is None or condition is None or "conflict" not in sample or (sample.get("other") and not other):
        return ""
    swapped = {"other": other} if sample["conflict"].get("sound") == "swap" else {}
    options = tuple(sample["options"])
    try:
        state = State(
            clip=clip,
            conflict=Conflict(**sample["conflict"], **swapped),
            question=sample["ask"],
            wording=condition.wording,
            answers="own" if ABSTAIN in options else "options",
            options=options if ABSTAIN in options else (),
        )
        return to_query(state)
    except McGurkError:  # a text too long for a link
        return ""
