"""The conditions: each can be done to a clip, and what counts as true then is what the condition says."""

import pytest

from demo.bench.cases.conditions import CONDITIONS, SETS, Scene, chosen, topical_text
from demo.conflicts import apply
from demo.vocabulary import names_in
from models.omni import McGurkError


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=lambda condition: condition.id)
def test_every_condition_can_be_done_to_a_clip(condition, cello, rain):
    scene = Scene(cello, rain if condition.swaps != "never" else None, "dog", seed=3)
    conflict = condition.conflict(scene)
    stimulus = apply(cello, conflict, scene.other, seed=3)
    assert (conflict.sound == "swap") == (condition.swaps != "never")
    assert condition.title and condition.source and set(condition.asks) <= {"see", "hear", "match"}
    assert stimulus.seen in (None, "cello")


@pytest.mark.parametrize(
    "name, seen, heard, read",
    [
        ("aligned", "cello", "cello", None),
        ("swap", "cello", "rain", None),
        ("swap_25", "cello", "cello", None),
        ("swap_75", "cello", "rain", None),
        ("caption", "cello", "cello", "dog"),
        ("caption_after", "cello", "cello", "dog"),
        ("matching", "cello", "cello", "cello"),
        ("irrelevant", "cello", "cello", None),
        ("onscreen", "cello", "cello", "dog"),
        ("topical", "cello", "cello", None),
        ("long", "cello", "cello", None),
        ("black", None, "cello", None),
        ("no_picture", None, "cello", None),
        ("silence", "cello", None, None),
        ("no_sound", "cello", None, None),
        ("blind", None, None, None),
        ("noise_0", "cello", "cello", None),
        ("picture_told", None, "cello", "cello"),
        ("sound_told", "cello", None, "cello"),
        ("subtitles", "cello", "rain", "rain"),
    ],
)
def test_what_is_true_afterwards(name, seen, heard, read, cello, rain):
    condition = CONDITIONS[name]
    scene = Scene(cello, rain if condition.swaps != "never" else None, "dog", seed=3)
    stimulus = apply(cello, condition.conflict(scene), scene.other, seed=3)
    assert (stimulus.seen, stimulus.heard, stimulus.read) == (seen, heard, read)


def test_long_texts_are_as_long_as_they_say(cello):
    scene = Scene(cello, None, "dog", seed=3)
    characters = len(apply(cello, CONDITIONS["characters"].conflict(scene)).text)
    assert 9_800 <= characters <= 10_000
    assert 2_000 <= len(topical_text(2_000, 1)) <= 2_200
    assert len(names_in(topical_text(2_000, 1))) > 10


def test_chosen_writes_out_sets_in_the_registry_order():
    assert chosen(["swap", "aligned", "swap"]) == ("aligned", "swap")
    assert chosen(["mma", "match"]) == (*SETS["mma"][:3], "black", "no_sound", "characters", "match")
    assert chosen(["all", "avh"]) == tuple(CONDITIONS)


@pytest.mark.parametrize("names", [["upside_down"], []])
def test_unknown_conditions_are_answered_with_the_known_ones(names):
    with pytest.raises(McGurkError, match="aligned, swap"):
        chosen(names)
