"""What a visitor is told when something fails that nobody foresaw, and what the page shows then.

Knows handlers and their outputs. Does not know what any of them does. Every handler and endpoint goes through here: the
visitor gets one sentence, the server's log the traceback, and no word stays that says something is still under way.
"""

from __future__ import annotations

import errno
import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError

from demo.pages.markup import skips, toast
from demo.sentences import shortened
from models.omni import McGurkError

log = logging.getLogger(__name__)

FAILED = "This did not work, and not because of what you did: try it once more. Nothing that you had is lost."
NO_ROOM = "The server has no room left for this just now: try again in a minute. Nothing that you had is lost."
NOT_UPLOADED = "This file was not uploaded here: upload it first."
FULL = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.EAGAIN}
UNKNOWN = object()  # a value that was on its way when something failed

_ENDED: set[str] = set()  # ids of events whose generators are to go no further
_RESTS: WeakKeyDictionary[Any, Callable[[str, Any], Any]] = WeakKeyDictionary()


def at_rest(component: Any, value: Callable[[str, Any], Any]) -> Any:
    """The component, of which it is now known what it shows once something has failed.

    value: of the sentence that says so and what the failed handler gave the component last (None: nothing, UNKNOWN:
    nobody knows), makes what it shows then; gr.skip() for what stands there already.
    """
    _RESTS[component] = value
    return component


def sentence(error: Exception) -> str:
    """What a visitor is told of an error; one that no sentence was written for is logged."""
    if isinstance(error, McGurkError):
        return shortened(str(error))
    causes = list(_causes(error))
    if any(isinstance(cause, InvalidPathError) for cause in causes):
        return NOT_UPLOADED
    log.error("a handler failed", exc_info=error)
    full = any(isinstance(cause, MemoryError) or getattr(cause, "errno", None) in FULL for cause in causes)
    return NO_ROOM if full else FAILED


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from: Gradio wraps what its components raise."""
    while error is not None:
        yield error
        error = error.__cause__


def guard(blocks: gr.Blocks) -> None:
    """Let every handler of these blocks fail in a way that a visitor understands."""
    for function in blocks.fns.values():
        if function.fn is not None:
            function.fn = guarded(function.fn, function.outputs)


def guarded(handler: Callable[..., Any], outputs: Sequence[Any]) -> Callable[..., Any]:
    """The handler, which raises nothing but gr.Error, and that only where there is nothing to be put at rest."""

    @functools.wraps(handler)
    def returns(*given: Any) -> Any:
        try:
            return handler(*given)
        except gr.Error:
            raise
        except Exception as error:
            return told(error, outputs)

    @functools.wraps(handler)
    def yields(*given: Any) -> Iterator[Any]:
        last = [None] * len(outputs)
        try:
            with closing(handler(*given)) as values:
                for one in values:
                    last = _newest(last, one)
                    yield one
                    if _ended():
                        return
        except gr.Error:
            raise
        except Exception as error:
            yield told(error, outputs, last)

    return yields if inspect.isgeneratorfunction(handler) else returns


def told(error: Exception, outputs: Sequence[Any], last: Sequence[Any] = ()) -> Any:
    """Values for the outputs after an error, and a toast that tells of it.

    last: what each output was given last. Raises gr.Error where none of them could say that something is under way.
    """
    said = sentence(error)
    rests = [_RESTS.get(output) for output in outputs]
    if not any(rests):
        raise gr.Error(toast(said), print_exception=False) from error
    gr.Warning(toast(said))
    last = last or [None] * len(outputs)
    values = [rest(said, was) if rest else gr.skip() for rest, was in zip(rests, last, strict=True)]
    return values if len(values) != 1 else values[0]


def end() -> None:
    """Let the generator behind the event that is being handled end: what it gave could not be shown."""
    if event := LocalContext.event_id.get(None):
        _ENDED.add(event)


def _ended() -> bool:
    event = LocalContext.event_id.get(None)
    if event not in _ENDED:
        return False
    _ENDED.discard(event)
    return True


def _newest(last: list[Any], given: Any) -> list[Any]:
    """What each output holds after a handler gave values for all of them, or for the only one."""
    values = given if isinstance(given, list | tuple) and len(given) == len(last) else [given] * len(last)
    return [was if skips(value) else value for was, value in zip(last, values, strict=True)]
