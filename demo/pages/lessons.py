"""The Lessons page: prepared situations as cards that open in the Lab. Knows markup. Does not know any situation."""

from __future__ import annotations

from html import escape

import gradio as gr

from demo.clips import GalleryClip, gallery
from demo.lessons import Lesson, lessons
from demo.pages.markup import data_uri
from demo.probing import tellings
from demo.questions import question
from demo.visitors.state import State

INTRODUCTION = """
# Lessons

Each card opens one situation in the Lab, ready to be played and changed. Ask your class first: what will the model say
before tuning, and after? Then open it, and look inside.
"""
PICTURES = {
    "black": "a black picture",
    "freeze": "a frozen picture",
    "noise": "a noisy picture",
    "remove": "no picture",
}
SOUNDS = {"silence": "silence", "remove": "no sound track", "noise": "with noise"}
TEXTS = {"long": "a long irrelevant text"}


def build() -> None:
    """Lay out the page."""
    with gr.Column(elem_classes=["sheet", "prose", "lessons-sheet"]):
        gr.Markdown(INTRODUCTION)
        gr.HTML(f'<div class="lessons">{"".join(map(card, shown()))}</div>', elem_id="lessons")


def shown() -> list[Lesson]:
    """The lessons whose clips are in the gallery."""
    ids = {clip.id for clip in gallery()} | {""}
    return [lesson for lesson in lessons() if {lesson.state.clip, lesson.state.conflict.other} <= ids]


def card(lesson: Lesson) -> str:
    """One lesson as a link with what is shown, played and written."""
    state = lesson.state
    clips = {clip.id: clip for clip in gallery()}
    return (
        f'<a class="lesson" href="./?{escape(lesson.query)}">'
        f'<div class="lesson-given">{_picture(state, clips)}{_sound(state, clips)}{_text(state)}</div>'
        f"<h3>{escape(lesson.title)}</h3><p>{escape(lesson.teaches)}</p>"
        f'<p class="lesson-asked">{escape(_asked(state))}</p>{_then(state)}</a>'
    )


def _asked(state: State) -> str:
    return state.own or question(state.question, wording=state.wording).text


def _then(state: State) -> str:
    """What is done to the models when they are asked once more."""
    return f'<p class="lesson-then"><b>Then</b> {escape(tellings.told(state.does))}</p>' if state.does else ""


def _picture(state: State, clips: dict[str, GalleryClip]) -> str:
    said = PICTURES.get(state.conflict.picture) or clips[state.clip].seen
    return _figure("see", "See", said, clips[state.clip] if state.conflict.picture not in ("black", "remove") else None)


def _sound(state: State, clips: dict[str, GalleryClip]) -> str:
    conflict = state.conflict
    clip = clips[conflict.other if conflict.sound == "swap" else state.clip]
    said = SOUNDS.get(conflict.sound, clip.heard)
    return _figure("hear", "Hear", said, clip if conflict.sound not in ("silence", "remove") else None)


def _text(state: State) -> str:
    conflict = state.conflict
    if conflict.text == "none":
        return ""
    return _figure("read", "Read", TEXTS.get(conflict.text) or f"“{conflict.caption}”", None)


def _figure(kind: str, label: str, said: str, clip: GalleryClip | None) -> str:
    thumbnail = ""
    if clip is not None and clip.thumbnail.is_file():
        thumbnail = f'<img alt="" src="{data_uri("jpeg", clip.thumbnail.read_bytes())}">'
    return f'<div class="lesson-part {kind}">{thumbnail}<b>{label}</b> {escape(said)}</div>'
