"""Bias or deafness: what the encoder had beside what was said."""

from dataclasses import replace

import numpy as np
import pytest

from demo import questions
from demo.compare import compare
from demo.pages import answers
from demo.probing.heeding import heeded
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, Stimulus

OPTIONS = ("rain", "train", "cello", "none of the above")


def asked(seen="cello", heard="rain", kind="hear", options=OPTIONS, perceived=None):
    stimulus = Stimulus(np.zeros((2, 8, 8, 3), np.uint8), 2.0, np.ones(16_000, np.float32) / 9, seen=seen, heard=heard)
    *_, comparison = compare(FakeModel(), stimulus, questions.question(kind, options))
    if perceived is not None:
        told = {name: replace(answer, perceived=perceived) for name, answer in comparison.answers.items()}
        comparison = replace(comparison, answers=told)
    return comparison


@pytest.mark.parametrize(
    ("named", "perceived", "said"),
    [
        ("Rain", True, "heard it, but said otherwise"),
        ("Raindrop", True, "heard it, but said otherwise"),
        ("Train", False, "never heard it"),
        ("Silence", False, "never heard it"),
    ],
)
def test_bias_and_deafness(named, perceived, said):
    comparison = asked(perceived={"sound": [(named, 0.9), ("Wind", 0.1)]})
    base = heeded(comparison, BASE)
    assert (base.sense, base.perceived, base.right) == ("sound", perceived, False)
    assert said in answers.heard_it(comparison, BASE) and said in answers.answer_card(BASE, comparison)
    aligned = heeded(comparison, ALIGNED)
    assert (aligned.perceived, aligned.right) == (perceived, True)
    luck = "and said so" if perceived else "right, though its ears heard something else"
    assert luck in answers.heard_it(comparison, ALIGNED)


def test_without_options_the_best_class_counts():
    assert heeded(asked(options=(), perceived={"sound": [("Rain on surface", 0.5)]}), BASE).perceived
    assert not heeded(asked(options=(), perceived={"sound": [("Wind", 0.5), ("Rain", 0.4)]}), BASE).perceived


def test_names_never_become_markup():
    html = answers.heard_it(asked(perceived={"sound": [('<b "x">', 0.9)]}), BASE)
    assert "<b" not in html and '"x"' not in html


def test_where_nothing_can_be_said():
    assert heeded(asked(kind="match", options=()), BASE) is None
    assert heeded(asked(perceived={"sound": []}), BASE) is None
    assert heeded(replace(asked(), untold=frozenset({"sound"})), BASE) is None
    assert heeded(asked(heard=None), BASE) is None
    assert answers.heard_it(asked(kind="match", options=()), BASE) == ""
