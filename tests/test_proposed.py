"""Names to tap for what a model saw or heard: the telling one first, "person" where nothing else is likely."""

import numpy as np
import pytest
import torch

from models.mini import proposed, proposing
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES
from models.mini.words import WORDS


def picture(words: dict[str, float], **classes: float) -> list[str]:
    """What is offered where the everyday words have these probabilities and the classes these shares."""
    said, share = torch.full((len(WORDS),), 0.002), torch.full((len(SEEN_NAMES),), 1e-5)
    for word, chance in words.items():
        said[WORDS.index(word)] = chance
        share[1000 + WORDS.index(word)] = 0.6 * chance**2
    for name, value in classes.items():
        share[SEEN_NAMES.index(name.replace("_", " "))] = value
    return [name for name, _ in proposed.seen(share, said)]


def sound(**shares: float) -> list[str]:
    share = torch.full((len(HEARD_NAMES),), 1e-5)
    for name, value in shares.items():
        share[HEARD_NAMES.index(name.replace("_", " "))] = value
    return [name for name, _ in proposed.heard(share)]


def test_a_thing_comes_before_the_person_who_has_it_and_the_person_where_nothing_else_is_likely():
    people = {"person": 0.8, "man": 0.5, "woman": 0.4}
    beside = picture({**people, "guitar": 0.6})
    assert beside[0] == "guitar" and {"person", "man", "woman"} & set(beside)
    assert picture({**people, "guitar": 0.03})[0] in {"person", "man", "woman"}


def test_a_breed_is_offered_as_what_people_call_it_and_a_kind_that_nobody_says_is_not():
    assert picture({"dog": 0.9}, pomeranian=0.2, samoyed=0.15)[0] == "dog"
    assert not {"pomeranian", "samoyed"} & set(proposed.seen_names().words)
    two = picture({"cello": 0.5, "violin": 0.3}, cello=0.2, violin=0.1)
    assert two[:2] == ["cello", "violin"]
    for names in (proposed.seen_names(), proposed.heard_names()):
        assert not {"string instrument", "emergency vehicle", "musical instrument"} & set(names.words)
    assert sound(cello=0.4, violin=0.2) == ["cello", "violin"]


def test_under_music_and_speech_stands_what_may_be_heard_of_them():
    assert sound(music=0.9, piano=0.02, guitar=0.01) == ["music", "piano", "guitar"]
    assert sound(piano=0.6, music=0.01) == ["piano"]


def test_postures_and_clothes_are_no_answer():
    offered = picture({"sitting": 0.9, "shirt": 0.9, "playing": 0.9, "dog": 0.1})
    assert "dog" in offered and not {"sitting", "shirt", "playing"} & set(offered)


def test_a_fit_finds_the_probabilities_that_made_the_truth():
    rng = np.random.default_rng(0)
    facts = torch.tensor(rng.normal(0, 2, (300, len(proposed.kinds()), 3)), dtype=torch.float32)
    facts[..., 2] = 1
    made = torch.tensor([0.7, -0.4, -1.0])
    truth = torch.bernoulli((facts @ made).sigmoid(), generator=torch.Generator().manual_seed(0))
    truth[:, ::7] = proposing.UNKNOWN
    for weights in proposing.fit(facts, truth):
        assert weights == pytest.approx(made.tolist(), abs=0.05)


def test_what_captions_say_counts_for_what_is_wider_and_not_for_what_is_narrower():
    words = proposed.seen_names().words
    told = dict(zip(words, proposing.said_in("A woman rides her bike. | Two puppies").tolist(), strict=True))
    assert told["person"] == told["woman"] == told["dog"] == 1 and told["man"] == told["cat"] == 0
    shares = proposing.usual(["A man with a dog", "A dog", "A cat", "A cat and a dog"])
    assert (shares["dog"], shares["cat"], shares["person"]) == (0.75, 0.5, 0.25)
