"""Media that lie: files as phones, browsers, cameras and editors really write them, made after public bug reports."""

import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo import media
from demo.clips import Sampling, read_clip
from demo.conflicts import Conflict, apply
from demo.media import ffmpeg, hdr, limits
from demo.media.player import compose, write_heard
from models.omni import SAMPLE_RATE, McGurkError
from tests.test_clips import peak_frequency

FOLDER = Path(__file__).parent / "media"
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)


def read(name: str):
    return read_clip(FOLDER / name)


def film_of(clip, tmp_path):
    return read_clip(compose(clip, Conflict(), out=tmp_path / "film.mp4"))


def levels(clip) -> np.ndarray:
    """Mean brightness of each frame."""
    return clip.frames.mean(axis=(1, 2, 3))


def alike(clip, film) -> bool:
    """Whether a film shows at each time what the model was shown."""
    assert film.frames.shape == clip.frames.shape
    return np.abs(film.frames.astype(int) - clip.frames).mean(axis=(1, 2, 3)).max() < 5


def made(arguments: str, path: Path) -> Path:
    subprocess.run([ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *arguments.split(), str(path)], check=True)
    return path


@pytest.mark.parametrize(("name", "pitch"), [("timecode.mp4", None), ("two_languages.ts", 600)])
def test_picture_and_sound_are_found_beside_odd_tracks_and_tags(name, pitch):
    clip = read(name)
    assert clip.duration == pytest.approx(5, abs=0.05) and len(clip.frames) in (10, 11) and not clip.notices
    assert np.abs(clip.waveform).max() > 0.1
    assert pitch is None or peak_frequency(clip.waveform) == pytest.approx(pitch, abs=2)


def test_the_default_track_is_heard_and_played(tmp_path):
    clip = read("second_default.mp4")
    assert peak_frequency(clip.waveform) == pytest.approx(700, abs=2)
    assert peak_frequency(film_of(clip, tmp_path).waveform) == pytest.approx(700, abs=2)


def test_a_browser_recording_without_length_or_sound_moves():
    clip = read("no_length.webm")
    assert clip.duration == pytest.approx(5, abs=0.1) and len(clip.frames) == 10
    assert clip.notices == ("This file has no sound.",) and np.ptp(levels(clip)) > 20


def test_a_picture_that_starts_late_does_so_for_model_and_player(tmp_path):
    clip = read("late_picture.ts")
    film = film_of(clip, tmp_path)
    rises = np.diff(levels(clip)) > 4
    assert not rises[:2].any() and rises[3:].all()  # at 2 frames a second: it stands for the first second
    assert alike(clip, film) and film.duration == pytest.approx(clip.duration, abs=0.05)
    both = [np.abs(sound[: 4 * SAMPLE_RATE]) for sound in (clip.waveform, film.waveform)]
    assert np.argmax(both[0] > 0.1) == pytest.approx(np.argmax(both[1] > 0.1), abs=SAMPLE_RATE * 0.03)


def test_sound_that_outlasts_the_picture(tmp_path):
    clip = read("longer_sound.mp4")
    assert clip.duration == pytest.approx(8, abs=0.05) and len(clip.frames) == 16
    assert (clip.frames[4:] == clip.frames[4]).all() and not (clip.frames[0] == clip.frames[3]).all()
    assert alike(clip, film_of(clip, tmp_path))


def test_a_phone_turned_while_it_records(tmp_path):
    clip = read("turned.webm")
    assert clip.frames.shape == (12, 90, 160, 3) and clip.duration == pytest.approx(6, abs=0.05)
    assert any("size" in notice for notice in clip.notices)
    upright = clip.frames[5]
    columns = np.flatnonzero(upright.max(axis=(0, 2)) > 20)
    assert len(columns) == pytest.approx(90 * 90 / 160, abs=2), "the portrait part keeps its shape"
    assert (np.diff(levels(clip)[:4]) > 4).all() and (np.diff(levels(clip)[8:]) > 4).all()
    assert alike(clip, film_of(clip, tmp_path))


def test_channels_that_cancel_are_heard_one_alone_and_played_as_they_are(tmp_path):
    clip = read("opposite_phase.mp4")
    film = compose(clip, Conflict(), out=tmp_path / "film.mp4")
    assert peak_frequency(clip.waveform) == pytest.approx(600, abs=2) and np.abs(clip.waveform).max() > 0.1
    assert any("left" in notice for notice in clip.notices)
    assert media.probe(film).channels == 2
    heard = read_clip(write_heard(apply(clip, Conflict()), tmp_path / "heard.wav"))
    assert np.abs(heard.waveform - clip.waveform).max() < 1e-3


def test_channels_that_do_not_cancel_are_mixed(tmp_path):
    source = "-f lavfi -i aevalsrc=0.3*sin(2*PI*400*t)|0.3*sin(2*PI*900*t):d=2:s=44100 -c:a pcm_s16le"
    clip = read_clip(made(source, tmp_path / "apart.wav"))
    spectrum = np.abs(np.fft.rfft(clip.waveform))
    assert spectrum[800] == pytest.approx(spectrum[1800], rel=0.05) and not any("cancel" in n for n in clip.notices)


@pytest.mark.parametrize(("layout", "channels", "played"), [("7.1", 8, 8), ("hexadecagonal", 16, 2)])
def test_sound_of_many_channels(tmp_path, layout, channels, played):
    tones = "|".join(f"0.1*sin(2*PI*{100 * (n + 3)}*t)" for n in range(channels))
    clip = read_clip(made(f"-f lavfi -i aevalsrc={tones}:c={layout}:d=2:s=48000 -c:a pcm_s16le", tmp_path / "room.wav"))
    spectrum = np.abs(np.fft.rfft(clip.waveform))
    assert spectrum[2 * 300] > 50 and spectrum[2 * 500] > 50, "left and centre are heard"
    film = compose(clip, Conflict(), out=tmp_path / "film.mp4")
    assert media.probe(film).channels == played


def test_a_copy_that_was_broken_off_is_called_that(tmp_path, media_file):
    data, path = media_file("plain.mp4").read_bytes(), tmp_path / "half.mp4"
    for share in range(1, 10):
        path.write_bytes(data[: len(data) * share // 10])  # the list of what is in it comes last
        with pytest.raises(McGurkError, match=r"'half[.]mp4' is damaged or was not copied to its end"):
            read_clip(path)


def test_a_sound_of_its_own_is_played_in_its_channels_and_rate(tmp_path):
    source = "-f lavfi -i aevalsrc=0.3*sin(2*PI*11000*t)|0.3*sin(2*PI*500*t):d=2:s=48000 -c:a flac"
    clip = read_clip(made(source, tmp_path / "bright.flac"))
    film = compose(clip, Conflict(), out=tmp_path / "film.mp4")
    media.write_sound(film, tmp_path / "sound.au", seconds=60)
    import soundfile

    samples, rate = soundfile.read(tmp_path / "sound.au")
    left = np.abs(np.fft.rfft(samples[:rate, 0]))
    assert rate == 48000 and samples.shape[1] == 2
    assert left.argmax() == 11000, "far beyond what 16 kHz can carry"


def test_a_track_nobody_can_decode_is_said_and_the_picture_kept():
    clip = read("unknown_sound.mov")
    assert len(clip.frames) == 10 and clip.waveform is None
    assert clip.notices == ("The sound of this file can't be decoded here: it is left out.",)


def test_the_next_track_stands_in_for_one_that_cannot_be_decoded(tmp_path):
    sounds = "-f lavfi -i sine=frequency=300:duration=2 -f lavfi -i sine=frequency=800:duration=2"
    path = made(
        f"{sounds} -map 0 -map 1 -c:a:0 pcm_s16le -c:a:1 pcm_s24le -disposition:a:0 default", tmp_path / "a.mov"
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b"sowt", b"Qxyz"))  # a codec that does not exist
    clip = read_clip(path)
    assert peak_frequency(clip.waveform) == pytest.approx(800, abs=2)
    assert any("another one is used" in notice for notice in clip.notices)


def test_the_length_is_what_is_in_the_file(tmp_path):
    """A browser's recording states none; a VBR mp3 without its header states a wrong one."""
    source = "-f lavfi -i color=size=64x36:rate=5:duration=90 -f lavfi -i sine=duration=90 -c:v libvpx -c:a libopus"
    live = tmp_path / "live.webm"
    made(f"{source} -deadline realtime -live 1 -f webm", live)
    clip = read_clip(live)
    assert clip.duration == 60 and len(clip.frames) == 120 and len(clip.waveform) == 60 * SAMPLE_RATE
    assert any("90 s" in notice and "60 s" in notice for notice in clip.notices)
    source = "-f lavfi -i aevalsrc=if(lt(t\\,4)\\,0\\,0.5*(random(0)-0.5)):d=40 -c:a libmp3lame -q:a 0 -write_xing 0"
    clip = read_clip(made(source, tmp_path / "vbr.mp3"))
    assert clip.duration == pytest.approx(40, abs=0.1) and clip.notices == ("This file has no picture.",)


def test_a_raw_stream_is_a_video(tmp_path, media_file):
    raw = made(f"-i {media_file('plain.mp4')} -c:v copy -an -f h264", tmp_path / "raw.h264")
    clip = read_clip(raw)
    assert len(clip.frames) == 6 and clip.duration == pytest.approx(3, abs=0.1) and not clip.info.still


def test_hdr_is_toned_alike_for_model_and_player(tmp_path):
    clip = read("pq.mp4")
    assert any("HDR" in notice for notice in clip.notices)
    red, green, blue = clip.frames[1, 30, 160], clip.frames[1, 90, 60], clip.frames[1, 150, 160]
    for colour, channel in ((red, 0), (green, 1), (blue, 2)):
        assert colour[channel] > 150 and np.delete(colour, channel).max() < 30
    assert alike(clip, film_of(clip, tmp_path))


def test_the_curves_of_hdr():
    """Values of the standards: BT.2100's PQ of 100 nits, BT.2408's 58 % for 203 nits and HLG's 75 % for white."""
    assert hdr.pq_code(100) == pytest.approx(0.508, abs=1e-3) and hdr.pq_code(203) == pytest.approx(0.58, abs=2e-3)
    assert hdr.pq_light(hdr.pq_code(np.array([0.1, 50, 4000]))) == pytest.approx([0.1, 50, 4000])
    assert hdr.hlg_light(np.array([0.5, 1.0])) == pytest.approx([1 / 12, 1])
    assert hdr.compressed(np.array([1.0, 50, 1000])) == pytest.approx([1, 50, 203], rel=1e-3)
    greys = (np.linspace(0, 1, 50)[:, None, None] * np.ones(3) * 65535).astype(np.uint16)
    for curve in (hdr.PQ, hdr.HLG):
        toned = hdr.toned(greys, curve)[:, 0].astype(int)
        assert (np.diff(toned[:, 0]) >= 0).all() and np.ptp(toned, axis=1).max() <= 1 and toned[-1, 0] == 255
    white = np.full((1, 1, 3), round(0.75 * 65535), np.uint16)
    assert 150 < hdr.toned(white, hdr.HLG)[0, 0, 0] < 240


@pytest.mark.parametrize(
    ("name", "shape", "spots"),
    [
        ("sideways.jpg", (90, 160), {(0.1, 0.1): RED, (0.5, 0.1): GREEN, (0.9, 0.5): BLUE, (0.5, 0.9): YELLOW}),
        ("alpha.png", (90, 160), {(0.1, 0.1): RED, (0.9, 0.5): (128, 128, 128)}),
        ("tiles.heic", (448, 448), {(0.05, 0.05): RED, (0.05, 0.9): GREEN, (0.9, 0.05): BLUE, (0.9, 0.9): YELLOW}),
        ("sixteen_bits.png", (90, 160), {(0.9, 0.9): (51, 51, 51)}),
        ("single.gif", (90, 160), {}),
    ],
)
def test_pictures(name, shape, spots, tmp_path):
    clip = read(name)
    assert clip.frames.shape == (10, *shape, 3) and clip.duration == 5
    assert any("still" in notice for notice in clip.notices)
    for (y, x), colour in spots.items():
        assert clip.frames[0, int(y * shape[0]), int(x * shape[1])].astype(int) == pytest.approx(colour, abs=24)
    assert alike(clip, film_of(clip, tmp_path))


def test_a_photograph_of_tiles_is_whole():
    assert media.probe(FOLDER / "tiles.heic").size == (1024, 1024)  # its thumbnail is smaller


def test_the_bench_sees_photographs_as_the_page_does():
    from demo.bench.cases.material import MAX_SIDE, _photograph

    for name in ("sideways.jpg", "sixteen_bits.png", "alpha.png", "tiles.heic"):
        seen = _photograph(FOLDER / name)
        page = read_clip(FOLDER / name, Sampling(side=MAX_SIDE)).frames[0]
        assert np.abs(seen.astype(int) - page).max() <= 2, name


@pytest.mark.parametrize("size", [(4032, 3024), (8160, 6144)])
def test_phone_photographs_are_scaled_down(tmp_path, size):
    path = tmp_path / "phone.jpg"
    Image.linear_gradient("L").resize(size).convert("RGB").save(path, quality=60)
    clip = read_clip(path)
    assert clip.frames.shape[1:] == (round(448 * size[1] / size[0]), 448, 3)
    assert clip.frames[0, 5].mean() < 20 and clip.frames[0, -5].mean() > 235


def test_a_photograph_that_is_far_too_large(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (30000, 30000)).save(path)
    with pytest.raises(McGurkError, match="megapixels"):
        read_clip(path)


@pytest.mark.parametrize("kind", ["webp", "gif", "png", "avif"])
def test_animations_move_at_their_times(tmp_path, kind):
    frames = [Image.new("RGB", (64, 48), (50 * n,) * 3) for n in range(5)]
    path = tmp_path / f"moving.{kind}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[500, 1000, 500, 500, 1500], lossless=True)
    clip = read_clip(path)
    assert clip.duration == pytest.approx(4, abs=0.05) and not any("still" in notice for notice in clip.notices)
    assert levels(clip) == pytest.approx([0, 50, 50, 100, 150, 200, 200, 200], abs=4)
    assert alike(clip, film_of(clip, tmp_path))


def test_animated_webp():
    clip = read("animated.webp")
    assert clip.duration == pytest.approx(5, abs=0.01) and len(clip.frames) == 10 and (np.diff(levels(clip)) > 3).all()


@pytest.mark.parametrize("name", ["filters.svg", "text.txt"])
def test_what_may_not_come_in_is_refused_at_once(name):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(McGurkError, match="not a media file"):
        read(name)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1  # 0.2 s, on however busy a machine


def confined(act: str, cpu: int = 20) -> subprocess.CompletedProcess:
    """What becomes of a process that does something after it was confined as decoders are."""
    code = f"""
import os, socket
from demo.media.limits import confine
confine({cpu}, 3, 1000)
try:
    {act}
except (OSError, MemoryError) as error:
    print(type(error).__name__, getattr(error, "errno", ""))
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parent.parent)


@pytest.mark.parametrize("act", ["open('/etc/hostname')", "socket.socket()", "os.pipe()"])
def test_a_decoder_can_open_nothing(act):
    assert confined(act).stdout.strip() == "OSError 24"  # too many open files


def test_a_decoder_has_bounded_memory_and_time():
    assert confined("bytearray(3 * 1024**3)").stdout.startswith("MemoryError")
    assert confined("while True: pass", cpu=0).returncode == -signal.SIGXCPU


def test_no_more_decoders_than_cores(monkeypatch, media_file):
    path, running, most, lock = media_file("photo.png"), set(), 0, threading.Lock()
    start = subprocess.Popen

    def counted(*given, **how):
        nonlocal most
        child = start(*given, **how)
        wait = child.wait

        def ended(*args, **how):
            status = wait(*args, **how)
            with lock:
                running.discard(child.pid)
            return status

        with lock:
            running.add(child.pid)
            most = max(most, len(running))
        child.wait = ended
        return child

    monkeypatch.setattr("demo.media.reading.subprocess.Popen", counted)
    threads = [threading.Thread(target=media.probe, args=(path,)) for _ in range(3 * limits.CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= limits.CORES and not running
