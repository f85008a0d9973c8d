"""Names: complete, unambiguous, and said properly."""

import pytest

from demo.vocabulary import GROUPS, OUTSIDE, SYNONYMS, VOCABULARY, names_in, plain, plural, with_article


def test_76_names_each_in_one_group():
    assert len(VOCABULARY) == len(set(VOCABULARY)) == 76
    assert sum(len(names) for names in GROUPS.values()) == 76
    assert all(name == plain(name) for name in VOCABULARY)
    assert set(SYNONYMS) <= {*VOCABULARY, *OUTSIDE} and not set(VOCABULARY) & set(OUTSIDE)
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
