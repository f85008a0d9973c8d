"""What an intervention with its values does, as a sentence for a visitor.

Knows the interventions there are. Does not know models or pages.
"""

from __future__ import annotations

from models.interventions import (
    Budget,
    Closer,
    Composite,
    Counterfactual,
    Cut,
    Exit,
    Guidance,
    Heads,
    Inhibit,
    Intervention,
    Listen,
    Look,
    Mutual,
    Saliency,
    Sinks,
)
from models.interventions.composite import CLOSED
from models.interventions.intervention import BLANK, LAST_ROWS, LEARNED, MODALITIES

NOTHING = "Nothing is changed yet: move a control."
UNPICKED = "Nothing is picked yet: press “Cut what I click” in Frames, Sound or Words."
WHO = {
    "last": "The answer",
    "question": "The question's words",
    "text": "The injected text",
    "sound": "The sound's tokens",
    "picture": "The picture's tokens",
}
STANDS_IN = {BLANK: ", which is black or silent there", LEARNED: ", for which a learned nothing stands there"}
SHARED_OUT = {"uniform": "made even", "reversed": "turned round", "shuffled": "shuffled"}

WORDS = {  # id -> what a control or one of its choices is called for visitors, where its own name is short
    "look": {"rows": "when", "all": "always", "last": "once the answer begins"},
    "cut": {"last": "the answer", "region": "what I picked"},
    "exit": {"after layer": "after layer (-1: from the start)"},
    "counterfactual": {
        "uniform": "even",
        "reversed": "turned round",
        "strength": "pushed away ×",
        "least plausible share": "never a word below this share of the likeliest",
    },
    "guidance": {
        **{f"away from no {name} ×": f"away from its answer without the {name} ×" for name in MODALITIES},
        "no means": "“without” means",
        "blank": "black or silent",
        "learned": "a learned nothing",
        "least plausible share": "never a word below this share of the likeliest",
    },
    "saliency": {"local set": "local set, in early layers", "summary set": "summary set, in late layers"},
    "budget": {"of the": "memory of the"},
}


def called(id: str, name: str) -> str:
    """What a control or a choice of an intervention is called for visitors."""
    return WORDS.get(id, {}).get(name, name)


def told(it: Intervention, region: str = "") -> str:
    """One sentence, or two. region: what the positions that it names are, in words (regions.py), where known."""
    if not it:
        return UNPICKED if isinstance(it, Cut) else NOTHING
    said = _told(it, region)
    layers = getattr(it, "layers", None)
    return said if layers is None else f"{said[:-1]}, in {_window(layers)}."


def _told(it: Intervention, region: str) -> str:
    match it:
        case Look():
            parts = [_looked(name, getattr(it, name)) for name in MODALITIES if getattr(it, name) != 1]
            when = " once the answer begins" if it.rows == LAST_ROWS else ""
            return f"{' and '.join(parts).capitalize()}{when}."
        case Listen():
            whose = "Some heads hear the" if it.heads else "The"
            much = "nothing" if it.gain == 0 else f"{it.gain:g} times what they said"
            return f"{whose} {it.kind}'s tokens say {much}, however much they are looked at."
        case Cut():
            picked = region or f"the {len(it.region)} chosen token{'s' * (len(it.region) > 1)}"
            what = picked if it.source == "region" else f"the {it.source}"
            if it.target not in WHO:  # everything after
                return f"Nothing can look at {what} any more."
            return f"{WHO[it.target]} can no longer look at {what}."
        case Exit():
            when = "Before the first layer" if it.after == -1 else f"Above layer {it.after}"
            return f"{when} the {it.kind} is gone."
        case Heads() if it.chosen:
            named = ", ".join(f"{layer}.{head}" for layer, head in it.chosen[:6])
            more = f" and {len(it.chosen) - 6} more" if len(it.chosen) > 6 else ""
            which = f"The head{'s' * (len(it.chosen) > 1)} {named}{more} (layer.head)"
            return f"{which} put{'s' * (len(it.chosen) == 1)} out {_times(it.strength)}."
        case Heads():
            where = "" if it.layers else " in the second and the last layers"
            return f"The heads{where} that need the {it.kind} most put out {_times(it.strength)}."
        case Counterfactual():
            scrambled = f"Attention within the {it.kind} is {SHARED_OUT[it.how]}"
            if it.use == "as the answer":
                return f"{scrambled}, and this is what it would say then."
            return f"{scrambled} in a second reading, and the answer is pushed away from that one (× {it.gamma:g})."
        case Guidance():
            pushed = [f"away from the one without the {name} (× {getattr(it, name):g})"
                      for name in MODALITIES if getattr(it, name)]  # fmt: skip
            return f"The answer is pushed {' and '.join(pushed)}{STANDS_IN.get(it.stand_in, '')}."
        case Composite():
            closed = "picture and sound" if it.lines == "all of them" else it.lines
            text = ", nor at the text before them" if it.before == CLOSED else ""
            return f"Tokens of picture and sound don't look at each other any more{text} (closed: {closed})."
        case Mutual():
            return f"Tokens of the {it.who} may read the question, which stands behind them."
        case Inhibit():
            return f"Each word sees only {it.keep:.0%} of the tokens of {it.media}: those that words focus on."
        case Sinks():
            giver = "sinks" if it.source == "found sinks" else "first token"
            return f"{1 - it.keep:.0%} of the attention that rests on {giver} goes to the rest of the {it.kind}."
        case Closer():
            return f"The place in the {it.what} where it looked most is cut out, and it is asked again with both."
        case Saliency():
            return f"What stands out in the {it.kind} is looked at harder, early by {it.alpha:g}, late by {it.beta:g}."
        case Budget():
            return f"When the answer begins, {it.keep:.0%} of the {it.kind} is still in memory; the rest is {it.rest}."
    return it.about


def _looked(name: str, gain: float) -> str:
    return f"nobody looks at the {name}" if gain == 0 else f"attention on the {name} counts {gain:g} times"


def _times(strength: float) -> str:
    return "nothing" if strength == 0 else f"{strength:g} times as much"


def _window(layers: tuple[int, int]) -> str:
    first, last = layers[0], layers[1] - 1
    return f"layer {first}" if first == last else f"layers {first} to {last}"
