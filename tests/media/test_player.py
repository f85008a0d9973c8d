"""The player's mp4: what is copied, what is encoded again, and that it shows and sounds as it should."""

import time
from dataclasses import replace

import numpy as np
import pytest

from demo import media
from demo.clips import read_clip
from demo.conflicts import Conflict, apply
from demo.media.player import compose
from models.omni import McGurkError
from tests.test_conflicts import power_at, seconds_of


def video_checksum(path) -> bytes:
    """Checksum of the first picture stream's packets, as stored."""
    arguments = [*media.READ, "-i", "fd:", "-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb"]
    return media.run_ffmpeg([*arguments, "-f", "md5", "pipe:1"], path, timeout=30, what="Adding up")[0]


def assert_playable(path):
    info = media.probe(path)
    assert info.format.startswith("mov") and info.video_codec == "h264" and info.pixel_format == "yuv420p"
    assert not info.size[0] % 2 and not info.size[1] % 2
    assert info.audio_codec in ("aac", "")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser must find the index first"
    return info


@pytest.fixture
def plain(media_file):
    return read_clip(media_file("plain.mp4"), seen="cello", heard="cello")


@pytest.fixture
def other(media_file):
    return read_clip(media_file("other.mp4"), seen="rain", heard="rain")


@pytest.mark.parametrize(
    "conflict",
    [Conflict(), Conflict(sound="swap"), Conflict(sound="silence"), Conflict(sound="remove"), Conflict(shift=1.0)],
    ids=["own", "swap", "silence", "remove", "shift"],
)
def test_an_untouched_picture_is_copied(tmp_path, plain, other, conflict):
    out = compose(plain, conflict, other, tmp_path / "out.mp4")
    info = assert_playable(out)
    assert video_checksum(out) == video_checksum(plain.path)
    assert (info.audio is None) == (conflict.sound == "remove")
    assert info.duration == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize(
    "conflict",
    [Conflict(picture=picture) for picture in ("black", "freeze", "noise", "remove")]
    + [Conflict(text="onscreen", caption="rain"), Conflict(picture="freeze", text="onscreen", caption="rain")]
    + [Conflict(picture="black", text="onscreen", caption="rain", sound="noise")],
    ids=lambda conflict: f"{conflict.picture}-{conflict.text}",
)
def test_an_altered_picture_looks_like_the_stimulus(tmp_path, plain, conflict):
    stimulus = apply(plain, conflict)
    out = compose(plain, conflict, out=tmp_path / "out.mp4", stimulus=stimulus)
    info = assert_playable(out)
    assert info.duration == pytest.approx(3, abs=0.25) and info.audio is not None
    shown = read_clip(out).frames.astype(int)
    assert len(shown) == 6
    expected = np.zeros_like(shown) if stimulus.frames is None else stimulus.frames.astype(int)
    if conflict.picture == "noise":  # h264 blurs noise: the average must do
        assert abs(shown.mean() - expected.mean()) < 6 and shown.std() > 15
    else:
        assert np.abs(shown - expected).mean() < 10


def test_the_sound_played_is_the_sound_given(tmp_path, plain, other):
    conflict = Conflict(sound="swap", swap_from=1.0, swap_to=2.0)
    heard = read_clip(compose(plain, conflict, other, tmp_path / "out.mp4")).waveform
    assert power_at(seconds_of(heard, 0.1, 0.9), 440) > 0.95
    assert power_at(seconds_of(heard, 1.1, 1.9), 440) < 0.1
    assert power_at(seconds_of(heard, 2.1, 2.9), 440) > 0.95


def test_a_shift_is_audible_at_its_time(tmp_path, plain):
    heard = read_clip(compose(plain, Conflict(shift=1.0), out=tmp_path / "out.mp4")).waveform
    assert np.abs(seconds_of(heard, 0, 0.95)).max() < 0.02 < np.abs(seconds_of(heard, 1.05, 2.9)).max()


KEPT = ["rotated.mp4", "odd.mkv", "anamorphic.mp4", "variable.mkv", "surround.mp4", "late.mkv", "old.avi", "web.webm"]
DUBBED = ["rotated.mp4", "stream.ts", "moving.gif", "mute.mp4", "short.mp4", "photo.jpg", "sound.wav", "cover.mp3"]


@pytest.mark.parametrize(
    ("name", "conflict"),
    [(name, Conflict()) for name in [*KEPT, "deep.mp4", "flat.mp4", "photo.png", "sound.wav", "stream.ts"]]
    + [(name, Conflict(sound="silence")) for name in DUBBED],
    ids=lambda value: value if isinstance(value, str) else value.sound,
)
def test_every_kind_of_file_plays(tmp_path, media_file, name, conflict):
    clip = read_clip(media_file(name))
    out = compose(clip, conflict, out=tmp_path / "out.mp4")
    info = assert_playable(out)
    assert info.duration == pytest.approx(clip.duration, abs=0.3)
    shown = read_clip(out)
    if clip.frames is None:
        assert not (shown.frames > 20).any()
    else:
        assert shown.frames[0].shape == pytest.approx(clip.frames[0].shape, abs=2)
        height, width = np.minimum(shown.frames.shape[1:3], clip.frames.shape[1:3])
        difference = shown.frames[0, :height, :width].astype(int) - clip.frames[0, :height, :width]
        assert np.abs(difference).mean() < 14
    assert (shown.waveform is None) == (clip.waveform is None and conflict.sound == "own")


def test_a_long_clip_is_cut_for_the_player_too(tmp_path, media_file):
    out = compose(read_clip(media_file("long.mp4")), Conflict(), out=tmp_path / "out.mp4")
    assert media.probe(out).duration == pytest.approx(60, abs=0.5)


def test_a_clip_of_arrays_plays(tmp_path, cello, rain):
    out = compose(cello, Conflict(sound="swap"), rain, tmp_path / "out.mp4")
    assert_playable(out)
    shown = read_clip(out)
    assert shown.frames.shape == cello.frames.shape and power_at(shown.waveform, 1000) > 0.95


def test_ten_seconds_of_720p_by_copy_take_no_time(tmp_path, other):
    """The limit is 0.3 s; this asserts four times that, as tests share their processor."""
    path = tmp_path / "source.mp4"
    source = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=1280x720:rate=25:duration=10",
        "-f",
        "lavfi",
        "-i",
        "sine=duration=10",
    ]
    encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)]
    media.run_ffmpeg([*source, *encoded], None, timeout=60, what="Making")
    clip = read_clip(path)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        compose(clip, Conflict(sound="swap"), other, tmp_path / "out.mp4")
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 1.2


def test_no_half_written_file_is_left(tmp_path, plain, monkeypatch):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"the one before")
    monkeypatch.setattr("demo.media.player.ENCODE_TIMEOUT", 0.001)
    with pytest.raises(McGurkError, match="took longer"):
        compose(plain, Conflict(), out=out)
    assert out.read_bytes() == b"the one before" and list(tmp_path.iterdir()) == [out]


def test_bad_places_and_lost_files(tmp_path, plain):
    for out in (tmp_path / "gone" / "out.mp4", tmp_path / "out.avi", "", tmp_path):
        with pytest.raises(McGurkError):
            compose(plain, Conflict(), out=out)
    with pytest.raises(McGurkError, match="gone"):
        compose(replace(plain, path=tmp_path / "lost.mp4"), Conflict(), out=tmp_path / "out.mp4")
    with pytest.raises(McGurkError, match="Choose the clip"):
        compose(plain, Conflict(sound="swap"), out=tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_hostile_output_names(tmp_path, plain):
    out = compose(plain, Conflict(), out=tmp_path / "-y %03d 'x'.mp4")
    assert out.is_file() and len(list(tmp_path.iterdir())) == 1
