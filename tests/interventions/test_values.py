"""Values as programs give them: what can't be a value is refused when it is given, and numbers of numpy are numbers."""

import json

import numpy as np
import pytest

from demo.probing import steering
from models.interventions import INTERVENTIONS, Guidance, Heads, Listen, Look, make, to_values
from models.omni import McGurkError

ODD = {
    "number": (True, "2", None, float("nan"), float("inf"), -1.0, 1e9, [1]),
    "choice": ("nonsense", None, 3, ["sound"]),
    "layers": ((1.5, 3.2), (True, 5), (-1, 3), (5, 5), (9, 3), (1, 2, 3), "ab", 5, ("a", "b")),
    "layer": (1.5, "3", True, [1], -2, float("nan")),
    "positions": ((1.5,), "abc", ("a",), (True,), 5, ((1, 2),), (-1,)),
    "heads": ((1, 2), "abc", ((1.5, 2),), ((0,),), ((True, False),), 5, ((-1, 0),)),
}
CONTROLS = [(id, control) for id, method in INTERVENTIONS.items() for control in method.controls()]


@pytest.mark.parametrize(("id", "control"), CONTROLS, ids=lambda it: getattr(it, "name", it))
def test_what_can_be_no_value_is_refused_in_one_sentence(id, control):
    for value in ODD[control.kind]:
        with pytest.raises(McGurkError) as caught:
            make(id, {control.name: value})
        assert "\n" not in str(caught.value)


def test_numbers_of_numpy_go_into_links_and_json():
    it = Look(sound=np.float64(0.25), picture=np.float32(2), layers=(np.int64(1), np.int64(4)))
    plain = Look(sound=0.25, picture=2.0, layers=(1, 4))
    assert steering.to_word(it) == steering.to_word(plain) and steering.from_word(steering.to_word(it)) == plain
    assert json.loads(json.dumps(to_values(it))) == {"sound": 0.25, "picture": 2.0, "layers": [1, 4]}


def test_layers_are_said_by_the_last_one_and_what_changes_nothing_is_not_said():
    assert Listen("sound", 0.5, layers=(3, 12)).says() == "whose tokens sound, what they say × 0.5, in layers 3 to 11"
    assert Look(sound=0.1 + 0.2).says() == "attention on the sound × 0.3, rows all"
    assert Guidance(picture=0.5).says().startswith("away from no picture × 0.5, no means")
    assert Heads("text", 2.0, chosen=((0, 1),)).says().endswith("heads of your own choice ((0, 1),)")
