"""Who is calling, and whether anybody still waits for the answer, as Gradio's queue knows it.

Knows Gradio's queue: pages, gradio_client and plain HTTP all come through it. Does not know what was asked.

Three ways to be gone: the event was cancelled (the queue no longer works at it; it forgets it only once the handler has
come to rest), its stream was closed (the event is no longer alive), or nobody fetches the messages that the queue has
for the caller.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from gradio.context import LocalContext

from demo.session import Caller

PATIENCE = 10.0  # s in which a caller must begin to fetch what was said; clients open their stream right after asking


def current(session: str) -> Caller:
    """The caller whose event is being handled in this thread; one who stays, outside of any event."""
    blocks, event_id = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    queue = getattr(blocks, "_queue", None)
    if queue is None or not event_id or event_id not in queue.event_ids_to_events:
        return Caller(session)
    event = queue.event_ids_to_events[event_id]
    return Caller(_visitor(session, event_id, event.request), _Watch(queue, event_id, _worked_at(queue, event)).gone)


def _visitor(session: str, event_id: str, request: Any) -> str:
    """The session; for calls without one, each of which Gradio gives a new session, the address they come from."""
    client = getattr(request, "client", None)
    return f"address {client.host}" if session == event_id and client else session


def _worked_at(queue: Any, event: Any) -> bool:
    return any(event in events for events in queue.active_jobs if events)


@dataclass
class _Watch:
    queue: Any
    event_id: str
    begun: bool  # whether the queue worked at the event when it was first looked at
    unread_since: float | None = None

    def gone(self) -> bool:
        """Whether the event is over for its caller."""
        event = self.queue.event_ids_to_events.get(self.event_id)
        if event is None or not event.alive or (self.begun and not _worked_at(self.queue, event)):
            return True
        messages = self.queue.pending_messages_per_session.get(event.session_hash)
        if messages is None:
            return True
        if messages.empty():
            self.unread_since = None
            return False
        self.unread_since = self.unread_since or time.monotonic()
        return time.monotonic() - self.unread_since > PATIENCE
