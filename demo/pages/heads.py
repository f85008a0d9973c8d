"""The tab "Heads": layers x heads for each modality, coloured by how far an output moves without it; click to act.

Knows components, events and markup. Does not know how a head is measured, cut or turned up.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from demo.pages import answers, asking
from demo.pages.markup import COLOURS, QUIET
from demo.probing import heads
from demo.probing.heads import Grids
from demo.session import Lab

KINDS = [("that see", "picture"), ("that hear", "sound"), ("that read", "text")]
ABOUT = (
    "How far the output of each head moves when the modality is taken away, at the position where the answer begins. "
    "Click heads, then look at what they look at, cut them or turn them up."
)
PAPER = "After VHD, arXiv 2412.13949."
EMPTY = f'<p class="hint tall">{ABOUT}</p>'
FINDING = "Reading with it and without it."


class Heads:
    """The tab's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.kind, self.find, self.status = asking.row(
            KINDS, "picture", "Heads", "heads-kind", "Find them", "find-heads", "heads-status"
        )
        self.grids = gr.HTML(EMPTY, elem_id="heads")

    def measure(self, kind: str, request: gr.Request) -> Iterator[list[Any]]:
        """Draw the grids of a modality. Outputs: status, grids."""
        begin = lambda: heads.measure(self.lab, request.session_hash, kind)  # noqa: E731
        yield from asking.asked(FINDING, begin, lambda grids: [markup(grids)])

    def opened(self, kind: str, request: gr.Request) -> Iterator[list[Any]]:
        """The tab is opened: what is drawn already stays, with what is chosen in it."""
        asked = self.lab.last(request.session_hash)
        if asked is None or kind not in asked.heads:
            yield from self.turned(kind, request)

    def turned(self, kind: str, request: gr.Request) -> Iterator[list[Any]]:
        """Another modality: its grids, if they are known or the model is fast."""
        asked = self.lab.last(request.session_hash)
        known = asked.heads.get(kind) if asked else None
        if known is not None:
            yield [answers.status(), markup(known)]
        elif asked is not None and asked.complete and self.lab.fast:
            yield from self.measure(kind, request)
        else:
            yield [answers.status(), EMPTY]

    def wire(self, lane: dict[str, Any]) -> list[Any]:
        """Connect everything; returns the events that ask."""
        shown = {"outputs": [self.status, self.grids], **lane, **QUIET}
        return [
            self.find.click(self.measure, [self.kind], **shown),
            self.kind.input(self.turned, [self.kind], trigger_mode="always_last", **shown),
        ]


def markup(grids: Grids) -> str:
    """A grid for each adapter on one scale, one of what changed between them, and what can be done to heads."""
    top, colour = grids.top, COLOURS[grids.kind]
    values = {adapter: grid / top for adapter, grid in grids.moved.items()}
    figures = "".join(
        _figure(answers.TITLES.get(adapter, adapter), grid, grids.moved, first=at == 0)
        for at, (adapter, grid) in enumerate(values.items())
    )
    if (change := grids.change) is not None:
        figures += _figure("What tuning changed", change / max(float(np.abs(change).max()), 1e-9), grids.moved)
    best = "; ".join(
        f"{escape(answers.TITLES.get(adapter, adapter))}: "
        + ", ".join(f"{layer}.{head}" for layer, head, _ in heads.ranked(grids, adapter))
        for adapter in grids.moved
    )
    return (
        f'<div class="heads {colour}" data-kind="{escape(grids.kind)}"><p class="hint">{escape(ABOUT)} '
        f'{escape(PAPER)}</p><div class="figures">{figures}</div>'
        f'<div class="acts"><output>No head is chosen.</output>'
        '<button type="button" data-act="map" disabled>See its map</button>'
        '<button type="button" data-act="cut" disabled>Cut</button>'
        '<button type="button" data-act="up" disabled>Turn up × 2</button>'
        '<button type="button" data-act="none" disabled>None</button></div>'
        f'<p class="hint">Most by layer.head, {best}.</p></div>'
    )


def _figure(title: str, shades: np.ndarray, moved: dict[str, np.ndarray], first: bool = False) -> str:
    """One grid, a column a layer; shades: -1..1, layers x heads."""
    layers, count = shades.shape
    cells = "".join(
        f'<button type="button" data-head="{layer}h{head}" aria-pressed="false" title="{_said(layer, head, moved)}" '
        f'tabindex="{0 if first and not layer and not head else -1}" style="--v:{abs(shades[layer, head]):.3f}"'
        f"{' class=less' if shades[layer, head] < 0 else ''}></button>"
        for head in range(count)
        for layer in range(layers)
    )
    return (
        f"<figure><figcaption>{escape(title)} <span>layers 0 to {layers - 1} across, {count} heads down</span>"
        f'</figcaption><div class="cells" style="--columns:{layers}" data-columns="{layers}">{cells}</div></figure>'
    )


def _said(layer: int, head: int, moved: dict[str, np.ndarray]) -> str:
    numbers = ", ".join(
        f"{answers.TITLES.get(adapter, adapter).lower()} {grid[layer, head]:.2f}" for adapter, grid in moved.items()
    )
    return escape(f"layer {layer}, head {head}: {numbers}")
