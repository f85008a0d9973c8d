"""Whatever fails that nobody foresaw, a visitor is told one sentence, nothing internal, and nothing waits for ever."""

import errno
import json
from types import SimpleNamespace

import gradio as gr
import pytest

from demo.bench.runs.visiting import Front, Visitor
from demo.pages import answers, cards, mishaps, site
from demo.pages.lab import JOINING, OLD_FILM, SHOWN, LabPage
from demo.session import Lab
from demo.visitors.state import State
from models.omni import BASE, McGurkError
from tests.perceiving import PerceivingModel, moved
from tests.serving import served

SECRET = "/srv/secret/weights.bin of hamster"  # what an exception of a library says
BUSY = 'class="status busy"', 'aria-busy="true"'
SWAP = {"clip": "dog", "sound": "swap", "other": "cello"}


class Attentive(Visitor):
    """A visitor who keeps all that was sent."""

    def __init__(self, front):
        super().__init__(front)
        self.sent: list[dict] = []

    def _messages(self, started):
        for message in super()._messages(started):
            self.sent.append(message)
            yield message

    def updated(self, element: str, happens: str = "click") -> dict[str, dict]:
        """What became of components (by their ids) whose properties the last touch changed."""
        names = [self.front.names[i] for i in self.front.events[element, happens]["outputs"]]
        values = self.sent[-1]["output"]["data"]
        return {name: value for name, value in zip(names, values, strict=True) if isinstance(value, dict)}

    @property
    def toasts(self) -> list[str]:
        return [one["log"] for one in self.sent if one["msg"] == "log"]


@pytest.fixture(scope="module")
def app(tmp_path_factory, stand_ins):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.interventions.heads.moved", moved)
        with served(PerceivingModel(), tmp_path_factory.mktemp("cache"), patch) as address:
            yield address.rstrip("/")


@pytest.fixture(scope="module")
def front(app):
    return Front.read(app)


@pytest.fixture
def visitor(front):
    with Attentive(front) as one:
        yield one


def fails(error=None):
    """A function in the place of another that fails as something does that nobody foresaw."""

    def failing(*_given, **_how):
        raise error or RuntimeError(SECRET)

    return failing


def told(visitor, reply, sentence=mishaps.FAILED) -> None:
    """The sentence was said once, nothing internal was, and nothing on the page says that something is under way."""
    assert [*visitor.toasts, *([reply.error] if reply.error else [])] == [sentence]
    assert "hamster" not in json.dumps(visitor.sent)
    assert not any(busy in str(value) for value in reply.shown.values() for busy in BUSY)


def brought(visitor, file, element="upload", **values) -> object:
    visitor.sent.clear()
    return visitor.touch(element, "upload", values={element: [visitor.upload(file)], **values})


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), mishaps.NO_ROOM),
        (OSError(errno.ENOSPC, SECRET), mishaps.NO_ROOM),
        (KeyError(SECRET), mishaps.FAILED),
        (AssertionError(SECRET), mishaps.FAILED),
        (McGurkError("Choose another."), "Choose another."),
    ],
)
def test_a_clip_that_is_brought(visitor, media_file, monkeypatch, caplog, error, sentence):
    brought(visitor, media_file("plain.mp4"))
    assert len(visitor.updated("upload", "upload")["mine"]["choices"]) == 1
    with monkeypatch.context() as patch:
        patch.setattr("demo.visitors.shelf._described", fails(error))
        told(visitor, brought(visitor, media_file("other.mp4")), sentence)
    assert ("Traceback" in caplog.text) == (not isinstance(error, McGurkError))
    reply = brought(visitor, media_file("other.mp4"))  # the page is usable, and what was there before still is
    assert not reply.error and len(visitor.updated("upload", "upload")["mine"]["choices"]) == 2


ASKING = [  # what fails, and which of the answers are on the page all the same
    ("demo.session.player.compose", ()),
    ("demo.session.compare", ()),
    ("tests.perceiving.nearest", ()),
    ("models.fake._rows", ()),
    ("demo.pages.lab.insides.seen", ("base", "aligned")),
    ("demo.pages.lab.answers.receipt", ("base", "aligned")),
]


@pytest.mark.parametrize(("what", "answered"), ASKING)
def test_a_question(visitor, monkeypatch, what, answered):
    asked = {**SWAP, "ask": "hear", "text": "free", "free": f"because of {what}"}  # never asked before
    with monkeypatch.context() as patch:
        patch.setattr(what, fails())
        reply = visitor.touch("go", values=asked)
    told(visitor, reply)
    assert reply.text("status") == mishaps.FAILED
    assert [name for name in ("base", "aligned") if reply.answer(name).strip("\xa0")] == list(answered)
    again = visitor.touch("go", values=asked)
    assert (again.answer("base"), again.answer("aligned")) == ("dog", "cello")


def test_a_question_that_is_refused_leaves_the_old_film_and_says_so(visitor):
    visitor.touch("go", values={**SWAP, "ask": "hear"})
    visitor.sent.clear()
    reply = visitor.touch("go", values={**SWAP, "ask": "hear", "text": "onscreen", "caption": "a horse \ue123"})
    assert "On-screen text can't show" in reply.text("status") and reply.text("status").endswith(OLD_FILM)
    assert "player" not in reply.shown and len(visitor.toasts) == 1


def test_the_second_answer(visitor, monkeypatch):
    """What the first one said stays."""
    first = PerceivingModel.answer

    def half(self, *given, **how):
        yield next(first(self, *given, **how))
        raise RuntimeError(SECRET)

    with monkeypatch.context() as patch:
        patch.setattr(PerceivingModel, "answer", half)
        reply = visitor.touch("go", values={**SWAP, "ask": "hear", "text": "free", "free": "half of it"})
    told(visitor, reply)
    assert reply.answer("base") == "dog" and not reply.answer("aligned").strip("\xa0")


@pytest.mark.parametrize(
    ("element", "happens", "what", "values"),
    [
        ("steer", "click", "demo.probing.workshop.steer", {"does": "listen~kind~sound~gain~0"}),
        ("wish", "change", "demo.probing.workshop.meant", {"wish": "1 listen~kind~sound~gain~0"}),
        ("method", "input", "demo.probing.workshop.usual", {"method": "cut"}),
        ("draw-curve", "click", "demo.probing.sweeps.sweep", {"does": "exit~kind~sound~after~2", "axis": "after"}),
        ("find-heads", "click", "demo.probing.heads.measure", {"heads-kind": "sound"}),
        ("read-lens", "click", "demo.probing.lens.read", {}),
        ("layer", "input", "demo.pages.lab.insides.seen", {}),
        ("view", "input", "demo.session.Lab.with_reference", {"view": "difference"}),
        ("over", "input", "demo.inside.seen", {"over": True}),
        ("export-mp4", "click", "demo.inside.write_film", {}),
        ("export-csv", "click", "demo.visitors.exports.to_csv_text", {}),
        ("export-json", "click", "demo.visitors.exports.to_json_text", {}),
        ("save", "click", "demo.session.bundle.write", SWAP),
        ("copy-link", "click", "demo.pages.lab.to_query", SWAP),
        ("invite", "click", "demo.visitors.invitations.Invitations.invite", {}),
        ("trim", "release", "demo.visitors.shelf.Shelf.trim", {}),
        ("seen-words", "submit", "demo.visitors.shelf.Shelf.say", {"mine": "mine.1", "seen-words": "a dog"}),
        ("shelf-remove", "click", "demo.visitors.shelf.Shelf.remove", {}),
        ("bench-start", "click", "demo.bench.results.view.Bench.begin", {}),
        ("bench-turn", "change", "demo.bench.results.view.run", {"bench-turn": 1}),
        ("bench-stop", "click", "demo.bench.results.view.Bench.stop", {}),
        ("bench-seed", "change", "demo.bench.results.view.Bench.estimate", {}),
        ("methods-start", "click", "demo.bench.runs.live.Trials.begin", {}),
        ("methods-turn", "change", "demo.bench.runs.live.Trials.turn", {"methods-turn": 1}),
    ],
)
def test_every_other_touch(visitor, monkeypatch, element, happens, what, values):
    visitor.touch("go", values={**SWAP, "ask": "hear"})
    for run in ("bench", "methods"):
        visitor.touch(f"{run}-start") if element == f"{run}-turn" else None
    visitor.touch("method", "input", values={"method": "exit"})  # what a curve can be drawn along is known now
    visitor.sent.clear()
    with monkeypatch.context() as patch:
        patch.setattr(what, fails())
        reply = visitor.touch(element, happens, values=values)
    told(visitor, reply)
    if "start" in element or "turn" in element:  # it can be started again
        run = element.partition("-")[0]
        shown = visitor.updated(element, happens)
        assert shown[f"{run}-start"]["interactive"] and not shown[f"{run}-stop"]["interactive"]


def test_a_recording_and_a_phone(visitor, media_file, monkeypatch):
    sound = visitor.upload(media_file("sound.wav"))
    with monkeypatch.context() as patch:
        patch.setattr("demo.visitors.shelf._take", fails(OSError(errno.ENOSPC, SECRET)))
        told(visitor, visitor.touch("microphone", "stop_recording", values={"microphone": sound}), mishaps.NO_ROOM)
        visitor.sent.clear()
        code = visitor.touch("invite").text("invitation")
        reply = brought(visitor, media_file("plain.mp4"), "phone-upload", **{"phone-code": code})
        assert "hamster" not in json.dumps(visitor.sent)
    assert not visitor.touch("microphone", "stop_recording", values={"microphone": sound}).error
    assert reply.text("phone-said")


def test_a_situation_from_a_file(visitor, monkeypatch, tmp_path):
    saved = visitor.touch("save", values=SWAP).shown["saved"]["path"]
    file = tmp_path / "saved.mcgurk"
    file.write_bytes(visitor.client.get(f"{visitor.api}/file={saved}").content)
    with monkeypatch.context() as patch:
        patch.setattr("demo.visitors.bundle._check_directory", fails(OSError(errno.ENOSPC, SECRET)))
        told(visitor, brought(visitor, file), mishaps.NO_ROOM)  # nobody says that the file is damaged
        patch.setattr("demo.pages.shelf.bundle.read", fails())
        told(visitor, brought(visitor, file))
    brought(visitor, file)
    assert len(visitor.updated("upload", "upload")["mine"]["choices"]) == 1


@pytest.mark.parametrize(
    ("name", "what", "arguments"),
    [
        ("compose", "demo.session.player.compose", {**SWAP, "picture": "black"}),
        ("ask", "demo.session.compare", {**SWAP, "question": "see", "own": "what colour is the tail?"}),
        ("attention", "demo.pages.endpoints.inside.check", {}),
        ("intervene", "demo.pages.endpoints.workshop.meant", {"does": "listen~kind~sound~gain~0"}),
        ("sweep", "demo.pages.endpoints.sweeps.sweep", {"does": "exit~kind~sound~after~2", "axis": "after"}),
    ],
)
@pytest.mark.parametrize("error", [RuntimeError, TypeError, ValueError, AttributeError])
def test_endpoints(visitor, monkeypatch, name, what, arguments, error):
    """What a library raises inside is no wrong argument."""
    with monkeypatch.context() as patch:
        patch.setattr(what, fails(error(SECRET)))
        reply = visitor.call(name, **arguments)
    assert json.loads(reply.error)["error"] == mishaps.FAILED and "hamster" not in reply.error


def test_what_fails_around_a_handler(visitor, monkeypatch):
    """Gradio reads what a handler is given and writes what it gives."""
    for method in ("preprocess", "postprocess"):
        with monkeypatch.context() as patch:
            patch.setattr(gr.HTML, method, fails())
            patch.setattr(gr.Textbox, method, fails())
            visitor.sent.clear()
            reply = visitor.touch("copy-link", values=SWAP)
            told(visitor, reply)
    with monkeypatch.context() as patch:
        patch.setattr(gr.Video, "postprocess", fails(OSError(errno.ENOSPC, SECRET)))
        visitor.sent.clear()
        reply = visitor.touch("go", values={**SWAP, "ask": "see"})
    told(visitor, reply, mishaps.NO_ROOM)
    assert reply.text("status") == mishaps.NO_ROOM  # and no answers beside the film of another question
    assert not mishaps._ENDED


def test_what_stays_and_what_is_put_at_rest():
    line, card, other = (gr.HTML() for _ in range(3))
    mishaps.at_rest(line, lambda said, _last: said)
    mishaps.at_rest(card, lambda _said, last: "empty" if answers.is_busy(last) else gr.skip())
    busy = answers.answer_card(BASE, None, busy=True)

    def handler(values):
        yield from values
        raise RuntimeError(SECRET)

    guarded = mishaps.guarded(handler, [line, card, other])
    *_, ended = guarded([["…", busy, "drawn"], [gr.skip(), gr.skip(), "more"]])
    assert ended == [mishaps.FAILED, "empty", gr.skip()]
    *_, ended = guarded([["…", busy, gr.skip()], ["…", "<p>dog</p>", gr.skip()]])
    assert ended == [mishaps.FAILED, gr.skip(), gr.skip()]
    with pytest.raises(gr.Error, match="did not work"):
        list(mishaps.guarded(handler, [other])([]))


def test_every_handler_and_endpoint_is_guarded(stand_ins):
    handlers = [one.fn for one in site.build(PerceivingModel()).fns.values() if one.fn is not None]
    inner = [getattr(one, "__wrapped__", one) if one.__code__.co_name == "filled" else one for one in handlers]
    assert len(inner) > 80 and {one.__code__.co_name for one in inner} == {"returns", "yields"}


def test_old_answers_are_gone_while_another_film_is_made(visitor):
    visitor.touch("go", values=SWAP)
    visitor.sent.clear()
    visitor.touch("go", values=SWAP | {"other": "rain"})
    first = next(one for one in visitor.sent if one["msg"] == "process_generating")
    names = [visitor.front.names.get(i, "") for i in visitor.front.events["go", "click"]["outputs"]]
    shown = dict(zip(names, first["output"]["data"], strict=False))
    assert JOINING in shown["status"] and isinstance(shown["player"], dict)  # the film is still the one from before
    assert all(answers.is_busy(shown[card]) for card in ("answer-base", "answer-aligned"))


def test_an_older_asking_writes_nothing_over_a_newer_one(stand_ins, tmp_path):
    """What it gave, and what it failed of, for its clip may have been removed meanwhile."""
    with gr.Blocks():
        page = LabPage(Lab(PerceivingModel(), tmp_path))
    request = SimpleNamespace(session_hash="one")
    view = [-1, -1, "raw", False, "0", 0, "", False]
    asked = [cards.values(State(clip=clip, question="see")) + view for clip in ("dog", "cello", "gone")]
    older, failing = page.show(request, *asked[0]), page.show(request, *asked[2])
    next(older), next(failing)
    *_, answered, drawn, last = page.show(request, *asked[1])
    assert answers.is_busy(answered[SHOWN.index("base")]) is False and not all(map(skipped, drawn))
    assert all(map(skipped, last))
    assert [all(map(skipped, values)) for values in older] == [True]
    assert [all(map(skipped, values)) for values in failing] == [True]


def skipped(value) -> bool:
    return value == gr.skip()
