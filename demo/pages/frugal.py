"""Gradio's blocks without what nobody needs: components that did not change, a queue that never sleeps, its statistics.

Knows what Gradio does between a handler and the page. Does not know any page.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio_client.utils import is_http_url_like

from demo.pages import mishaps
from demo.pages.markup import skips

PAUSE = 0.01  # s between two looks into a queue that is empty; Gradio's own, 0.001, take a twentieth of a core


class Frugal(gr.Blocks):
    """Blocks whose handlers may skip what they like: it costs nothing, nor does a queue in which nobody waits."""

    async def process_api(self, block_fn: Any, inputs: list[Any], *args: Any, **how: Any) -> dict[str, Any]:
        """As Gradio does it; what fails around a handler is told as what fails in one."""
        LocalContext.event_id.set(how.get("event_id"))  # by which a toast finds its page
        function = self.fns[block_fn] if isinstance(block_fn, int) else block_fn
        needed, given = len(function.inputs), len(inputs)
        if given < needed and how.get("iterator") is None:
            raise gr.Error(f"This takes {needed} values, not {given}: see the description.", print_exception=False)
        if _lies_elsewhere(inputs):
            raise gr.Error(mishaps.NOT_UPLOADED, print_exception=False)
        try:
            return await super().process_api(block_fn, inputs, *args, **how)
        except gr.Error:
            raise
        except Exception as error:
            return mishaps.told(error, ())  # it raises

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """As Gradio does it; where that fails, nothing is said to be under way any more."""
        try:
            return await self._written(block_fn, predictions, state)
        except gr.Error:
            raise
        except Exception as error:
            outputs = block_fn.outputs
            if inspect.isgeneratorfunction(block_fn.fn):
                mishaps.end()
            rests = mishaps.told(error, outputs, [mishaps.UNKNOWN] * len(outputs))
            return await self._written(block_fn, rests, state)

    async def _written(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """Values as they are sent, for the outputs that change: Gradio makes a new component for every gr.skip()."""
        if skips(predictions):
            return [gr.skip() for _ in block_fn.outputs]
        if not isinstance(predictions, list | tuple) or len(predictions) != len(block_fn.outputs) > 1:
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [at for at, value in enumerate(predictions) if not skips(value)]
        if len(changed) == len(predictions):
            return await super().postprocess_data(block_fn, predictions, state)
        written: list[Any] = [gr.skip() for _ in predictions]
        if changed:
            part = copy.copy(block_fn)
            part.outputs = [block_fn.outputs[at] for at in changed]
            values = [predictions[at] for at in changed]
            found = await super().postprocess_data(part, values if len(values) > 1 else values[0], state)
            for at, value in zip(changed, found, strict=True):
                written[at] = value
        return written

    def queue(self, *args: Any, **how: Any) -> Frugal:
        """See gr.Blocks.queue."""
        super().queue(*args, **how)
        self._queue.sleep_when_free = max(self._queue.sleep_when_free, PAUSE)
        self._queue.ANALYTICS_MAX_EVENTS = 0  # else a table of the last 10,000 is made at every event, for monitoring
        return self


def _lies_elsewhere(values: Any) -> bool:
    """Whether a file among the values of a call is at an address, which Gradio would fetch, or in no place at all."""
    left = [values]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(path := value.get("path"), str) and (is_http_url_like(path) or "\0" in path):
                return True
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
    return False
