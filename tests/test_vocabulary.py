"""Names: complete, unambiguous, and said properly."""

import pytest

from demo.vocabulary import GROUPS, OUTSIDE, VOCABULARY, confusable, names_in, plain, plural, with_article


def test_76_names_each_in_one_group():
    assert len(VOCABULARY) == len(set(VOCABULARY)) == 76
    assert sum(len(names) for names in GROUPS.values()) == 76
    assert all(name == plain(name) for name in VOCABULARY)
    assert not set(VOCABULARY) & set(OUTSIDE)
    assert set(OUTSIDE.values()) <= set(GROUPS)


@pytest.mark.parametrize(
    ("name", "said"),
    [("cello", "a cello"), ("owl", "an owl"), ("ocean waves", "ocean waves"), ("rain", "rain"), ("organ", "an organ")],
)
def test_articles(name, said):
    assert with_article(name) == said


@pytest.mark.parametrize(
    ("name", "many"), [("wolf", "wolves"), ("bus", "buses"), ("dog", "dogs"), ("church bell", "church bells")]
)
def test_plurals(name, many):
    assert plural(name) == many


def test_plain_names():
    assert plain("Church_Bell ") == "church bell"


def test_the_longest_name_wins():
    assert list(names_in("an electric guitar and a church bell")) == ["electric guitar", "church bell"]
    assert list(names_in("the cat-like car horn")) == ["car"]
    assert list(names_in("a fire engine")) == ["fire engine"]
    assert not names_in("scattered carpets, without any dog")


def test_how_a_name_is_said_is_understood():
    for name in VOCABULARY:
        assert name in names_in(f"I see {with_article(name)}."), name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a plane", ["airplane"]),
        ("kitten", ["cat"]),
        ("the ticking of something", ["clock"]),
        ("a bull", ["cow"]),
        ("flames", ["fire"]),
        ("hens", ["hen"]),
        ("a bee", ["insect"]),
        ("gorilla", ["monkey"]),
        ("lightning", ["thunderstorm"]),
        ("a woman", ["speech"]),
        ("running water", ["river", "sink tap"]),
    ],
)
def test_other_words_for_a_concept(text, names):
    assert sorted(names_in(text)) == names


def test_a_label_outside_the_vocabulary_is_found_too():
    assert names_in("a piece of ripped paper: no", ["ripping paper"]) == {}
    assert names_in("the dog and a woman who is playing guitar", ["woman playing guitar"])["woman playing guitar"] == 4


@pytest.mark.parametrize(
    ("name", "other"),
    [("barking", "dog"), ("beagle", "pomeranian"), ("beagle", "wolf"), ("canary", "crow"), ("lady", "woman"),
     ("fiddle", "cello"), ("animal", "owl"), ("drum kit", "drum")],
)  # fmt: skip
def test_unfair_pairs(name, other):
    assert confusable(name, other) and confusable(other, name)


@pytest.mark.parametrize(
    ("name", "other"),
    [("barking", "cat"), ("beagle", "piano"), ("tennis", "bowling"), ("snow", "rain"), ("man", "car")],
)
def test_fair_pairs(name, other):
    assert not confusable(name, other) and not confusable(other, name)
