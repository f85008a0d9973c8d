"""Questions as sent, options on offer, and whom an answer followed."""

import random

import numpy as np
import pytest

from demo.questions import ABSTAIN, WORDINGS, build_options, followed, question
from demo.vocabulary import VOCABULARY, confusable
from models.omni import McGurkError, Stimulus


def stimulus(seen=None, heard=None, read=None):
    return Stimulus(frames=np.zeros((1, 2, 2, 3), np.uint8), fps=2.0, waveform=None, seen=seen, heard=heard, read=read)


CONFLICT = stimulus("cello", "rain", "dog")


def test_the_wordings_models_were_trained_on():
    assert question("see").prompt == "What do you see in the video?"
    assert question("hear").prompt == "What do you hear in the audio?"
    assert question("match").prompt == "Does the sound match the picture? Choose one: yes, no."
    assert question("free").prompt == "What do you see and what do you hear?"
    assert question("see", ("dog", ABSTAIN)).prompt == (
        "What do you see in the video? Choose one: dog, none of the above."
    )
    assert question("hear", wording=2).text == WORDINGS["hear"][2] == "Which sound is audible?"
    assert question("hear", own=" Any \n music? ").prompt == "Any music?"


@pytest.mark.parametrize(
    "arguments",
    [
        {"kind": "smell"},
        {"kind": "see", "wording": 3},
        {"kind": "see", "wording": -1},
        {"kind": "see", "own": "x" * 501},
        {"kind": "see", "options": ("dog",)},
        {"kind": "see", "options": ("dog", " ")},
        {"kind": "see", "options": ("dog", "Dog")},
        {"kind": "see", "options": ("dog", "cat, mouse")},
        {"kind": "see", "options": ("dog", "x" * 61)},
        {"kind": "see", "options": tuple(VOCABULARY)},
    ],
)
def test_questions_that_cannot_be_asked(arguments):
    with pytest.raises(McGurkError):
        question(**arguments)


@pytest.mark.parametrize("seed", range(20))
def test_options_hold_the_truths_and_fair_distractors(seed):
    options = build_options(CONFLICT, 8, seed)
    assert len(options) == 9 and len(set(options)) == 9 and options[-1] == ABSTAIN
    assert {"cello", "rain", "dog"} <= set(options)
    strangers = set(options[:-1]) - {"cello", "rain", "dog"}
    assert not any(confusable(a, b) for a in strangers for b in ("cello", "rain", "dog"))
    assert not any(confusable(a, b) for a in strangers for b in strangers if a < b)


def test_options_are_shuffled_and_seeded():
    drawn = {build_options(CONFLICT, 8, seed).index("cello") for seed in range(60)}
    assert drawn == set(range(8))
    assert build_options(CONFLICT, 8, random.Random(3)) == build_options(CONFLICT, 8, 3)


def test_options_for_unknown_and_for_strange_labels():
    assert len(build_options(stimulus(), 4)) == 5
    assert "bagpipes" in build_options(stimulus("bagpipes", "church_bell"), 4)
    assert "church bell" in build_options(stimulus("bagpipes", "church_bell"), 4)
    assert build_options(stimulus("cello", "cello"), 1) == ("cello", ABSTAIN)


@pytest.mark.parametrize("n", [0, 2, 24, 100])
def test_a_number_of_options_that_cannot_be(n):
    with pytest.raises(McGurkError):
        build_options(CONFLICT, n)


def test_a_vocabulary_that_is_too_small():
    with pytest.raises(McGurkError, match="only 3"):
        build_options(CONFLICT, 8, vocabulary=("cello", "violin"))


@pytest.mark.parametrize(
    ("kind", "answer", "source"),
    [
        ("see", "cello", "picture"),
        ("see", "A Cello", "picture"),
        ("see", "I see a cello.", "picture"),
        ("see", "Cellos!", "picture"),
        ("see", "a violoncello", "picture"),
        ("see", "Rain", "sound"),
        ("hear", "it is raining", "sound"),
        ("hear", "The caption says dog, but it is rain.", "text"),
        ("see", "dog", "text"),
        ("see", "a barking dog", "text"),
        ("see", "banana", "other"),
        ("see", "violin", "other"),
        ("see", "hot dogs are not dogs", "other"),
        ("see", "a beagle and its puppy", "text"),
        ("see", "Not a cello.", "other"),
        ("see", "It isn't a cello but rain", "sound"),
        ("see", "I do not see a cello, I see a dog", "text"),
        ("see", "none of the above", "abstained"),
        ("see", "None of the above.", "abstained"),
        ("hear", "I hear nothing", "abstained"),
        ("hear", "There is no sound.", "abstained"),
        ("hear", "I can’t hear anything", "abstained"),
        ("see", "", "abstained"),
        ("see", "  ", "abstained"),
        ("see", "I see a cello, but I hear rain.", "picture"),
        ("hear", "I see a cello, but I hear rain.", "sound"),
        ("hear", "I see a cello, but I hear a cello.", "picture"),
        ("hear", "I see a cello, but I hear nothing.", "abstained"),
        ("free", "I see a cello, but I hear rain.", "both"),
        ("free", "I see a cello, but I hear nothing.", "picture"),
        ("free", "I see a dog and I hear a dog.", "text"),
        ("free", "I see rain and hear rain", "sound"),
        ("free", "cello, rain", "both"),
        ("match", "no", "both"),
        ("match", "No, it does not.", "both"),
        ("match", "yes", "other"),
        ("match", "Yes.", "other"),
        ("match", "I see a cello and I hear rain: no", "both"),
        ("match", "I see a cello and I hear rain: yes.", "other"),
        ("match", "Is it yes or no?", "other"),
        ("match", "none of the above", "abstained"),
        ("match", "no sound", "abstained"),
    ],
)
def test_whom_an_answer_followed(kind, answer, source):
    assert followed(question(kind), answer, CONFLICT) == source


@pytest.mark.parametrize(
    ("truths", "kind", "answer", "source"),
    [
        (("cello", "cello"), "see", "cello", "both"),
        (("cello", "cello"), "match", "yes", "both"),
        (("cello", "cello"), "match", "no", "other"),
        (("cello", "rain", "cello"), "hear", "cello", "picture"),
        (("cello", "rain", "rain"), "see", "rain", "sound"),
        (("cello", None), "hear", "cello", "picture"),
        (("cello", None), "match", "no", "both"),
        ((None, "rain"), "see", "rain", "sound"),
        ((None, None), "see", "rain", "other"),
        (("church_bell", "ocean waves"), "see", "a church bell", "picture"),
        (("church bell", "ocean waves"), "hear", "the sea", "sound"),
        (("acoustic guitar", "piano"), "see", "an electric guitar", "other"),
        (("acoustic guitar", "piano"), "see", "a guitar", "picture"),
        (("fire", "truck"), "see", "fireworks", "other"),
        (("fire", "truck"), "see", "a fire engine", "other"),
        (("fire engine", "truck"), "see", "a fire truck", "picture"),
        (("bagpipes", "sewing machine"), "hear", "Sewing machines", "sound"),
        (("wolf", "geese"), "see", "wolves", "picture"),
        (("speech", "dog"), "see", "a person talking", "picture"),
        (("car", "train"), "see", "training", "other"),
    ],
)
def test_labels_of_all_kinds(truths, kind, answer, source):
    assert followed(question(kind), answer, stimulus(*truths)) == source


@pytest.mark.parametrize(
    ("kind", "answer", "source"),
    [
        ("see", "a puppy", "picture"),
        ("see", "Beagles", "picture"),
        ("see", "small dog", "picture"),
        ("hear", "drum", "sound"),
        ("hear", "percussion", "sound"),
        ("see", "ukulele", "sound"),
        ("see", "animal", "other"),
        ("hear", "a garden", "picture"),
        ("hear", "not a garden", "other"),
    ],
)
def test_synonyms_and_further_right_answers_count(kind, answer, source):
    told = Stimulus(
        np.zeros((1, 2, 2, 3), np.uint8), 2.0, None, seen="dog", heard="drums",
        seen_also=("garden",), heard_also=("ukulele",),
    )  # fmt: skip
    assert followed(question(kind), answer, told) == source


def test_an_option_means_itself_only():
    told = stimulus("dog", "barking")
    offered = question("see", ("dog", "barking", "piano"))
    assert followed(offered, "dog", told) == "picture" and followed(offered, "Barking.", told) == "sound"
    assert followed(question("see"), "a dog that barks", told) == "both"


def test_one_thing_in_two_words_is_offered_once_and_matches():
    assert sum("cow" in option for option in build_options(stimulus("cows", "cow"), 8)) == 1
    assert followed(question("match"), "yes", stimulus("dog", "barking")) == "both"
    assert followed(question("match"), "yes", stimulus("dog", "meowing")) == "other"


def test_distractors_mean_no_further_right_answer():
    told = Stimulus(None, 2.0, None, seen="woman", heard="ripping paper", seen_also=("violin",), heard_also=("rain",))
    names = ("fiddle", "beagle", "dog", "lady", "tearing paper", "raindrop", "waterfall", "canary", "spoon")
    assert set(build_options(told, 5, vocabulary=names)) in (
        {"woman", "ripping paper", ABSTAIN, one, "canary", "spoon"} for one in ("dog", "beagle")
    )


def test_every_name_is_understood_as_itself():
    for name in VOCABULARY:
        assert followed(question("see"), name, stimulus(name)) == "picture"
        assert followed(question("hear"), name.upper() + ".", stimulus(None, name)) == "sound"


def test_a_very_long_answer_is_read_quickly():
    assert followed(question("see"), "well " * 20_000 + "cello", CONFLICT) == "picture"
