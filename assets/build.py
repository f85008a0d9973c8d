"""Builds the gallery: `python -m assets.build` renders every recipe, judges it, and keeps what both encoders recognise
and what was filmed with its sound.

Knows encoding and the table. Does not know where the material comes from or how frames and sound are made.
"""

from __future__ import annotations

import argparse
import csv
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image, ImageOps

from assets import judge, picture, sound
from assets.packages import material
from assets.recipe import Recipe
from assets.recipes import RECIPES
from models.omni import McGurkError

CLIPS = Path(__file__).parent / "clips"
MAX_BYTES, MAX_FILM_BYTES = 330_000, 660_000  # a clip, and one in which everything moves; all together below 12 MB
MAX_THUMBNAIL = 24_000  # bytes
MAX_RANK = 5  # the best right class has to be among the first five, on the picture and on the sound
NO_CLASS = judge.Verdict("", 0, 0.0, "")
QUALITIES = (22, 25, 28, 30, 32)  # x264's CRF, best first
COLUMNS = (
    "id", "title", "seen", "heard", "seen_also", "heard_also", "seconds", "width", "height", "licence", "origin",
)  # fmt: skip
JUDGED = ("id", "seen_class", "seen_rank", "seen_probability", "heard_class", "heard_rank", "heard_probability", "kept")


def render(recipe: Recipe, folder: Path) -> Path:
    """Write <id>.mp4 (h264, yuv420p, aac, faststart, at most MAX_BYTES or MAX_FILM_BYTES) into `folder`."""
    limit = MAX_FILM_BYTES if recipe.own_sound else MAX_BYTES
    path = material(recipe.picture)
    frames = list(picture.frames(path, recipe.style, recipe.size, recipe.seconds, recipe.fps))
    heard = material(recipe.sound)
    with tempfile.TemporaryDirectory() as scratch:
        track = Path(scratch) / "sound.wav"
        soundfile.write(track, sound.waveform(heard, recipe.cut, recipe.seconds), sound.RATE)
        for quality in QUALITIES:
            made = _encode(frames, track, recipe, quality, folder / f"{recipe.id}.mp4")
            if made.stat().st_size <= limit:
                return made
    raise McGurkError(f"The clip {recipe.id} does not fit into {limit} bytes: shorten it or make it smaller.")


def _encode(frames: list[np.ndarray], track: Path, recipe: Recipe, quality: int, out: Path) -> Path:
    width, height = recipe.size
    command = [get_ffmpeg_exe(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
               "-r", str(recipe.fps), "-i", "-", "-i", str(track), "-vf", "scale=out_color_matrix=bt709:out_range=tv",
               "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
               "-c:v", "libx264", "-preset", "medium", "-crf", str(quality), "-pix_fmt", "yuv420p",
               "-g", str(recipe.fps * 2), "-threads", "1", "-c:a", "aac", "-b:a", "80k", "-map_metadata", "-1",
               "-fflags", "+bitexact", "-movflags", "+faststart", str(out)]  # fmt: skip
    done = subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), capture_output=True)
    if done.returncode:
        raise McGurkError(f"ffmpeg could not write {out.name}: {done.stderr.decode().strip()}")
    return out


def thumbnail(clip: Path, recipe: Recipe) -> None:
    """Write <id>.jpg, 320 x 180, below MAX_THUMBNAIL: the frame at 70 % of a clip or as its film says, cut."""
    film = recipe.style if isinstance(recipe.style, picture.Film) else picture.Film()
    at = f"{film.poster * recipe.seconds:.2f}"
    command = [get_ffmpeg_exe(), "-v", "error", "-ss", at, "-i", str(clip), "-frames:v", "1",
               "-f", "image2pipe", "-c:v", "png", "-"]  # fmt: skip
    frame = Image.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)).convert("RGB")
    small = ImageOps.fit(frame, (320, 180), Image.LANCZOS, centering=(0.5, film.focus))
    for quality in (88, 80, 70, 60, 50):
        small.save(clip.with_suffix(".jpg"), quality=quality, optimize=True)
        if clip.with_suffix(".jpg").stat().st_size < MAX_THUMBNAIL:
            return
    raise McGurkError(f"The thumbnail of {recipe.id} stays above {MAX_THUMBNAIL} bytes.")


def row(recipe: Recipe) -> dict[str, str]:
    """The clip's line in clips.csv."""
    width, height = recipe.size
    licence = f"picture {recipe.picture.licence}; sound {recipe.sound.licence}"
    origin = f"picture: {recipe.picture}; sound: {recipe.sound}"
    also = (";".join(recipe.seen_also), ";".join(recipe.heard_also))
    labels = (recipe.id, recipe.title, recipe.name, recipe.heard or recipe.name, *also)
    values = (*labels, f"{recipe.seconds:g}", width, height, licence, origin)
    return dict(zip(COLUMNS, map(str, values), strict=True))


def build(recipes: tuple[Recipe, ...], folder: Path) -> list[tuple[Recipe, dict[str, str]]]:
    """Render and judge `recipes`; a clip that an encoder does not recognise is deleted again, unless it is a film with
    its own sound: the world need not be what the encoders know."""
    done = []
    for recipe in recipes:
        clip = render(recipe, folder)
        seen = judge.seen(clip, recipe.seen_as) if recipe.seen_as else NO_CLASS
        heard = judge.heard(clip, recipe.heard_as) if recipe.heard_as else NO_CLASS
        recognised = min(seen.rank, heard.rank) > 0 and max(seen.rank, heard.rank) <= MAX_RANK
        kept = recognised or recipe.own_sound
        if kept:
            thumbnail(clip, recipe)
        else:
            clip.unlink()
            clip.with_suffix(".jpg").unlink(missing_ok=True)
        print(f"{recipe.id:16} {seen} | {heard} {'' if kept else 'LEFT OUT'}", flush=True)
        values = (recipe.id, *_judged(seen), *_judged(heard), "yes" if kept else "no")
        done.append((recipe, dict(zip(JUDGED, map(str, values), strict=True))))
    return done


def _judged(verdict: judge.Verdict) -> tuple[str, ...]:
    """Class, rank and probability as they are written; empty where no class means it."""
    return (verdict.name, str(verdict.rank), f"{verdict.probability:.2f}") if verdict.name else ("", "", "")


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _read(path: Path) -> dict[str, dict[str, str]]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as table:
        return {line["id"]: line for line in csv.DictReader(table)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m assets.build", description="Build the gallery of clips.")
    parser.add_argument("ids", nargs="*", help="only these clips (default: all)")
    parser.add_argument("--out", type=Path, default=CLIPS, help="folder to write into")
    chosen = parser.parse_args(arguments)
    known = {recipe.id: recipe for recipe in RECIPES}
    try:
        unknown = [id for id in chosen.ids if id not in known]
        if unknown:
            raise McGurkError(f"There is no recipe {', '.join(unknown)}: choose among {', '.join(known)}.")
        chosen.out.mkdir(parents=True, exist_ok=True)
        built = build(tuple(r for r in RECIPES if not chosen.ids or r.id in chosen.ids), chosen.out)
    except McGurkError as error:
        print(error, file=sys.stderr)
        return 2
    judged = _read(chosen.out / "recognised.csv") | {recipe.id: verdict for recipe, verdict in built}
    judged = {id: judged[id] for id in known if id in judged}  # the order of the recipes; forgotten ones drop out
    _write(chosen.out / "recognised.csv", JUDGED, list(judged.values()))
    kept = [row(known[id]) for id, verdict in judged.items() if verdict["kept"] == "yes"]
    _write(chosen.out / "clips.csv", COLUMNS, kept)
    return 0


if __name__ == "__main__":
    sys.exit(main())
