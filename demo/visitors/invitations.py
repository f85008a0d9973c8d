"""Short-lived codes by which a phone adds clips to the shelf of the page that shows the code.

Knows codes, their time and their page. Does not know shelves or how a code is shown. A code lets its holder add, and
nothing else: not read, label or remove.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from models.omni import McGurkError

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is easily taken for another
LENGTH = 8  # letters: 8.5e11 codes
SECONDS = 600.0  # that a code is good for
KEPT = 1_000  # codes alive at once; the oldest goes first
WRONG_LIMIT = 200  # wrong codes a minute, of all visitors together, before no code is looked at


class Invitations:
    """The codes that are good now. clock: seconds that only ever grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[str, float]] = {}  # code -> (session, when it ends)
        self._wrong: list[float] = []

    def invite(self, session: str) -> str:
        """A new code for a session's page; its earlier one ends."""
        code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        self.revoke(session)
        with self._lock:
            self._codes[code] = (session, self._clock() + SECONDS)
            while len(self._codes) > KEPT:
                self._codes.pop(next(iter(self._codes)))
        return code

    def session_of(self, code: str) -> str:
        """The session that a code stands for, however it is typed. Raises McGurkError if it is not good (any more)."""
        typed = "".join(letter for letter in code[:64].upper() if letter in LETTERS)
        now = self._clock()
        with self._lock:
            self._wrong = [at for at in self._wrong if now - at < 60]
            if len(self._wrong) >= WRONG_LIMIT:
                raise McGurkError("Too many wrong codes were tried: wait a minute.")
            session, end = self._codes.get(typed, ("", 0.0))
            if now < end:
                return session
            self._codes.pop(typed, None)
            self._wrong.append(now)
        raise McGurkError("This code is not good any more: show a new one on the page where your shelf is.")

    def is_open(self, session: str) -> bool:
        """Whether a session's page shows a code that is good."""
        now = self._clock()
        with self._lock:
            return any(whose == session and now < end for whose, end in self._codes.values())

    def revoke(self, session: str) -> None:
        """End the codes of a session."""
        with self._lock:
            self._codes = {code: kept for code, kept in self._codes.items() if kept[0] != session}
