"""Interventions as words: what is written is read back, and what was not written here is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.probing import steering, tellings
from demo.visitors.state import State, from_query, to_query
from models.interventions import INTERVENTIONS, Composite, Cut, Exit, Guidance, Heads, Listen, Look, make
from models.omni import McGurkError


@st.composite
def an_intervention(draw):
    id = draw(st.sampled_from([*INTERVENTIONS]))
    kinds = {
        "number": lambda c: st.floats(c.low, c.high) | st.sampled_from((c.low, c.high)),
        "choice": lambda c: st.sampled_from(c.choices),
        "layers": lambda c: st.none() | st.tuples(st.integers(0, 60), st.integers(61, 127)),
        "layer": lambda c: st.none() | st.integers(-1, 127),
        "positions": lambda c: st.frozensets(st.integers(0, 3000), max_size=9).map(lambda s: tuple(sorted(s))),
        "heads": lambda c: st.lists(st.tuples(st.integers(0, 29), st.integers(0, 8)), max_size=4).map(tuple),
    }
    chosen = {c.name: draw(kinds[c.kind](c)) for c in INTERVENTIONS[id].controls() if draw(st.booleans())}
    low = {c.name: c.low for c in INTERVENTIONS[id].controls() if c.kind == "number"}
    return make(id, {name: value + 0.0 if name in low else value for name, value in chosen.items()})


@settings(deadline=None)  # on a busy machine
@given(an_intervention())
def test_what_is_written_is_read_back(it):
    word = steering.to_word(it)
    assert steering.from_word(word) == it
    if len(word) < 1000:
        assert from_query(to_query(State(does=it))) == State(does=it)
    said = tellings.told(it)
    assert said.endswith(".") and "\n" not in said and (bool(it) or said in (tellings.NOTHING, tellings.UNPICKED))


def test_words_are_short_and_plain():
    assert steering.to_word(Listen("sound", 0.5)) == "listen~kind~sound~gain~0.5"
    assert steering.to_word(Cut("region", region=(4, 5, 6, 9), layers=(3, 10))) == (
        "cut~source~region~layers~3-9~region~4-6.9"
    )
    assert steering.to_word(Heads(strength=0.0, chosen=((3, 1), (12, 0)))) == "heads~strength~0~chosen~3h1.12h0"
    assert to_query(State(does=Exit("sound", -1))) == "do=exit~kind~sound~after~-1"
    assert steering.from_word("exit~after~") == Exit()


@pytest.mark.parametrize(
    "word",
    [
        "", "magic", "listen~gain", "listen~gain~x", "listen~gain~nan", "listen~gain~5", "listen~volume~1",
        "listen~gain~1~gain~2", "cut~layers~9-3", "cut~layers~a", "cut~region~1..2", "cut~region~0-99999",
        "exit~after~-2", "heads~chosen~3", "heads~chosen~3h1.", "cut~source~smell", "listen~gain~" + "0" * 3000,
    ],
)  # fmt: skip
def test_what_is_refused(word):
    with pytest.raises(McGurkError) as caught:
        steering.from_word(word)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@settings(deadline=None)  # on a busy machine
@given(st.text(max_size=40) | st.lists(st.sampled_from(["cut", "~", "region", "1", "-", ".", "h", "e9"])).map("".join))
def test_no_text_does_more_than_be_refused(text):
    try:
        it = steering.from_word(text)
    except McGurkError:
        return
    assert steering.from_word(steering.to_word(it)) == it


@pytest.mark.parametrize(
    ("it", "said"),
    [
        (Look(sound=0.0, text=4.0), "Nobody looks at the sound and attention on the text counts 4 times."),
        (Listen("sound", 0.0, (3, 4)), "nothing, however much they are looked at, in layer 3."),
        (Composite("sound to sound", "is closed too"), "nor at the text before them (closed: sound to sound)."),
        (Cut("picture", "last", (0, 9)), "The answer can no longer look at the picture, in layers 0 to 8."),
        (Cut("region", "everything after", region=(5,)), "Nothing can look at the 1 chosen token any more."),
        (Exit("picture", -1), "Before the first layer the picture is gone."),
        (
            Guidance(picture=0.5, stand_in="learned"),
            "the one without the picture (× 0.5), for which a learned nothing stands there.",
        ),
        (Heads("sound", 0.0, chosen=((3, 1),)), "The head 3.1 (layer.head) puts out nothing."),
    ],
)
def test_what_is_told(it, said):
    assert said in tellings.told(it)


def test_places_are_told_in_words_where_they_are_known():
    it = Cut("region", "everything after", region=(5, 6))
    assert tellings.told(it, "the word “dog” of the question") == (
        "Nothing can look at the word “dog” of the question any more."
    )
    assert tellings.told(it) == "Nothing can look at the 2 chosen tokens any more."
    assert tellings.told(Cut("region")) == tellings.UNPICKED
