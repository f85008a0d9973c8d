"""Reading clips: every kind of file, every limit, hostile names and contents."""

import shutil

import numpy as np
import pytest

from demo import clips, media
from demo.clips import Sampling, gallery, gallery_clip, read_clip
from models.omni import SAMPLE_RATE, McGurkError


def peak_frequency(waveform: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(waveform))) * SAMPLE_RATE / len(waveform))


def test_plain_video(media_file):
    clip = read_clip(media_file("plain.mp4"), seen="cello", heard="rain")
    assert clip.frames.shape == (6, 90, 160, 3) and clip.frames.dtype == np.uint8
    assert clip.waveform.shape == (3 * SAMPLE_RATE,) and clip.waveform.dtype == np.float32
    assert clip.duration == pytest.approx(3.0)
    assert peak_frequency(clip.waveform) == pytest.approx(440, abs=2)
    assert (clip.name, clip.seen, clip.heard, clip.notices) == ("plain", "cello", "rain", ())


def test_frames_are_sampled_at_their_times(tmp_path, media_file):
    """A frame must show the instant it is named after: one grey level per second tells."""
    path = tmp_path / "steps.mkv"
    source = "color=black:size=64x48:rate=10:duration=4,geq=lum='16+50*floor(T)':cb=128:cr=128"
    media.run_ffmpeg(["-f", "lavfi", "-i", source, "-c:v", "ffv1", str(path)], None, timeout=60, what="Making")
    levels = read_clip(path, Sampling(1.0)).frames.mean(axis=(1, 2, 3))
    assert len(levels) == 4
    assert np.allclose(np.diff(levels), 50 * 255 / 219, atol=2)


def test_sampling_rate_and_size(media_file):
    clip = read_clip(media_file("plain.mp4"), Sampling(4, 80))
    assert clip.frames.shape == (12, 45, 80, 3)
    assert clip.fps == 4


@pytest.mark.parametrize(
    ("name", "seconds", "shape", "has_sound"),
    [
        ("rotated.mp4", 3, (160, 90), True),
        ("odd.mkv", 2, (91, 161), False),
        ("anamorphic.mp4", 1, (90, 320), False),
        ("variable.mkv", 3, (90, 160), False),
        ("deep.mp4", 1, (90, 160), False),
        ("flat.mp4", 1, (1, 448), False),
        ("surround.mp4", 2, (90, 160), True),
        ("old.avi", 2, (90, 160), True),
        ("web.webm", 2, (90, 160), True),
        ("stream.ts", 2, (90, 160), True),
        ("moving.gif", 1, (90, 160), False),
    ],
)
def test_any_container(media_file, name, seconds, shape, has_sound):
    clip = read_clip(media_file(name))
    assert clip.frames.shape[1:] == (*shape, 3)
    assert abs(len(clip.frames) - 2 * seconds) <= 1
    assert clip.duration == pytest.approx(seconds, abs=0.15)
    assert (clip.waveform is not None) == has_sound
    if has_sound:
        assert peak_frequency(clip.waveform) == pytest.approx(440, abs=3)
        assert np.abs(clip.waveform).max() > 0.05


def test_sound_that_starts_late_stays_in_step(media_file):
    waveform = read_clip(media_file("late.mkv")).waveform
    assert np.abs(waveform[: int(0.95 * SAMPLE_RATE)]).max() < 0.01
    assert np.abs(waveform[int(1.1 * SAMPLE_RATE) : int(2.5 * SAMPLE_RATE)]).max() > 0.05


def test_no_sound_track_differs_from_a_silent_one(media_file):
    mute, quiet = read_clip(media_file("mute.mp4"), heard="rain"), read_clip(media_file("quiet.mp4"))
    assert mute.waveform is None and mute.heard is None
    assert any("no sound" in notice for notice in mute.notices)
    assert quiet.waveform is not None and not quiet.waveform.any()
    assert not quiet.notices


@pytest.mark.parametrize(("name", "says"), [("sound.wav", "no picture"), ("cover.mp3", "cover")])
def test_sound_files_have_no_frames(media_file, name, says):
    clip = read_clip(media_file(name), seen="cello", heard="cello")
    assert clip.frames is None and clip.seen is None and clip.heard == "cello"
    assert clip.duration == pytest.approx(2, abs=0.1)
    assert any(says in notice for notice in clip.notices)


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png"])
def test_a_picture_file_is_shown_for_a_while(media_file, name):
    clip = read_clip(media_file(name))
    assert clip.frames.shape == (10, 90, 160, 3) and clip.duration == 5
    assert (clip.frames == clip.frames[0]).all()
    assert any("still" in notice for notice in clip.notices)


def test_a_very_short_clip_has_one_frame(media_file):
    clip = read_clip(media_file("short.mp4"))
    assert len(clip.frames) == 1
    assert 0.1 < clip.duration < 0.5


def test_a_long_clip_is_trimmed_with_a_notice(media_file):
    clip = read_clip(media_file("long.mp4"))
    assert clip.duration == 60 and len(clip.frames) == 120 and len(clip.waveform) == 60 * SAMPLE_RATE
    assert any("65 s" in notice and "60 s" in notice for notice in clip.notices)


def test_too_many_bytes(tmp_path):
    path = tmp_path / "big.mp4"
    with path.open("wb") as opened:
        opened.truncate(clips.MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(McGurkError, match="200 MB"):
        read_clip(path)


def test_more_than_4k(media_file):
    with pytest.raises(McGurkError, match="4K"):
        read_clip(media_file("huge.mkv"))


def test_a_large_photograph_is_scaled_down(media_file):
    assert read_clip(media_file("huge.png")).frames.shape[1:] == (11, 448, 3)


def test_missing_folder_empty_and_zero_byte_names(tmp_path):
    (tmp_path / "empty.mp4").touch()
    for path, says in [
        (tmp_path / "gone.mp4", "no file"),
        (tmp_path, "no file"),
        (tmp_path / "empty.mp4", "empty"),
        ("bad\0name.mp4", "opened|no file"),
    ]:
        with pytest.raises(McGurkError, match=says):
            read_clip(path)


@pytest.mark.parametrize(
    "content",
    [
        b"just some words\n" * 50,
        bytes(5000),
        np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes(),
        b"\x1b[31mcoloured\x1b[0m text\n" * 100,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '{target}'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    ],
    ids=["words", "zeros", "random", "terminal", "playlist", "concat", "address"],
)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".txt"])
def test_what_is_no_media_file(tmp_path, media_file, content, suffix):
    """A playlist must not open another file either, wherever it is read."""
    path = tmp_path / f"upload{suffix}"
    path.write_bytes(content.replace(b"{target}", str(media_file("stream.ts")).encode()))
    with pytest.raises(McGurkError) as caught:
        read_clip(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_before_its_index(tmp_path, media_file):
    path = tmp_path / "cut.mp4"
    path.write_bytes(media_file("plain.mp4").read_bytes()[:5000])
    with pytest.raises(McGurkError):
        read_clip(path)


def test_a_damaged_middle_is_said(tmp_path, media_file):
    data = bytearray(media_file("stream.ts").read_bytes())
    at = len(data) // 3
    data[at : at + 3000] = bytes(3000)
    path = tmp_path / "damaged.ts"
    path.write_bytes(data)
    clip = read_clip(path)
    assert any("damaged" in notice for notice in clip.notices)


def test_a_recording_of_no_stated_length_ends_where_it_was_stopped(tmp_path, media_file):
    """Browsers' recorders stop within a block; of a file that says how long it is, something is missing then."""
    for name, damaged in (("live.webm", False), ("web.webm", True)):
        data = media_file(name).read_bytes()
        path = tmp_path / name
        path.write_bytes(data[: len(data) * 9 // 10])
        assert any("damaged" in notice for notice in read_clip(path).notices) == damaged


@pytest.mark.parametrize("name", ["camera.avi", "phone.mp4"])
def test_a_full_range_picture_is_not_damaged_unless_it_is(tmp_path, media_file, name):
    """The scaler complains of every such frame; a decoder's word at the end must be heard all the same."""
    whole = media_file(name)
    assert not any("damaged" in notice for notice in read_clip(whole).notices)
    data = bytearray(whole.read_bytes())
    at = len(data) * 3 // 4
    data[at : at + 400] = bytes(400)
    path = tmp_path / name
    path.write_bytes(data)
    assert any("damaged" in notice for notice in read_clip(path).notices)


@pytest.mark.parametrize(
    "name",
    ["-i.mp4", "a\nb.mp4", "concat:a|b.mp4", "http:x.mp4", "clip%03d.png", "ünï 'quoted\" $(x).mp4", "no_suffix"],
)
def test_hostile_names(tmp_path, monkeypatch, media_file, name):
    monkeypatch.chdir(tmp_path)
    source = media_file("photo.png" if name.endswith("png") else "plain.mp4")
    (tmp_path / name).write_bytes(source.read_bytes())
    assert read_clip(name).frames.shape[1:] == (90, 160, 3)


def test_sampling_that_makes_no_sense(media_file):
    for how in ({"fps": 0}, {"fps": -1}, {"fps": 1000}, {"fps": float("nan")}, {"side": 0}):
        with pytest.raises(McGurkError):
            read_clip(media_file("plain.mp4"), Sampling(**how))


def test_a_decoder_that_hangs_is_stopped(media_file, monkeypatch):
    monkeypatch.setattr("demo.media.limits.DECODE_SECONDS", 0.001)
    with pytest.raises(McGurkError, match="took longer"):
        read_clip(media_file("plain.mp4"))


@pytest.fixture
def small_gallery(tmp_path):
    (tmp_path / "clips.csv").write_text(
        "id,seen,heard,title,licence,origin\nbell-1,church_bell,church_bell,A bell,CC0,here\n", encoding="utf-8"
    )
    return tmp_path


def test_gallery(small_gallery):
    (clip,) = gallery(small_gallery)
    assert (clip.id, clip.seen, clip.heard) == ("bell-1", "church bell", "church bell")
    assert clip.path == small_gallery / "bell-1.mp4" and clip.thumbnail == small_gallery / "bell-1.jpg"
    assert gallery_clip("bell-1", small_gallery) == clip
    with pytest.raises(McGurkError, match="bell-1"):
        gallery_clip("../../etc/passwd", small_gallery)


def test_a_gallery_clip_reads_itself_with_all_its_names(tmp_path, media_file):
    shutil.copy(media_file("plain.mp4"), tmp_path / "x.mp4")
    (tmp_path / "clips.csv").write_text(
        "id,seen,heard,title,licence,origin,seen_also,heard_also\nx,dog,dog,A dog,CC0,me,puppy; small_dog,\n"
    )
    (named,) = gallery(tmp_path)
    clip = named.read()
    assert (clip.name, clip.seen, clip.heard) == ("A dog", "dog", "dog")
    assert clip.seen_also == ("puppy", "small dog") and clip.heard_also == ()


def test_gallery_that_is_missing_or_broken(tmp_path):
    assert gallery(tmp_path) == ()
    (tmp_path / "clips.csv").write_text("id,seen\nx,y\n", encoding="utf-8")
    with pytest.raises(McGurkError, match="lacks"):
        gallery(tmp_path)
