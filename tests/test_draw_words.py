"""Pieces become words with summed weights; long text folds and loses none of its weight."""

import numpy as np
import pytest

from demo.draw.words import LONGEST, shaded, word_scale, words
from models.omni import Kind, TokenMap


def prompt(*parts: tuple[Kind, str]) -> TokenMap:
    n = len(parts)
    kinds, pieces = zip(*parts, strict=True)
    return TokenMap(kinds, pieces, np.full((n, 3), -1), np.full((n, 2), np.nan), (0, 0, 0), np.zeros(0), np.zeros(n))


def pairs(shades):
    return [(shade.text, shade.strength) for shade in shades]


Q, V, C, M = Kind.QUESTION, Kind.VIDEO, Kind.INJECTED, Kind.MARKER


def test_pieces_are_merged_with_their_weights():
    tokens = prompt((Q, "What"), (Q, " accord"), (Q, "ion"), (Q, "?"), (Q, " "), (Q, "Yes"))
    found = words(tokens, np.array([0.1, 0.2, 0.1, 0.1, 0.0, 0.3]))
    assert [word.text for word in found] == ["What", " accordion?", " ", "Yes"]
    assert found[1].weight == pytest.approx(0.4)
    assert "".join(word.text for word in found) == "".join(tokens.pieces)
    assert [word.ends for word in found] == [(0, 0), (1, 3), (4, 4), (5, 5)]


def test_kinds_are_never_merged_and_markers_left_out():
    tokens = prompt((C, "rain"), (Q, "bow"), (M, "<end>"))
    assert [word.text for word in words(tokens, np.ones(3))] == ["rain", "bow"]


def test_strengths_are_relative_to_the_heaviest_word():
    tokens = prompt((Q, "a"), (Q, " b"), (Q, " c"), (Q, " d"))
    weights = np.array([0.4, -0.2, 0.0, np.nan])
    assert pairs(shaded(tokens, weights)) == [("a", 1.0), (" b", -0.5), (" c", None), (" d", None)]
    assert word_scale(tokens, weights, weights * 2) == pytest.approx(0.8)
    assert shaded(tokens, weights, scale=0.8)[0][:2] == ("a", 0.5)
    assert pairs(shaded(tokens, np.zeros(4))) == [(text, None) for text in ("a", " b", " c", " d")]


def test_media_stand_where_they_are():
    tokens = prompt((Q, "see"), *[(V, "")] * 20, (Q, " this"))
    weights = np.array([0.2, *[0.02] * 20, 0.1])
    assert pairs(shaded(tokens, weights)) == [("see", 1.0), (" [video × 20: 40.0%] ", None), (" this", 0.5)]
    assert shaded(tokens, weights, shares=False)[1][:2] == (" [video × 20] ", None)


def test_long_text_is_folded_and_keeps_its_weight():
    tokens = prompt(*((C, f" w{n}") for n in range(1000)), (Q, " why"))
    weights = np.array([*[0.0005] * 1000, 0.5])
    shown = shaded(tokens, weights)
    assert len(shown) < LONGEST
    assert shown[0][0] == " w0" and shown[-2][0] == " w999"
    [(note, strength, kind, ends)] = [shade for shade in shown if "more words" in shade.text]
    assert kind is C and ends == (14, 991)
    assert "978 more words, 48.9% of the attention" in note
    assert strength == pytest.approx(0.978)


def test_markup_stays_text():
    tokens = prompt((C, "<b>"), (C, "bold"), (C, "</b>"))
    assert pairs(shaded(tokens, np.ones(3))) == [("<b>bold</b>", 1.0)]
