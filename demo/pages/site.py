"""The whole application as Gradio blocks: its pages and its endpoints, around the model that is handed in.

Knows which pages there are. Does not know how a model is loaded or a server started.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from demo.pages import about, endpoints, lessons
from demo.pages.bench import BenchPage
from demo.pages.lab import MODEL_LANE, TAGLINE, LabPage
from demo.session import Lab
from models.omni import OmniModel

SWEEP, KEEP = 900, 4 * 3600  # s: how often session files are looked through, and how old they may grow
WAITING = 40  # requests that may queue for the model before more are refused


def build(model: OmniModel | Future) -> gr.Blocks:
    """The application, ready to be launched with demo.pages.look.look().

    model: what answers; a future while it is still loading, so that the page can be up before.
    """
    lab = Lab(model, Path(get_upload_folder()) / "mcgurk")
    with gr.Blocks(title="McGurk", analytics_enabled=False, delete_cache=(SWEEP, KEEP), fill_width=True) as blocks:
        gr.Navbar(main_page_name="Lab")
        LabPage(lab)
        endpoints.build(lab, MODEL_LANE)
    with blocks.route("Bench", "bench"):
        _head()
        BenchPage(lab, MODEL_LANE)
    with blocks.route("Lessons", "lessons"):
        _head()
        lessons.build()
    with blocks.route("About", "about"):
        _head()
        about.build()
    blocks.queue(max_size=WAITING, default_concurrency_limit=8)
    return blocks


def _head() -> None:
    gr.Navbar(main_page_name="Lab")
    gr.HTML(f'<header class="brand"><h1>McGurk</h1><p>{TAGLINE}</p></header>')
