"""What nobody told: which senses, what is proposed instead, and that no answer is called wrong for it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from demo import conflicts, perception
from demo.clips import NOTHING
from demo.compare import UNTOLD, Comparison, compare, judge
from demo.conflicts import Conflict
from demo.pages import answers
from demo.questions import BOTH, SOUND, build_options, question
from tests.perceiving import PerceivingModel

SWAP = Conflict(sound="swap", other="rain")


@pytest.mark.parametrize(
    ("seen", "heard", "other_heard", "conflict", "untold"),
    [
        ("cello", "cello", "rain", SWAP, set()),
        (None, "cello", None, Conflict(), {"picture"}),
        (None, None, "rain", SWAP, {"picture"}),
        ("cello", "cello", None, SWAP, {"sound"}),
        ("cello", None, "rain", Conflict(sound="swap", other="rain", swap_from=3), {"sound"}),
        (None, None, None, Conflict(picture="black", sound="silence"), set()),
        (None, None, None, Conflict(noise_db=-20.0), {"picture"}),
        (None, None, None, Conflict(sound="noise"), {"picture"}),
        (NOTHING, NOTHING, None, Conflict(), set()),
    ],
)
def test_a_sense_is_untold_where_there_is_something_that_nobody_named(
    cello, rain, seen, heard, other_heard, conflict, untold
):
    clip, other = replace(cello, seen=seen, heard=heard), replace(rain, heard=other_heard)
    assert conflicts.untold(clip, conflict, other) == untold
    stimulus = conflicts.apply(clip, conflict, other)
    assert NOTHING not in (stimulus.seen, stimulus.heard)


def test_an_answer_is_not_wrong_where_nobody_told_what_is_right(cello):
    see, match = question("see", ("cello", "dog")), question("match")
    half = conflicts.apply(replace(cello, seen=None), Conflict())
    untold = frozenset({"picture"})
    assert judge(see, "dog", half, untold) == judge(match, "yes", half, untold) == UNTOLD
    assert judge(see, "cello", half, untold) == "sound"
    assert judge(see, "none of the above", half, untold) == "abstained"
    assert judge(see, "dog", half) == "other"
    assert answers.FOLLOWED[UNTOLD][2] == "nobody told what is true here"
    assert "nobody told" in answers.given(half, (), untold)
    for untold, said in ((frozenset({"picture"}), "nobody told what is true here"),
                         (frozenset({"sound"}), "not the picture; nobody told what the sound is")):  # fmt: skip
        found = Comparison(half, see, ("base",), {}, {"base": UNTOLD}, 1.0, untold)
        assert said in answers.badge(found, "base")


def test_options_are_built_around_what_was_perceived(cello):
    unlabelled = replace(cello, seen=None, heard=None)
    perceived = perception.perceive(PerceivingModel(), unlabelled)
    untold = conflicts.untold(unlabelled, Conflict())
    around = perception.around(perceived, untold)
    options = build_options(conflicts.apply(unlabelled, Conflict()), also=around)
    assert set(around) <= set(options) and len(options) == 9
    assert perceived["sound"][0][0] in around  # a tone of 440 Hz is nearest to the cello of the tests


def encoded(**senses):
    return SimpleNamespace(perceived=senses)


def test_names_are_plain_and_given_once():
    perceived = {"picture": [("Siamese_cat, Siamese", 0.5), ("siamese cat", 0.3), ("Dog", 0.1)]}
    assert perception.names(perceived, "picture") == [("siamese cat", 0.5), ("dog", 0.1)]
    assert perception.offered(encoded(**perceived)) == {"picture": [("siamese cat", 0.5), ("dog", 0.1)], "sound": []}
    assert perception.of(object()) == {} and perception.offered(object()) == {"picture": [], "sound": []}
    assert perception.names({"picture": [("baluster / handrail", 0.5)]}, "picture") == [("baluster", 0.5)]


def test_what_is_far_less_likely_than_the_best_is_not_offered_unless_the_model_itself_does():
    told = encoded(picture=[("cow", 0.58), ("cart", 0.11), ("person", 0.05)], sound=[("bell", 0.99), ("car", 0.01)])
    offered = perception.offered(told)
    assert offered == {"picture": [("cow", 0.58), ("cart", 0.11)], "sound": [("bell", 0.99)]}
    assert perception.around(offered, frozenset({"picture", "sound"})) == ("cow", "cart", "bell")
    assert len(perception.offered(encoded(sound=[("bell", 0.0), ("car", 0.0)]))["sound"]) == 2
    own = {"picture": [], "sound": [("music", 0.9), ("piano", 0.02)]}
    assert perception.offered(SimpleNamespace(perceived=told.perceived, offered=own)) == own


def test_one_name_for_both_is_not_said_to_have_followed_anybody(cello):
    said = {}
    for name, heard in (("alike", "cello"), ("apart", "rain")):
        stimulus = conflicts.apply(replace(cello, heard=heard), Conflict())
        comparison = list(compare(PerceivingModel(), stimulus, question("free")))[-1]
        both = replace(comparison, followed=dict.fromkeys(comparison.followed, BOTH))
        said[name] = answers.badge(both, "base")
    cow = conflicts.apply(replace(cello, seen="cow", heard="mooing"), Conflict())
    mooing = replace(both, stimulus=cow, question=question("see"), followed=dict.fromkeys(both.followed, SOUND))
    assert answers.AGREED in answers.badge(mooing, "base")
    assert answers.AGREED in said["alike"] and answers.AGREED not in said["apart"]
    assert answers.FOLLOWED[BOTH][2] in said["apart"]
