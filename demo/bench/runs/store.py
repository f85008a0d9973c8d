"""A run's folder: samples.jsonl line by line, shards, config.json; safe against kills, full disks and two writers.

Knows files. Does not know what a sample means.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.omni import McGurkError

SAMPLES, CONFIG = "samples.jsonl", "config.json"
EXTENDABLE = ("conditions", "questions", "held_out_questions")  # a later run may ask more into the same folder


class Store:
    """The samples of one process. Use it as a context manager: it holds the lock on its file.

    folder: made if it is not there. shard: (i, n), process i of n, from 1.
    """

    def __init__(self, folder: Path, shard: tuple[int, int] = (1, 1)):
        self.folder = folder
        name = SAMPLES if shard[1] == 1 else f"samples-{shard[0]}-of-{shard[1]}.jsonl"
        self.path = folder / name
        self._lock = FileLock(str(folder / f".{name}.lock"), timeout=0)
        self._file = None

    def __enter__(self) -> Store:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise McGurkError(f"Another run is writing {self.path}: wait for it, or choose another folder.") from error
        _cut_unfinished_line(self.path)
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_exception) -> None:
        self._file.close()
        self._lock.release()

    def append(self, sample: dict[str, Any]) -> None:
        """Write one sample; a kill or a full disk after this loses nothing of it."""
        self._file.write(json.dumps(sample, ensure_ascii=False, separators=(",", ":")) + "\n")
        self._file.flush()


def read_samples(folder: Path) -> dict[str, dict[str, Any]]:
    """Every complete sample of a run by its key, of all shards. {} for a folder without samples."""
    samples: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("samples*.jsonl")):
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break  # still being written, or cut off by a kill
                try:
                    sample = json.loads(line)
                    samples[sample["key"]] = sample
                except (ValueError, KeyError, TypeError) as error:
                    raise McGurkError(f"Line {number} of {path} is no sample: remove that line.") from error
    return samples


def merge(folder: Path, keys: Iterable[str], samples: dict[str, dict[str, Any]]) -> None:
    """Write the samples in the order of `keys` as one samples.jsonl and remove the shards' files."""
    shards = sorted(folder.glob("samples-*-of-*.jsonl"))
    if not shards:
        return
    lines = (json.dumps(samples[key], ensure_ascii=False, separators=(",", ":")) + "\n" for key in keys)
    write_atomically(folder / SAMPLES, "".join(lines))
    for shard in shards:
        shard.unlink()


def locked(folder: Path) -> FileLock:
    """The lock that whoever writes the run's shared files holds."""
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(str(folder / ".run.lock"))


def settle_config(folder: Path, settings: dict[str, Any], about: dict[str, Any]) -> None:
    """Write config.json, or check that the folder's run has the same settings.

    Raises McGurkError, naming the setting, if the folder holds another run.
    """
    known = read_config(folder)
    for name, value in (known.get("settings") or {}).items():
        if name not in EXTENDABLE and settings.get(name) != value:
            raise McGurkError(
                f"{folder} holds a run with {name} = {value!r}, not {settings.get(name)!r}: "
                "choose another folder or the same settings."
            )
    write_json(folder / CONFIG, {"settings": settings, **about})


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json holds; {} without one."""
    return read_json(folder / CONFIG)


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; {} where there is none. Raises McGurkError for a damaged one."""
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise McGurkError(f"{path} is damaged: remove it and start the run again.") from error


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write plain values as readable JSON, complete or not at all."""
    write_atomically(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _cut_unfinished_line(path: Path) -> None:
    """Drop what a kill left after the last complete line."""
    if not path.is_file():
        return
    content = path.read_bytes()
    complete = content.rfind(b"\n") + 1
    if complete < len(content):
        with path.open("r+b") as file:
            file.truncate(complete)
