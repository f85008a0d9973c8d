"""What several pages write: pictures inside the page, warnings. Knows HTML's rules. Does not know any page."""

from __future__ import annotations

import base64
from html import escape

import gradio as gr


def data_uri(kind: str, content: bytes) -> str:
    """An image as an address that holds it. kind: "jpeg" or "png"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def toast(said: object) -> str:
    """Text for a toast, which would render markup."""
    return escape(str(said), quote=False)


def warn(error: Exception) -> None:
    """Show an error's sentence as a toast."""
    gr.Warning(toast(error))
