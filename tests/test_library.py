"""Clips are read once: the gallery's ahead of time and apart from visitors' own."""

import pytest

from demo import clips, library
from demo.library import SPARE, Library
from demo.session import Lab
from demo.shelf import Source
from demo.state import OWN
from models.fake import FakeModel
from models.omni import McGurkError
from tests.serving import NAMES, stand_in_gallery, use_gallery


@pytest.fixture
def read(monkeypatch, tmp_path):
    """The names of files in the order in which they are read; the gallery is the stand-in one."""
    use_gallery(stand_in_gallery(tmp_path), monkeypatch)
    names, read_clip = [], clips.read_clip

    def reading(path, **labels):
        names.append(path.stem)
        return read_clip(path, **labels)

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


def test_the_gallery_is_read_ahead_while_nobody_asks(read, tmp_path):
    lab = Lab(FakeModel(), tmp_path)
    steps = iter([True, True, False])
    assert Library().read_ahead(lambda: next(steps)) == 2 and read == list(NAMES[:2])
    shelves = Library()
    assert shelves.read_ahead(lambda: True) == len(NAMES) and shelves.read_ahead(lambda: True) == 0
    assert read == [*NAMES[:2], *NAMES]
    lab.tidy()
    assert read[-len(NAMES) :] == list(NAMES)


def test_reading_ahead_drives_nothing_out_and_a_broken_clip_is_left_to_whoever_chooses_it(read):
    small = Library(gallery=SPARE + 1)
    assert small.read_ahead(lambda: True) == 1
    clips.gallery_clip("cello").path.write_bytes(b"broken")
    shelves = Library()
    assert shelves.read_ahead(lambda: True) == len(NAMES) - 1
    with pytest.raises(McGurkError, match="cello"):
        shelves.clip("cello", {})
