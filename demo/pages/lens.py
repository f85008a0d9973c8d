"""The tab "What they say": curves of where the truth stands in picture and sound tokens, and their words in one layer.

Knows components, events and markup. Does not know how a state is read out.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from demo.draw import charts
from demo.pages import answers, asking
from demo.pages.markup import QUIET, plotted
from demo.probing import lens
from demo.probing.lens import Lens
from demo.session import Lab
from models.omni import Kind

WHERE = [
    ("in the picture's tokens", "picture"),
    ("in the sound's tokens", "sound"),
    ("where the answer begins", "answer"),
]
ABOUT = (
    "Each layer's state of a picture or sound token, read out as if it were the last (the logit lens): how many of the "
    "tokens say most what is true? That a name stands there is no proof that it is used."
)
EMPTY = f'<p class="hint tall">{ABOUT}</p>'
READING = "Reading the layers out."
LABELS = {"answer": "layer: the name's share"}
SHOWN = {"picture": (Kind.VIDEO, "see"), "sound": (Kind.AUDIO, "hear")}
MOST = 98  # tokens whose words are written out


class LensTab:
    """The tab's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.where, self.read, self.status = asking.row(
            WHERE, "sound", "What is said", "lens-where", "Read them", "read-lens", "lens-status"
        )
        self.plot = gr.Plot(show_label=False, elem_id="lens-curve")
        self.layer = gr.Slider(0, 1, 0, step=1, label="Their words after layer", elem_id="lens-layer", visible=False)
        self.words = gr.HTML(EMPTY, elem_id="lens-words")

    @property
    def drawn(self) -> list[Any]:
        return [self.plot, self.layer, self.words]

    def find(self, where: str, layer: float, request: gr.Request) -> Iterator[list[Any]]:
        """Read the last question's tokens out. Outputs: status, plot, layer, words."""
        begin = lambda: lens.read(self.lab, request.session_hash)  # noqa: E731
        yield from asking.asked(READING, begin, lambda found: self._draw(found, where, None), len(self.drawn))

    def turned(self, where: str, layer: float, request: gr.Request) -> Iterator[list[Any]]:
        """Elsewhere, or the tab is opened: drawn if it is known, or read out by a fast model."""
        asked = self.lab.last(request.session_hash)
        if asked is not None and asked.lens is not None:
            yield [answers.status(), *self._draw(asked.lens, where, int(layer))]
        elif asked is not None and asked.complete and self.lab.fast:
            yield from self.find(where, layer, request)

    def at(self, where: str, layer: float, request: gr.Request) -> str | Any:
        """The words of another layer."""
        asked = self.lab.last(request.session_hash)
        return words(asked.lens, where, int(layer)) if asked is not None and asked.lens else gr.skip()

    def _draw(self, found: Lens, where: str, layer: int | None) -> list[Any]:
        if not found.has(where):
            return [None, gr.skip(), f'<p class="hint tall">There is no {escape(where)} here.</p>']
        curve = found.curve(where)
        layers = len(next(iter(next(iter(curve.values())).values())))
        label = LABELS.get(where, f"layer: share of {where} tokens that say it")
        figure = plotted(charts.curve(range(layers), curve, {}, found.roles, label))
        at = layers - 1 if layer is None else min(layer, layers - 1)
        return [figure, gr.Slider(maximum=layers - 1, value=at, visible=where in SHOWN), words(found, where, at)]

    def wire(self, lane: dict[str, Any]) -> list[Any]:
        """Connect everything; returns the events that ask."""
        shown = {"inputs": [self.where, self.layer], "outputs": [self.status, *self.drawn], **lane, **QUIET}
        self.layer.release(self.at, [self.where, self.layer], [self.words], trigger_mode="always_last", **QUIET)
        return [
            self.read.click(self.find, **shown),
            self.where.input(self.turned, trigger_mode="always_last", **shown),
        ]


def words(found: Lens, where: str, layer: int) -> str:
    """What each token of the picture or the sound says after a layer; its soft words on hover."""
    if where not in SHOWN:
        return f'<p class="hint">{escape(ABOUT)}</p>'
    kind, colour = SHOWN[where]
    figures = "".join(
        f"<figure><figcaption>{escape(answers.TITLES.get(adapter, adapter))}</figcaption>"
        f"{_grid(said, kind, layer)}</figure>"
        for adapter, said in found.said.items()
    )
    return f'<div class="says {colour}"><p class="hint">{escape(ABOUT)}</p><div class="figures">{figures}</div></div>'


def _grid(said: Any, kind: Kind, layer: int) -> str:
    """Words of the tokens in rows: a frame's places, or the moments of a sound."""
    best = said.best.get(kind, ())
    if not best:
        return '<p class="hint">Its tokens have no words of their own.</p>'
    at = said.tokens.positions(kind)
    tokens, soft = best[min(layer, len(best) - 1)], said.soft.get(kind, ())
    chosen, columns, where = range(len(tokens)), 6, ""
    if kind is Kind.VIDEO:
        times, _, columns = said.tokens.grid
        chosen = [n for n in chosen if said.tokens.video[at[n], 0] == times // 2]
        where = f"The frame at {said.tokens.frame_times[times // 2]:.1f} s"
    more = len(chosen) - MOST
    cells = "".join(
        f'<span title="{_blend(soft[n]) if n < len(soft) else ""}">{escape(tokens[n].split(",")[0].lower())}</span>'
        for n in chosen[:MOST]
    )
    rest = f" and {more} more" if more > 0 else ""
    note = " Hover: the words it was blended of." if soft else ""
    what = f"{where or 'In the order of time'}{rest}: {said.source} that each token says most.{note}"
    return f'<div class="cells" style="--columns:{columns}">{cells}</div><p class="hint">{escape(what)}</p>'


def _blend(soft: Any) -> str:
    return escape(", ".join(f"{name.split(',')[0]} {share:.0%}" for name, share in soft))
