"""The four cards of the Lab page: See, Hear, Read, Ask. Between what their controls hold and a State, and back.

Knows controls and their words. Does not know how a state is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import conflicts, questions
from demo.clips import gallery
from demo.conflicts import Conflict
from demo.pages import choices
from demo.visitors.state import State
from demo.vocabulary import VOCABULARY

PICTURES = [("as it is", "own"), ("frozen", "freeze"), ("black", "black"), ("noise", "noise"), ("removed", "remove")]
SHIFTED = "shift"  # a choice of the Hear card; in a Conflict it is the clip's own sound with a shift
SOUNDS = [
    ("own sound", "own"),
    ("another clip's", "swap"),
    ("shifted", SHIFTED),
    ("noise", "noise"),
    ("silence", "silence"),
    ("no sound track", "remove"),
]
TEXTS = [
    ("nothing", "none"),
    ("a caption", "caption"),
    ("on screen", "onscreen"),
    ("long text", "long"),
    ("free text", "free"),
]
OWN = "own"  # a choice of the Ask card; in a State it is the free question with the visitor's words
ASKS = [
    ("What do you see?", "see"),
    ("What do you hear?", "hear"),
    ("Do they match?", "match"),
    ("See and hear?", "free"),
    ("In my words", OWN),
]
ANSWERS = [("from a list", "options"), ("freely", "free"), ("from my list", "own")]
DEFAULT_SHIFT = 1.0  # s
DEFAULT_CAPTION = "rooster"


@dataclass(frozen=True)
class Cards:
    """The controls of the four cards, in the order in which `values` and `state_of` name them."""

    clip: gr.Radio
    picture: gr.Radio
    sound: gr.Radio
    other: gr.Dropdown
    swap_from: gr.Number
    swap_to: gr.Number
    shift: gr.Slider
    noise_db: gr.Number
    text: gr.Radio
    caption: gr.Dropdown
    free: gr.Textbox
    text_position: gr.Radio
    long_tokens: gr.Slider
    ask: gr.Radio
    own: gr.Textbox
    answers: gr.Radio
    options: gr.Textbox
    wording: gr.Dropdown
    # not part of the state
    own_clip: gr.Button
    own_sound: gr.Button
    go: gr.Button
    stop: gr.Button

    @property
    def inputs(self) -> list[Any]:
        """The controls that make up a state."""
        return [getattr(self, name) for name in FIELDS]


FIELDS = tuple(Cards.__dataclass_fields__)[: tuple(Cards.__dataclass_fields__).index("own_clip")]


def build() -> Cards:
    """Lay out the four cards in a row."""
    with gr.Row(elem_classes="cards", equal_height=True):
        with _card("see", "See", "the picture of"):
            see = _see()
        with _card("hear", "Hear", "with"):
            hear = _hear()
        with _card("read", "Read", "while the text says"):
            read = _read()
        with _card("ask", "Ask", "both models"):
            ask = _ask()
    return Cards(**see, **hear, **read, **ask)


def clip_choices(own: tuple[tuple[str, str], ...] = ()) -> list[tuple[str, str]]:
    """(title, id) of what can be seen or heard, the visitor's own first."""
    return [*own, *((clip.title, clip.id) for clip in gallery())]


def state_of(*values: Any, **view: Any) -> State:
    """The State that the controls' values stand for; what the chosen words make irrelevant is left out.

    view: further fields of the State.

    Raises McGurkError for values that are out of range.
    """
    v = dict(zip(FIELDS, values, strict=True))
    shifted, swapped, text = v["sound"] == SHIFTED, v["sound"] == "swap", v["text"]
    own = v["own"] if v["ask"] == OWN else ""
    says = {"caption": v["caption"], "onscreen": v["caption"], "free": v["free"]}.get(text, "")
    plain = Conflict()
    conflict = Conflict(
        sound="own" if shifted else v["sound"],
        other=(v["other"] or "") if swapped else "",
        swap_from=v["swap_from"] if swapped else None,
        swap_to=v["swap_to"] if swapped else None,
        shift=float(v["shift"] or 0) if shifted else 0.0,
        noise_db=v["noise_db"] if v["sound"] in ("own", "swap", "noise", SHIFTED) else None,
        picture=v["picture"],
        text=text,
        caption=says or "",
        text_position=v["text_position"] if text in ("caption", "free", "long") else plain.text_position,
        long_tokens=int(v["long_tokens"]) if text == "long" else plain.long_tokens,
    )
    options = tuple(option for option in (v["options"] or "").split(",") if option.strip())
    answers = "options" if v["answers"] == "own" and not options else v["answers"]
    return State(
        clip=v["clip"] or "",
        conflict=conflict,
        question="free" if v["ask"] == OWN else v["ask"],
        wording=0 if v["ask"] == OWN else min(int(v["wording"] or 0), len(questions.WORDINGS[v["ask"]]) - 1),
        own=own.strip(),
        answers=answers,
        options=questions.checked_options(options) if answers == "own" else (),
        **view,
    )


def missing(*values: Any) -> str:
    """What has to be written before anything can be asked, as a sentence; "" if nothing is."""
    v = dict(zip(FIELDS, values, strict=True))
    if v["ask"] == OWN and not (v["own"] or "").strip():
        return "Write your question, then Enter."
    if v["text"] == "free" and not (v["free"] or "").strip():
        return "Write what the text says, then press “Ask both”."
    return ""


def values(state: State) -> list[Any]:
    """What the controls hold when they show a state, in the order of FIELDS."""
    c = state.conflict
    shifted = bool(c.shift) and c.sound == "own"
    v = {
        "clip": state.clip or None,
        "picture": c.picture,
        "sound": SHIFTED if shifted else c.sound,
        "other": c.other or _another(state.clip),
        "swap_from": c.swap_from,
        "swap_to": c.swap_to,
        "shift": c.shift or DEFAULT_SHIFT,
        "noise_db": c.noise_db,
        "text": c.text,
        "caption": c.caption if c.text in ("caption", "onscreen") else DEFAULT_CAPTION,
        "free": c.caption if c.text == "free" else "",
        "text_position": c.text_position,
        "long_tokens": c.long_tokens,
        "ask": OWN if state.own else state.question,
        "own": state.own,
        "answers": state.answers,
        "options": ", ".join(state.options),
        "wording": state.wording,
    }
    return [v[name] for name in FIELDS]


def _another(id: str) -> str | None:
    """The clip whose sound a swap takes until the visitor chooses one."""
    return next((clip.id for clip in reversed(gallery()) if clip.id != id), None)


def _card(kind: str, verb: str, rest: str) -> gr.Column:
    """An empty card in its modality's colour with its part of the sentence as a heading."""
    card = gr.Column(elem_classes=["card", kind], elem_id=f"card-{kind}", min_width=250)
    with card:
        gr.HTML(f'<h2 class="card-title">{verb} <small>{rest}</small></h2>')
    return card


def _pills(offered: list[tuple[str, str]], value: str, label: str, **how) -> gr.Radio:
    return gr.Radio(offered, value=value, label=label, container=False, elem_classes="pills", **how)


def _see() -> dict[str, Any]:
    offered = clip_choices()
    clip = choices.Radio(
        offered, value=offered[0][1] if offered else None, label="Clip", container=False, elem_classes="thumbs",
        elem_id="clip",
    )  # fmt: skip
    own_clip = gr.Button("Use your own clip", size="sm", elem_id="own-clip", elem_classes=["quiet", "own"])
    with gr.Accordion("Change the picture", open=False, elem_classes="more"):
        picture = _pills(PICTURES, "own", "The picture is", elem_id="picture")
    return {"clip": clip, "picture": picture, "own_clip": own_clip}


def _hear() -> dict[str, Any]:
    sound = _pills(SOUNDS, "own", "The sound is", elem_id="sound")
    with gr.Column(elem_classes=["when", "when-swap"]):
        other = choices.Dropdown(clip_choices(), label="the sound of", elem_id="other", filterable=False, value=None)
    with gr.Column(elem_classes=["when", "when-shift"]):
        shift = gr.Slider(-5, 5, DEFAULT_SHIFT, step=0.1, label="seconds later (below 0: earlier)", elem_id="shift")
    own_sound = gr.Button("Use your own sound", size="sm", elem_id="own-sound", elem_classes=["quiet", "own"])
    with gr.Accordion("Only a part, noise", open=False, elem_classes="more"), gr.Row(elem_classes="tight"):
        swap_from = gr.Number(None, label="from (s)", minimum=0, maximum=conflicts.MAX_SECONDS, min_width=70)
        swap_to = gr.Number(None, label="to (s)", minimum=0, maximum=conflicts.MAX_SECONDS, min_width=70)
        noise_db = gr.Number(
            None, label="noise at (dB SNR)", minimum=conflicts.NOISE_RANGE[0], maximum=conflicts.NOISE_RANGE[1],
            min_width=90, elem_id="snr",
        )  # fmt: skip
    return {
        "sound": sound, "other": other, "shift": shift, "swap_from": swap_from, "swap_to": swap_to,
        "noise_db": noise_db, "own_sound": own_sound,
    }  # fmt: skip


def _read() -> dict[str, Any]:
    text = _pills(TEXTS, "none", "The text is", elem_id="text")
    with gr.Column(elem_classes=["when", "when-caption", "when-onscreen"]):
        caption = gr.Dropdown(
            list(VOCABULARY), value=DEFAULT_CAPTION, label="says (choose or write)", allow_custom_value=True,
            elem_id="caption",
        )  # fmt: skip
    with gr.Column(elem_classes=["when", "when-free"]):
        free = gr.Textbox(label="says", lines=2, max_lines=4, max_length=conflicts.MAX_FREE, elem_id="free")
    with gr.Column(elem_classes=["when", "when-long"]):
        long_tokens = gr.Slider(100, 4000, 2000, step=100, label="about this many tokens")
    with gr.Column(elem_classes=["when", "when-caption", "when-free", "when-long"]):
        position = _pills(
            [("before the question", "before"), ("after it", "after")], "before", "The text stands", elem_id="position"
        )
    return {"text": text, "caption": caption, "free": free, "long_tokens": long_tokens, "text_position": position}


def _ask() -> dict[str, Any]:
    ask = _pills(ASKS, "see", "The question is", elem_id="ask")
    with gr.Column(elem_classes=["when", "when-own"]):
        own = gr.Textbox(
            label="Your question", placeholder="What instrument is playing?", lines=1, max_length=questions.MAX_OWN,
            elem_id="own",
        )  # fmt: skip
    with gr.Accordion("Wording and kind of answer", open=False, elem_classes="more"):
        answers = _pills(ANSWERS, "options", "They answer", elem_id="answers")
        options = gr.Textbox(label="My list, with commas between", placeholder="dog, rain, cello", elem_id="options")
        wording = gr.Dropdown(
            [("first wording", 0), ("second wording", 1), ("third wording", 2)],
            value=0,
            label="Wording",
            elem_id="wording",
        )
    with gr.Row(elem_classes=["tight", "go"]):
        go = gr.Button("Ask both", variant="primary", elem_id="go", min_width=120)
        stop = gr.Button("Stop", variant="secondary", elem_id="stop", min_width=60)
    return {
        "ask": ask, "own": own, "answers": answers, "options": options, "wording": wording, "go": go, "stop": stop,
    }  # fmt: skip
