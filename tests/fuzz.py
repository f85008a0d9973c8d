"""Damaged and twisted media: `python -m tests.fuzz [--mutants 1000] [--seed 0] [--keep FOLDER]`.

Sixty small valid files of all kinds that may come in are made, then mutated by a seeded generator. Each mutant must be
read or be refused with one sentence, within 5 s of computing and 500 MB, and leave no file and no process behind.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from demo.clips import read_clip
from demo.media import ffmpeg
from demo.media import pictures as _pictures  # noqa: F401  teaches Pillow HEIC
from models.omni import McGurkError

SECONDS, MEGABYTES = 5.0, 500  # of computing, and of memory: limits of one mutant
WAIT = 60.0  # s by the clock, on however busy a machine
LONGEST = 300  # characters of a sentence

PICTURE = "-f lavfi -i testsrc2=size=96x64:rate=10:duration=1"
SOUND = "-f lavfi -i aevalsrc=0.4*sin(2*PI*440*t)|0.3*sin(2*PI*660*t):d=1:s=44100"
BOTH = f"{PICTURE} {SOUND}"
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
RECIPES = {  # name -> ffmpeg's arguments before it
    "a.mp4": f"{BOTH} {X264} -c:a aac",
    "fast.mp4": f"{BOTH} {X264} -c:a aac -movflags +faststart",
    "pieces.mp4": f"{BOTH} {X264} -c:a aac -movflags frag_keyframe+empty_moov",
    "mute.mp4": f"{PICTURE} {X264}",
    "bframes.mp4": f"{PICTURE} -c:v libx264 -bf 3 -pix_fmt yuv420p",
    "turned.mp4": f"-display_rotation 90 {PICTURE} {X264}",
    "hevc.mp4": f"{PICTURE} -c:v libx265 -x265-params log-level=none -preset ultrafast -tag:v hvc1",
    "deep.mp4": f"{PICTURE} -c:v libx265 -x265-params log-level=none -preset ultrafast -pix_fmt yuv420p10le "
    "-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc",
    "av1.mp4": f"{PICTURE} -c:v libsvtav1 -preset 12",
    "mpeg4.mp4": f"{BOTH} -c:v mpeg4 -c:a aac",
    "a.mov": f"{BOTH} {X264} -c:a pcm_s16le",
    "prores.mov": f"{PICTURE} -c:v prores_ks",
    "alpha.mov": f"{PICTURE} -vf format=yuva444p -c:v prores_ks -profile:v 4444",
    "rle.mov": f"{PICTURE} -c:v qtrle",
    "alac.m4a": f"{SOUND} -c:a alac",
    "a.m4a": f"{SOUND} -c:a aac",
    "a.3gp": f"{BOTH} -c:v h263 -s 128x96 -c:a aac",
    "a.mkv": f"{BOTH} {X264} -c:a libvorbis",
    "flac.mkv": f"{BOTH} -c:v ffv1 -c:a flac",
    "mjpeg.mkv": f"{PICTURE} -c:v mjpeg",
    "two.mkv": f"{BOTH} -map 0 -map 1 -map 1 {X264} -c:a:0 ac3 -c:a:1 mp3",
    "vp8.webm": f"{BOTH} -c:v libvpx -deadline realtime -c:a libopus",
    "vp9.webm": f"{BOTH} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
    "live.webm": f"{BOTH} -c:v libvpx -deadline realtime -c:a libopus -live 1",
    "opus.webm": f"{SOUND} -c:a libopus",
    "a.avi": f"{BOTH} -c:v mpeg4 -c:a mp3",
    "mjpeg.avi": f"{BOTH} -c:v mjpeg -c:a pcm_s16le",
    "raw.avi": f"{PICTURE} -c:v rawvideo -pix_fmt bgr24",
    "a.ts": f"{BOTH} {X264} -c:a aac",
    "mpeg2.ts": f"{BOTH} -c:v mpeg2video -c:a mp2 -r 25",
    "camera.m2ts": f"{BOTH} {X264} -c:a ac3 -mpegts_m2ts_mode 1",
    "a.mpg": f"{BOTH} -c:v mpeg2video -c:a mp2 -r 25",
    "a.flv": f"{BOTH} -c:v flv -c:a mp3",
    "h264.flv": f"{BOTH} {X264} -c:a aac",
    "a.wmv": f"{BOTH} -c:v wmv2 -c:a wmav2",
    "a.ogv": f"{BOTH} -c:v libtheora -c:a libvorbis",
    "a.mxf": f"{PICTURE} -c:v mpeg2video -r 25",
    "a.h264": f"{PICTURE} {X264}",
    "a.y4m": f"{PICTURE} -pix_fmt yuv420p",
    "a.ivf": f"{PICTURE} -c:v libvpx -deadline realtime",
    "a.mp3": f"{SOUND} -c:a libmp3lame",
    "cover.mp3": f"{SOUND} {PICTURE} -map 0 -map 1 -c:a libmp3lame -c:v png -frames:v 1 -disposition:v attached_pic",
    "a.aac": f"{SOUND} -c:a aac",
    "a.flac": f"{SOUND}",
    "a.ogg": f"{SOUND} -c:a libvorbis",
    "a.opus": f"{SOUND} -c:a libopus",
    "a.wav": f"{SOUND}",
    "float.wav": f"{SOUND} -c:a pcm_f32le",
    "adpcm.wav": f"{SOUND} -c:a adpcm_ms",
    "a.aiff": f"{SOUND}",
    "a.caf": f"{SOUND}",
    "a.au": f"{SOUND}",
}  # fmt: skip
PICTURES = {  # name -> (mode, how Pillow saves it)
    "a.jpg": ("RGB", {}),
    "progressive.jpg": ("RGB", {"progressive": True}),
    "a.png": ("RGBA", {}),
    "palette.png": ("P", {}),
    "a.gif": ("P", {"frames": 4}),
    "moving.webp": ("RGB", {"frames": 4}),
    "moving.avif": ("RGB", {"frames": 3}),
    "a.heic": ("RGB", {}),
}


@dataclass
class Table:
    """What became of the mutants."""

    outcomes: Counter = field(default_factory=Counter)
    sentences: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # of computing
    waited: list[float] = field(default_factory=list)  # s by the clock

    def __str__(self) -> str:
        times = np.sort(self.seconds)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        lines = [f"{count:6}  {outcome}" for outcome, count in self.outcomes.most_common()]
        lines += [f"{count:6}    {sentence}" for sentence, count in self.sentences.most_common(12)]
        lines += [
            f"seconds of computing: median {np.median(times):.2f}, 99 % {np.quantile(times, 0.99):.2f}, "
            f"most {times[-1]:.2f}",
            f"seconds by the clock: median {np.median(self.waited):.2f}, most {max(self.waited):.2f}",
        ]
        lines += [f"memory of a process at most: {peak:.0f} MB", f"failures: {len(self.failures)}", *self.failures[:20]]
        return "\n".join(lines)


def make_corpus(folder: Path, every: int = 1) -> list[Path]:
    """Sixty small valid files of all kinds, or every so manieth of them."""
    for name, arguments in list(RECIPES.items())[::every]:
        command = [ffmpeg(), "-nostdin", "-loglevel", "error", "-y", *arguments.split(), str(folder / name)]
        subprocess.run(command, check=True, timeout=60, env={**os.environ, "SVT_LOG": "0"})
    tones = np.random.default_rng(0).integers(0, 256, (4, 6, 9, 3), np.uint8)
    images = [Image.fromarray(each).resize((96, 64)) for each in tones]
    for name, (mode, how) in list(PICTURES.items())[::every]:
        how = dict(how)
        several = images[1 : how.pop("frames", 1)]
        how |= (
            {"save_all": True, "duration": 200, "append_images": [i.convert(mode) for i in several]} if several else {}
        )
        images[0].convert(mode).save(folder / name, format="HEIF" if name.endswith("heic") else None, **how)
    return sorted(path for path in folder.iterdir() if path.is_file())


def mutated(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One to four random changes of a file; `other`: a second file that pieces are taken from."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if len(data) < 16:
            break
        # half of all changes hit the first kilobyte, where the structure of most files is
        at = int(rng.integers(0, min(len(data), 1024) if rng.random() < 0.5 else len(data)))
        length = int(2 ** rng.uniform(0, np.log2(len(data))))
        kind = rng.integers(0, 10)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            data[at : at + length] = rng.bytes(len(data[at : at + length]))
        elif kind == 2:
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif kind == 3:
            del data[max(16, at) :]
        elif kind == 4:
            del data[at : at + length]
        elif kind == 5:
            data[at:at] = data[at : at + length]
        elif kind == 6:  # a length, a size or a count that is far too large
            value = int(rng.choice([0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 30000, 65500]))
            data[at : at + 4] = value.to_bytes(4, "big" if rng.random() < 0.5 else "little")
        elif kind == 7:
            start = int(rng.integers(0, len(other)))
            data[at : at + length] = other[start : start + length]
        elif kind == 8:
            data = bytearray(data[:at] + other[min(at, len(other)) :])
        else:
            for place in rng.integers(0, len(data), max(1, len(data) // 200)):
                data[place] = int(rng.integers(0, 256))
    return bytes(data)


def run(mutants: int, seed: int, keep: Path | None = None, corpus: int | None = None) -> Table:
    """Read that many mutants and return what became of them. corpus: how many of the files are used."""
    table = Table()
    with tempfile.TemporaryDirectory(prefix="fuzz") as made, _temporary_files_in(Path(made) / "temporary"):
        folder = Path(made)
        files = make_corpus(folder, max(1, 60 // (corpus or 60)))
        for file in files:
            try:
                read_clip(file)
            except McGurkError as error:
                table.failures.append(f"{file.name}, as it was made: {error}")
        content = [file.read_bytes() for file in files]
        path = folder / "mutant"
        path.touch()
        before = _names(folder)
        for number in range(mutants):
            rng = np.random.default_rng([seed, number])
            pick, second = (int(each) for each in rng.integers(0, len(files), 2))
            path.write_bytes(mutated(content[pick], content[second], rng))
            wrong = _tried(path, table)
            if _children():
                wrong += ["left a process"]
            wrong += [f"left the file {name}" for name in _names(folder) - before]
            if resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 > MEGABYTES:
                wrong += [f"more than {MEGABYTES} MB"]
            for what in wrong:
                table.failures.append(f"mutant {number} of {files[pick].name}: {what}")
                print(table.failures[-1], file=sys.stderr, flush=True)
                if keep is not None:
                    (keep / f"{seed}-{number}-{files[pick].name}").write_bytes(path.read_bytes())
            if wrong and wrong[-1].startswith("more than"):
                break  # the highest memory of all children is all that is known: the rest would count too
    return table


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """All temporary files go to a fresh folder, so that what is left there was left by us."""
    folder.mkdir()
    with patch.dict(os.environ, TMPDIR=str(folder)), patch.object(tempfile, "tempdir", str(folder)):
        yield


def _tried(path: Path, table: Table) -> list[str]:
    """Read one mutant; returns what was wrong with how it went."""
    wrong, started, spent = [], time.perf_counter(), _spent()
    try:
        clip = read_clip(path)
        table.outcomes[
            "read" + (", with a notice about damage" if any("damaged" in n for n in clip.notices) else "")
        ] += 1
    except McGurkError as error:
        sentence = str(error)
        table.outcomes["refused"] += 1
        table.sentences[sentence] += 1
        if "\n" in sentence or not sentence.endswith(".") or len(sentence) > LONGEST:
            wrong.append(f"no short sentence: {sentence[:80]!r}")
    except Exception as error:
        table.outcomes["crashed"] += 1
        wrong.append(f"raised {error!r}")
    table.waited.append(time.perf_counter() - started)
    table.seconds.append(_spent() - spent)  # a busy machine does not make it longer
    if table.seconds[-1] > SECONDS or table.waited[-1] > WAIT:
        wrong.append(f"took {table.seconds[-1]:.1f} s of computing in {table.waited[-1]:.1f} s")
    return wrong


def _spent() -> float:
    """Seconds that ended child processes computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _names(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


def _children() -> list[str]:
    """Processes that this one has started and not yet ended."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def main() -> int:
    """Run the command and return its exit status: 0 if every mutant was read or refused as it should be."""
    given = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    given.add_argument("--mutants", type=int, default=1000)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--files", type=int, help="how many files of the corpus (default: all)")
    given.add_argument("--keep", type=Path, help="a folder for mutants that went wrong")
    arguments = given.parse_args()
    table = run(arguments.mutants, arguments.seed, arguments.keep, corpus=arguments.files)
    print(table)
    return bool(table.failures)


if __name__ == "__main__":
    sys.exit(main())
