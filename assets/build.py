"""Builds the gallery: `python -m assets.build` renders every recipe, judges it and keeps what both encoders recognise.

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
from PIL import Image

from assets import judge, picture, sound
from assets.debian import material
from assets.recipes import RECIPES, Recipe
from models.omni import McGurkError

CLIPS = Path(__file__).parent / "clips"
MAX_BYTES = 330_000  # a clip; the whole gallery has to stay below 8 MB
MAX_THUMBNAIL = 24_000  # bytes
MAX_RANK = 5  # the best right class has to be among the first five, on the picture and on the sound
QUALITIES = (22, 25, 28, 30, 32)  # x264's CRF, best first
COLUMNS = ("id", "title", "seen", "heard", "seconds", "width", "height", "licence", "origin")
JUDGED = ("id", "seen_class", "seen_rank", "seen_probability", "heard_class", "heard_rank", "heard_probability", "kept")


def render(recipe: Recipe, folder: Path) -> Path:
    """Write <id>.mp4 (h264, yuv420p, aac, faststart, at most MAX_BYTES) into `folder`."""
    path = material(recipe.picture.package, recipe.picture.file)
    frames = list(picture.frames(path, recipe.style, recipe.size, recipe.seconds, recipe.fps))
    heard = material(recipe.sound.package, recipe.sound.file)
    with tempfile.TemporaryDirectory() as scratch:
        track = Path(scratch) / "sound.wav"
        soundfile.write(track, sound.waveform(heard, recipe.cut, recipe.seconds), sound.RATE)
        for quality in QUALITIES:
            made = _encode(frames, track, recipe, quality, folder / f"{recipe.id}.mp4")
            if made.stat().st_size <= MAX_BYTES:
                return made
    raise McGurkError(f"The clip {recipe.id} does not fit into {MAX_BYTES} bytes: shorten it or make it smaller.")


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
    """Write <id>.jpg, 320 x 180, below MAX_THUMBNAIL: the frame at 70 % of the clip."""
    command = [get_ffmpeg_exe(), "-v", "error", "-ss", f"{0.7 * recipe.seconds:.2f}", "-i", str(clip), "-frames:v", "1",
               "-f", "image2pipe", "-c:v", "png", "-"]  # fmt: skip
    frame = Image.open(io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)).convert("RGB")
    small = frame.resize((320, 180), Image.LANCZOS)
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
    values = (recipe.id, recipe.title, recipe.name, recipe.name, f"{recipe.seconds:g}", width, height, licence, origin)
    return dict(zip(COLUMNS, map(str, values), strict=True))


def build(recipes: tuple[Recipe, ...], folder: Path) -> list[tuple[Recipe, dict[str, str]]]:
    """Render and judge `recipes`; a clip that an encoder does not recognise is deleted again."""
    done = []
    for recipe in recipes:
        clip = render(recipe, folder)
        seen, heard = judge.seen(clip, recipe.seen_as), judge.heard(clip, recipe.heard_as)
        kept = max(seen.rank, heard.rank) <= MAX_RANK
        if kept:
            thumbnail(clip, recipe)
        else:
            clip.unlink()
            clip.with_suffix(".jpg").unlink(missing_ok=True)
        print(f"{recipe.id:16} {seen} | {heard} {'' if kept else 'LEFT OUT'}", flush=True)
        values = (recipe.id, seen.name, seen.rank, f"{seen.probability:.2f}",
                  heard.name, heard.rank, f"{heard.probability:.2f}", "yes" if kept else "no")  # fmt: skip
        done.append((recipe, dict(zip(JUDGED, map(str, values), strict=True))))
    return done


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
