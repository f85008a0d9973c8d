"""Choices among clips that come and go: what was chosen may have been removed meanwhile, which is said elsewhere.

Knows Gradio's radio and dropdown, which refuse such a choice with the words of a programmer. Does not know clips.
"""

from __future__ import annotations

from typing import Any

import gradio as gr


class Radio(gr.Radio):
    """A radio that hands on whatever text was chosen."""

    is_template = True  # looks like the Gradio component it is made from

    def preprocess(self, payload: Any) -> str | None:
        return payload if isinstance(payload, str) else None


class Dropdown(gr.Dropdown):
    """A dropdown that hands on whatever text was chosen."""

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return payload if isinstance(payload, str) else None
