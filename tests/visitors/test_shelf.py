"""The visitor's own shelf: what it takes, cuts, remembers and gives up; the codes that let a phone add to it."""

import os
import time

import pytest

from demo.clips import NOTHING, read_clip
from demo.visitors import shelf as shelves
from demo.visitors.invitations import SECONDS, WRONG_LIMIT, Invitations
from demo.visitors.shelf import COUNTED, MAX_CLIPS, Shelf, Shelves, checked_label, tidy_name
from models.omni import McGurkError


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf")


def test_a_clip_is_described_by_its_thumbnail_frames_and_sound(shelf, media_file):
    clip = shelf.add(media_file("plain.mp4"))
    assert (clip.id, clip.name, clip.seconds, clip.used) == ("own-1", "plain", pytest.approx(3, abs=0.1), clip.path)
    assert clip.thumbnail[:2] == clip.frames[:2] == b"\xff\xd8"  # jpeg
    assert len(clip.peaks) == 240 and max(clip.peaks) == 1
    assert (clip.seen, clip.heard, clip.perceived) == (None, None, None)
    sound = shelf.add(media_file("sound.wav"))
    assert (sound.thumbnail, sound.frames, sound.size) == (b"", b"", None)
    assert (sound.seen, sound.heard) == (NOTHING, None)  # nobody is asked what it shows
    mute = shelf.add(media_file("mute.mp4"))
    assert (mute.peaks, mute.seen, mute.heard) == ((), None, NOTHING)


def test_a_clip_is_a_file_of_the_shelfs_own(shelf, media_file, tmp_path):
    brought = tmp_path / "brought.mp4"
    brought.write_bytes(media_file("plain.mp4").read_bytes())
    clip = shelf.add(brought)
    brought.unlink()
    assert read_clip(clip.used).duration == pytest.approx(3, abs=0.1)
    shelf.remove(clip.id)
    assert not clip.path.exists() and not list(shelf.folder.iterdir())
    with pytest.raises(McGurkError, match="not on your shelf"):
        shelf.get(clip.id)


def test_ten_seconds_of_a_long_clip_count(shelf, media_file):
    clip = shelf.add(media_file("half-minute.mp4"))
    assert (clip.start, clip.seconds, clip.duration) == (0, COUNTED, pytest.approx(25, abs=0.2))
    first = read_clip(clip.used)
    later = shelf.trim(clip.id, 12.0)
    second = read_clip(later.used)
    for cut in (first, second):
        assert cut.duration == pytest.approx(COUNTED, abs=0.15) and cut.waveform is not None
    whole = read_clip(clip.path)
    at = round(12 * whole.fps)
    apart = [abs(second.frames[4].astype(int) - whole.frames[at + 4 + by]).mean() for by in (-4, 0, 4)]
    assert apart[1] == min(apart)  # the picture of that very second
    assert not clip.used.exists()  # the earlier excerpt is gone
    assert shelf.trim(clip.id, 99).start == pytest.approx(clip.duration - COUNTED, abs=0.06)


def test_labels_are_names_or_nothing_or_unknown(shelf, media_file):
    id = shelf.add(media_file("plain.mp4")).id
    assert shelf.say(id, "picture", " A  Church_Bell. ").seen == "church bell"
    assert shelf.say(id, "sound", "nothing").source.heard == "nothing"
    assert shelf.say(id, "sound", None).heard is None
    for said in ("I don't know", "Don’t know!", "?"):
        assert shelf.say(id, "sound", said).heard is None
    assert shelf.say(id, "sound", "None of the above").heard == "nothing"
    for wrong in ("x" * 61, "dog, cat", "a\x00b"):
        with pytest.raises(McGurkError, match="one short name"):
            shelf.say(id, "picture", wrong)
    assert shelf.get(id).seen == "church bell"


def test_two_clips_of_one_name_are_told_apart(shelf, media_file):
    names = [shelf.add(media_file("photo.jpg")).name for _ in range(3)]
    assert names == ["photo", "photo (2)", "photo (3)"]


def test_the_shelf_is_bounded(shelf, media_file, monkeypatch):
    for _ in range(MAX_CLIPS):
        shelf.add(media_file("photo.jpg"))
    with pytest.raises(McGurkError, match="12 clips and is full"):
        shelf.add(media_file("photo.jpg"))
    shelf.remove("own-3")
    monkeypatch.setattr(shelves, "SHELF_BYTES", shelf.bytes)
    with pytest.raises(McGurkError, match="MB and is full"):
        shelf.add(media_file("photo.jpg"))
    assert len(shelf.clips) == MAX_CLIPS - 1 == len(list(shelf.folder.iterdir()))


def test_what_is_no_media_file_leaves_nothing(shelf, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("a list of things")
    with pytest.raises(McGurkError):
        shelf.add(text)
    assert not shelf.clips and not (shelf.folder.exists() and list(shelf.folder.iterdir()))


def test_every_shelf_ends_with_its_files(tmp_path, media_file, monkeypatch):
    all_ = Shelves(tmp_path)
    kept = [all_.of(name).add(media_file("photo.jpg")).path for name in ("a", "b", "c")]
    assert all_.of("a").clips and not all_.of("d").clips
    all_.forget("b")
    assert [path.exists() for path in kept] == [True, False, True]
    monkeypatch.setattr(shelves, "ALL_BYTES", os.path.getsize(kept[0]))
    all_.sweep()  # "c" was touched longest ago
    assert [path.exists() for path in kept] == [True, False, False]
    for unused in all_._shelves.values():
        unused.touched = time.monotonic() - shelves.KEEP - 1
    all_.sweep()
    assert not kept[0].exists()


def test_what_comes_from_elsewhere_is_told_once(shelf, media_file):
    assert shelf.collect() is None
    clip = shelf.deliver(media_file("photo.jpg"))
    assert shelf.collect().id == clip.id and shelf.collect() is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("my_dog", "my dog"), ("a\x00b\n c", "a b c"), ("", "clip"), ("<b>x</b>", "<b>x</b>"), ("n" * 50, "n" * 39 + "…")],
)
def test_names_are_one_short_line(name, shown):
    assert tidy_name(name) == shown


def test_a_label_may_be_left_open():
    assert checked_label(None) is checked_label("  ") is checked_label(" . ") is None


def test_a_code_is_good_for_its_page_and_its_time():
    now = [0.0]
    codes = Invitations(lambda: now[0])
    first = codes.invite("me")
    assert codes.session_of(f" {first[:4].lower()} {first[4:]}") == "me" and codes.is_open("me")
    second = codes.invite("me")
    with pytest.raises(McGurkError, match="not good any more"):
        codes.session_of(first)
    now[0] = SECONDS + 1
    assert not codes.is_open("me")
    with pytest.raises(McGurkError, match="not good any more"):
        codes.session_of(second)


def test_codes_cannot_be_guessed_at_will():
    now = [0.0]
    codes = Invitations(lambda: now[0])
    good = codes.invite("me")
    for _ in range(WRONG_LIMIT):
        with pytest.raises(McGurkError, match="not good"):
            codes.session_of("AAAAAAAA")
    with pytest.raises(McGurkError, match="wait a minute"):
        codes.session_of(good)
    now[0] = 61.0
    assert codes.session_of(good) == "me"
