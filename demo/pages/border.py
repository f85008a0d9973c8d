"""One frame with a border that is dragged between what base looked at and what the aligned adapter did.

Knows components. Does not know how attention is drawn.
"""

from __future__ import annotations

import hashlib
from typing import Any

import gradio as gr

from demo import inside
from demo.inside import View
from demo.session import Lab
from models.omni import McGurkError


class Border:
    """The switch and the two pictures over each other. It shows the frame that the slider says."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.on = gr.Checkbox(False, label="before and after over each other", container=False, elem_id="over")
        self.pictures = gr.ImageSlider(
            visible=False, show_label=False, interactive=False, slider_position=50, elem_id="border", buttons=[]
        )

    def draw(self, on: bool, view: View, frame: int, session: str) -> Any:
        """The two pictures of a frame, or nothing where they are not wanted."""
        if not on:
            return gr.ImageSlider(visible=False)
        try:
            seen = inside.seen(self.lab.asked_last(session), view)
        except McGurkError:
            seen = None
        if seen is None or len(seen.jpegs) < 2:
            return gr.ImageSlider(visible=False)
        at = min(max(frame, 0), len(seen.times) - 1)
        paths = []
        for jpegs in seen.jpegs.values():
            name = f"border-{hashlib.blake2b(jpegs[at], digest_size=8).hexdigest()}.jpg"
            path = self.lab.path_for(session, name)
            path.write_bytes(jpegs[at])
            paths.append(str(path))
        return gr.ImageSlider(value=(paths[0], paths[1]), visible=True)
