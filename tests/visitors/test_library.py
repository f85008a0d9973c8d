"""Clips are read once: the gallery's ahead of time and apart from visitors' own."""

import threading
from concurrent.futures import Future

import pytest

from demo import clips
from demo.conflicts import Conflict
from demo.pages import site
from demo.session import Lab
from demo.visitors import library
from demo.visitors.library import SPARE, Library
from demo.visitors.shelf import Source
from demo.visitors.state import OWN, State
from models.fake import FakeModel
from models.omni import McGurkError
from tests.serving import NAMES, served, stand_in_gallery, use_gallery


@pytest.fixture
def read(monkeypatch, tmp_path):
    """The names of files in the order in which they are read; the gallery is the stand-in one."""
    use_gallery(stand_in_gallery(tmp_path), monkeypatch)
    names, read_clip, here = [], clips.read_clip, threading.get_ident()

    def reading(path, *sampling, **labels):
        if threading.get_ident() == here:  # not what the application of an earlier test reads ahead while it is idle
            names.append(path.stem)
        return read_clip(path, *sampling, **labels)

    for module in (clips, library):
        monkeypatch.setattr(module, "read_clip", reading)
    return names


def test_a_gallery_clip_is_read_once_and_knows_its_title_and_truth(read):
    shelves = Library()
    key, clip = shelves.clip("dog", {})
    assert (clip.name, clip.seen, clip.heard) == ("A dog", "dog", "dog")
    assert shelves.clip("dog", {}) == (key, clip) and read == ["dog"]
    with pytest.raises(McGurkError, match="no gallery clip 'unicorn'"):
        shelves.clip("unicorn", {})


def test_what_visitors_bring_drives_out_nothing_of_the_gallery(read, media_file):
    shelves = Library(brought=1)
    shelves.clip("cat", {})
    own = {f"{OWN}{n}": Source(media_file(name), name) for n, name in enumerate(("plain.mp4", "other.mp4"))}
    for id in (*own, *own):
        assert shelves.clip(id, own)[1].name == own[id].name
    shelves.clip("cat", {})
    assert read == ["cat", "plain", "other", "plain", "other"]


class Quick(FakeModel):
    """Used to eight frames a second, of 504 x 504 pixels."""

    fps, pixels = 8.0, 504**2


def test_clips_are_read_at_the_rate_that_the_model_is_used_to(read, tmp_path):
    shelves = Library()
    usual, quick = shelves.clip("dog", {}), shelves.clip("dog", {}, clips.Sampling(8.0))
    assert usual[0] != quick[0] and (len(usual[1].frames), len(quick[1].frames)) == (6, 24)
    state = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")
    for model, fps in ((FakeModel(), 2.0), (Quick(), 8.0)):
        assert Lab(model, tmp_path).prepare(state).stimulus.fps == fps
    Quick.fps, kept = 30.0, Quick.fps
    assert clips.sampling_for(Quick()).fps == clips.MAX_FPS
    Quick.fps = kept


def test_clips_are_read_as_large_as_the_model_is_used_to(read, tmp_path, media_file):
    assert clips.sampling_for(None) == clips.sampling_for(FakeModel()) == clips.USUAL
    for width, height in ((1280, 720), (720, 1280), (640, 480), (900, 900)):
        side = clips.sampling_for(Quick()).side
        scale = min(1.0, side / max(width, height))
        assert width * height * scale**2 >= Quick.pixels and side < 1000
    own = {f"{OWN}1": Source(media_file("large.mp4"), "large")}
    for model, size in ((FakeModel(), (252, 448)), (Quick(), (439, 781))):
        lab = Lab(model, tmp_path)
        assert lab.prepare(State(clip=f"{OWN}1"), own).stimulus.frames.shape[1:3] == size


def test_a_model_that_comes_later_is_asked_at_its_own_rate(read, tmp_path):
    coming: Future = Future()
    lab = Lab(coming, tmp_path)
    steps = lab.ask("somebody", State(clip="dog"), film=False)
    first = next(steps)
    assert first.situation.stimulus.fps == 2.0 and first.comparison is None
    coming.set_result(Quick())
    *_, last = steps
    assert last.situation.stimulus.fps == 8.0 and last.comparison.complete
    assert last.comparison.stimulus is last.situation.stimulus


def test_the_gallery_is_read_ahead_while_nobody_asks(read, tmp_path):
    lab = Lab(FakeModel(), tmp_path)
    steps = iter([True, True, False])
    assert Library().read_ahead(lambda: next(steps)) == 2 and read == list(NAMES[:2])
    shelves = Library()
    assert shelves.read_ahead(lambda: True) == len(NAMES) and shelves.read_ahead(lambda: True) == 0
    assert read == [*NAMES[:2], *NAMES]
    lab.tidy()
    assert read[-len(NAMES) :] == list(NAMES)


def test_an_application_that_is_closed_reads_nothing_ahead(read, tmp_path, monkeypatch):
    monkeypatch.setattr(site, "TIDY", 0.05)
    before, tidied = {*threading.enumerate()}, threading.Event()
    monkeypatch.setattr(Lab, "tidy", lambda _lab: tidied.set())
    with served(FakeModel(), tmp_path / "cache", monkeypatch):
        assert tidied.wait(20)
        [tidy] = [thread for thread in {*threading.enumerate()} - before if thread.name == "tidy"]
    tidy.join(20)
    assert not tidy.is_alive()


def test_reading_ahead_drives_nothing_out_and_a_broken_clip_is_left_to_whoever_chooses_it(read):
    small = Library(gallery=SPARE + 1)
    assert small.read_ahead(lambda: True) == 1
    clips.gallery_clip("cello").path.write_bytes(b"broken")
    shelves = Library()
    assert shelves.read_ahead(lambda: True) == len(NAMES) - 1
    with pytest.raises(McGurkError, match="cello"):
        shelves.clip("cello", {})
