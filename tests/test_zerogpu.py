"""The ZeroGPU decorator does nothing without the package and passes the estimate on with it."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest

from models import registry, zerogpu
from models.fake import FakeModel
from models.interventions import Look
from models.omni import McGurkError, Stimulus


@pytest.fixture
def asked(monkeypatch) -> list[float]:
    """Seconds of GPU asked for, of a `spaces` package put in place that lends them."""
    seconds = []

    def grant(duration):
        def decorate(function):
            def granted(*arguments):
                seconds.append(duration(*arguments))
                return function(*arguments)

            return granted

        return decorate

    spaces = ModuleType("spaces")
    spaces.__spec__ = ModuleSpec("spaces", None)
    spaces.GPU = grant
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    return seconds


def test_without_the_package_the_function_is_left_as_it_is():
    def answer(question):
        return question

    assert zerogpu.gpu(lambda question: 3.0)(answer) is answer


def test_with_the_package_its_decorator_gets_the_estimate(asked):
    @zerogpu.gpu(lambda tokens: zerogpu.estimate(tokens))
    def answer(tokens):
        return tokens + 1

    assert answer(6000) == 6001
    assert asked == [zerogpu.LOADING + 2 * (1.0 + 24 * zerogpu.SECONDS_A_TOKEN)]


def test_the_estimate_grows_with_the_prompt_up_to_what_is_granted():
    short, long = zerogpu.estimate(1_000), zerogpu.estimate(14_000)
    assert zerogpu.LOADING < short < long < zerogpu.LONGEST
    assert zerogpu.estimate(10**9) == zerogpu.LONGEST


def test_a_borrower_answers_as_the_model_does_and_asks_for_enough_seconds(asked):
    model = registry.load_model("fake")
    assert isinstance(model, zerogpu.Borrower)
    frames = np.zeros((16, 504, 504, 3), np.uint8)
    stimulus = Stimulus(frames, 2.0, np.zeros(128_000, np.float32), seen="cello", heard="rain")
    own = FakeModel().ask(stimulus, "What do you hear?", ("cello", "rain"))
    lent = model.ask(stimulus, "What do you hear?", ("cello", "rain"))
    assert {name: answer.text for name, answer in lent.items()} == {name: answer.text for name, answer in own.items()}
    assert (model.layers, model.heads, model.adapters) == (FakeModel().layers, FakeModel().heads, FakeModel().adapters)
    assert asked == [zerogpu.estimate(zerogpu.prompt_tokens(stimulus, "What do you hear?"), 24, 2)]


def test_a_sweep_is_lent_as_an_answer_is(asked):
    model = registry.load_model("fake")
    stimulus = Stimulus(np.zeros((4, 60, 80, 3), np.uint8), 2.0, None, seen="cello")
    ways = [Look(), Look(picture=0.0)]
    how = stimulus, "What do you see?", ("cello", "none of the above"), ways
    lent = list(model.sweep(*how, adapters=("aligned",)))
    assert lent == list(FakeModel().sweep(*how, adapters=("aligned",))) and len(lent) == 2
    assert lent[0][2]["cello"] > 0.9 > lent[1][2]["cello"]
    assert asked == [zerogpu.estimate(zerogpu.prompt_tokens(stimulus, "What do you see?"), 0, 2)]


def test_what_a_visitor_can_mend_comes_out_of_the_loan_with_its_sentence(asked):
    """ZeroGPU carries values out of its worker; whatever is raised in there becomes a worker error."""
    model = registry.load_model("fake")
    lent = []
    inner = model._lend
    model._lend = lambda *arguments: [lent.append(given) or given for given in inner(*arguments)]
    lender = FakeModel.answer
    try:
        FakeModel.answer = too_long
        with pytest.raises(McGurkError, match="shorten the clip"):
            model.ask(Stimulus(None, 1.0, None), "What do you hear?")
    finally:
        FakeModel.answer = lender
    assert [type(given) for given in lent] == [McGurkError]


def too_long(*arguments, **how):
    raise McGurkError("shorten the clip")
    yield


def test_tokens_are_estimated_from_what_is_shown_played_and_written():
    frames = np.zeros((16, 504, 504, 3), np.uint8)
    assert zerogpu.prompt_tokens(Stimulus(frames, 2.0, None)) == 8 * 18 * 18
    assert zerogpu.prompt_tokens(Stimulus(None, 1.0, np.zeros(16_000, np.float32), text="a" * 40)) == 25 + 10
