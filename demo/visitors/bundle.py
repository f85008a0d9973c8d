"""A situation as one file (.mcgurk): the spliced clip, what is true of it, the rest of the conflict, the question.

A zip archive of exactly two members: situation.json and clip.mp4. Knows how it is written and that whatever comes from
outside may be hostile. Does not know shelves or pages.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from demo import media
from demo.clips import NOTHING, Clip
from demo.conflicts import Conflict, untold
from demo.media import player
from demo.media.excerpt import excerpt, size_of
from demo.visitors.shelf import checked_label, tidy_name
from demo.visitors.state import State, from_query, to_query
from models.omni import McGurkError, Stimulus

SUFFIX = ".mcgurk"
VERSION = 1
SITUATION, CLIP = "situation.json", "clip.mp4"
MAX_JSON = 64_000  # bytes
MAX_CLIP = 40 * 1000**2  # bytes
MAX_FILE = MAX_CLIP + 100_000  # bytes of the archive
SMALL = 8 * 1000**2  # bytes; a larger film is encoded again
SMALL_SIDE = 640  # pixels of a film that is encoded again
CHUNK = 1 << 16  # bytes
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # Python unpacks the others (LZMA, BZ2) without any bound
_FIELDS = {"version": int, "name": str, "state": str, "seen": str | None, "heard": str | None, "spliced": dict}
_REFUSED = "This is no .mcgurk file of this page, or it is damaged: save the situation again on the page that made it."


@dataclass(frozen=True)
class Bundle:
    """What a .mcgurk file holds; the clip is written to a file of the caller's."""

    name: str
    state: State  # without a clip: that is the file's own; its sound has been swapped already
    seen: str | None  # None: nobody told; NOTHING: there is nothing to see
    heard: str | None


def write(out: Path, state: State, clip: Clip, other: Clip | None, stimulus: Stimulus) -> Path:
    """Write a situation to `out` and return its path. Raises McGurkError.

    A swapped sound is part of the film, with its place, shift and noise; everything else that was done to the clip
    stays a conflict that can be undone.
    """
    baked, kept = _divided(state.conflict)
    missing = untold(clip, baked, other)
    heard = other.heard if baked.sound == "swap" and other is not None else clip.heard
    if baked.sound == "swap":
        heard = None if "sound" in missing else stimulus.heard or NOTHING
    described = {
        "version": VERSION,
        "name": clip.name,
        "state": to_query(replace(state, clip="", conflict=kept)),
        "seen": clip.seen,
        "heard": heard,
        "spliced": {"sound_of": other.name} if other is not None and baked.sound == "swap" else {},
    }
    film = media.temporary_beside(out.with_suffix(".mp4"))
    unfinished = media.temporary_beside(out)
    try:
        player.compose(clip, baked, other, film)
        if film.stat().st_size > SMALL:
            size = size_of(clip, SMALL_SIDE)
            excerpt(film, film, 0.0, clip.duration, size=size, sound=media.probe(film).audio is not None)
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(SITUATION, json.dumps(described, indent=2))
            archive.write(film, CLIP)
        os.replace(unfinished, out)
    finally:
        film.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    return out


def read(path: Path, film: Path) -> Bundle:
    """Read a .mcgurk file and write its clip to `film`. Raises McGurkError for anything but what `write` makes.

    Nothing is unpacked by the names inside, sizes are counted while reading and not believed, and the clip is what any
    upload is: a file still to be probed.
    """
    if path.stat().st_size > MAX_FILE:
        raise McGurkError(f"A .mcgurk file has at most {MAX_FILE / 1e6:.0f} MB: this one is larger.")
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted((SITUATION, CLIP)):
                raise McGurkError(_REFUSED)
            if any(member.compress_type not in PACKED for member in members):
                raise McGurkError(_REFUSED)
            text = b"".join(_chunks(archive, SITUATION, MAX_JSON))
            with film.open("wb") as written:
                for chunk in _chunks(archive, CLIP, MAX_CLIP):
                    written.write(chunk)
        return _understood(json.loads(text.decode("utf-8")))
    except McGurkError:
        film.unlink(missing_ok=True)
        raise
    except Exception as error:  # zipfile, its decompressors and json share no other ancestor
        film.unlink(missing_ok=True)
        if isinstance(error, MemoryError) or getattr(error, "errno", None):  # not the file's fault, but this machine's
            raise
        raise McGurkError(_REFUSED) from error


def _check_directory(path: Path) -> None:
    """Raise McGurkError unless the archive ends with a directory of two members, before zipfile reads all it claims.

    The last 22 bytes of a zip without a comment hold the number of members in bytes 10 and 11 (APPNOTE 4.3.16); a
    zip64 locator in front of them could overrule it.
    """
    with path.open("rb") as opened:
        opened.seek(max(0, path.stat().st_size - 42))
        end = opened.read()
    record, locator = end[-22:], end[:-22]
    if record[:4] != b"PK\5\6" or record[10:12] != b"\2\0" or locator[:4] == b"PK\6\7":
        raise McGurkError(_REFUSED)


def _divided(conflict: Conflict) -> tuple[Conflict, Conflict]:
    """(what becomes part of the film, what stays to be done to it)."""
    if conflict.sound != "swap":
        return Conflict(), conflict
    sound = {
        "sound": "swap",
        "other": conflict.other,
        "swap_from": conflict.swap_from,
        "swap_to": conflict.swap_to,
        "shift": conflict.shift,
        "noise_db": conflict.noise_db,
    }
    plain = Conflict()
    return Conflict(**sound), replace(conflict, **{name: getattr(plain, name) for name in sound})


def _chunks(archive: zipfile.ZipFile, name: str, limit: int):
    """A member's bytes piece by piece. Raises McGurkError beyond `limit` bytes, whatever the archive claims."""
    count = 0
    with archive.open(name) as member:
        while chunk := member.read(CHUNK):
            count += len(chunk)
            if count > limit:
                raise McGurkError(f"The {name} in this .mcgurk file is larger than {limit / 1e6:g} MB: it is refused.")
            yield chunk


def _understood(given: Any) -> Bundle:
    if not isinstance(given, dict) or set(given) != set(_FIELDS):
        raise McGurkError(_REFUSED)
    if any(not isinstance(given[name], kind) for name, kind in _FIELDS.items()):
        raise McGurkError(_REFUSED)
    if given["version"] != VERSION:
        raise McGurkError(
            f"This .mcgurk file has version {given['version']}, this page reads {VERSION}: save it again."
        )
    state = from_query(given["state"])
    if state.clip or state.conflict.other:
        raise McGurkError(_REFUSED)
    return Bundle(tidy_name(given["name"]), state, checked_label(given["seen"]), checked_label(given["heard"]))
