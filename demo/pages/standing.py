"""What yields nothing changes nothing: Gradio alone would empty all that such a handler could have filled.

Knows Gradio's handlers. Does not know what any of them does.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

NONE = object()


def keep(blocks: gr.Blocks) -> None:
    """Let every handler of these blocks that may yield nothing leave its outputs as they are."""
    for function in blocks.fns.values():
        if inspect.isgeneratorfunction(function.fn):
            function.fn = kept(function.fn, len(function.outputs))


def kept(handler: Callable[..., Iterator[Any]], outputs: int) -> Callable[..., Iterator[Any]]:
    """The handler, which yields at least once: nothing new for so many outputs."""

    @functools.wraps(handler)
    def filled(*given: Any) -> Iterator[Any]:
        values = handler(*given)
        first = next(values, NONE)
        yield first if first is not NONE else gr.skip() if outputs == 1 else [gr.skip()] * outputs
        yield from values

    return filled
