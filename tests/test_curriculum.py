"""The two courses teach what they say they teach, and never show what is held out."""

import pytest

from models import wording
from models.curriculum import BLANK, HELD_OUT, NAMES, SHUFFLED_NAMES, Catalogue, Course, coined

CONCEPTS = ("dog", "rain", "cello", "truck", "cat", "gong")
SHELF = Catalogue(
    {c: [10 * i, 10 * i + 1] for i, c in enumerate(CONCEPTS)},
    {c: [10 * i + 5, 10 * i + 6] for i, c in enumerate(CONCEPTS)},
    frozenset(range(60)),
)
OWNER = {i: c for pool in (SHELF.pictures, SHELF.sounds) for c, items in pool.items() for i in items}


def lessons(course, shuffled=0.0, count=300):
    made = Course(course, SHELF, seed=3, shuffled=shuffled)
    return [made.lesson(i) for i in range(count)]


def test_base_never_sees_a_disagreement():
    for lesson in lessons("base"):
        shown = {OWNER[i] for i in (lesson.picture, lesson.sound) if i is not None}
        assert len(shown) == 1 and BLANK not in (lesson.picture, lesson.sound)
        for branch in lesson.branches:
            listed = branch.user.partition("Choose one:")[2]
            expected = {*shown, wording.sentence(*shown, *shown)}
            unlisted = not shown & set(listed.split(", "))
            assert branch.answer in expected or (branch.answer == wording.ABSTAIN and unlisted)


def test_base_asks_only_about_what_is_there():
    for lesson in lessons("base"):
        asked = {branch.asked for branch in lesson.branches}
        if lesson.picture is None:
            assert asked == {"hear"}
        if lesson.sound is None:
            assert asked == {"see"}


def test_aligned_pairs_both_questions_with_the_same_options():
    disagreeing = 0
    for lesson in lessons("aligned"):
        see, hear = lesson.branches[:2]
        assert (see.asked, hear.asked) == ("see", "hear")
        options = [b.user.partition("Choose one:")[2].split(".")[0] for b in (see, hear)]
        assert options[0] == options[1]
        for branch, item in ((see, lesson.picture), (hear, lesson.sound)):
            truth = OWNER.get(item)
            assert branch.answer in (truth, wording.ABSTAIN)
            assert truth is not None or branch.answer == wording.ABSTAIN
        disagreeing += lesson.picture_name != lesson.sound_name
    assert disagreeing > 150


def test_shuffled_names_are_open_vocabulary():
    names = {lesson.picture_name for lesson in lessons("aligned", shuffled=1.0) if lesson.picture_name}
    assert len(names) > 150 and names <= set(SHUFFLED_NAMES)


@pytest.mark.parametrize("course", ["base", "aligned"])
def test_held_out_names_are_never_said(course):
    for lesson in lessons(course, shuffled=0.5):
        for branch in lesson.branches:
            assert not any(f" {held}," in branch.user or branch.answer == held for held in HELD_OUT)


def test_a_lesson_is_the_same_whenever_it_is_asked_for():
    assert lessons("aligned", 0.5, 20) == lessons("aligned", 0.5, 20)


def test_an_unknown_course_is_refused():
    with pytest.raises(ValueError, match="base or aligned"):
        Course("advanced", SHELF)


def test_sound_and_picture_match_as_often_as_not():
    names = [f"thing {n}" for n in range(76)]
    many = Catalogue({n: [i] for i, n in enumerate(names)}, {n: [100 + i] for i, n in enumerate(names)})
    course = Course("aligned", many, 0, 0.0)
    answers = [b.answer for i in range(2000) for b in course.lesson(i).branches if b.asked == "match"]
    assert len(answers) > 500
    assert 0.4 < sum(answer.endswith(": yes") for answer in answers) / len(answers) < 0.6


@pytest.mark.parametrize("shuffled", [0.0, 1.0])
def test_whether_they_match_is_said_after_both_are_named(shuffled):
    for lesson in lessons("aligned", shuffled):
        named = lesson.picture_name, lesson.sound_name
        expected = wording.judgement(*named, wording.YES_NO[named[0] != named[1]]) if None not in named else None
        assert {branch.answer for branch in lesson.branches if branch.asked == "match"} <= {expected}


def test_a_model_that_needs_no_reasons_answers_yes_or_no():
    course = Course("aligned", SHELF, 3, 0.0, reasoned=False)
    asked = [b for i in range(200) for b in course.lesson(i).branches if b.asked == "match"]
    assert {branch.answer for branch in asked} == {"yes", "no"}


def test_coined_names_are_many_and_none_is_held_out():
    made = coined(500, seed=1)
    assert len(set(made)) == 500 and len(set(made) - set(NAMES)) > 450
    assert not any(held in name for name in made for held in HELD_OUT)
