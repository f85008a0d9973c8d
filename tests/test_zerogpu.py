"""The ZeroGPU decorator does nothing without the package and passes the estimate on with it."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from models import zerogpu


def test_without_the_package_the_function_is_left_as_it_is():
    def answer(question):
        return question

    assert zerogpu.gpu(lambda question: 3.0)(answer) is answer


def test_with_the_package_its_decorator_gets_the_estimate(monkeypatch):
    spaces = ModuleType("spaces")
    spaces.__spec__ = ModuleSpec("spaces", None)
    asked = []

    def grant(duration):
        def decorate(function):
            def granted(*arguments):
                asked.append(duration(*arguments))
                return function(*arguments)

            return granted

        return decorate

    spaces.GPU = grant
    monkeypatch.setitem(sys.modules, "spaces", spaces)

    @zerogpu.gpu(lambda tokens: zerogpu.estimate(tokens))
    def answer(tokens):
        return tokens + 1

    assert answer(6000) == 6001
    assert asked == [zerogpu.LOADING + 2 * (1.0 + 24 * zerogpu.SECONDS_A_TOKEN)]


def test_the_estimate_grows_with_the_prompt_up_to_what_is_granted():
    short, long = zerogpu.estimate(1_000), zerogpu.estimate(14_000)
    assert zerogpu.LOADING < short < long < zerogpu.LONGEST
    assert zerogpu.estimate(10**9) == zerogpu.LONGEST
