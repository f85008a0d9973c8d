"""The whole application as Gradio blocks: its pages and its endpoints, around the model that is handed in.

Knows which pages there are. Does not know how a model is loaded or a server started.
"""

from __future__ import annotations

import threading
import time
import weakref
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from demo.pages import about, callers, endpoints, lessons, mishaps, phone, standing
from demo.pages.bench import BenchPage
from demo.pages.frugal import Frugal
from demo.pages.lab import MODEL_LANE, TAGLINE, LabPage
from demo.session import Lab
from models.omni import OmniModel

SWEEP, KEEP = 900, 4 * 3600  # s: how often Gradio's files are looked through, and how old they may grow
TIDY = 15.0  # s between two looks for files that have come to their end and memory to give back
CLOSED = 60.0  # s that a closed page is kept in case it comes back
PAGES = 200  # whose components are kept at most: of callers that never say goodbye, too
WAITING = 100  # requests beyond those that have a thread, see app.py; whose turn it is, demo.visitors.turns decides


def build(model: OmniModel | Future) -> gr.Blocks:
    """The application, ready to be launched with demo.pages.look.look().

    model: what answers; a future while it is still loading, so that the page can be up before.
    """
    lab = Lab(model, Path(get_upload_folder()) / "mcgurk", callers.current)
    with Frugal(title="McGurk", analytics_enabled=False, delete_cache=(SWEEP, KEEP), fill_width=True) as blocks:
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
    with blocks.route("Add a clip", "add", show_in_navbar=False):
        phone.build(lab)
    mishaps.guard(blocks)
    standing.keep(blocks)
    blocks.queue(max_size=WAITING, default_concurrency_limit=8)
    threading.Thread(target=_tidy, args=(weakref.ref(lab), weakref.ref(blocks)), name="tidy", daemon=True).start()
    return blocks


def _tidy(lab: weakref.ref, blocks: weakref.ref) -> None:
    """Look after files and memory as long as there is a Lab and its application is not closed."""
    idle: dict[str, float] = {}
    while True:
        time.sleep(TIDY)
        if (still := lab()) is None:
            return
        if (page := blocks()) is not None:
            if hasattr(page, "server") and not page.is_running:  # it was launched, and is over
                return
            forget_closed(page)
            forget_unread(page, idle)
        still.tidy()
        del still, page


def forget_closed(blocks: gr.Blocks, after: float = CLOSED) -> None:
    """Drop what Gradio keeps of pages that were closed `after` s ago: every component as it stood, megabytes a page.

    Gradio itself drops the values of gr.State alone, and the rest only beyond its state_session_capacity.
    """
    if (holder := getattr(blocks, "state_holder", None)) is None:
        return  # not launched yet
    for session, state in list(holder.session_data.items()):
        used = holder.time_last_used.get(session)
        if state.is_closed and (used is None or (datetime.now() - used).total_seconds() >= after):
            with holder.lock:
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)


def forget_unread(blocks: gr.Blocks, idle: dict[str, float], after: float = CLOSED) -> None:
    """Drop the messages of visitors who left: drawings that nobody will fetch, which Gradio keeps of 2,000 of them.

    idle: since when (time.monotonic) a visitor has had neither a page nor anything under way; kept between two calls.
    """
    queue, holder, now = getattr(blocks, "_queue", None), getattr(blocks, "state_holder", None), time.monotonic()
    if queue is None or holder is None:
        return
    messages, under_way = queue.pending_messages_per_session, queue.pending_event_ids_session
    here = {session for session, state in list(holder.session_data.items()) if not state.is_closed}
    gone = {
        session
        for session in {*list(messages), *list(under_way)} - here
        if not any(event in queue.event_ids_to_events for event in list(under_way.get(session, ())))
    }
    for session in idle.keys() - gone:
        del idle[session]
    for session in gone:
        if now - idle.setdefault(session, now) >= after:
            messages.pop(session, None)
            under_way.pop(session, None)
            del idle[session]


def _head() -> None:
    gr.Navbar(main_page_name="Lab")
    gr.HTML(f'<header class="brand"><h1>McGurk</h1><p>{TAGLINE}</p></header>')
