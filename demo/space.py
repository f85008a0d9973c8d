"""The Hugging Face Space that the application runs on, if it does, and what such a Space is built from.

Knows the variables that a Space sets and the packages that it installs. Does not know pages, or what may go wrong.
"""

from __future__ import annotations

import os
import re

HUB = "https://huggingface.co"
PYTHON = "3.12"
PYTHONS = ("3.12", "3.12.12", "3.10.13")  # what ZeroGPU has; 3.10 is too old for the pins
TORCH = "torch<=2.13.0"  # the newest that ZeroGPU takes
_ID = re.compile(r"[\w.-]+/[\w.-]+")


def space_id() -> str:
    """owner/name of the Space that this is; "" anywhere else."""
    found = os.environ.get("SPACE_ID", "")
    return found if _ID.fullmatch(found) else ""


def space_page() -> str:
    """Address at which people see the Space, which shows the application in a frame; "" anywhere else."""
    return f"{HUB}/spaces/{space_id()}" if space_id() else ""


def built_with(gradio: str) -> list[str]:
    """What a Space adds to requirements.txt, in the same call of pip. gradio: the version that README.md asks for."""
    return [TORCH, f"gradio[oauth,mcp]=={gradio}", "uvicorn>=0.14.0", "websockets>=10.4", "spaces"]
