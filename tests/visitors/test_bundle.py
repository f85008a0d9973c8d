"""A situation as a file: what goes in comes out, and nothing that is made to hurt gets in."""

import io
import json
import zipfile
from dataclasses import replace

import pytest

from demo import conflicts
from demo.clips import NOTHING, read_clip
from demo.conflicts import Conflict
from demo.visitors import bundle
from demo.visitors.bundle import CLIP, SITUATION
from demo.visitors.state import State
from models.omni import McGurkError


@pytest.fixture
def clips(media_file):
    clip = read_clip(media_file("plain.mp4"), seen="cello", heard="cello")
    return clip, read_clip(media_file("other.mp4"), heard="rain")


def write(tmp_path, state, clip, other=None):
    stimulus = conflicts.apply(clip, state.conflict, other)
    return bundle.write(tmp_path / "saved.mcgurk", state, clip, other, stimulus)


def test_a_swap_travels_in_the_film_and_the_rest_can_be_undone(tmp_path, clips):
    conflict = Conflict(sound="swap", other="own-2", shift=0.5, text="caption", caption="a dog", text_position="after")
    state = State(clip="own-1", conflict=conflict, question="hear", answers="own", options=("rain", "dog"))
    saved = write(tmp_path, state, *clips)
    found = bundle.read(saved, tmp_path / "film.mp4")
    assert (found.seen, found.heard) == ("cello", "rain")
    kept = Conflict(text="caption", caption="a dog", text_position="after")
    assert found.state == replace(state, clip="", conflict=kept)
    film = read_clip(tmp_path / "film.mp4")
    assert film.duration == pytest.approx(clips[0].duration, abs=0.1)
    assert abs(film.waveform[:6000]).max() < 0.01 < abs(film.waveform[16000:]).max()  # half a second later
    assert saved.stat().st_size < 1_000_000 and not list(tmp_path.glob(".*"))


def test_what_nobody_told_stays_open_and_nothing_stays_nothing(tmp_path, clips):
    clip, other = clips
    swap = State(clip="own-1", conflict=Conflict(sound="swap", other="own-2"))
    found = bundle.read(write(tmp_path, swap, replace(clip, seen=None), replace(other, heard=None)), tmp_path / "f.mp4")
    assert (found.seen, found.heard) == (None, None)
    quiet = replace(clip, seen=NOTHING, heard=NOTHING)
    found = bundle.read(write(tmp_path, State(clip="own-1"), quiet), tmp_path / "f.mp4")
    assert (found.seen, found.heard) == (NOTHING, NOTHING)
    black = State(clip="own-1", conflict=Conflict(picture="black", sound="silence"))
    assert bundle.read(write(tmp_path, black, clip), tmp_path / "f.mp4").state.conflict == black.conflict


GOOD = {"version": 1, "name": "x", "state": "ask=hear", "seen": None, "heard": "dog", "spliced": {}}


def packed(path, situation=GOOD, film=b"film", names=(SITUATION, CLIP), how=zipfile.ZIP_DEFLATED):
    text = situation if isinstance(situation, bytes | str) else json.dumps(situation)
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in zip(names, (text, film), strict=False):
            archive.writestr(name, content)
        for name in names[2:]:
            archive.writestr(name, b"more")
    return path


def test_the_packer_of_these_tests_packs_what_is_read(tmp_path):
    assert bundle.read(packed(tmp_path / "x.mcgurk"), tmp_path / "f.mp4").heard == "dog"
    assert (tmp_path / "f.mp4").read_bytes() == b"film"


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2}, {"version": "1"}, {"name": 3}, {"state": "clip=unicorn"}, {"state": "sound=swap&other=own-1"},
        {"state": "sound=louder"}, {"seen": ["dog"]}, {"heard": "x" * 100}, {"heard": "a, b"}, {"more": 1},
        {"spliced": []}, {"state": "clip=own-1"}, {"state": "x" * 5000},
    ],
)  # fmt: skip
def test_a_situation_of_another_kind_is_refused(tmp_path, changed):
    refuse(packed(tmp_path / "x.mcgurk", GOOD | changed), tmp_path)


@pytest.mark.parametrize("text", ["[" * 60_000, "null", "{", b"\xff\xfe", '{"version": 1}', "[]", "1e999"])
def test_json_that_is_no_situation_is_refused(tmp_path, text):
    refuse(packed(tmp_path / "x.mcgurk", text), tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        (SITUATION,), (SITUATION, "../clip.mp4"), (SITUATION, "/etc/clip.mp4"), (SITUATION, CLIP, "more.txt"),
        ("other.json", CLIP), (SITUATION, "clip.mp4/"), ("sub/situation.json", CLIP),
    ],
)  # fmt: skip
def test_members_of_other_names_are_refused(tmp_path, names):
    refuse(packed(tmp_path / "x.mcgurk", names=names), tmp_path)
    assert not (tmp_path.parent / "clip.mp4").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_given_twice_is_refused(tmp_path):
    refuse(packed(tmp_path / "x.mcgurk", names=(SITUATION, SITUATION)), tmp_path)


def test_bombs_are_stopped_while_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_CLIP", 100_000)
    bomb = packed(tmp_path / "x.mcgurk", film=bytes(5_000_000))
    assert bomb.stat().st_size < 20_000
    assert "larger than 0.1 MB" in refuse(bomb, tmp_path)
    assert "situation.json" in refuse(packed(tmp_path / "y.mcgurk", situation=" " * 5_000_000), tmp_path)
    lying = bytearray(bomb.read_bytes())
    for at in (lying.find(b"PK\1\2") + 24, 22):  # the sizes that the directory and the member itself claim
        lying[at : at + 4] = (7).to_bytes(4, "little")
    bomb.write_bytes(lying)
    refuse(bomb, tmp_path)


@pytest.mark.parametrize("how", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_would_be_unpacked_without_bound_is_not(tmp_path, how, monkeypatch):
    bomb = packed(tmp_path / "x.mcgurk", film=bytes(5_000_000), how=how)
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *_: pytest.fail("it was unpacked"))
    refuse(bomb, tmp_path)


def test_what_is_no_archive_or_a_crowded_one_is_refused(tmp_path):
    path = tmp_path / "x.mcgurk"
    for content in (b"", b"PK", b"PK\3\4" + bytes(100), bytes(1000), packed(path).read_bytes()[:-30]):
        path.write_bytes(content)
        refuse(path, tmp_path)
    crowd = io.BytesIO()
    with zipfile.ZipFile(crowd, "w") as archive:
        for at in range(3000):
            archive.writestr(str(at), b"")
    path.write_bytes(crowd.getvalue())
    refuse(path, tmp_path)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "x.mcgurk"
    with path.open("wb") as opened:
        opened.truncate(bundle.MAX_FILE + 1)
    assert "at most 40 MB" in refuse(path, tmp_path)


def refuse(path, folder) -> str:
    film = folder / "film.mp4"
    with pytest.raises(McGurkError) as refused:
        bundle.read(path, film)
    assert not film.exists()
    said = str(refused.value)
    assert "\n" not in said and len(said) < 300
    return said
