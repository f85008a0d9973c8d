"""The two courses teach what they say they teach, and never show what is held out."""

import numpy as np
import pytest

from models import wording
from models.everyday import normal
from models.teaching.curriculum import Course
from models.teaching.lesson import BLANK, Catalogue
from models.teaching.naming import HELD_OUT, NAMES, SHUFFLED_NAMES, coined, everyday, is_said, kin, names_of

CONCEPTS = ("dog", "rain", "cello", "truck", "cat", "gong")
SHELF = Catalogue(
    {c: [10 * i, 10 * i + 1] for i, c in enumerate(CONCEPTS)},
    {c: [10 * i + 5, 10 * i + 6] for i, c in enumerate(CONCEPTS)},
    frozenset(range(60)),
)
OWNER = {i: c for pool in (SHELF.pictures, SHELF.sounds) for c, items in pool.items() for i in items}


def lessons(course, shuffled=0.0, count=300):
    made = Course(course, SHELF, seed=3, shuffled=shuffled, everyday=0.0)
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
    words = {lesson.picture_word for lesson in lessons("aligned", shuffled=1.0) if lesson.picture_word}
    assert len(words) > 150 and words <= set(SHUFFLED_NAMES)


def test_with_shuffled_names_an_answer_may_be_another_way_to_say_the_name():
    pairs = [(lesson.sound_word, lesson.sound_name) for lesson in lessons("aligned", 1.0) if lesson.sound_word]
    other = [(word, name) for word, name in pairs if word != name]
    assert len(pairs) / 8 < len(other) < len(pairs) / 2
    assert all(word in NAMES and not any(held in name for held in HELD_OUT) for word, name in other)


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
    course = Course("aligned", many, 0, 0.0, everyday=0.0)
    answers = [b.answer for i in range(2000) for b in course.lesson(i).branches if b.asked == "match"]
    assert len(answers) > 500
    assert 0.4 < sum(answer.endswith(": yes") for answer in answers) / len(answers) < 0.6


@pytest.mark.parametrize("shuffled", [0.0, 1.0])
def test_whether_they_match_is_said_after_both_are_named(shuffled):
    for lesson in lessons("aligned", shuffled):
        named = lesson.picture_name, lesson.sound_name
        same = lesson.picture_name == lesson.sound_name
        expected = wording.judgement(*named, wording.YES_NO[not same]) if None not in named else None
        assert {branch.answer for branch in lesson.branches if branch.asked == "match"} <= {expected}


def test_a_model_that_needs_no_reasons_answers_yes_or_no():
    course = Course("aligned", SHELF, 3, 0.0, reasoned=False)
    asked = [b for i in range(200) for b in course.lesson(i).branches if b.asked == "match"]
    assert {branch.answer for branch in asked} == {"yes", "no"}


def test_coined_names_are_many_and_none_is_held_out():
    made = coined(500, seed=1)
    assert len(set(made)) == 500 and len(set(made) - set(NAMES)) > 450
    assert not any(held in name for name in made for held in HELD_OUT)


CAPTIONS = (
    "A man is riding a brown horse on the beach. | A cowboy rides a horse by the sea. | A man on a horse.",
    "Two girls sing on a stage. | Girls singing. | A choir.",
    "A red bus in a street. | A bus.",
)
PHOTOGRAPHS = Catalogue(
    SHELF.pictures, SHELF.sounds, SHELF.clear, {}, {100 + i: names_of(text) for i, text in enumerate(CAPTIONS)}
)


def test_a_captioned_photograph_is_called_what_most_captions_say():
    names, said = names_of(CAPTIONS[0])
    assert names[0] in ("man", "horse") and {"man", "horse", "riding", "man riding horse"} <= set(names)
    assert is_said("animal", said) and is_said("horses", said) and not is_said("violin", said)


def test_a_phrase_that_is_partly_true_is_wrong():
    _, said = names_of(CAPTIONS[0])
    assert not is_said("man playing guitar", said)
    assert is_said("man riding horse", said) and is_said("woman riding horse", said)
    assert is_said("man singing", said), "captions leave out much of what people do"


def test_a_photograph_is_called_by_its_thing_rather_than_by_whom_it_shows():
    course = Course("base", Catalogue({}, {}, frozenset(), {}, {0: names_of(CAPTIONS[0])}), 3, 0.0)
    assert course._cast.photograph(np.random.default_rng(0)).main == "horse"


def test_a_captioned_photograph_may_have_the_sound_of_what_it_shows():
    shown = {100: names_of("A dog on a beach. | A brown dog runs."), 101: names_of("A truck. | A red truck in mud.")}
    catalogue = Catalogue(SHELF.pictures, SHELF.sounds, SHELF.clear, {}, shown)
    for name in ("base", "aligned"):
        agreeing = 0
        for lesson in map(Course(name, catalogue, 3, 0.0, everyday=0.0).lesson, range(400)):
            if lesson.picture in shown and lesson.sound in OWNER and lesson.sound_name == lesson.picture_name:
                assert OWNER[lesson.sound] == lesson.picture_name and lesson.picture_name in shown[lesson.picture][0]
                agreeing += 1
        assert agreeing > 20


def test_base_hears_nothing_beside_a_photograph_that_has_no_sound():
    course = Course("base", PHOTOGRAPHS, 3, 0.0)
    shown = [lesson for lesson in map(course.lesson, range(300)) if lesson.picture and lesson.picture >= 100]
    assert len(shown) > 30 and all(lesson.sound is None for lesson in shown)


def test_no_option_but_the_answer_is_true_of_a_photograph():
    course = Course("aligned", PHOTOGRAPHS, 3, 0.0)
    checked = 0
    for lesson in map(course.lesson, range(400)):
        if lesson.picture is None or lesson.picture < 100:
            continue
        said = PHOTOGRAPHS.captioned[lesson.picture][1]
        assert lesson.sound_name is None or not is_said(lesson.sound_name, said)
        for branch in lesson.branches[:1]:
            options = branch.user.partition("Choose one: ")[2].split(".")[0].split(", ")
            told = branch.user.partition("Choose one:")[0]
            others = [o for o in options if o not in (lesson.picture_name, wording.ABSTAIN) and o not in told]
            assert not any(is_said(other, said) for other in others)
            checked += len(others)
    assert checked > 100


def test_everyday_words_mean_the_thing():
    rng = np.random.default_rng(0)
    said = {everyday("dog", rng) for _ in range(60)}
    assert {"dogs", "animal"} & said and all(normal(word) in kin("dog") for word in said)
    assert not any(held in everyday(name, rng) for name in NAMES for held in HELD_OUT)
