"""The scores of conflicts against numbers worked out by hand."""

import math

import pytest

from demo.bench.cases import conflicting
from demo.bench.cases.conflicting import CELLS


def test_detection_is_the_distance_of_two_rates():
    assert conflicting.detection(9, 10, 2, 10) == pytest.approx(2.123, abs=1e-3)  # 1.2816 + 0.8416
    assert conflicting.detection(5, 10, 5, 10) == 0
    assert math.isnan(conflicting.detection(0, 0, 1, 5))
    never_wrong = conflicting.detection(10, 10, 0, 10)
    assert math.isfinite(never_wrong) and never_wrong > conflicting.detection(9, 10, 1, 10)


def test_interference_is_the_mean_of_both_divergences():
    assert conflicting.interference([0.8, 0.2], [0.5, 0.5]) == pytest.approx(0.20794, abs=1e-5)
    assert conflicting.interference([0.5, 0.5], [0.8, 0.2]) == pytest.approx(0.20794, abs=1e-5)
    assert conflicting.interference([0.3, 0.7], [0.3, 0.7]) == 0
    assert math.isfinite(conflicting.interference([1.0, 0.0], [0.0, 1.0]))


def test_disagreement_runs_from_nothing_to_two():
    assert conflicting.disagreement([0.9, 0.1], [0.4, 0.6]) == pytest.approx(0.5)
    assert conflicting.disagreement([0.9, 0.1], [0.9, 0.1]) == 0
    assert conflicting.disagreement([1.0, 0.0], [0.0, 1.0]) == 2


def test_two_senses_agree_where_both_find_the_same_answer_likeliest():
    assert not conflicting.agreement([0.9, 0.1], [0.4, 0.6])
    assert conflicting.agreement([0.2, 0.5, 0.3], [0.1, 0.8, 0.1])


def sample(ask, truth, named, text, followed, right):
    answer = {"text": text, "followed": followed, "correct": right}
    return {"ask": ask, "truth": truth, "perceived": {"sound": named}, "answers": {"base": answer}}


def test_bias_is_told_from_deafness():
    samples = [
        sample("hear", "rain", "rain", "rain", "sound", True),
        sample("hear", "rain", "rain", "snow", "picture", False),
        sample("hear", "rain", "wind", "snow", "picture", False),
        sample("hear", "rain", "wind", "rain", "sound", True),
        sample("hear", "rain", None, "rain", "sound", True),  # the encoder named none of the options
    ]
    assert conflicting.cells(samples, "base") == dict.fromkeys(CELLS, 1)
    assert conflicting.selection(samples, "base") == (3, 5)
    assert conflicting.selection([sample("hear", "rain", None, "?", "other", False)], "base") == (0, 0)


def test_a_match_question_is_counted_by_what_was_true_and_said():
    said = [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "I see a dog and I hear rain: no"), ("no", "maybe")]
    samples = [sample("match", truth, None, text, "both", truth == text) for truth, text in said]
    assert conflicting.matching(samples, "base") == (1, 2, 1, 3)
