"""The "Look inside" part of the Lab page: its controls and where drawings go.

Knows components. Does not know how attention is computed or drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from demo.pages import answers, inside_markup
from demo.pages.border import Border
from demo.pages.heads import Heads
from demo.pages.lens import LensTab
from demo.pages.workshop import TAB, Workshop
from demo.session import Lab
from demo.visitors.state import ALL_HEADS, LAST_LAYERS

VIEWS = [
    ("this question", "raw"),
    ("minus the other question", "difference"),
    ("relative to a neutral prompt", "relative"),
]
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
    step: gr.Textbox
    written: gr.HTML
    frame: gr.Slider
    frames: gr.HTML
    border: Border
    sound: gr.HTML
    before: gr.HTML
    after: gr.HTML
    per_token: gr.Checkbox
    layers: gr.Plot
    layers_tab: gr.Tab
    tabs: gr.Tabs
    heads: Heads
    heads_tab: gr.Tab
    lens: LensTab
    lens_tab: gr.Tab
    workshop: Workshop
    fold: gr.Accordion
    receipt: gr.HTML
    heard: gr.Audio
    exports: list[tuple[gr.Button, gr.DownloadButton, str]]  # button, the hidden link it presses, kind of file

    @property
    def view_inputs(self) -> list[Any]:
        return [self.layer, self.head, self.view, self.sink, self.step]

    @property
    def drawings(self) -> list[Any]:
        return [self.frames, self.frame, self.sound, self.before, self.after, self.layers, self.written]


def build(lab: Lab) -> Inside:
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
        step = gr.Textbox("0", visible="hidden", elem_id="step")
        with gr.Row(elem_classes="written-row"):
            written = gr.HTML("", elem_id="written")
            gr.HTML(inside_markup.scissors(), elem_id="scissors-holder")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            with gr.Tab("Frames", id="frames"):
                frames = gr.HTML(inside_markup.EMPTY, elem_id="frames", elem_classes="stage")
                frame = gr.Slider(0, 7, 0, step=1, label="Frame (follows the player)", elem_id="frame")
                border = Border(lab)
            with gr.Tab("Sound", id="sound"):
                sound = gr.HTML(inside_markup.EMPTY, elem_id="sound-map", elem_classes="stage")
            with gr.Tab("Words", id="words"), gr.Row():
                with gr.Column(min_width=280):
                    before = gr.HTML(inside_markup.EMPTY, elem_id="words-base")
                with gr.Column(min_width=280):
                    after = gr.HTML(inside_markup.EMPTY, elem_id="words-aligned")
            with gr.Tab("Layers", id="layers") as layers_tab:
                per_token = gr.Checkbox(False, label="per token (fair to kinds with few tokens)", container=False)
                layers = gr.Plot(show_label=False, elem_id="layers")
            with gr.Tab("Heads", id="heads") as heads_tab:
                heads = Heads(lab)
            with gr.Tab("What they say", id="lens") as lens_tab:
                lens = LensTab(lab)
            with gr.Tab("What if it couldn't look there?", id=TAB):
                workshop = Workshop(lab)
        gr.HTML(inside_markup.dock(), elem_id="dock")
        gr.HTML(f'<p class="hint">{escape(HONEST)}</p>')
    with gr.Accordion(
        "Receipt: what the models really received", open=False, elem_id="receipt", elem_classes="sheet"
    ) as fold:
        receipt = gr.HTML(answers.receipt(None))
        heard = gr.Audio(label=HEARD, interactive=False, elem_id="heard", buttons=["download"])
    drawn = frame, frames, border, sound, before, after, per_token, layers, layers_tab
    done = tabs, heads, heads_tab, lens, lens_tab, workshop
    return Inside(layer, head, view, sink, step, written, *drawn, *done, fold, receipt, heard, exports)


def layer_choices(count: int) -> list[tuple[str, int]]:
    return [("last third", LAST_LAYERS)] + [(f"layer {n}", n) for n in range(count)]


def head_choices(count: int) -> list[tuple[str, int]]:
    return [("all heads", ALL_HEADS)] + [(f"head {n}", n) for n in range(count)]


def _export(kind: str, title: str) -> tuple[gr.Button, gr.DownloadButton, str]:
    button = gr.Button(title, size="sm", elem_classes="export", elem_id=f"export-{kind}", min_width=60, scale=0)
    return button, gr.DownloadButton(visible="hidden", elem_id=f"download-{kind}"), kind
