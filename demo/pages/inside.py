"""The "Look inside" part of the Lab page: its controls, and drawings as HTML.

Knows components and markup. Does not know how attention is computed or drawn.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from demo.draw import words
from demo.draw.sound import SoundPicture
from demo.inside import FramesSeen
from demo.pages import answers
from demo.pages.markup import data_uri
from demo.state import ALL_HEADS, LAST_LAYERS
from models.omni import ALIGNED, BASE

VIEWS = [
    ("this question", "raw"),
    ("minus the other question", "difference"),
    ("relative to a neutral prompt", "relative"),
]
EMPTY = '<p class="hint tall">Attention appears here with the next answer.</p>'
HEARD = "As the model hears it: 16 kHz, one channel"
HONEST = (
    "Attention says where a model looked, not why it answered. Compare it with the last tab: what changes if the model "
    "cannot look there?"
)


@dataclass(frozen=True)
class Inside:
    """The controls and the drawings of "Look inside"."""

    layer: gr.Dropdown
    head: gr.Dropdown
    view: gr.Radio
    sink: gr.Checkbox
    frame: gr.Slider
    frames: gr.HTML
    sound: gr.HTML
    before: gr.HighlightedText
    after: gr.HighlightedText
    per_token: gr.Checkbox
    layers: gr.Plot
    picture_gain: gr.Slider
    sound_gain: gr.Slider
    text_gain: gr.Slider
    first: gr.Number
    last: gr.Number
    presets: list[tuple[gr.Button, tuple[float, float, float]]]
    steer: gr.Button
    steered: gr.HTML
    receipt: gr.HTML
    heard: gr.Audio
    exports: list[tuple[gr.Button, gr.DownloadButton, str]]  # button, the hidden link it presses, kind of file

    @property
    def view_inputs(self) -> list[Any]:
        return [self.layer, self.head, self.view, self.sink]

    @property
    def drawings(self) -> list[Any]:
        return [self.frames, self.frame, self.sound, self.before, self.after, self.layers]


def build() -> Inside:
    """Lay out the controls of the view, the tabs, the exports and the folded receipt."""
    with gr.Row(elem_classes="inside-head"):
        gr.HTML('<h2 class="section">Look inside</h2>')
        exports = [_export(kind, title) for kind, title in (("mp4", "Overlay mp4"), ("csv", "CSV"), ("json", "JSON"))]
    with gr.Column(elem_classes="sheet"):
        with gr.Row(elem_classes="view-row"):
            view = gr.Radio(VIEWS, value="raw", label="Attention of", elem_classes="pills", elem_id="view", scale=4)
            layer = gr.Dropdown(layer_choices(0), value=LAST_LAYERS, label="Layers", elem_id="layer", min_width=130)
            head = gr.Dropdown(head_choices(0), value=ALL_HEADS, label="Heads", elem_id="head", min_width=110)
            sink = gr.Checkbox(False, label="with first token", elem_id="sink", min_width=150, container=False)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Frames", id="frames"):
                frames = gr.HTML(EMPTY, elem_id="frames", elem_classes="stage")
                frame = gr.Slider(0, 7, 0, step=1, label="Frame (follows the player)", elem_id="frame")
            with gr.Tab("Sound", id="sound"):
                sound = gr.HTML(EMPTY, elem_id="sound-map", elem_classes="stage")
            with gr.Tab("Words", id="words"), gr.Row():
                before, after = (
                    gr.HighlightedText(
                        label=answers.TITLES[adapter], elem_classes=words.CSS_CLASS, elem_id=f"words-{adapter}",
                        min_width=280, show_label=True,
                    )
                    for adapter in (BASE, ALIGNED)
                )  # fmt: skip
            with gr.Tab("Layers", id="layers"):
                per_token = gr.Checkbox(False, label="per token (fair to kinds with few tokens)", container=False)
                layers = gr.Plot(show_label=False, elem_id="layers")
            with gr.Tab("What if it couldn't look there?", id="what-if"):
                what_if = _what_if()
        gr.HTML(f'<p class="hint">{escape(HONEST)}</p>')
    with gr.Accordion("Receipt: what the models really received", open=False, elem_id="receipt", elem_classes="sheet"):
        receipt = gr.HTML(answers.receipt(None))
        heard = gr.Audio(label=HEARD, interactive=False, elem_id="heard", buttons=["download"])
    drawn = frame, frames, sound, before, after, per_token, layers
    return Inside(layer, head, view, sink, *drawn, *what_if, receipt, heard, exports)


def layer_choices(count: int) -> list[tuple[str, int]]:
    return [("last third", LAST_LAYERS)] + [(f"layer {n}", n) for n in range(count)]


def head_choices(count: int) -> list[tuple[str, int]]:
    return [("all heads", ALL_HEADS)] + [(f"head {n}", n) for n in range(count)]


def frames_html(seen: FramesSeen | None, at: int) -> str:
    """Two stacks of frames, of which one each is shown; the slider and the player's clock choose which."""
    if seen is None:
        return '<p class="hint tall">There is no picture to look at.</p>'
    figures = "".join(
        f"<figure><figcaption>{title} <span>{seen.times[at]:.1f} s</span></figcaption>"
        + "".join(
            f'<img class="{"on" if n == at else ""}" src="{data_uri("jpeg", jpeg)}" '
            f'alt="{title}: attention on the frame at {time:.1f} s">'
            for n, (jpeg, time) in enumerate(zip(jpegs, seen.times, strict=True))
        )
        + "</figure>"
        for title, jpegs in ((escape(answers.TITLES.get(name, name)), given) for name, given in seen.jpegs.items())
    )
    times = ",".join(f"{time:.3f}" for time in seen.times)
    return f'<div class="pair film" data-times="{times}">{figures}</div>'


def sound_html(picture: SoundPicture | None) -> str:
    """The picture of the sound with a playhead over it."""
    if picture is None:
        return '<p class="hint tall">There is no sound to look at.</p>'
    written = io.BytesIO()
    Image.fromarray(picture.image).save(written, "png", compress_level=3)
    left, top, right, bottom = picture.plot
    return (
        f'<div class="spectrogram" data-seconds="{picture.seconds:.3f}" '
        f'data-left="{left:.5f}" data-right="{right:.5f}">'
        f'<img src="{data_uri("png", written.getvalue())}" alt="Spectrogram, and below it the attention on each moment '
        f'of the sound before and after tuning"><i class="playhead" style="left:{left:.2%};top:{top:.2%};'
        f'height:{bottom - top:.2%}"></i></div>'
    )


def _what_if() -> tuple:
    gr.HTML('<p class="hint">Turn attention on one kind of token down to nothing, or up, and ask the same again.</p>')
    with gr.Row(elem_classes="presets"):
        presets = [
            (gr.Button("Without the picture", size="sm", elem_classes="see"), (0.0, 1.0, 1.0)),
            (gr.Button("Without the sound", size="sm", elem_classes="hear"), (1.0, 0.0, 1.0)),
            (gr.Button("Without the text", size="sm", elem_classes="read"), (1.0, 1.0, 0.0)),
        ]
    with gr.Row(elem_classes="gains"):
        gains = [
            gr.Slider(0, 8, 1, step=0.1, label=f"Attention on the {what} ×", min_width=200, elem_classes=kind)
            for what, kind in (("picture", "see"), ("sound", "hear"), ("text", "read"))
        ]
        with gr.Row(elem_classes="span"):
            first = gr.Number(0, label="from layer", precision=0, minimum=0, min_width=70)
            last = gr.Number(None, label="to layer", precision=0, minimum=0, min_width=70)
        steer = gr.Button("Ask again", variant="primary", elem_id="steer", min_width=110)
    steered = gr.HTML(answers.steered(None, None), elem_id="steered")
    return *gains, first, last, presets, steer, steered


def _export(kind: str, title: str) -> tuple[gr.Button, gr.DownloadButton, str]:
    button = gr.Button(title, size="sm", elem_classes="export", elem_id=f"export-{kind}", min_width=60, scale=0)
    return button, gr.DownloadButton(visible="hidden", elem_id=f"download-{kind}"), kind
