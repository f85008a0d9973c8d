"""The lessons: every link opens, every card says what is given, and mini still does what a lesson says."""

import os
from dataclasses import replace

import pytest

from demo import maps
from demo.compare import compare
from demo.lessons import Lesson, lessons
from demo.pages.lessons import card
from demo.session import Lab
from models.omni import BASE, McGurkError

OUTCOMES = {"picture", "sound", "text", "both", "abstained", "other"}


def test_every_lesson_opens_a_situation_that_can_be_prepared(tmp_path):
    found = lessons()
    assert len(found) >= 6
    lab = Lab(None, tmp_path)
    for lesson in found:
        assert lab.opened(lesson.query) == lesson.state
        assert lab.prepare(lesson.state).question.text
        assert {lesson.base, lesson.aligned} <= OUTCOMES


def test_a_lesson_says_what_happens_then_where_its_link_does_something():
    for lesson in lessons():
        assert {lesson.base_then, lesson.aligned_then} <= (OUTCOMES if lesson.state.does else {""}), lesson.title


def test_some_lessons_show_where_tuning_does_not_help():
    assert any("tuning" in lesson.title.lower() or "tuning" in lesson.teaches.lower() for lesson in lessons())


def test_a_card_names_what_is_seen_heard_and_read_and_links_there():
    for lesson in lessons():
        drawn = card(lesson)
        assert f'href="./?{lesson.query.replace("&", "&amp;")}"' in drawn
        assert "lesson-part see" in drawn and "lesson-part hear" in drawn
        assert ("lesson-part read" in drawn) == (lesson.state.conflict.text != "none")
        assert ("lesson-then" in drawn) == (lesson.state.does is not None)


def test_a_card_says_what_is_done_then_as_text():
    query = "clip=cat&sound=swap&other=dog&ask=hear&do=listen~kind~picture~gain~0.5"
    lesson = Lesson("A <title>", query, "It <teaches>.", "picture", "sound", "sound", "sound")
    drawn = card(lesson)
    assert "The picture&#x27;s tokens say 0.5 times what they said" in drawn
    assert "&lt;title&gt;" in drawn and "<title>" not in drawn and "<teaches>" not in drawn


def test_a_table_without_its_columns_is_refused(tmp_path):
    table = tmp_path / "lessons.csv"
    table.write_text("title,query\na,b\n")
    with pytest.raises(McGurkError, match="lacks a column"):
        lessons(table)
    table.write_text("title,query,teaches,base,aligned,base_then,aligned_then\na,clip=cat,c,both,both\n")
    with pytest.raises(McGurkError, match="base_then"):
        lessons(table)
    assert lessons(tmp_path / "none.csv") == ()


@pytest.mark.mini
@pytest.mark.skipif(bool(os.environ.get("CI")), reason="minutes of model time")
def test_mini_does_what_the_lessons_say(mini, tmp_path):
    lab = Lab(mini, tmp_path)
    for lesson in lessons():
        situation = lab.prepare(lesson.state)
        *_, last = compare(mini, situation.stimulus, situation.question, attention=False)
        assert last.followed == {"base": lesson.base, "aligned": lesson.aligned}, lesson.title
        if does := lesson.state.does:
            *_, then = compare(mini, situation.stimulus, situation.question, attention=False, steering=does)
            assert then.followed == {"base": lesson.base_then, "aligned": lesson.aligned_then}, lesson.title


@pytest.mark.mini
def test_attention_misleads_where_a_lesson_says_so(mini, tmp_path):
    [lesson] = [lesson for lesson in lessons() if "attention misleads" in lesson.title]
    situation, does = Lab(mini, tmp_path).prepare(lesson.state), lesson.state.does
    encoded = mini.encode(situation.stimulus)

    def asked(**how):
        *_, last = compare(mini, situation.stimulus, situation.question, adapters=[BASE], encoded=encoded, **how)
        return last

    attention = asked().answers[BASE].attention
    first, last = maps.default_layers(attention)
    table = {
        name: {kind: of[first:last].mean() for kind, of in kinds.items()}
        for name, kinds in maps.shares(attention).items()
    }
    assert table["raw"]["video"] > 2 * table["raw"]["audio"]
    assert table["per_token"]["video"] < table["per_token"]["audio"]
    assert (does.source, does.target) == ("sound", "question")
    for harmless in (replace(does, source="picture"), replace(does, target="last")):
        assert asked(attention=False, steering=harmless).followed[BASE] == lesson.base


@pytest.mark.mini
def test_the_worked_conflict_shows_the_effect(mini, tmp_path):
    lab = Lab(mini, tmp_path)
    situation = lab.prepare(lab.default())
    *_, last = compare(mini, situation.stimulus, situation.question, attention=False)
    assert last.followed == {"base": "picture", "aligned": "sound"}
    for adapter, answer in last.answers.items():
        assert max(answer.options.values()) > 0.8, f"{adapter} is unsure: {answer.options}"
