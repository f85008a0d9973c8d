"""A handler that yields nothing leaves its outputs as they are, on every page."""

import inspect

import gradio as gr

from demo.pages import site, standing
from tests.perceiving import PerceivingModel


def test_what_yields_nothing_changes_nothing():
    def handler(said, request: gr.Request):
        yield from said

    kept = standing.kept(handler, 2)
    assert list(kept([], None)) == [[gr.skip()] * 2]
    assert list(standing.kept(handler, 1)([], None)) == [gr.skip()]
    assert list(kept([[None, 1], [2, 3]], None)) == [[None, 1], [2, 3]]
    assert list(inspect.signature(kept).parameters) == ["said", "request"]  # Gradio fills in the request by it


def test_a_handler_that_is_left_is_closed():
    closed = []

    def handler():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    values = standing.kept(handler, 1)()
    assert next(values) == 1 and not closed
    values.close()
    assert closed


def test_every_handler_that_yields_is_kept(stand_ins):
    blocks = site.build(PerceivingModel())
    yielding = [one.fn for one in blocks.fns.values() if inspect.isgeneratorfunction(one.fn)]
    assert len(yielding) > 10 and all(one.__code__.co_name == "filled" for one in yielding)
