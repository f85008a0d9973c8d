"""What is asked: balanced, seeded, fair, and the same whatever else is asked."""

import itertools
from collections import Counter

import pytest

from demo.bench.cases.material import open_material
from demo.bench.cases.sampling import cases
from demo.vocabulary import confusable
from models.omni import McGurkError


@pytest.fixture
def material(labelled):
    return open_material(labelled)


def test_questions_are_shared_evenly_by_sense_and_label(material):
    planned = cases(material, ("aligned", "swap"), 24)
    assert Counter((case.condition, case.ask) for case in planned) == {
        (condition, ask): 12 for condition in ("aligned", "swap") for ask in ("see", "hear")
    }
    swapped = [case for case in planned if (case.condition, case.ask) == ("swap", "hear")]
    assert set(Counter(case.item.label for case in swapped).values()) == {2}
    assert set(Counter(case.other.label for case in swapped).values()) == {2}


def test_an_odd_number_of_questions_is_asked_exactly(material):
    assert Counter(case.ask for case in cases(material, ("aligned",), 5)) == {"see": 3, "hear": 2}


def test_the_two_clips_of_a_swap_differ_in_label_and_recording(material):
    for case in cases(material, ("swap",), 60, seed=4):
        assert case.item.recording != case.other.recording
        assert not confusable(case.item.label, case.other.label)
        assert not confusable(case.claim, case.item.label) and not confusable(case.claim, case.other.label)


def test_conditions_share_clips_and_do_not_change_each_other(material):
    alone = cases(material, ("swap",), 20, seed=2)
    among = cases(material, ("aligned", "swap", "caption"), 30, seed=2)
    assert alone == [case for case in among if case.condition == "swap"][:20]
    by_index = {case.index: case.item for case in among}
    assert all(case.item == by_index[case.index] for case in among)


def test_the_seed_changes_what_is_asked(material):
    assert cases(material, ("aligned",), 12, seed=1) == cases(material, ("aligned",), 12, seed=1)
    assert cases(material, ("aligned",), 12, seed=1) != cases(material, ("aligned",), 12, seed=2)


def test_half_of_the_match_questions_have_a_swapped_sound(material):
    planned = cases(material, ("match",), 12)
    assert Counter(case.other is None for case in planned) == {True: 6, False: 6}


def test_one_label_alone_has_no_swaps_and_says_so(material):
    others = [label for label in material.labels if label != "dog"]
    planned = cases(material, ("aligned", "swap"), 4, held_out=others)
    assert {case.condition for case in planned} == {"aligned"}
    assert "second label" in material.skipped[-1][1]
    with pytest.raises(McGurkError, match="Nothing is left"):
        cases(material, ("swap",), 4, held_out=others)


def test_keys_are_unique(material):
    planned = cases(material, ("aligned", "swap", "match"), 30, held_out=("dog", "rain"), held_out_questions=8)
    assert len({case.key for case in planned}) == len(planned)


def test_a_run_that_is_stopped_has_come_as_far_with_the_held_out_concepts_as_with_the_others(material):
    first, *_, last = material.labels
    planned = cases(material, ("aligned", "swap"), 40, held_out=(first, last), held_out_questions=10)
    half = Counter(case.pool for case in planned[: len(planned) // 2])
    assert half["trained"] == pytest.approx(40, abs=4) and half["held out"] == pytest.approx(10, abs=4)
    clips = [(case.pool, case.index) for case in planned]
    assert len(set(clips)) == 1 + sum(now != before for before, now in itertools.pairwise(clips))
