"""Picked places become positions of a prompt, positions are told in words, and what is not there is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo import inside
from demo.conflicts import Conflict
from demo.probing import regions, steering, workshop
from demo.session import Lab
from demo.visitors.state import State
from models.fake import AUDIO_STEP, BANDS, SIDE, FakeModel
from models.interventions import Cut, Look
from models.omni import ALIGNED, BASE, SAMPLE_RATE, Kind, McGurkError, Stimulus, without_generated

FAKE = FakeModel()
SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")


def prompt(
    seconds: float = 3.0, frames: int = 4, text: str = "a cat on a mat", question: str = "Is that a cat or a dog?"
):
    rng = np.random.default_rng(3)
    stimulus = Stimulus(
        rng.integers(0, 255, (frames, 8, 12, 3), np.uint8) if frames else None,
        2.0,
        rng.normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32) if seconds else None,
        text,
        seen="dog",
    )
    return without_generated(FAKE.ask(stimulus, question)[ALIGNED].attention.tokens)


def pieces(tokens, found) -> str:
    return "".join(tokens.pieces[at] for at in found).strip()


def test_a_patch_in_all_frames_or_in_one():
    tokens = prompt()
    everywhere = regions.positions(tokens, "pick~patch~2.5")
    assert tokens.video[list(everywhere)].tolist() == [[time, 2, 5] for time in range(4)]
    once = regions.positions(tokens, "pick~patch~2.5.3")
    assert once == everywhere[3:]
    both = regions.positions(tokens, "pick~patch~2.5.3~patch~2.5~patch~0.0.0")
    assert len(both) == 5 and {*everywhere} < {*both} and [*both] == sorted(both)


def test_a_moment_has_all_its_bands_and_no_neighbour():
    tokens = prompt()
    for at, (start, end) in enumerate(regions.moments(tokens)):
        found = regions.positions(tokens, f"pick~sound~{start:.3f}-{end:.3f}")
        assert len(found) == BANDS
        assert np.allclose(tokens.audio[list(found)], [start, end]) and start == pytest.approx(at * AUDIO_STEP)


def test_a_long_sound_is_picked_in_stretches_that_leave_nothing_out():
    tokens = prompt(seconds=61.7)
    moments = regions.moments(tokens)
    assert regions.MOMENTS / 2 < len(moments) <= regions.MOMENTS
    assert np.allclose([end for _, end in moments[:-1]], [start for start, _ in moments[1:]])
    every = {at for a, b in moments for at in regions.positions(tokens, f"pick~sound~{a:.3f}-{b:.3f}")}
    assert every == {*tokens.positions(Kind.AUDIO).tolist()}
    assert regions.moments(prompt(seconds=0)) == ()


def test_words_where_they_stand_and_wherever_they_stand():
    tokens = prompt()
    wherever = regions.positions(tokens, "pick~text~cat")
    assert pieces(tokens, wherever) == "cat cat" and len(wherever) == 2
    first, second = wherever
    assert regions.positions(tokens, f"pick~words~{second}-{second}") == (second,)
    assert pieces(tokens, regions.positions(tokens, f"pick~words~{first - 1}-{first + 1}")) == "a cat on"
    everything = regions.positions(tokens, f"pick~words~0-{len(tokens)}")  # media and markers among them
    assert {tokens.kinds[at] for at in everything} == {Kind.SYSTEM, Kind.INJECTED, Kind.QUESTION}


@pytest.mark.parametrize(
    ("pick", "said"),
    [
        ("pick", "Nothing is picked yet"),
        ("pick~of~MARK", "Nothing is picked yet"),
        ("pick~patch~7.0", r"no patch \(7, 0\)"),
        ("pick~patch~0.0.99", r"no patch \(0, 0\) in frame 99"),
        ("pick~patch~-1.0", "can't be picked"),
        ("pick~patch~1", "can't be picked"),
        ("pick~frame~4", "no frame 4"),
        ("pick~frame~x", "can't be picked"),
        ("pick~whole~smell", "can't be picked"),
        ("pick~sound~90-91", "no sound from 90 to 91 s"),
        ("pick~sound~2-1", "no sound from 2 to 1 s"),
        ("pick~sound~nan-1", "can't be picked"),
        ("pick~words~5000-6000", "no words at the positions 5000 to 6000"),
        ("pick~text~unicorn", "'unicorn' are not in the prompt"),
        ("pick~text~", "not in the prompt"),
        ("pick~smell~3", "'smell' can't be picked"),
        ("pick~patch~1.1~sound", "A pick is a word like"),
        ("cut~source~region", "A pick is a word like"),
        ("pick~of~0123456789ab~patch~1.1", "Another question was asked"),
        ("pick" + "~patch~1.1" * 6000, "A pick is a word like"),
    ],
)
def test_what_is_not_there_is_refused_in_one_sentence(pick, said):
    tokens = prompt()
    with pytest.raises(McGurkError, match=said) as caught:
        regions.cut(tokens, pick.replace("MARK", regions.mark(tokens)))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_modality_that_is_not_there_has_no_places():
    for tokens, pick in (
        (prompt(frames=0), "pick~patch~0.0"),
        (prompt(frames=0), "pick~frame~0"),
        (prompt(seconds=0), "pick~sound~0-1"),
        (prompt(seconds=0), "pick~whole~sound"),
        (prompt(text=""), "pick~whole~text"),
    ):
        with pytest.raises(McGurkError, match="choose what is there"):
            regions.cut(tokens, pick)


@settings(deadline=None, max_examples=60)  # on a busy machine
@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["pick", "~", "patch", "sound", "words", "text", "3", ".", "-"])).map("".join)
)
def test_no_text_does_more_than_be_refused(text):
    try:
        found = regions.positions(SMALL, text)
    except McGurkError:
        return
    assert found and all(0 <= at < len(SMALL) for at in found)


SMALL = prompt(seconds=1.0, frames=1)


def test_a_cut_is_a_word_that_fits_into_a_link():
    tokens = prompt(frames=8)
    it = regions.cut(tokens, f"pick~of~{regions.mark(tokens)}~patch~0.0~text~dog?")
    assert it.source == "region" and it.target == "everything after" and len(it.region) == 9
    assert steering.from_word(steering.to_word(it)) == it
    chequered = [f"patch~{r}.{c}" for r in range(SIDE) for c in range(SIDE) if (r + c) % 2]
    assert len(steering.to_word(regions.cut(tokens, "~".join(["pick", *chequered])))) < steering.LONGEST
    many = replace(tokens, video=np.where(tokens.video >= 0, tokens.video, -1), **{
        name: tuple(value) * 9 for name, value in (("kinds", tokens.kinds), ("pieces", tokens.pieces))
    })  # fmt: skip
    many = replace(many, video=np.tile(tokens.video, (9, 1)), audio=np.tile(tokens.audio, (9, 1)))
    with pytest.raises(McGurkError, match="too much to cut"):
        regions.cut(many, "~".join(["pick", *chequered]))


def test_marks_tell_prompts_apart():
    same, other = prompt(), prompt(question="Is that a dog or a cat?")
    assert regions.mark(prompt()) == regions.mark(same) != regions.mark(other)
    assert regions.mark(prompt(seconds=2.9)) != regions.mark(same)


@pytest.mark.parametrize(
    ("pick", "said"),
    [
        ("patch~2.5", "row 3, column 6 in all frames"),
        ("patch~2.5~patch~2.6", "row 3, column 6 and row 3, column 7 in all frames"),
        ("patch~0.0~patch~2.5~patch~2.6~patch~6.6", "4 patches in all frames"),
        ("patch~2.5.0~patch~2.6.3",
         "row 3, column 6 of the frame at 0.0 s and row 3, column 7 of the frame at 1.5 s"),
        ("patch~2.5.0~patch~2.5.3", "row 3, column 6 of the frames at 0.0 and 1.5 s"),
        ("patch~0.0.1~patch~0.1.1~patch~0.2.1~patch~0.3.2", "4 patches in the frames at 0.5 and 1.0 s"),
        ("patch~2.5~patch~1.1.2", "row 3, column 6 in all frames and row 2, column 2 of the frame at 1.0 s"),
        ("frame~2", "the whole frame at 1.0 s"),
        ("frame~0~frame~3~patch~0.0.1",
         "the whole frames at 0.0 and 1.5 s and row 1, column 1 of the frame at 0.5 s"),
        ("frame~1~patch~0.0", "row 1, column 1 in all frames and the whole frame at 0.5 s"),
        ("frame~0~frame~1~frame~2~frame~3", "the whole picture"),
        ("sound~0.96-1.92", "0.96 to 1.92 s of the sound"),
        ("sound~0-0.3~sound~0.7-0.9", "0.00 to 0.32 and 0.64 to 0.96 s of the sound"),
        ("sound~0-9", "the whole sound"),
        ("whole~sound~whole~text", "the whole sound and the whole injected text"),
        ("whole~picture", "the whole picture"),
        ("text~mat", "the word “mat” of the injected text"),
        ("text~dog~text~a cat on", "the words “a cat on” of the injected text and the word “dog?” of the question"),
        ("patch~0.0~sound~0-0.3~text~or",
         "row 1, column 1 in all frames, 0.00 to 0.32 s of the sound and the word “or” of the question"),
    ],
)  # fmt: skip
def test_positions_are_told_in_words(pick, said):
    tokens = prompt()
    assert regions.told(tokens, regions.positions(tokens, f"pick~{pick}")) == said


def test_what_else_positions_can_be():
    tokens = prompt()
    audio, video = tokens.positions(Kind.AUDIO).tolist(), tokens.positions(Kind.VIDEO).tolist()
    assert regions.told(tokens, audio[::BANDS][:2]) == "some frequencies of 0.00 to 0.64 s of the sound"
    assert regions.told(tokens, audio[0 :: 2 * BANDS] + audio[1 :: 2 * BANDS]).endswith("s of the sound in 5 pieces")
    assert regions.told(tokens, video) == "the whole picture"
    marker = tokens.positions(Kind.MARKER)[0]
    assert regions.told(tokens, [marker, len(tokens) + 5]) == "1 marker and 1 position that this prompt does not have"
    assert regions.told(prompt(frames=1), video[:1]) == "row 1, column 1 of the picture"
    long = prompt(frames=5)
    many = [at for time in range(4) for at in regions.positions(long, f"pick~frame~{time}")]
    assert regions.told(long, many) == "4 of 5 frames as a whole"
    said = regions.told(
        prompt(text="<b>x</b>\n" * 60), regions.positions(prompt(text="<b>x</b>\n" * 60), "pick~text~<b>")
    )
    assert "\n" not in said and len(said) < 200


@pytest.fixture
def lab(tmp_path, stand_ins):
    lab = Lab(FakeModel(), tmp_path)
    [*_] = lab.ask("me", SWAP)
    return lab


def test_a_pick_asks_the_last_question_again(lab):
    it = workshop.meant(lab, "me", "pick~patch~3.3~sound~0-0.5")
    *_, asked = workshop.steer(lab, "me", it)
    assert asked.changed[0] == it and asked.changed[1].complete
    assert workshop.region(asked, it) == "row 4, column 4 in all frames and 0.00 to 0.64 s of the sound"
    for answer in asked.changed[1].answers.values():
        said = answer.receipt.intervention["what"]
        assert said == f"Nothing can look at {workshop.region(asked, it)} any more."
    assert workshop.meant(lab, "me", "look~sound~0") == Look(sound=0.0)
    assert workshop.region(asked, Look(sound=0.0)) == workshop.region(None, it) == ""
    with pytest.raises(McGurkError, match="ask first"):
        workshop.meant(lab, "somebody else", "pick~patch~3.3")


class Bare(FakeModel):
    """Without an aligned adapter: its second answer comes from another system prompt. Keeps what is done to each."""

    adapters = (BASE,)

    def __init__(self):
        super().__init__()
        self.done = []

    def answer(self, *given, **how):
        self.done.append(how.get("steering"))
        yield from super().answer(*given, **how)


def test_the_same_place_is_cut_in_a_prompt_that_begins_differently(tmp_path, lab):
    bare = Lab(Bare(), tmp_path / "bare")
    [*_] = bare.ask("me", SWAP)
    first, second = inside.prompts(bare.last("me")).values()
    assert len(first) != len(second) and regions.mark(first) != regions.mark(second)
    it = workshop.meant(bare, "me", "pick~patch~3.3~sound~0-0.5~text~hear")
    [*_] = workshop.steer(bare, "me", it)
    one, other = bare.model().done[-2:]
    assert one == it and other.region != it.region and len(other.region) == len(it.region)
    assert (second.video[list(other.region)] == first.video[list(it.region)]).all()
    assert [second.pieces[at] for at in other.region] == [first.pieces[at] for at in it.region]
    instructions = first.positions(Kind.SYSTEM)[-1]
    with pytest.raises(McGurkError, match="one of the two prompts only"):
        [*_] = workshop.steer(bare, "me", Cut("region", region=(int(instructions),)))


def test_the_prompt_is_that_of_the_answers(lab):
    asked = lab.last("me")
    tokens = inside.prompt(asked)
    assert Kind.GENERATED not in tokens.kinds
    assert {regions.mark(each) for each in inside.prompts(asked).values()} == {regions.mark(tokens)}
    assert isinstance(regions.cut(tokens, f"pick~of~{regions.mark(tokens)}~patch~0.0"), Cut)
