"""Links: what is written is read back, and what was not written here is refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo import conflicts, questions
from demo.conflicts import Conflict
from demo.visitors.state import CODES, OPTION_MODES, VIEWS, State, from_query, to_query
from models.omni import McGurkError

IDS = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z").filter(lambda text: not text.startswith("own-"))
WORDS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" \n"), min_size=1, max_size=40)
OPTION = st.text(string.ascii_letters + "äé&=+%#;?", min_size=1, max_size=12)


@st.composite
def a_conflict(draw):
    sound = draw(st.sampled_from(conflicts.SOUNDS))
    fields = {"sound": sound, "picture": draw(st.sampled_from(conflicts.PICTURES))}
    if sound == "swap":
        fields["other"] = draw(IDS)
        start = draw(st.none() | st.floats(0, 30))
        fields |= {"swap_from": start, "swap_to": draw(st.none() | st.floats((start or 0) + 0.01, 60))}
    if sound in ("own", "swap"):
        fields["shift"] = draw(st.floats(-60, 60)) + 0.0  # -0.0 and 0.0 are one shift
    if sound not in ("silence", "remove"):
        fields["noise_db"] = draw(st.none() | st.floats(*conflicts.NOISE_RANGE))
    text = draw(st.sampled_from(conflicts.TEXTS))
    if text in ("caption", "free", "onscreen"):
        fields["caption"] = draw(WORDS.filter(lambda said: said.strip(" .\n")))
    fields |= {"text": text, "text_position": draw(st.sampled_from(conflicts.POSITIONS))}
    return Conflict(**fields, long_tokens=draw(st.integers(1, conflicts.MAX_TOKENS)))


@st.composite
def a_state(draw):
    kind = draw(st.sampled_from(questions.KINDS))
    answers = draw(st.sampled_from(OPTION_MODES))
    options = ()
    if answers == "own":
        options = tuple(draw(st.lists(OPTION, min_size=2, max_size=6, unique_by=str.lower)))
    return State(
        clip=draw(st.just("") | IDS),
        conflict=draw(a_conflict()),
        question=kind,
        wording=draw(st.integers(0, len(questions.WORDINGS[kind]) - 1)),
        own=draw(st.just("") | WORDS),
        answers=answers,
        options=options,
        layer=draw(st.integers(-1, 127)),
        head=draw(st.integers(-1, 127)),
        view=draw(st.sampled_from(VIEWS)),
        sink=draw(st.booleans()),
        frame=draw(st.integers(0, 600)),
    )


@given(a_state())
def test_what_is_written_is_read_back(state):
    query = to_query(state)
    assert from_query(query) == from_query("?" + query) == state
    assert query.isascii() and not set(query) & set(" \n\"'<>")
    assert to_query(from_query(query)) == query


def test_only_what_differs_is_written():
    assert to_query(State()) == "" and from_query("") == from_query("?") == from_query({}) == State()
    state = State(clip="cello-1", conflict=Conflict(sound="swap", other="rain-1", shift=1.5), question="hear")
    assert to_query(state) == "clip=cello-1&sound=swap&other=rain-1&shift=1.5&ask=hear"
    assert from_query({"clip": "cello-1", "ask": "hear"}) == State(clip="cello-1", question="hear")


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "clip",
        "clip=",
        "clip=../../etc/passwd",
        "clip=A%20B",
        "clip=a&clip=b",
        "sound=loud",
        "sound=swap&from=x",
        "sound=swap&from=-1",
        "sound=swap&from=nan",
        "sound=swap&from=1e999",
        "sound=swap&from=3&to=2",
        "from=1",
        "shift=61",
        "shift=1_0",
        "shift=%D9%A1",
        "snr=100",
        "sound=remove&snr=0",
        "picture=purple",
        "text=caption",
        "text=caption&says=",
        "text=caption&says=%00",
        "text=caption&says=" + "x" * 201,
        "text=long&tokens=0",
        "text=long&tokens=1.5",
        "tokens=99999999999999999999",
        "at=within",
        "ask=smell",
        "wording=9",
        "ask=match&wording=1",
        "own=" + "x" * 501,
        "answers=own",
        "options=a,b",
        "answers=own&options=a",
        "answers=own&options=a,a",
        "layer=-2",
        "layer=128",
        "head=x",
        "view=upside",
        "sink=yes",
        "frame=-1",
        "says=%ff",
        "text=free&says=" + "x" * 5000,
        "&&&",
    ],
)
def test_what_is_refused(query):
    with pytest.raises(McGurkError) as caught:
        from_query(query)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*CODES, "=", "&", "%", "1", "-", "swap"]), max_size=8).map("".join)
)
def test_no_text_does_more_than_be_refused(query):
    try:
        state = from_query(query)
    except McGurkError:
        return
    assert from_query(to_query(state)) == state


def test_a_clip_of_the_visitors_own_cannot_be_linked():
    for state in (State(clip="own-1"), State(conflict=Conflict(sound="swap", other="own-12"))):
        with pytest.raises(McGurkError, match="clip of your own: save the situation as a file"):
            to_query(state)
    with pytest.raises(McGurkError, match="only in its session"):
        from_query("clip=own-1")


@pytest.mark.parametrize(
    "state",
    [
        State(clip="Not An Id"),
        State(frame=-5),
        State(view="sideways"),
        State(answers="own"),
        State(own="\ud800"),
        State(conflict=Conflict(text="free", caption="long " * 1500)),
    ],
)
def test_a_state_that_cannot_be_linked(state):
    with pytest.raises(McGurkError):
        to_query(state)
