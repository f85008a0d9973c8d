"""Visitors who come all at once, sent to the application around the fake model."""

import json
import os
import random
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from demo.bench.runs import load, process
from demo.bench.runs.visiting import Front, Reply, Visitor
from models.fake import FakeModel
from models.omni import McGurkError
from tests.serving import served, stand_in_gallery, use_gallery


class Crossing(FakeModel):
    """Now and then answers what somebody else asked."""

    def __init__(self):
        super().__init__(0.01)
        self.count = 0

    def answer(self, encoded, *args, **how):
        self.count += 1
        for adapter, answer in super().answer(encoded, *args, **how):
            yield adapter, replace(answer, text=f"{answer.text} {self.count}")


@pytest.fixture
def start(tmp_path, tmp_path_factory):
    """start(model) -> address of the application around it, for the test."""
    with pytest.MonkeyPatch.context() as patch:
        use_gallery(stand_in_gallery(tmp_path_factory.mktemp("gallery")), patch)
        running = []

        def begin(model):
            running.append(served(model, tmp_path, patch))
            return running[-1].__enter__().rstrip("/")

        yield begin
        for context in running:
            context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of an application that many tests share."""
    with pytest.MonkeyPatch.context() as patch:
        use_gallery(stand_in_gallery(tmp_path_factory.mktemp("gallery")), patch)
        with served(FakeModel(0.02), tmp_path_factory.mktemp("cache"), patch) as url:
            yield url.rstrip("/")


def test_visitors_meet_no_errors_and_no_crossed_answers(address):
    *_, found = load.run(load.Config(address, visitors=6, minutes=0.2, think=0.3, rest=0.1))
    assert (found.errors, found.crossed) == ([], [])
    assert set(found.waits) >= {"gallery", "own words"} and found.requests >= 2 * 6  # however slow the machine
    table = load.markdown(found)
    assert "0 unexplained errors, 0 wrong or crossed" in table and "| gallery |" in table
    worked = found.looks[-1].worked - found.looks[0].worked
    assert 0 < worked < 2 * (os.cpu_count() + 1) * found.seconds
    assert f"{worked / found.requests:.2f} s a request" in table
    assert found.rested.resident > 50 and found.rested.disk >= 0 and found.rested.files > 5


def test_it_is_over_after_as_many_requests_as_were_wanted(address):
    config = load.Config(address, visitors=4, minutes=2, think=0.1, rest=0.1, requests=30)
    *said, found = load.run(config)
    assert found.enough and found.seconds < 60 and not found.errors
    counts = [count for count, _ in found.marks]
    assert counts[-1] >= 30 and counts == sorted(counts) and len(counts) <= load.MARKS
    assert [f"after {count} requests: {look.resident:.0f} MB" for count, look in found.marks] == [
        line for line in said if line.startswith("after")
    ]
    table = load.markdown(found)
    assert "| after requests |" in table and all(
        f"| {count} | {look.resident:.0f} |" in table for count, look in found.marks
    )


def test_crossed_answers_are_seen(start):
    address = start(Crossing())
    front, clips = Front.read(address), load.gallery()
    crowd = load._Crowd(load.Config(address), front, clips)
    reply = Reply({"question": "<p>What do you see?</p>", "given": "", "status": ""})
    crowd._check(reply, ("a",), "What do you hear?", "dog", "rain")
    assert len(crowd.found.crossed) == 2 and len(crowd.found.errors) == 1
    shown = {"given": "<li>The picture shows <b>dog</b></li><li>The sound is <b>rain</b></li>", "question": "What?"}
    for answer in ("dog", "dog", "cat"):
        shown |= {f"answer-{name}": f'<p class="text short">{answer}</p>' for name in ("base", "aligned")}
        crowd._check(Reply(dict(shown)), ("b",), "What?", "dog", "rain")
    assert len(crowd.found.crossed) == 3 and "'cat'" in crowd.found.crossed[-1]


def test_a_class_works_through_the_same_situations(address):
    front, clips = Front.read(address), load.gallery()
    crowd = load._Crowd(load.Config(situations=2), front, clips)
    asked = set()

    class Pupil:
        def touch(self, _button, values, leave):
            asked.add(tuple(values.items()))
            return Reply(error="hung up")

    for n in range(30):
        crowd._gallery(Pupil(), n, random.Random(n))
    assert len(asked) == 2


def test_what_was_shown_is_not_sent_again_when_it_is_over(start):
    address = start(FakeModel(0.02))
    sent = []

    class Weighing(Visitor):
        def _messages(self, started):
            for message in super()._messages(started):
                sent.append((message.get("msg"), len(json.dumps(message))))
                yield message

    with Weighing(Front.read(address)) as visitor:
        reply = visitor.touch("go", values={"clip": "dog", "sound": "own", "ask": "hear"})
    drawn, last = max(size for what, size in sent if what == "process_generating"), dict(sent)["process_completed"]
    assert "<img" in reply.shown["frames"] and last < 10_000 < drawn


def test_a_visitor_does_what_a_page_does(start):
    address = start(FakeModel(0.2))
    front = Front.read(address)
    with Visitor(front) as visitor:
        values = {"clip": "dog", "sound": "swap", "other": "rain", "ask": "hear"}
        reply = visitor.touch("go", values=values)
        assert (reply.answer("base"), reply.answer("aligned")) == ("dog", "rain") and 0 < reply.first < reply.seconds
        assert load.ASKS["hear"] in reply.text("question") and "Answered in" in reply.text("status")
        assert visitor.touch("view", "input", values={"view": "difference"}).shown["frames"]
        other = {"clip": "cat", "sound": "own", "ask": "see"}
        assert visitor.touch("go", values=other, leave=lambda _: "cancel").error == "cancelled"
        assert visitor.touch("go", values=other, leave=lambda _: "hang up").error == "hung up"
        assert visitor.touch("go", values=other).answer("aligned") == "cat"
        assert "no gallery clip" in visitor.call("ask", clip="unicorn").error
        with pytest.raises(McGurkError, match="no 'door'"):
            visitor.touch("door")
    with pytest.raises(McGurkError, match="No application answers"):
        Front.read("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"address": "http://example.org"}, "this machine only"),
        ({"visitors": 0}, "1 to 200 visitors"),
        ({"minutes": 0}, "1 to 200 visitors"),
        ({"think": -1}, "0 seconds or more"),
        ({"situations": -1}, "1 situation or more"),
        ({"requests": -1}, "1 request or more"),
    ],
)
def test_load_is_bounded(wrong, said):
    with pytest.raises(McGurkError, match=said):
        load.Config(**wrong)


def test_percentiles_are_values_that_occurred():
    assert [load._at([1, 2, 3, 4], p) for p in (50, 95, 100)] == [2, 4, 4] and load._at([7], 50) == 7


def test_a_process_is_found_by_its_port(address):
    assert process.listening(urlsplit(address).port) == os.getpid()
    assert process.look(None).resident != process.look(os.getpid()).resident > 50
