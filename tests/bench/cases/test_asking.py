"""One case: what is offered, what is right, what is kept of the attention."""

from dataclasses import replace

import numpy as np
import pytest

from demo.bench.cases import alone, asking
from demo.bench.cases.material import open_material
from demo.bench.cases.sampling import cases
from demo.questions import question
from models.fake import FakeModel
from models.omni import Kind, Stimulus


def stimulus(seen="cello", heard="rain", read=None) -> Stimulus:
    return Stimulus(None, 1.0, None, seen=seen, heard=heard, read=read)


OPTIONS = ("cello", "rain", "dog", "none of the above")


@pytest.mark.parametrize(
    "kind, said, truth, right",
    [
        ("see", "cello", "cello", True),
        ("see", "A cello.", "cello", True),
        ("see", "rain", "cello", False),
        ("hear", "rain", "rain", True),
        ("hear", "it is raining", "rain", True),
        ("hear", "cello", "rain", False),
        ("hear", "rain and a cello", "rain", False),
        ("hear", "I see a cello, but I hear rain.", "rain", True),
        ("hear", "none of the above", "rain", False),
    ],
)
def test_an_answer_is_right_if_it_names_the_truth_alone(kind, said, truth, right):
    assert asking.is_right(question(kind, OPTIONS), said, stimulus(), truth) is right


def test_abstaining_is_right_where_nothing_is_there():
    silent = stimulus(heard=None)
    asked = question("hear", OPTIONS)
    assert asking.is_right(asked, "none of the above", silent, "none of the above")
    assert not asking.is_right(asked, "cello", silent, "none of the above")


def test_a_description_that_stands_in_for_the_picture_is_right():
    told = stimulus(seen=None, heard="cello", read="cello")
    judged = replace(told, seen="cello")
    assert asking.is_right(question("see", OPTIONS), "cello", judged, "cello")


def test_match_is_right_when_it_says_whether_they_agree():
    asked = question("match")
    assert asking.is_right(asked, "no", stimulus(), "no")
    assert not asking.is_right(asked, "yes", stimulus(), "no")
    assert asking.is_right(asked, "Yes.", stimulus(heard="cello"), "yes")
    assert asking.is_right(asked, "I see a dog and I hear rain: no", stimulus(), "no")
    assert not asking.is_right(asked, "I see a dog and I hear a dog: yes", stimulus(), "no")


def test_an_encoder_alone_chooses_the_option_of_its_best_class_that_belongs_to_one():
    classes = {"dog": frozenset({"beagle"})}
    assert alone.recognised([("tench", 0.9), ("beagle", 0.1)], OPTIONS, classes) == "dog"
    assert alone.recognised([("Raindrop", 0.9), ("Rain", 0.5)], OPTIONS, {}) == "rain"
    assert alone.recognised([("tench", 0.9)], OPTIONS, classes) is None
    assert alone.recognised([], OPTIONS, classes) is None


def test_packed_arrays_come_back():
    numbers = np.linspace(0, 1, 24).reshape(2, 3, 4)
    assert asking.unpacked(asking.packed(numbers), (2, 3, 4)) == pytest.approx(numbers, abs=1e-3)


@pytest.fixture
def posed(labelled):
    """posed("swap", "hear") is the first case of that condition and question."""
    material = open_material(labelled)

    def make(condition: str, ask: str = "hear"):
        case = next(c for c in cases(material, (condition,), 8) if c.ask == ask)
        return asking.pose(case, material, 8, {})

    return make


@pytest.mark.parametrize(
    "condition", ["aligned", "swap", "swap_25", "caption", "onscreen", "blind", "picture_told", "black"]
)
def test_options_hold_every_claim_and_the_truth_at_an_unbiased_place(condition, posed):
    found = posed(condition)
    options = found.question.options
    claims = {found.stimulus.seen, found.stimulus.heard, found.stimulus.read, found.truth}
    claims |= {found.case.other.label} if found.case.other else set()
    assert claims - {None} <= set(options)
    assert len(options) == 9 and options[-1] == "none of the above"


def test_the_same_stimulus_is_made_once_for_both_questions(labelled):
    material, made = open_material(labelled), {}
    pair = [asking.pose(case, material, 8, made) for case in cases(material, ("swap",), 2)]
    assert pair[0].stimulus is pair[1].stimulus
    assert pair[0].question.options == pair[1].question.options


class Inside(FakeModel):
    """A fake model that records what it was given and shows hidden states."""

    def __init__(self):
        super().__init__()
        self.steered = []

    def answer(self, encoded, question, options=(), **how):
        self.steered.append(how.get("steering"))
        yield from super().answer(encoded, question, options, **how)

    def hidden_states(self, encoded, question, adapter):
        tokens = next(iter(self.answer(encoded, question)))[1].attention.tokens
        return np.ones((2, len(tokens), 4)), tokens


def sampled(posed, model) -> dict:
    return asking.ask(posed, model.encode(posed.stimulus), model, model.adapters, attention=True, classes={})


def test_hidden_tokens_are_a_share_of_their_kind(posed):
    model, found = Inside(), posed("drop_video_25")
    sample = sampled(found, model)
    assert sample["hidden_tokens"] == 98  # a quarter of 8 x 49
    blocked = model.steered[1].region
    tokens = next(iter(FakeModel().answer(found.stimulus, found.question.prompt)))[1].attention.tokens
    assert {tokens.kinds[position] for position in blocked} == {Kind.VIDEO}
    assert sampled(found, Inside())["hidden_tokens"] == 98


def test_hidden_states_are_used_where_a_model_shows_them(posed):
    assert sampled(posed("swap"), Inside())["answers"]["base"]["alignment"] == pytest.approx([1.0, 1.0])
    assert "alignment" not in sampled(posed("swap"), FakeModel())["answers"]["base"]


def test_attention_is_kept_by_kind_layer_and_head(posed):
    answer = sampled(posed("swap"), FakeModel())["answers"]["aligned"]
    assert len(answer["layers"]["video"]) == 6
    heads = asking.unpacked(answer["heads"], answer["heads_shape"])
    assert heads.shape == (6, 3, 2)
    assert 0 < heads[..., 0].mean() < 1


def test_without_attention_nothing_of_it_is_kept(posed):
    found, model = posed("swap"), FakeModel()
    sample = asking.ask(found, found.stimulus, model, model.adapters, attention=False, classes={})
    assert "shares" not in sample["answers"]["base"] and sample["answers"]["base"]["text"]
