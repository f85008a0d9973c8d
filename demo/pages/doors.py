"""Which of the server's addresses are open, and how much may come in through them.

Gradio opens routes for many features; the few that this application needs are listed here and everything else is not
found, so that a newer Gradio opens nothing by itself. Knows requests. Does not know what any route does with one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from gradio.route_utils import FnIndexInferError
from starlette.responses import PlainTextResponse

from demo.clips import MAX_BYTES

log = logging.getLogger(__name__)

LARGEST = 2_000_000  # bytes of a request that is no upload: questions and cards are a few kB
SLACK = 1_000_000  # bytes of an upload beyond the file itself
RANGE = re.compile(rb"bytes=([0-9]+-[0-9]*|-[0-9]+)")  # what players ask for; on several at once Gradio 6.31 stumbles

READ, WRITE = ("GET", "HEAD"), ("POST",)
API, NAME = "/gradio_api", "[^/]+"
UPLOAD = f"{API}/upload"
OPEN: tuple[tuple[tuple[str, ...], str, str], ...] = (  # methods, pattern of the whole path, what needs it
    (READ, "/(bench|lessons|about|add)?/?", "the pages"),
    (READ, "/(config|theme\\.css|manifest\\.json|robots\\.txt|favicon\\.ico)/?", "a page's frame"),
    (READ, "/pwa_icon", "the icon on a phone"),
    (READ, "/(static|assets|svelte)/.+", "Gradio's own scripts, styles and fonts"),
    (READ, f"{API}/(theme\\.css|startup-events|app_id|login_check)/?", "a page's start"),
    (READ, f"{API}/info/?", "the description of the named endpoints"),
    (READ, f"{API}/heartbeat/{NAME}", "knowing that a page is left"),
    (READ, f"{API}/queue/(data|status)", "answers as they come"),
    (READ, f"{API}/call/(v2/)?{NAME}/{NAME}", "answers to plain HTTP"),
    (READ, f"{API}/upload_progress", "the bar of an upload"),
    (READ, f"{API}/file=(?!\\w{{2,}}:).+", "films, pictures and exports; no addresses"),
    (WRITE, f"{API}/queue/join", "asking"),
    (WRITE, f"{API}/call/(v2/)?{NAME}/?", "asking by plain HTTP"),
    (WRITE, f"{API}/(cancel|reset)/?", "stopping"),
    (WRITE, UPLOAD, "a clip of one's own"),
)
_OPEN = [(methods, re.compile(pattern)) for methods, pattern, _ in OPEN]


def is_open(method: str, path: str) -> bool:
    """Whether a request is let through. path: decoded, without its query."""
    return any(method in methods and pattern.fullmatch(path) for methods, pattern in _OPEN)


class Doors:
    """ASGI middleware: 404 for what is closed, 413 for what is too large, no websockets, and a word for what fails."""

    def __init__(self, app: Callable[..., Awaitable[None]]):
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http" or not is_open(scope["method"], _path(scope)):
            if scope["type"] == "http":
                await PlainTextResponse("Not found", 404)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1000})
            return
        most = MAX_BYTES + SLACK if _path(scope) == UPLOAD else LARGEST
        if _stated(scope) > most:
            await PlainTextResponse("Too large", 413)(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name != b"range" or RANGE.fullmatch(value)]
        await self._through({**scope, "headers": headers}, _counted(receive, most), send)

    async def _through(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        """Hand a request on; one that names what there is not, or that fails, is answered with a sentence."""
        begun = False

        async def noted(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            if begun:
                raise
            if isinstance(error, KeyError | FnIndexInferError):  # so Gradio says that it knows no such event
                reply = PlainTextResponse("There is no such endpoint: see /gradio_api/info.", 404)
            else:
                log.error("a request failed", exc_info=error)
                reply = PlainTextResponse("This request could not be answered: try it once more.", 500)
            await reply(scope, receive, send)


def _path(scope: dict[str, Any]) -> str:
    """The path below the one the application is mounted at."""
    root = scope.get("root_path", "").rstrip("/")
    path = scope["path"]
    return path.removeprefix(root) if root and path.startswith(root + "/") else path


def _stated(scope: dict[str, Any]) -> int:
    """Bytes that a request says it has; 0 if it does not say."""
    stated = dict(scope["headers"]).get(b"content-length", b"0")
    return int(stated) if stated.isdigit() else 0


def _counted(receive: Callable, most: int) -> Callable:
    """The same request cut off, as by a client that hangs up, once it is larger than it may be."""
    came = 0

    async def counted() -> dict[str, Any]:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        return {"type": "http.disconnect"} if came > most else message

    return counted
