"""Clips made for a question: what is true is so in the arrays, the same seed makes the same, and mirroring swaps it."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from demo.bench.cases import alone, fine
from demo.bench.cases.fine import COUNTS, FRAME, GREY, QUARTERS, chosen
from demo.bench.results import measures, report, view
from demo.bench.runs import running
from demo.clips import Clip
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, SAMPLE_RATE, McGurkError


def tone(hertz: float, seconds: float = 3.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def clip(label: str, hertz: float) -> Clip:
    frames = np.full((3, 60, 80, 3), 250, np.uint8)
    return Clip(label, None, frames, 3.0, tone(hertz), 3.0, label, label)


DOG, RAIN = clip("dog", 440.0), clip("rain", 1760.0)


def pitches(waveform: np.ndarray) -> dict[str, float]:
    """Energy of either tone."""
    spectrum = np.abs(np.fft.rfft(waveform))
    at = lambda hertz: float(spectrum[round(hertz * len(waveform) / SAMPLE_RATE)])  # noqa: E731
    return {"dog": at(440.0), "rain": at(1760.0)}


def perceive(part):
    """An encoder that recognises light pictures as dogs and tones by their pitch."""
    found = {}
    if part.frames is not None and part.frames.mean() > GREY + 10:
        found["picture"] = [("beagle", float(part.frames.mean()) / 255)]
    if part.waveform is not None and np.abs(part.waveform).max() > 0.01:
        strength = pitches(part.waveform)
        found["sound"] = sorted(((n, s / sum(strength.values())) for n, s in strength.items()), key=lambda p: -p[1])
    return found


CLASSES = {"dog": frozenset({"beagle"})}


@pytest.mark.parametrize("seed", range(8))
def test_the_picture_is_where_it_is_said_to_be_and_mirrored_it_is_on_the_other_side(seed):
    made = fine.quarter(DOG, None, seed)
    assert made.stimulus.frames.shape == (3, FRAME, FRAME, 3)
    light = (made.stimulus.frames[0, ..., 0] > 200).reshape(2, FRAME // 2, 2, FRAME // 2).mean((1, 3))
    assert light.ravel().tolist() == [float(quarter == made.truth) for quarter in QUARTERS]
    assert made.encoder_alone(perceive, CLASSES) == made.truth
    mirrored = replace(made, parts=tuple(made.parts[at] for at in (1, 0, 3, 2)))
    other_side = {"left": "right", "right": "left"}
    row, column = made.truth.split()
    assert mirrored.encoder_alone(perceive, CLASSES) == f"{row} {other_side[column]}"
    assert (fine.quarter(DOG, None, seed).stimulus.frames == made.stimulus.frames).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_first_of_two_sounds_comes_first(seed):
    made = fine.first(DOG, RAIN, seed)
    half = len(made.stimulus.waveform) // 2
    early, late = pitches(made.stimulus.waveform[:half]), pitches(made.stimulus.waveform[half:])
    assert early[made.truth] > 10 * late[made.truth] and set(made.options) == {"dog", "rain"}
    assert made.encoder_alone(perceive, {}) == made.truth
    assert fine.first(RAIN, DOG, seed).truth != made.truth  # the pair the other way round


@pytest.mark.parametrize("seed", range(8))
def test_a_sound_comes_as_often_as_is_said_with_silence_between(seed):
    made = fine.count(DOG, None, seed)
    heard = [np.abs(part).max() > 0.01 for part in np.split(made.stimulus.waveform, fine.SLOTS)]
    assert COUNTS[sum(heard) - 1] == made.truth
    assert not any(one and other for one, other in itertools.pairwise(heard))
    assert made.encoder_alone(perceive, {}) == made.truth


def test_the_louder_of_two_sounds_is_twelve_decibels_above_the_other():
    for seed in range(6):
        made = fine.louder(DOG, RAIN, seed)
        strength = pitches(made.stimulus.waveform)
        softer = next(label for label in strength if label != made.truth)
        assert 20 * np.log10(strength[made.truth] / strength[softer]) == pytest.approx(12, abs=0.2)
        assert made.encoder_alone(perceive, {}) == made.truth


def test_every_truth_is_asked_for_and_an_encoder_that_knows_nothing_says_nothing():
    made = [
        fine.MAKERS[name](DOG, RAIN, seed) for name in ("quarter", "count", "first", "louder") for seed in range(40)
    ]
    assert {one.truth for one in made} == {*QUARTERS, *COUNTS, "dog", "rain"}
    assert {one.encoder_alone(lambda part: {}, {}) for one in made} == {None}


def test_slots_are_never_neighbours():
    for seed in range(50):
        slots = fine.apart(4, 8, random.Random(seed))
        assert len(slots) == 4 and set(slots) <= set(range(8)) and min(np.diff(slots)) > 1


def test_what_cannot_be_made_is_said():
    silent = Clip("mute", None, DOG.frames, 3.0, np.zeros(SAMPLE_RATE, np.float32), 1.0, "dog", "dog")
    with pytest.raises(McGurkError, match="silent"):
        fine.count(silent, None, 0)
    with pytest.raises(McGurkError, match="Two sounds"):
        fine.first(DOG, None, 0)
    with pytest.raises(McGurkError, match="no picture"):
        fine.quarter(Clip("sound", None, None, 3.0, DOG.waveform, 3.0, "dog", "dog"), None, 0)


def test_answers_are_read_by_the_option_they_name_first():
    assert chosen("It is in the Top Left, not the top right.", QUARTERS) == "top left"
    assert chosen("twofold", COUNTS) is None and chosen("Two.", COUNTS) == "two"
    assert chosen("a church bell", ("bell", "church bell")) == "church bell"


def test_the_score_of_a_label_is_that_of_its_best_class():
    perceived = [("tabby", 0.5), ("beagle", 0.3), ("golden retriever", 0.2)]
    assert alone.score(perceived, "dog", {"dog": frozenset({"golden retriever", "beagle"})}) == 0.3
    assert alone.score(perceived, "rain", {}) == 0.0


def test_what_an_encoder_names_is_compared_word_by_word():
    assert alone.recognised([("heavy rain", 0.9)], ("snow", "rain"), {}) == "rain"
    assert alone.recognised([("train", 0.9)], ("snow", "rain"), {}) is None


class Placing(FakeModel):
    """Always says what stands first among the options."""

    def answer(self, encoded, question, options=(), **how):
        for adapter, answer in super().answer(encoded, question, options, **how):
            answer.__dict__["text"] = options[0]
            yield adapter, answer


def test_a_run_has_chance_and_the_encoder_alone_beside_it(config, labelled):
    *_, last = running.run(config(conditions=("fine",), questions=9), Placing())
    rows = {(row.condition, row.adapter): row for row in last.tables.rows}
    assert set(rows) == {(name, adapter) for name in fine.MAKERS for adapter in (BASE, ALIGNED)}
    assert rows["quarter", BASE].n == 9 and 0 <= rows["quarter", BASE].right < 9
    assert rows["quarter", BASE].interval == measures.wilson(rows["quarter", BASE].right, 9)
    shown = report.fine(last.tables)
    assert shown.count("\n") == 1 + 2 * len(fine.MAKERS) and "| in which quarter is it? | trained | 25 |" in shown


def test_an_aspect_has_its_wilson_interval_and_its_neighbours_on_the_page(config):
    assert [round(bound, 3) for bound in measures.wilson(9, 10)] == [0.596, 0.982]
    samples = []
    for progress in running.run(config(conditions=("louder",), questions=4), Placing()):
        samples += [progress.sample] if progress.sample else []
    (line,) = view.table(samples)
    assert line.title.startswith("two sounds at once: which is louder? (chance 50 %, encoder alone ")
    assert all("conflict" not in sample for sample in samples)  # a made clip is no situation of the Lab
