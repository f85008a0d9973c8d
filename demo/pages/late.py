"""Charts and sound in parts of the page that Gradio makes when they are first opened.

Whatever such a part was given before that is lost with the next output that holds nothing new for it: so it is given it
again when it is opened. Knows components and events. Does not know how anything is drawn.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo import inside as insides
from demo.pages.inside import Inside
from demo.pages.markup import QUIET, plotted
from demo.session import Lab


def wire(lab: Lab, inside: Inside) -> None:
    """Connect the tab of the layers and the fold of the receipt."""

    def layers(per_token: bool, sink: bool, request: gr.Request) -> Any:
        asked = lab.last(request.session_hash)
        return plotted(insides.by_layer(asked, per_token, sink)) if asked and asked.comparison else gr.skip()

    def heard(request: gr.Request) -> Any:
        asked = lab.last(request.session_hash)
        return lab.heard(asked.situation, request.session_hash) if asked and asked.comparison else gr.skip()

    how = {"trigger_mode": "always_last", **QUIET}
    for event in (inside.per_token.input, inside.layers_tab.select):
        event(layers, [inside.per_token, inside.sink], [inside.layers], **how)
    inside.fold.expand(heard, None, [inside.heard], **how)
