"""Answers under an intervention, kept beside the plain ones and written into files; the model is the fake one."""

import csv
import io
import json
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from demo.conflicts import Conflict
from demo.draw import charts
from demo.pages import workshop_markup
from demo.pages.workshop import Workshop
from demo.probing import sweeps, tellings, workshop
from demo.session import Lab
from demo.visitors import exports
from demo.visitors.state import State
from models.fake import FakeModel
from models.interventions import (
    INTERVENTIONS,
    Closer,
    Counterfactual,
    Cut,
    Exit,
    Guidance,
    Heads,
    Listen,
    Look,
    Sinks,
)
from models.omni import ALIGNED, BASE, McGurkError

pytestmark = pytest.mark.usefixtures("stand_ins")
SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")


@pytest.fixture
def lab(tmp_path):
    lab = Lab(FakeModel(), tmp_path)
    [*_] = lab.ask("me", SWAP)
    return lab


def steered(lab, it):
    *_, asked = workshop.steer(lab, "me", it)
    return asked


def test_answers_before_and_under_it_are_kept_together(lab):
    asked = steered(lab, Listen("sound", 0.0))
    it, under = asked.changed
    assert it == Listen("sound", 0.0) and asked.comparison.answers[ALIGNED].text == "cat"
    assert under.answers[ALIGNED].text == "none of the above" and under.answers[BASE].text == "dog"
    assert lab.last("me").changed is asked.changed
    before, after, passes = workshop.cost(asked)
    assert before > 0 and after > 0 and passes == 0


def test_a_new_question_forgets_what_was_done(lab):
    steered(lab, Exit("picture", -1))
    [*_] = lab.ask("me", SWAP)
    assert lab.last("me").changed is None


def test_what_can_not_be_tried(lab):
    with pytest.raises(McGurkError, match="move a control"):
        steered(lab, Listen())
    with pytest.raises(McGurkError, match="ask first"):
        next(workshop.steer(lab, "somebody else", Look(sound=0.0)))
    with pytest.raises(McGurkError, match="no intervention"):
        workshop.usual("magic", None, 6)


def test_the_usual_is_about_the_question(lab):
    question = lab.last("me").comparison.question
    assert workshop.usual("look", question, 6) == Look(sound=4.0)
    assert workshop.usual("exit", None, 6) == Exit("sound", 2)
    assert all(workshop.usual(id, question, 6) for id in INTERVENTIONS)


def test_files_carry_it(lab):
    plain = list(csv.DictReader(io.StringIO(exports.to_csv_text(lab.last("me")))))
    assert {row["intervention"] for row in plain} == {""} and "intervention" not in json.loads(
        exports.to_json_text(lab.last("me"))
    )
    asked = steered(lab, Look(picture=0.0))
    rows = list(csv.DictReader(io.StringIO(exports.to_csv_text(asked))))
    changed = [row for row in rows if row["intervention"] == "look~picture~0"]
    assert {row["answer"] for row in changed if row["adapter"] == BASE} == {"cat"}
    assert len(rows) == len(plain) + len(changed)
    written = json.loads(exports.to_json_text(asked))["intervention"]
    assert written["values"] == {"picture": 0.0} and written["base"]["answer"] == "cat"
    assert written["base"]["receipt"]["intervention"]["id"] == "look"


@pytest.mark.parametrize("id", INTERVENTIONS)
def test_every_method_has_a_form(id):
    it = INTERVENTIONS[id].usual("sound", 30)
    form = workshop_markup.form(it, 30, {"sound": [0.1] * 30})
    for control in it.controls():
        assert f'data-name="{control.name}"' in form or f'data-layers="{control.name}"' in form
    assert it.fails.split(":")[0][:20] in form.replace("&#x27;", "'") or "&" in it.fails
    assert workshop_markup.MAIN[id] and set(workshop_markup.MAIN[id]) <= {c.name for c in it.controls()}


def test_a_form_speaks_in_words_and_keeps_the_names_of_a_link():
    form = workshop_markup.form(Cut("picture", "last"), 30)
    assert '<option value="last" selected>the answer</option>' in form
    form = workshop_markup.form(Guidance(sound=1.0, stand_in="blank"), 30)
    assert 'value="blank" checked>black or silent<' in form and "away from its answer without the sound ×" in form
    for id, words in tellings.WORDS.items():
        controls = INTERVENTIONS[id]().controls()
        assert set(words) <= {c.label for c in controls} | {one for c in controls for one in c.choices}


def test_a_form_holds_what_is_chosen_elsewhere():
    form = workshop_markup.form(Cut("region", region=(4, 5, 6, 9), layers=(2, 5)), 30)
    assert 'data-name="region" value="4-6.9"' in form and "<output>2 to 4</output>" in form
    assert 'value="3h1.4h0"' in workshop_markup.form(Heads(strength=0.0, chosen=((3, 1), (4, 0))), 30)


def test_the_answers_are_shown_with_ghosts(lab):
    html = workshop_markup.changed(steered(lab, Look(sound=0.0)))
    assert html.count('<section class="answer"') == 2 and html.count("<s ") == 18
    assert "Nobody looks at the sound." in html and "without it: cat" in html


def test_a_slow_model_is_asked_at_once_by_what_was_picked_alone(lab):
    lab.model().name = "slow"
    with gr.Blocks():
        page = Workshop(lab)
    visitor = SimpleNamespace(session_hash="me")
    *_, (_, drawn) = page.insisted("1 pick~patch~0.0~text~hear", visitor)
    assert "row 1, column 1 in all frames and the word “hear” of the question" in drawn
    drawn = lab.last("me").changed
    for other in ("2 look~sound~0", "3 pick~patch~99.0", "4 pick~text~hear~of"):
        assert list(page.insisted(other, visitor)) == []  # nothing changes
    assert lab.last("me").changed is drawn


def test_what_a_method_says_of_one_answer_is_said_of_that_one(lab):
    def shown(**notes: str) -> str:
        asked = steered(lab, Look(sound=0.0))
        it, under = asked.changed
        answers = {}
        for name, answer in under.answers.items():
            done = answer.receipt.intervention | {"notes": [notes[name]] if name in notes else []}
            answers[name] = replace(answer, receipt=replace(answer.receipt, intervention=done))
        return workshop_markup.changed(replace(asked, changed=(it, replace(under, answers=answers))))

    assert "Before tuning: From 0 s. After alignment tuning: From 1 s." in shown(base="From 0 s.", aligned="From 1 s.")
    assert shown(base="Of both.", aligned="Of both.").count("Of both.") == 1
    assert "After alignment tuning: Alone." in shown(aligned="Alone.")


def test_the_axis_that_one_would_try_is_what_is_set():
    assert sweeps.usual(Look(sound=4.0)) == "sound" and sweeps.usual(Look()) == "picture"
    assert sweeps.usual(Guidance(sound=1.0, picture=0.0)) == "sound" and sweeps.usual(Cut()) == "layers"
    assert sweeps.usual(Closer("sound")) is None


def test_a_curve_is_of_what_is_done_wherever_that_stands_on_it(lab):
    *_, curve = sweeps.sweep(lab, "me", Look(picture=0.5, sound=2.0), "sound")
    assert sweeps.holds(curve, Look(picture=0.5, sound=8.0))
    for other in (Look(picture=1.0, sound=2.0), Look(picture=0.5, sound=2.0, layers=(0, 2)), Exit("sound", 2)):
        assert not sweeps.holds(curve, other)


def test_where_there_is_no_axis_it_says_so(lab):
    with gr.Blocks():
        page = Workshop(lab)
    ((said, _),) = page.follow("closer~what~sound", None, SimpleNamespace(session_hash="me"))
    assert "nothing in “Look again, closer”" in said and "choose another" in said


def test_a_curve_grows_and_is_kept(lab):
    curves = list(sweeps.sweep(lab, "me", Exit("sound", 2), "after"))
    assert [curve.done for curve in curves] == list(range(1, 15)) and curves[-1].total == 14
    last = curves[-1]
    assert last.xs == (-1, 0, 1, 2, 3, 4, 5) and lab.last("me").curve is last
    heard = [point["cat"] for point in last.points[ALIGNED]]
    assert heard[0] < heard[1] == heard[-1] == last.plain[ALIGNED]["cat"]
    assert json.loads(exports.to_json_text(lab.last("me")))["curve"]["x"] == [-1, 0, 1, 2, 3, 4, 5]


def test_a_curve_that_was_stopped_stays_in_the_files_and_says_so(lab):
    going = sweeps.sweep(lab, "me", Exit("sound", 2), "after")
    for _ in range(3):
        next(going)
    going.close()
    assert lab.last("me").curve.done == 3
    written = json.loads(exports.to_json_text(lab.last("me")))["curve"]
    assert written["stopped"] and [bool(point) for point in written["points"][BASE]] == 3 * [True] + 4 * [False]
    lines = list(csv.DictReader(io.StringIO(exports.to_csv_text(lab.last("me")))))
    points = [line for line in lines if line["quantity"] == "option probability on a curve, stopped"]
    options = lab.last("me").comparison.question.options
    assert [(line["intervention"], line["name"]) for line in points] == [
        (f"exit~kind~sound~after~{after}", option) for after in (-1, 0, 1) for option in options
    ]
    assert sum(float(line["value"]) for line in points) == pytest.approx(3, abs=1e-4)
    [*_] = sweeps.sweep(lab, "me", Exit("sound", 2), "after")
    text = exports.to_csv_text(lab.last("me"))
    assert text.count("on a curve,") == 2 * 7 * len(options) and ", stopped" not in text
    assert not json.loads(exports.to_json_text(lab.last("me")))["curve"]["stopped"]


def test_a_curve_of_an_earlier_question_is_not_kept_with_the_next(lab):
    going = sweeps.sweep(lab, "me", Exit("sound", 2), "after")
    next(going)
    [*_] = lab.ask("me", State(clip="dog", question="see"))
    next(going)
    assert lab.last("me").curve is None


def test_curves_along_what_a_method_has():
    assert set(sweeps.axes(Listen("sound", 0.5))) == {"gain", "layers"} and sweeps.axes(INTERVENTIONS["closer"]()) == {}
    points = sweeps.along(Cut("sound", "last"), "layers", 12)
    assert [it.layers for _, it in points] == [(max(0, at - 4), min(12, at + 5)) for at in range(12)]
    assert [x for x, _ in sweeps.along(Listen("sound"), "gain", 12)] == [0, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4]
    assert [it.sound for _, it in sweeps.along(Look(), "sound", 12)][-1] == 8.0
    with pytest.raises(McGurkError, match="not along 'source'"):
        sweeps.along(Cut(), "source", 12)
    assert "layers" not in sweeps.axes(Heads(strength=0.0, chosen=((3, 1),)))  # they lie in one layer each
    for flat, axis in ((Counterfactual(), "gamma"), (Sinks("sound"), "least")):  # the same answer at every point
        with pytest.raises(McGurkError, match="Nothing is changed yet"):
            sweeps.along(flat, axis, 12)
    with pytest.raises(McGurkError, match="move a control"):
        sweeps.along(Look(), "layers", 12)
    for id, method in INTERVENTIONS.items():
        for axis in sweeps.axes(method()):
            assert len(sweeps.along(method.usual("sound", 30), axis, 30)) >= 8, (id, axis)


def test_a_curve_is_drawn_with_what_is_true(lab):
    *_, curve = sweeps.sweep(lab, "me", Look(sound=2.0), "sound")
    roles = sweeps.told(lab.last("me").comparison)
    assert roles == {"dog": "seen", "cat": "heard", "none of the above": "abstains"}
    lines = {name: {o: [p and p[o] for p in points] for o in roles} for name, points in curve.points.items()}
    figure = charts.curve(curve.xs, lines, curve.plain, roles, curve.label)
    drawn = [trace for trace in figure["data"] if trace["mode"] == "lines+markers"]
    assert len(drawn) == 6 and {trace["line"]["dash"] for trace in drawn} == {"dot", "solid"}
    assert drawn[0]["x"] == list(curve.xs)


def test_a_curve_needs_options(lab):
    [*_] = lab.ask("me", State(clip="dog", question="see", answers="free"))
    with pytest.raises(McGurkError, match="from a list"):
        next(sweeps.sweep(lab, "me", Look(sound=2.0), "sound"))
