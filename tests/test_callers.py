"""Whether anybody still waits, seen from outside: real requests to the application, around the fake model."""

import json
import threading
import time
import uuid

import httpx
import pytest
from gradio_client import Client

from demo.pages import callers
from models.fake import FakeModel
from models.omni import Stopped
from tests.serving import served

DELAY = 3.0  # s of an answer; two a question
PATIENCE = 2.0  # s that an answer is worked on for nobody: enough to begin it on a busy machine


class Watched(FakeModel):
    """Says how many answers were begun and how many left off."""

    def __init__(self):
        super().__init__(DELAY)
        self.begun = self.stopped = 0

    def answer(self, *args, **how):
        self.begun += 1
        try:
            yield from super().answer(*args, **how)
        except Stopped:
            self.stopped += 1
            raise


@pytest.fixture(scope="module")
def app(tmp_path_factory, stand_ins):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callers, "PATIENCE", PATIENCE)
        model = Watched()
        with served(model, tmp_path_factory.mktemp("cache"), patch) as address:
            Client(address, verbose=False).predict(api_name="/ask")  # the clip is read: what follows begins at once
            yield model, address.rstrip("/") + "/gradio_api"


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def arguments(address, **asked):
    """All arguments of `ask`, with a question nobody asked before."""
    described = httpx.get(f"{address}/info").json()["named_endpoints"]["/ask"]["parameters"]
    given = {p["parameter_name"]: p.get("parameter_default") for p in described} | {"own": uuid.uuid4().hex} | asked
    return list(given.values())


def joined(address, session, **asked):
    """Ask in a session as a page does, without listening; the id of the event and of the function."""
    described = httpx.get(f"{address.removesuffix('/gradio_api')}/config").json()
    place = next(d["id"] for d in described["dependencies"] if d["api_name"] == "ask")
    body = {"data": arguments(address, **asked), "fn_index": place, "session_hash": session}
    reply = httpx.post(f"{address}/queue/join", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["event_id"], place


def test_an_answer_that_nobody_collects_is_left_off(app):
    model, address = app
    begun, stopped = model.begun, model.stopped
    joined(address, "nobody-listens")
    until(lambda: model.begun == begun + 1, 20)
    until(lambda: model.stopped == stopped + 1, PATIENCE + DELAY / 2)


def test_an_answer_whose_listener_hangs_up_is_left_off(app):
    model, address = app
    begun, stopped = model.begun, model.stopped
    joined(address, "hangs-up")
    with httpx.stream("GET", f"{address}/queue/data", params={"session_hash": "hangs-up"}, timeout=20) as stream:
        for line in stream.iter_lines():
            if "process_starts" in line:
                break
        until(lambda: model.begun == begun + 1, 20)
    until(lambda: model.stopped == stopped + 1, DELAY / 2)


def test_an_answer_that_is_cancelled_is_left_off(app):
    model, address = app
    begun, stopped = model.begun, model.stopped
    event, place = joined(address, "changes-its-mind")
    with httpx.stream("GET", f"{address}/queue/data", params={"session_hash": "changes-its-mind"}, timeout=20) as _:
        until(lambda: model.begun == begun + 1, 20)
        body = {"session_hash": "changes-its-mind", "fn_index": place, "event_id": event}
        assert httpx.post(f"{address}/cancel", json=body).status_code == 200
        until(lambda: model.stopped == stopped + 1, DELAY / 2)


def test_whoever_comes_after_the_gone_does_not_wait_for_them(app):
    _, address = app
    for n in range(4):
        joined(address, f"gone-{n}")
    time.sleep(1.5 * PATIENCE)  # nobody listens for so long
    started = time.monotonic()
    told = Client(address.removesuffix("/gradio_api"), verbose=False).predict(clip="dog", api_name="/ask")
    assert told["aligned"]["answer"] == "dog"
    assert time.monotonic() - started < 2 * DELAY + 2.5


def test_who_listens_is_answered_and_the_same_question_only_once(app):
    model, address = app
    begun, told = model.begun, []

    def ask():
        client = Client(address.removesuffix("/gradio_api"), verbose=False)
        told.append(client.predict(question="hear", clip="rain", api_name="/ask"))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert [one["aligned"]["answer"] for one in told] == ["rain"] * 4 and model.begun == begun + 1


def test_calls_without_a_session_take_turns_by_address(app):
    _, address = app
    event = httpx.post(f"{address}/call/ask", json={"data": arguments(address, own="", clip="cat")}).json()["event_id"]
    with httpx.stream("GET", f"{address}/call/ask/{event}", timeout=30) as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: [")]
    assert json.loads(lines[-1].removeprefix("data: "))[0]["base"]["answer"] == "cat"
    found = callers._visitor("abc", "abc", type("R", (), {"client": type("C", (), {"host": "10.0.0.9"})()})())
    assert found == "address 10.0.0.9" and callers._visitor("abc", "def", None) == "abc"
