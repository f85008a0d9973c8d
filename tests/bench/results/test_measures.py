"""Every formula against an example worked by hand, and its edges."""

import math

import numpy as np
import pytest

from demo.bench.results import measures


def test_wilson_against_a_worked_example():
    # 8 of 10: p = .8, z² = 3.8415; middle .8 + .19207, reach 1.95996 √(.016 + .0096037), scale 1.38415
    low, high = measures.wilson(8, 10)
    assert low == pytest.approx((0.992073 - 0.313616) / 1.384146, abs=1e-5)
    assert high == pytest.approx((0.992073 + 0.313616) / 1.384146, abs=1e-5)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert [round(end, 3) for end in measures.wilson(9, 10)] == [0.596, 0.982]


def test_wilson_stays_within_its_bounds():
    assert measures.wilson(0, 10)[0] == 0.0
    assert measures.wilson(10, 10)[1] == 1.0
    assert measures.wilson(10, 10)[0] == pytest.approx(0.7225, abs=1e-4)
    assert measures.wilson(0, 0) == (0.0, 1.0)


def test_mcnemar_counts_discordant_pairs_alone():
    # both right 3, only first 1, only second 6, both wrong 2: p = 2 (C(7,0) + C(7,1)) / 2^7 = 16/128
    first = [True] * 3 + [True] + [False] * 6 + [False] * 2
    second = [True] * 3 + [False] + [True] * 6 + [False] * 2
    assert measures.mcnemar(first, second) == measures.McNemar(1, 6, 0.125)
    assert measures.mcnemar([True, False], [True, False]).p == 1.0
    assert measures.mcnemar([True, False], [False, True]).p == 1.0


def test_mcnemar_of_thousands_of_pairs_is_finite():
    p = measures.mcnemar([False] * 3000, [True] * 1800 + [False] * 1200).p
    assert 0 <= p < 1e-300


def test_cohens_d_against_a_worked_example():
    # means 3 and 5, variances 1 and 4, n 3 and 3: pooled √((2·1 + 2·4) / 4) = √2.5
    assert measures.cohens_d([2, 3, 4], [3, 5, 7]) == pytest.approx(-2 / math.sqrt(2.5))


def test_cohens_d_works_along_the_first_axis_and_needs_variation():
    first = np.array([[2, 1.0], [3, 1], [4, 1]])
    second = np.array([[3, 1.0], [5, 1], [7, 1]])
    d = measures.cohens_d(first, second)
    assert d[0] == pytest.approx(-2 / math.sqrt(2.5))
    assert np.isnan(d[1])
    assert np.isnan(measures.cohens_d(first[:1], second)).all()


def test_text_preference_ratio():
    assert measures.text_preference_ratio(text=30, media=10) == 0.75
    assert math.isnan(measures.text_preference_ratio(0, 0))


def test_modality_importance_against_a_worked_example():
    # with sound: {A} .9, {V, A} .8; without: {V} .2. With the picture: {V} .2, {V, A} .8; without: {A} .9
    performance = {frozenset("A"): 0.9, frozenset("V"): 0.2, frozenset("VA"): 0.8, frozenset(): 0.5}
    assert measures.modality_importance(performance, "A") == pytest.approx(0.85 - 0.2)
    assert measures.modality_importance(performance, "V") == pytest.approx(0.5 - 0.9)
    assert math.isnan(measures.modality_importance({frozenset("V"): 1.0}, "V"))


def test_gain_and_leakage():
    assert measures.multimodal_gain(0.9, 0.2) == pytest.approx(0.7)
    assert measures.multimodal_leakage(0.2, 0.125) == pytest.approx(0.075)
    assert measures.multimodal_leakage(0.1, 0.125) == 0.0


def test_wording_stability():
    assert measures.wording_stability([0.8, 0.9, 1.0]) == pytest.approx(math.sqrt(0.02 / 3))
    assert math.isnan(measures.wording_stability([0.8]))


def test_yes_no_against_a_worked_example():
    # truths 3 yes, 3 no; said yes 4 times, 2 of them rightly; one answer is neither
    found = measures.yes_no(["yes", "yes", "yes", "no", "no", "no"], ["yes", "yes", "perhaps", "yes", "yes", "no"])
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.precision == pytest.approx(2 / 4)
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3))
    assert found.yes_rate == pytest.approx(4 / 6)
    assert math.isnan(measures.yes_no(["no"], ["no"]).precision)


def test_implicit_alignment_is_the_mean_cosine_of_all_pairs():
    hidden = np.array([[[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [1.0, 1.0]]])
    # pairs (0, 2) 1, (0, 3) √½, (1, 2) 0, (1, 3) √½
    assert measures.implicit_alignment(hidden, [0, 1], [2, 3]) == pytest.approx([(1 + 2 * math.sqrt(0.5)) / 4])
    assert np.isnan(measures.implicit_alignment(hidden, [], [2])).all()


def test_attention_shift_against_worked_examples():
    assert measures.attention_shift([0.5, 0.3, 0.1], [0.1, 0.3, 0.5]) == pytest.approx(2.0)
    assert measures.attention_shift([0.5, 0.3, 0.1], [0.6, 0.4, 0.1]) == pytest.approx(0.0066, abs=1e-4)  # r .9934
    assert math.isnan(measures.attention_shift([0.2, 0.2], [0.1, 0.4]))
    assert math.isnan(measures.attention_shift([0.2], [0.1]))
