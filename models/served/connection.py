"""A connection to an OpenAI-compatible server: one request, tried again while there is hope.

Knows HTTP and its faults. Does not know what is asked.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from models.omni import McGurkError

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}  # a busy or failing server may recover; 400 or 401 will not
ATTEMPTS = 4
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0  # s; doubled after every attempt, with up to half as much again at random
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 10.0, 120.0  # s
LARGEST_REPLY = 4 * 1024**2  # bytes; an answer is a few kB


class Connection:
    """To one address (up to and including "/v1"). key: sent there only; "": none. timeout: of one attempt, s.

    Raises McGurkError for what is no address.
    """

    def __init__(self, address: str, key: str = "", timeout: float = ANSWER_TIMEOUT, attempts: int = ATTEMPTS,
                 wait: Callable[[float], None] = time.sleep):  # fmt: skip
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise McGurkError(f"{address!r} is no server address: give one such as http://localhost:8000/v1.")
        self.address, self.attempts, self._wait = address.rstrip("/"), max(1, attempts), wait
        self.where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            follow_redirects=False,  # a key must not travel to another address
        )

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def request(self, method: str, path: str, body: dict | None = None) -> dict:
        """One request, tried again with growing pauses while there is hope. Raises McGurkError with the reason."""
        problem, asked = "", None
        for attempt in range(self.attempts):
            if attempt:
                self._wait(self._pause(attempt, asked))
            asked = None
            try:
                status, headers, content = self._send(method, path, body)
            except httpx.TimeoutException:
                problem = "it did not answer in time"
                continue
            except httpx.TransportError as error:
                problem = f"the connection failed ({type(error).__name__})"
                continue
            if status in RETRIED:
                problem, asked = f"it answered {status} ({reason_in(content)})", headers.get("retry-after")
                continue
            if status >= 300:
                raise RefusedError(f"The server at {self.where} refused ({status}): {reason_in(content)}")
            try:
                reply = json.loads(content)
            except ValueError:
                problem = "its answer was not JSON"
                continue
            if isinstance(reply, dict):
                return reply
            problem = "its answer was not an object"
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        raise McGurkError(f"The server at {self.where} was asked {times}: {problem}. Try again later or ask another.")

    def _send(self, method: str, path: str, body: dict | None) -> tuple[int, httpx.Headers, bytes]:
        with self._client.stream(method, self.address + path, json=body) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LARGEST_REPLY:
                    raise McGurkError(f"The server at {self.where} sends more than an answer: is this a chat server?")
            return response.status_code, response.headers, bytes(content)

    @staticmethod
    def _pause(attempt: int, asked: str | None) -> float:
        """Seconds before another attempt: what the server asked for, or twice as long as before."""
        pause = FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(1.0, 1.5)
        if asked and asked.strip().isdigit():
            pause = max(pause, float(asked))
        return min(pause, LONGEST_WAIT)


class RefusedError(McGurkError):
    """The server understood and said no: asking again the same way is of no use."""


def reason_in(content: bytes) -> str:
    """The server's own words in what it sent, one line."""
    text = content.decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
        error = said.get("error", said.get("message", said)) if isinstance(said, dict) else said
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        pass
    text = " ".join(text.split())
    return text[:200] or "no reason given"
