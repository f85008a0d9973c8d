"""What the encoders say becomes shares of words: they add up, the specific speaks, a place differs from another."""

import numpy as np
import pytest
import torch

from models.mini import degradations, evidence
from models.mini.encoders import AUDIOSET_CLASSES, IMAGENET_CLASSES
from models.mini.perceived import named
from models.mini.words import WORDS, mentioned, stem
from models.omni import SAMPLE_RATE
from models.teaching.naming import HELD_OUT

NUMBER = {name: n for n, name in enumerate(AUDIOSET_CLASSES)}


def heard(**logits: float) -> torch.Tensor:
    """2 patches x 3 x 2 x 521 with these logits and -8 elsewhere -> shares of the first place."""
    given = torch.full((2, 3, 2, len(AUDIOSET_CLASSES)), -8.0)
    for name, value in logits.items():
        given[..., NUMBER[name]] = value
    return evidence.heard_words(given)[0, 0, 0]


def test_shares_add_up_to_one():
    torch.manual_seed(0)
    seen = evidence.seen_words(torch.randn(3, 7, 7, len(IMAGENET_CLASSES)) * 4, torch.randn(3, 7, 7, len(WORDS)))
    assert torch.allclose(seen.sum(-1), torch.ones(3, 7, 7), atol=1e-5)
    assert torch.allclose(heard(Dog=1.0).sum(), torch.tensor(1.0), atol=1e-5)


def test_a_parent_gives_way_to_its_child():
    shares = heard(Animal=2.0, Dog=1.0, Bark=0.5)
    assert shares[NUMBER["Bark"]] > 0.7 and shares.argmax() == NUMBER["Bark"]  # though Animal and Dog score higher
    alone = heard(Animal=2.0)
    assert alone[NUMBER["Animal"]] > 0.9


def test_ambience_speech_and_music_speak_where_nothing_else_does():
    beside = heard(Speech=2.0, Music=2.0, Silence=1.0, Bark=0.5)
    assert beside[NUMBER["Bark"]] > 0.5 > beside[NUMBER["Speech"]]
    assert heard(Speech=2.0)[NUMBER["Speech"]] > 0.9 and heard(Silence=0.5)[NUMBER["Silence"]] > 0.9


def test_a_place_keeps_something_of_its_own():
    logits = torch.zeros(1, 7, 7, len(IMAGENET_CLASSES))
    logits[0, 1, 5, 207] = 20.0
    shares = evidence.seen_words(logits, torch.full((1, 7, 7, len(WORDS)), -6.0))[0, ..., 207]
    assert shares.argmax() == 1 * 7 + 5 and shares[1, 5] > 3 * shares[6, 0]


def test_what_a_lesson_leaves_out_is_gone():
    logits = torch.zeros(1, 7, 7, len(IMAGENET_CLASSES))
    logits[..., 3] = 9.0
    shares = evidence.seen_words(logits, torch.zeros(1, 7, 7, len(WORDS)), without=(3, len(IMAGENET_CLASSES) + 2))
    assert shares[..., 3].max() < 1e-6 and shares[..., len(IMAGENET_CLASSES) + 2].max() < 1e-6


def test_every_class_reaches_its_ancestors():
    ancestors, descendants, general = evidence.hierarchy()
    pairs = {(AUDIOSET_CLASSES[a], AUDIOSET_CLASSES[d]) for a, d in zip(ancestors, descendants, strict=True)}
    assert {("Animal", "Bark"), ("Dog", "Bark"), ("Vehicle", "Truck")} <= pairs
    assert not any((b, a) in pairs for a, b in pairs)
    assert general[NUMBER["Silence"]] and general[NUMBER["Speech"]] and not general[NUMBER["Bark"]]


def test_words_are_found_in_any_form_and_none_is_held_out():
    found = {WORDS[n] for n in mentioned("Two women rode their horses; a man is playing the guitar.")}
    assert {"woman", "horse", "man", "playing", "guitar"} <= found and "dog" not in found
    assert stem("running") == stem("runs") == "run" and stem("riding") == stem("rides")
    assert not set(WORDS) & HELD_OUT


@pytest.mark.parametrize("shape", [(90, 160, 3), (33, 20, 3)])
def test_a_roughened_picture_is_a_picture(shape):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, shape, np.uint8)
    for _ in range(40):
        rough = degradations.roughen(degradations.crop(image, rng), rng)
        assert rough.dtype == np.uint8 and rough.ndim == 3 and min(rough.shape[:2]) > 0
    assert degradations.paste(image, 64, rng).shape == (64, 64, 3)


def test_a_sound_keeps_its_length_and_bounds():
    rng = np.random.default_rng(0)
    wave = (0.5 * np.sin(np.arange(SAMPLE_RATE) / 7)).astype(np.float32)
    for _ in range(20):
        far = degradations.recorded_far(wave, rng)
        over = degradations.over(wave, rng.standard_normal(500).astype(np.float32), rng)
        for made in (far, over, degradations.noisy(wave, rng)):
            assert made.shape == wave.shape and made.dtype == np.float32 and np.isfinite(made).all()
            assert np.abs(made).max() <= 1.001


def test_what_is_recognised_is_told_in_everyday_words():
    classes = ("beagle", "pomeranian", "violin", "dog", "street")
    told = named(torch.tensor([0.2, 0.15, 0.3, 0.05, 0.2]), classes)
    assert [word for word, _ in told] == ["dog", "violin", "street"] and abs(told[0][1] - 0.4) < 1e-3
