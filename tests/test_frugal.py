"""Frugal blocks say the same as Gradio's and make nothing anew that did not change."""

import asyncio
import copy

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from gradio_client import Client

from demo.pages.frugal import PAUSE, Frugal


def answered(kind, count, values):
    """What a page with `count` text fields is told, what is kept of it, and how many fields were made for it."""
    with kind() as blocks:
        fields = [gr.Textbox(label=str(n)) for n in range(count)]
        gr.Button().click(lambda: None, None, fields)
    [handler] = blocks.fns.values()
    session = SessionState(blocks)
    told = asyncio.run(blocks.postprocess_data(handler, copy.deepcopy(values), session))
    held = [session.config_values[field._id]["props"].get("value") for field in fields]
    return told, held, sum(session[field._id] is not field for field in fields)


@pytest.mark.parametrize(
    "values",
    [
        ["a", gr.skip(), "c"],
        [gr.skip(), gr.skip(), "c"],
        [gr.skip()] * 3,
        ["a", "b", None],
        [{"__type__": "update", "label": "new", "value": "b"}, gr.skip(), ""],
        gr.skip(),
    ],
)
def test_pages_are_told_what_gradio_tells_them(values):
    told, held, made = answered(Frugal, 3, values)
    theirs, their_held, their_made = answered(gr.Blocks, 3, values)
    assert (told, held) == (theirs, their_held)
    assert made == their_made - (values.count(gr.skip()) if isinstance(values, list) else 3)


def test_one_field_is_told_as_ever():
    for value in ("a", gr.skip(), None):
        assert answered(Frugal, 1, value)[:2] == answered(gr.Blocks, 1, value)[:2]


def test_too_few_values_are_noticed():
    with pytest.raises(gr.Error) as told:
        answered(Frugal, 3, ["a", gr.skip()])
    assert isinstance(told.value.__cause__, ValueError) and "output values" in str(told.value.__cause__)


def test_no_statistics_are_kept(monkeypatch):
    monkeypatch.setattr("gradio.queueing.Queue._get_df", lambda *_: pytest.fail("a table was made"))
    with Frugal() as blocks:
        asked, told = gr.Textbox(), gr.Textbox()
        asked.submit(str.upper, asked, told, api_name="shout")
    blocks.queue(max_size=3)
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        client = Client(address, verbose=False)
        assert [client.predict(word, api_name="/shout") for word in ("a", "b")] == ["A", "B"]
        assert not blocks._queue.event_analytics
    finally:
        blocks.close(verbose=False)


def test_an_empty_queue_sleeps():
    with Frugal() as blocks:
        gr.Textbox()
    assert blocks.queue(max_size=3)._queue.sleep_when_free == PAUSE
