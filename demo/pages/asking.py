"""What tabs that ask the model again have in common: a row with choices, a button and a status; what is said meanwhile.

Knows components and Waits. Does not know what is asked or drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gradio as gr

from demo.pages import answers, mishaps
from demo.visitors.turns import Wait
from models.omni import McGurkError


def row(
    choices: Sequence[tuple[str, str]], value: str, label: str, id: str, button: str, button_id: str, status_id: str
) -> tuple[gr.Radio, gr.Button, gr.HTML]:
    """Choices as pills, the button that asks, and where it is said how far that is."""
    with gr.Row(elem_classes=["tight", "heads-row"]):
        return (
            gr.Radio(choices, value=value, label=label, container=False, elem_classes="pills", elem_id=id),
            gr.Button(button, variant="primary", elem_id=button_id, min_width=100, scale=0),
            line(status_id),
        )


def line(id: str, said: str = "", busy: bool = False) -> gr.HTML:
    """A line in which it is said how far something is, or that it failed."""
    shown = gr.HTML(answers.status(said, busy), elem_id=id)
    return mishaps.at_rest(shown, lambda said, _last: answers.status(said))


def card(id: str, empty: str) -> gr.HTML:
    """Where an answer is shown; one that was not given before something failed is no longer waited for."""
    waiting = lambda last: last is mishaps.UNKNOWN or answers.is_busy(last)  # noqa: E731
    return mishaps.at_rest(gr.HTML(empty, elem_id=id), lambda _said, last: empty if waiting(last) else gr.skip())


def start_and_stop(id: str) -> tuple[gr.Button, gr.Button]:
    """The buttons of something that goes on for long: at first, and after a mishap, it can be started."""
    begin = gr.Button("Start", variant="primary", elem_id=f"{id}-start", min_width=120)
    halt = gr.Button("Stop", interactive=False, elem_id=f"{id}-stop", min_width=60)
    return (
        mishaps.at_rest(begin, lambda _said, _last: gr.Button(interactive=True)),
        mishaps.at_rest(halt, lambda _said, _last: gr.Button(interactive=False)),
    )


def asked(
    said: str, begin: Callable[[], Iterable[Any]], draw: Callable[[Any], Sequence[Any]], drawings: int = 1
) -> Iterator[list[Any]]:
    """Values for a status and so many drawings while the model is asked.

    said: at first. begin: gives Waits, and what draw() makes drawings of; a McGurkError of either is said.
    """
    nothing_new = [gr.skip()] * drawings
    try:
        yield [answers.status(said, busy=True), *nothing_new]
        for step in begin():
            if isinstance(step, Wait):
                yield [answers.status(answers.waiting(step), busy=True), *nothing_new]
            else:
                yield [answers.status(), *draw(step)]
    except McGurkError as error:
        yield [answers.status(str(error)), *nothing_new]
