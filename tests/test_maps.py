"""Maps: weights land on the right place and moment, sum to what they claim, and differ from a reference rightly."""

import tracemalloc

import numpy as np
import pytest

from demo.maps import audio_map, band_map, default_layers, shares, video_map, weights
from models.fake import FakeModel
from models.omni import ALIGNED, Attention, Kind, McGurkError, Stimulus, TokenMap

S, V, A, Q, G = Kind.SYSTEM, Kind.VIDEO, Kind.AUDIO, Kind.QUESTION, Kind.GENERATED


def tiny(question="dog?", last_row=(0.5, 0.1, 0.2, 0.05, 0.05, 0.1, 0.0)) -> Attention:
    """Three layers, two heads: sink, two places of one frame, two bands of one moment, a word, a generated word."""
    kinds = (S, V, V, A, A, Q, G)
    video = np.full((7, 3), -1)
    video[1], video[2] = (0, 0, 0), (0, 0, 1)
    audio = np.full((7, 2), np.nan)
    audio[3:5] = (0.0, 0.32)
    sinks = np.arange(7) == 0
    tokens = TokenMap(kinds, ("<s>", "", "", "", "", question, "yes"), video, audio, (1, 1, 2), np.zeros(1), sinks)
    rows = np.zeros((3, 2, 2, 7))
    rows[:, :, 0] = last_row
    rows[:, :, 1] = 1 / 7
    rows[0, 0, 0] = (1, 0, 0, 0, 0, 0, 0)
    return Attention(rows.astype(np.float16), tokens)


@pytest.fixture(scope="module")
def attention():
    frames, sound = np.zeros((8, 32, 32, 3), np.uint8), np.zeros(16_000 * 4, np.float32)
    stimulus = Stimulus(frames, 2.0, sound, seen="dog", heard="rain")
    model = FakeModel()
    return {kind: model.ask(stimulus, f"What do you {kind}?")[ALIGNED].attention for kind in ("see", "hear")}


def test_weights_of_known_rows():
    assert default_layers(tiny()) == (2, 3)
    raw = weights(tiny(), sink=True)
    np.testing.assert_allclose(raw, (0.5, 0.1, 0.2, 0.05, 0.05, 0.1, 0), atol=1e-3)
    np.testing.assert_allclose(weights(tiny()), (0, 0.2, 0.4, 0.1, 0.1, 0.2, 0), atol=1e-3)
    np.testing.assert_allclose(weights(tiny(), rows="generated", sink=True), np.full(7, 1 / 7), atol=1e-3)
    assert weights(tiny(), layers=(0, 1), head=0, sink=True)[0] == 1
    assert weights(tiny(), layers=(0, 1), sink=True)[0] == pytest.approx(0.75, abs=1e-3)  # mean of the two heads


def test_a_large_models_shares_copy_no_rows():
    """28 layers of 28 heads over 3,490 tokens, twice: in float64 they would be four times as large."""
    rows = np.random.default_rng(0).random((28, 28, 2, 3490), np.float32).astype(np.float16)
    kinds, nowhere = (S, *(V,) * 3000, *(Q,) * 489), np.full((3490, 3), -1)
    tokens = TokenMap(kinds, ("",) * 3490, nowhere, np.full((3490, 2), np.nan), (0, 0, 0), np.zeros(0),
                      np.arange(3490) == 0)  # fmt: skip
    tracemalloc.start()
    try:
        raw = shares(Attention(rows, tokens))["raw"]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < rows.nbytes
    np.testing.assert_allclose(raw["video"], rows[..., 1:3001].astype(np.float64).sum(-1).mean((1, 2)))


def test_maps_put_weights_where_the_tokens_lie():
    np.testing.assert_allclose(video_map(tiny()), [[[0.2, 0.4]]], atol=1e-3)
    summed, spans = audio_map(tiny())
    np.testing.assert_allclose(spans, [[0, 0.32]])
    np.testing.assert_allclose(summed, [0.2], atol=1e-3)  # two bands of the same moment


def test_moments_that_the_encoder_hears_at_once_share_their_weight():
    kinds, audio = (S, *[A] * 5), np.full((6, 2), np.nan)
    audio[1:, 0] = np.arange(5) * 0.32
    audio[1:, 1] = audio[1:, 0] + 0.32
    empty = np.full((6, 3), -1)
    rows = np.array([0.1, 0.6, 0.0, 0.0, 0.3, 0.0], np.float16).reshape(1, 1, 1, 6)

    def heard(**window):
        tokens = TokenMap(kinds, ("",) * 6, empty, audio, (0, 0, 0), np.zeros(0), np.arange(6) == 0, **window)
        return audio_map(Attention(rows, tokens), sink=True)[0]

    np.testing.assert_allclose(heard(), (0.6, 0, 0, 0.3, 0), atol=1e-3)
    means = (0.3, 0.2, 0.1, 0.1, 0.15)  # of three, at the ends of two
    np.testing.assert_allclose(heard(audio_window=0.96), means, atol=1e-3)


def test_bands_add_up_to_the_map_of_the_sound(attention):
    np.testing.assert_allclose(band_map(tiny()), [[0.1], [0.1]], atol=1e-3)
    for one in attention.values():
        bands = band_map(one)
        assert bands.shape == (2, 13)
        np.testing.assert_allclose(bands.sum(0), audio_map(one)[0])
    silent = FakeModel().ask(Stimulus(np.zeros((2, 8, 8, 3), np.uint8), 2.0, None), "See?")[ALIGNED].attention
    assert band_map(silent).size == 0


def test_a_row_is_a_token_of_the_answer(attention):
    rows = tiny()
    np.testing.assert_allclose(weights(rows, rows=1, sink=True), np.full(7, 1 / 7), atol=1e-3)
    np.testing.assert_allclose(weights(rows, rows=0), weights(rows))
    assert rows.steps == 1
    with pytest.raises(McGurkError, match="no row 2"):
        weights(rows, rows=2)


def test_difference_and_relative_views():
    other = tiny("rain?", (0.5, 0.2, 0.1, 0.05, 0.05, 0.1, 0))
    np.testing.assert_allclose(video_map(tiny(), view="difference", reference=other), [[[0, 0.2]]], atol=2e-3)
    signed = weights(tiny(), view="difference", reference=other, signed=True)
    np.testing.assert_allclose(signed, (0, -0.2, 0.2, 0, 0, 0.2, 0), atol=2e-3)  # the word is new: it keeps its weight
    np.testing.assert_allclose(video_map(tiny(), view="relative", reference=other), [[[0.5, 2]]], rtol=1e-2)
    np.testing.assert_allclose(audio_map(tiny(), view="relative", reference=other)[0], [1], rtol=1e-2)
    assert np.isnan(weights(tiny(), view="relative", reference=other)[5])


def test_shares_sum_to_one_with_the_sink_apart(attention):
    raw = shares(attention["see"])["raw"]
    np.testing.assert_allclose(sum(raw.values()), 1, atol=5e-3)
    assert raw["sink"].min() > 0.2
    together = shares(attention["see"], sinks=True)["raw"]
    assert "sink" not in together
    np.testing.assert_allclose(together["system"], raw["system"] + raw["sink"])
    each = shares(attention["see"])["per_token"]["video"]
    np.testing.assert_allclose(each * 8 * 49, raw["video"])


def test_asked_modality_stands_out_in_the_difference(attention):
    see, hear = attention["see"], attention["hear"]
    gained = video_map(see, view="difference", reference=hear)
    assert gained.shape == (8, 7, 7) and gained.min() >= 0 and gained.sum() > 0.05
    assert video_map(hear, view="difference", reference=see).sum() < gained.sum() / 4
    heard, spans = audio_map(hear, view="difference", reference=see)
    assert heard.sum() > 0.02
    assert abs(spans[heard.argmax()].mean() - 1.5) < 0.5  # where the fake model listens


def test_maps_without_picture_or_sound_are_empty():
    attention = FakeModel().ask(Stimulus(None, 2.0, None), "What do you see?")[ALIGNED].attention
    assert video_map(attention).shape == (0, 0, 0)
    assert [part.shape for part in audio_map(attention)] == [(0,), (0, 2)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": (2, 9)}, {"layers": (2, 2)}, {"head": 5}, {"rows": "first"}, {"view": "sum"},
        {"view": "difference"}, {"view": "relative"},
    ],
)  # fmt: skip
def test_wrong_choices_are_refused(wrong):
    with pytest.raises(McGurkError, match=r"\.$"):
        weights(tiny(), **wrong)


def test_reference_of_another_clip_is_refused(attention):
    with pytest.raises(McGurkError, match="different pictures"):
        weights(tiny(), view="difference", reference=attention["see"])
