"""The fake model keeps the promises of OmniModel, so that what is tested with it holds for real ones."""

import numpy as np
import pytest

from models.fake import ABSTAIN, FakeModel
from models.interventions import Look
from models.omni import ALIGNED, BASE, Kind, Stimulus, without_generated

OPTIONS = ("dog", "rain", "cello", ABSTAIN)


@pytest.fixture
def stimulus():
    frames = np.zeros((6, 32, 48, 3), np.uint8)
    return Stimulus(frames, 2.0, np.zeros(16_000 * 3, np.float32), "The caption says: cello.", seen="dog", heard="rain")


def test_base_follows_the_picture_and_aligned_what_was_asked(stimulus):
    heard = FakeModel().ask(stimulus, "What do you hear in the audio?", OPTIONS)
    assert (heard[BASE].text, heard[ALIGNED].text) == ("dog", "rain")
    seen = FakeModel().ask(stimulus, "What do you see in the video?", OPTIONS)
    assert seen[ALIGNED].text == "dog"
    match = FakeModel().ask(stimulus, "Does the sound match the picture?", ("yes", "no"))
    assert (match[BASE].text, match[ALIGNED].text) == ("yes", "no")


def test_options_are_probabilities_with_the_answer_on_top(stimulus):
    for answer in FakeModel().ask(stimulus, "What do you hear?", OPTIONS).values():
        assert tuple(answer.options) == OPTIONS
        assert sum(answer.options.values()) == pytest.approx(1)
        assert max(answer.options, key=answer.options.get) == answer.text


def test_attention_is_normalised_and_never_looks_ahead(stimulus):
    answer = FakeModel().ask(stimulus, "What do you hear?", OPTIONS)[ALIGNED]
    rows, tokens = answer.attention.rows, answer.attention.tokens
    assert rows.shape == (6, 3, 2, len(tokens))  # the last row of the prompt and one generated word
    assert rows.dtype == np.float16
    np.testing.assert_allclose(rows.astype(float).sum(-1), 1, atol=5e-3)
    assert rows[:, :, 0, -1].max() == 0
    assert rows[:, :, 1, -1].min() > 0


def test_token_map_is_exact(stimulus):
    tokens = FakeModel().ask(stimulus, "What do you hear?")[BASE].attention.tokens
    assert tokens.grid == (6, 7, 7)
    video = tokens.positions(Kind.VIDEO)
    assert len({tuple(place) for place in tokens.video[video]}) == len(video) == 6 * 49
    audio = tokens.audio[tokens.positions(Kind.AUDIO)]
    assert len(audio) == 2 * 10  # 3 s in steps of 0.32 s, two bands
    assert audio[0, 0] == 0 and audio[-1, 1] == pytest.approx(3.0)
    assert (audio[:, 1] > audio[:, 0]).all()
    assert np.isnan(tokens.audio[video]).all()
    assert len(without_generated(tokens)) == len(tokens) - 1


def test_missing_modality_has_no_tokens_and_aligned_abstains(stimulus):
    silent = Stimulus(stimulus.frames, 2.0, None, seen="dog")
    answers = FakeModel().ask(silent, "What do you hear?", OPTIONS)
    assert (answers[BASE].text, answers[ALIGNED].text) == ("dog", ABSTAIN)
    assert "audio" not in answers[BASE].receipt.tokens
    blind = FakeModel().ask(Stimulus(None, 2.0, stimulus.waveform, heard="rain"), "What do you see?", OPTIONS)
    assert blind[ALIGNED].attention.tokens.grid == (0, 0, 0)


def test_steering_takes_a_kind_away(stimulus):
    steered = FakeModel().ask(stimulus, "What do you hear?", OPTIONS, steering=Look(sound=0.0))[ALIGNED]
    assert steered.text == ABSTAIN
    assert steered.attention.rows[..., steered.attention.tokens.positions(Kind.AUDIO)].max() == 0


def test_answers_stream_and_attention_can_be_left_out(stimulus):
    model = FakeModel(delay=0.02)
    stream = model.answer(model.encode(stimulus), "What do you see?", adapters=(ALIGNED,), attention=False)
    adapter, answer = next(stream)
    assert adapter == ALIGNED and answer.attention is None and answer.seconds >= 0.02
    assert next(stream, None) is None
