"""Fetches and opens the Debian packages the gallery is made of.

Knows apt, dpkg and Qt resource files. Does not know what is taken from a package, or why.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from models.omni import McGurkError

MATERIAL = Path(os.environ.get("MCGURK_MATERIAL") or Path.home() / ".cache" / "mcgurk-material")
RCC_NODE = {1: 14, 2: 22, 3: 22}  # bytes a tree node, by format version
RCC_COMPRESSED, RCC_FOLDER, RCC_ZSTD = 1, 2, 4


def package(name: str) -> Path:
    """Folder with the files of Debian package `name`, downloaded and unpacked on first use (never installed).

    Raises McGurkError where apt and dpkg are missing or the package cannot be had.
    """
    folder = MATERIAL / name
    if folder.is_dir():
        return folder
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise McGurkError(f"Building the gallery needs {tool}: run it on Debian 12 or in its container.")
    unpacked = MATERIAL / f".{name}"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    _run(["apt-get", "download", name], unpacked, f"Debian package {name} could not be downloaded")
    archive = next(unpacked.glob("*.deb"))
    _run(["dpkg-deb", "-x", archive.name, "."], unpacked, f"Debian package {name} could not be unpacked")
    archive.unlink()
    unpacked.rename(folder)
    return folder


def material(name: str, file: str) -> Path:
    """Path of `file` in package `name`; "archive.rcc!entry" names an entry of a Qt resource file.

    Raises McGurkError if the package has no such file.
    """
    outer, _, entry = file.partition("!")
    path = package(name) / outer
    if not path.is_file():
        raise McGurkError(f"Debian package {name} has no file {outer}: another release of it is needed.")
    return _entry(path, entry) if entry else path


def _entry(archive: Path, entry: str) -> Path:
    copy = archive.with_suffix(".d") / entry
    if not copy.is_file():
        content = resource(archive.read_bytes(), entry)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    return copy


def resource(archive: bytes, entry: str) -> bytes:
    """One file of a Qt resource file (rcc): `entry` is its path, with slashes.

    Layout: "qres", version, offsets of tree, data and names; a node holds the offset of its name, flags, then the
    count and index of its children (folder) or, after country and language, the offset of its content (file).
    Raises McGurkError if there is no such entry or its packing is unknown.
    """
    magic, version, tree, data, names = struct.unpack_from(">4s4I", archive)
    if magic != b"qres" or version not in RCC_NODE:
        raise McGurkError("Not a Qt resource file of a known version.")
    node = tree
    for part in entry.split("/"):
        count, first = struct.unpack_from(">2I", archive, node + 6)
        children = (tree + (first + i) * RCC_NODE[version] for i in range(count))
        node = next((child for child in children if _name(archive, names, child) == part), None)
        if node is None:
            raise McGurkError(f"The resource file has no entry {entry}.")
    flags = struct.unpack_from(">H", archive, node + 4)[0]
    start = data + struct.unpack_from(">I", archive, node + 10)[0]
    content = archive[start + 4 : start + 4 + struct.unpack_from(">I", archive, start)[0]]
    if flags & (RCC_FOLDER | RCC_ZSTD):
        raise McGurkError(f"The resource entry {entry} is a folder or packed in a way that is not read here.")
    return zlib.decompress(content[4:]) if flags & RCC_COMPRESSED else content


def _name(archive: bytes, names: int, node: int) -> str:
    start = names + struct.unpack_from(">I", archive, node)[0]
    length = struct.unpack_from(">H", archive, start)[0]
    return archive[start + 6 : start + 6 + 2 * length].decode("utf-16-be")


def _run(command: list[str], folder: Path, complaint: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise McGurkError(f"{complaint} ({reason}); run `apt-get update` and try again.")
