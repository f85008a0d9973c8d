"""What is kept between two clicks, with the fake model and stand-in clips."""

import threading
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from demo import inside, maps
from demo.conflicts import Conflict
from demo.inside import View
from demo.pages import answers, cards
from demo.session import EVERYBODY, Lab, digest
from demo.visitors.memory import Kept, size_of
from demo.visitors.shelf import Source
from demo.visitors.state import OWN, State, from_query
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, SAMPLE_RATE, Answer, McGurkError, Stimulus

pytestmark = pytest.mark.usefixtures("stand_ins")
SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")


class CountingModel(FakeModel):
    def __init__(self):
        super().__init__()
        self.encodings = self.questions = 0

    def encode(self, stimulus):
        self.encodings += 1
        return super().encode(stimulus)

    def answer(self, *args, **how):
        self.questions += 1
        yield from super().answer(*args, **how)


@pytest.fixture
def lab(tmp_path):
    return Lab(CountingModel(), tmp_path)


def last(steps):
    *_, asked = steps
    return asked


def test_answers_arrive_film_first_then_base_then_aligned(lab):
    steps = list(lab.ask("me", SWAP))
    assert [sorted(s.comparison.answers) if s.comparison else [] for s in steps] == [[], [BASE], [ALIGNED, BASE]]
    assert steps[0].film.is_file()
    assert steps[-1].comparison.followed == {BASE: "picture", ALIGNED: "sound"}


def test_another_question_reuses_film_and_encoding(lab):
    first = last(lab.ask("me", SWAP))
    second = last(lab.ask("me", replace(SWAP, question="see")))
    assert second.film == first.film and lab._model.encodings == 1


def test_views_ask_for_their_reference_once(lab):
    last(lab.ask("me", SWAP))
    raw = lab.with_reference("me", "raw")
    assert lab._model.questions == 1
    asked = lab.with_reference("me", "difference")
    lab.with_reference("me", "difference")
    assert lab._model.questions == 2
    difference = inside.video_maps(asked, View(kind="difference"))
    assert not np.allclose(difference[ALIGNED], inside.video_maps(raw, View())[ALIGNED])


def test_answered_already_whatever_the_view(lab):
    last(lab.ask("me", SWAP))
    assert lab.answers_already("me", replace(SWAP, layer=3, view="difference"))
    assert not lab.answers_already("me", replace(SWAP, question="see"))
    assert not lab.answers_already("you", SWAP)


def test_an_asking_that_was_stopped_leaves_no_older_answer(lab):
    last(lab.ask("me", SWAP))
    stopped = lab.ask("me", replace(SWAP, question="see"))
    next(stopped)
    stopped.close()
    assert lab.last("me").comparison is None and not lab.answers_already("me", SWAP)
    with pytest.raises(McGurkError, match="ask first"):
        lab.with_reference("me", "raw")


def test_sessions_are_forgotten_with_their_files(lab):
    film = last(lab.ask("me", SWAP)).film
    lab.forget("me")
    assert lab.last("me") is None and not film.exists()


def test_sessions_are_bounded_by_bytes(lab):
    one = size_of(last(lab.ask("0", SWAP)))
    lab._asked = Kept(3 * one + one // 2)
    for n in range(5):
        last(lab.ask(str(n), replace(SWAP, own=f"What is that, {n}?", question="free")))
    assert [lab.last(str(n)) is not None for n in range(5)] == [False, False, True, True, True]
    assert lab._asked.bytes <= lab._asked.most


def test_the_same_question_about_the_same_content_is_answered_once(lab, tmp_path):
    mine, yours = last(lab.ask("me", SWAP)), last(lab.ask("you", SWAP))
    assert lab._model.questions == 1 and (mine.recalled, yours.recalled) == (False, True)
    assert yours.comparison.answers[ALIGNED].text == "cat" and yours.film != mine.film
    assert yours.film.samefile(mine.film)  # written once, and gone only with the last who has it
    lab.forget("me")
    assert yours.film.is_file() and not mine.film.exists()
    other = replace(SWAP, conflict=Conflict(sound="swap", other="rain"))
    assert last(lab.ask("you", other)).comparison.answers[ALIGNED].text == "rain"
    last(lab.ask("you", SWAP, max_new_tokens=1))
    last(lab.ask("you", replace(SWAP, wording=1)))
    assert lab._model.questions == 4  # another sound, another length, other words: all of them asked


def test_equal_content_has_an_equal_digest(lab):
    stimulus = lab.prepare(SWAP).stimulus
    assert digest(replace(stimulus, frames=stimulus.frames.copy())) == digest(stimulus)
    changed = stimulus.waveform.copy()
    changed[1000] += 1e-3
    others = [{"waveform": changed}, {"seen": None}, {"text": "rain"}, {"fps": 3.0}, {"frames": stimulus.frames[:-1]}]
    assert len({digest(stimulus), *(digest(replace(stimulus, **other)) for other in others)}) == 6


def test_attention_is_kept_as_far_as_it_is_drawn(lab, monkeypatch):
    monkeypatch.setattr("models.omni.MOST_ROWS", 3)
    state = replace(SWAP, question="free", own="What do you see and hear?")
    kept = last(lab.ask("me", state)).comparison
    full = lab._model.ask(kept.stimulus, kept.question.prompt)
    assert full[ALIGNED].attention.rows.shape[2] > 3 and kept.answers[ALIGNED].attention.rows.shape[2] == 3
    assert kept.answers[ALIGNED].attention.steps == 2 < full[ALIGNED].attention.steps
    for how in ({"rows": "last"}, {"rows": 1}, {"rows": "generated"}, {"rows": "all"}):
        wanted, found = (maps.weights(a[ALIGNED].attention, **how) for a in (full, kept.answers))
        assert np.allclose(wanted, found, atol=1e-4)
    wanted, found = (maps.shares(a[ALIGNED].attention)["raw"] for a in (full, kept.answers))
    assert all(np.allclose(wanted[kind], found[kind], atol=1e-3) for kind in wanted)


def test_a_model_that_is_still_loading_is_waited_for(tmp_path):
    future: Future = Future()
    lab = Lab(future, tmp_path)
    steps = lab.ask("me", SWAP)
    assert next(steps).film.is_file() and not lab.ready and not lab.fast
    threading.Timer(0.1, future.set_result, [FakeModel()]).start()
    assert last(steps).comparison.complete and lab.ready and lab.fast


def test_a_model_that_cannot_be_loaded_is_said_so(tmp_path):
    future: Future = Future()
    future.set_exception(OSError("no such file"))
    with pytest.raises(McGurkError, match="could not be loaded"):
        last(Lab(future, tmp_path).ask("me", SWAP))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State(clip="unicorn"), "no gallery clip 'unicorn'"),
        (State(clip="own-1"), "not on the shelf any more"),
        (State(clip="dog", conflict=Conflict(sound="swap")), "Choose the clip whose sound"),
        (State(clip="dog", conflict=Conflict(shift=30.0)), "beyond the end"),
    ],
)
def test_what_cannot_be_done_is_refused(lab, state, said):
    with pytest.raises(McGurkError, match=said):
        lab.prepare(state)


def test_the_address_opens_a_state_or_the_worked_conflict(lab):
    assert lab.opened("?__theme=dark") == lab.default() == lab.opened("")
    assert lab.opened("?ask=see&sound=silence&__sign=x").clip == lab.default().clip
    with pytest.raises(McGurkError, match="unicorn"):
        lab.opened("?clip=unicorn")


@pytest.mark.parametrize(
    "query",
    [
        "clip=dog&sound=swap&other=cat&from=1&to=2&ask=hear",
        "clip=dog&shift=-1.5&snr=3&ask=match",
        "clip=dog&text=caption&says=rain&at=after&ask=see&wording=2",
        "clip=dog&text=long&tokens=500&picture=freeze&sound=noise",
        "clip=dog&text=free&says=a+b&ask=free&own=Why%3F",
        "clip=dog&sound=remove&picture=black&answers=own&options=a,b&ask=see",
    ],
)
def test_cards_show_a_state_and_give_it_back(query):
    state = from_query(query)
    assert cards.state_of(*cards.values(state)) == state


def test_nothing_that_is_said_becomes_markup(lab):
    evil = "<script>alert(1)</script>"
    asked = last(
        lab.ask("me", State(clip="dog", conflict=Conflict(text="free", caption=evil), own=evil, question="free"))
    )
    comparison = asked.comparison
    shown = [
        answers.asked(comparison.question),
        answers.receipt(comparison),
        answers.given(comparison.stimulus, [evil]),
    ]
    shown += [answers.status(evil), answers.answer_card(BASE, comparison), answers.steered(comparison, comparison)]
    assert not any("<script" in html for html in shown)
    assert "&lt;script" in shown[0] and "&lt;script" in shown[1]


@pytest.mark.parametrize("text", ["no", "I see a dog and I hear a cat: no"])
def test_the_bar_that_was_chosen_stands_out(text):
    answer = Answer(text, {"yes": 0.1, "no": 0.9}, None, None, 0.0)
    yes, no = answers.bars(answer, Stimulus(None, 1.0, None)).split("</li>")[:2]
    assert "chosen" in no and "chosen" not in yes


@pytest.mark.parametrize("conflict", [Conflict(picture="remove"), Conflict(sound="remove"), Conflict(sound="silence")])
def test_missing_senses_are_drawn_as_missing(lab, conflict):
    asked = last(lab.ask("me", State(clip="dog", conflict=conflict)))
    assert (inside.seen(asked, View()) is None) == (conflict.picture == "remove")
    assert inside.heard(asked, View()).seconds == pytest.approx(3, abs=0.1)
    assert set(inside.read(asked, View())) == {BASE, ALIGNED}
    inside.by_layer(asked)


def test_who_waits_is_told_so_before_the_answers(lab):
    busy, free = threading.Event(), threading.Event()

    def keep(_stop):
        busy.set()
        yield free.wait(10)

    holder = threading.Thread(target=lambda: list(lab.run("somebody", keep)))
    holder.start()
    assert busy.wait(5)
    steps = lab.ask("me", SWAP)
    first, waiting = next(steps), next(steps)
    assert first.wait is None and waiting.wait.before == 1 and not waiting.complete and waiting.comparison is None
    assert "1 question comes first" in answers.waiting(waiting.wait)
    free.set()
    assert last(steps).complete
    holder.join(5)


def test_the_film_of_an_own_clip_is_nobody_elses(lab, media_file):
    own = {f"{OWN}1": Source(media_file("plain.mp4"), "plain")}
    state = State(clip=f"{OWN}1", conflict=Conflict(sound="swap", other="dog"))
    _, film = lab.made("me", state, own)
    assert film.stat().st_nlink == 1 and not lab.files.of(EVERYBODY).exists()
    assert lab.made("me", SWAP)[1].stat().st_nlink == 2


def test_what_the_model_heard_can_be_played(lab):
    asked = last(lab.ask("me", SWAP))
    path = lab.heard(asked.situation, "me")
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == SAMPLE_RATE and np.abs(samples - asked.situation.stimulus.waveform).max() < 1e-4
    assert lab.heard(asked.situation, "me") == path and path.parent == lab.files.of("me")
    mute = last(lab.ask("me", replace(SWAP, conflict=Conflict(sound="remove"), question="see")))
    assert lab.heard(mute.situation, "me") is None
