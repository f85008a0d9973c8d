"""One visitor of a running application, as a browser would be one: the page's own protocol, without a browser.

Knows Gradio's addresses and messages and the page's element ids. Does not know what a visitor wants, or how many come.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from gradio_client.utils import apply_diff

from models.omni import McGurkError

API = "/gradio_api"
PATIENCE = 300.0  # s for a whole answer
ANSWER = re.compile(r'<p class="text[^"]*">(.*?)</p>', re.DOTALL)
TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Front:
    """What the application says of its page: components and events by the ids that the page gives them."""

    address: str
    names: dict[int, str]  # component -> its element id
    values: dict[int, Any]  # component -> what it holds at first
    events: dict[tuple[str, str], dict[str, Any]]  # (element id, what happens) -> the event

    @classmethod
    def read(cls, address: str) -> Front:
        """Ask a running application. Raises McGurkError if there is none."""
        try:
            config = httpx.get(f"{address}/config", timeout=30).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise McGurkError(f"No application answers at {address}: start it with `python app.py`.") from error
        names = {c["id"]: c["props"].get("elem_id") or "" for c in config["components"]}
        values = {c["id"]: c["props"].get("value") for c in config["components"]}
        events = {
            (names.get(target, ""), happens): event
            for event in config["dependencies"]
            for target, happens in event["targets"]
        }
        return cls(address, names, values, events)


@dataclass
class Reply:
    """What came back for one asking."""

    shown: dict[str, Any] = field(default_factory=dict)  # element id -> the last that was shown there
    value: Any = None  # of an endpoint
    error: str = ""  # what was said instead of an answer
    refused: bool = False  # there was no room
    seconds: float = 0.0  # from asking to the end of it
    first: float | None = None  # s until the first answer was there

    def text(self, element: str) -> str:
        """An element's HTML as plain text."""
        return " ".join(unescape(TAGS.sub(" ", str(self.shown.get(element, "")))).split())

    def answer(self, adapter: str) -> str:
        """The answer that stands on an adapter's card; "" if there is none yet."""
        found = ANSWER.search(str(self.shown.get(f"answer-{adapter}", "")))
        return unescape(TAGS.sub("", found[1])).strip() if found else ""


class Visitor:
    """One session. Use it as a context manager: leaving hangs up, as closing the page does."""

    def __init__(self, front: Front, over: threading.Event | None = None):
        """over: set when visitors are to leave whatever they wait for."""
        self.front, self.over = front, over or threading.Event()
        self.session = secrets.token_hex(6)
        self.api = front.address + API
        self.client = httpx.Client(timeout=httpx.Timeout(30, read=PATIENCE))
        self._beat: threading.Thread | None = None
        self._left = threading.Event()

    def __enter__(self) -> Visitor:
        self._beat = threading.Thread(target=self._stay, daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._left.set()
        self.client.close()
        if self._beat:
            self._beat.join(20)

    def touch(
        self,
        element: str,
        happens: str = "click",
        leave: Callable[[float], str] = lambda _seconds: "",
        values: dict[str, Any] | None = None,
    ) -> Reply:
        """Press or change something on the page and take what comes.

        values: what the controls hold, by element id, where it is not what they held at first. leave: given the seconds
        so far; "cancel" presses Stop, "hang up" closes the connection. Raises McGurkError for what the page lacks.
        """
        event = self.front.events.get((element, happens))
        if event is None:
            raise McGurkError(f"The page at {self.front.address} has no {element!r} to {happens}.")
        values = values or {}
        data = [values.get(self.front.names.get(i, ""), self.front.values.get(i)) for i in event["inputs"]]
        body = {
            "data": data,
            "fn_index": event["id"],
            "session_hash": self.session,
            "trigger_id": event["targets"][0][0],
        }
        started = time.monotonic()
        joined = self.client.post(f"{self.api}/queue/join", json=body)
        if joined.status_code == 503:
            return Reply(refused=True, error=joined.text, seconds=time.monotonic() - started)
        joined.raise_for_status()
        names = [self.front.names.get(i, "") for i in event["outputs"]]
        return self._taken(joined.json()["event_id"], event["id"], names, started, leave)

    def call(self, name: str, **arguments: Any) -> Reply:
        """Call a named endpoint."""
        started = time.monotonic()
        described = self.client.get(f"{self.api}/info").json()["named_endpoints"][f"/{name}"]["parameters"]
        data = [arguments.get(each["parameter_name"], each.get("parameter_default")) for each in described]
        joined = self.client.post(f"{self.api}/call/{name}", json={"data": data})
        if joined.status_code == 503:
            return Reply(refused=True, error=joined.text, seconds=time.monotonic() - started)
        reply, happened = Reply(), ""
        with self.client.stream("GET", f"{self.api}/call/{name}/{joined.json()['event_id']}") as stream:
            for line in stream.iter_lines():
                if self.over.is_set():
                    reply.error = "hung up"
                    break
                if line.startswith("event: "):
                    happened = line.removeprefix("event: ")
                elif line.startswith("data: ") and happened == "complete":
                    reply.value = json.loads(line.removeprefix("data: "))[0]
                elif line.startswith("data: ") and happened == "error":
                    reply.error = line.removeprefix("data: ") or "no reason given"
        reply.refused = "room again" in reply.error
        reply.seconds = time.monotonic() - started
        return reply

    def upload(self, path: Path) -> dict[str, Any]:
        """Upload a file; what an endpoint takes for it."""
        with path.open("rb") as opened:
            sent = self.client.post(f"{self.api}/upload", files={"files": (path.name, opened)})
        sent.raise_for_status()
        return {"path": sent.json()[0], "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def fetch(self, path: str) -> int:
        """Bytes of a file that the application offered."""
        return len(self.client.get(f"{self.api}/file={path}").raise_for_status().content)

    def _taken(self, event: str, place: int, names: list[str], started: float, leave: Callable) -> Reply:
        reply, held, cancelled = Reply(), [], False
        for message in self._messages(started):
            spent = time.monotonic() - started
            what, output = message.get("msg"), message.get("output") or {}
            wish = "hang up" if self.over.is_set() else "" if cancelled else leave(spent)
            if wish == "hang up":
                reply.error = "hung up"
                break
            if wish == "cancel":
                cancelled, reply.error = True, "cancelled"
                body = {"session_hash": self.session, "fn_index": place, "event_id": event}
                self.client.post(f"{self.api}/cancel", json=body)
            if message.get("event_id") != event:
                if what == "unexpected_error":
                    reply.error = reply.error or str(message.get("message"))
                continue
            if "data" in output:
                new = output["data"]
                diffed = what == "process_generating" and held
                held = [apply_diff(old, diff) for old, diff in zip(held, new, strict=True)] if diffed else list(new)
                for name, value in zip(names, held, strict=False):
                    if value is not None and not (isinstance(value, dict) and value.get("__type__") == "update"):
                        reply.shown[name] = value
                if reply.first is None and reply.answer("base"):
                    reply.first = spent
            if what == "process_completed":
                if not message.get("success"):
                    reply.error = reply.error or str(output.get("error") or "no reason given")
                break
        reply.refused = "data-again" in str(reply.shown.get("status", ""))
        reply.seconds = time.monotonic() - started
        return reply

    def _messages(self, started: float) -> Iterator[dict[str, Any]]:
        with self.client.stream("GET", f"{self.api}/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
                if time.monotonic() - started > PATIENCE:
                    return

    def _stay(self) -> None:
        """Keep the connection open by which the application knows that the page is still open."""
        try:
            with (
                httpx.Client(timeout=30) as client,
                client.stream("GET", f"{self.api}/heartbeat/{self.session}"),
            ):
                self._left.wait()  # what it says need not be read
        except httpx.HTTPError:
            return
