"""Reads the Qt resource files (rcc) that GCompris keeps its pictures and sounds in.

Knows their layout. Does not know packages, or what is taken from them.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from models.omni import McGurkError

RCC_NODE = {1: 14, 2: 22, 3: 22}  # bytes a tree node, by format version
RCC_COMPRESSED, RCC_FOLDER, RCC_ZSTD = 1, 2, 4


def entry(archive: Path, name: str) -> Path:
    """One file of a resource file, unpacked beside it on first use. Raises McGurkError if there is no such entry."""
    copy = archive.with_suffix(".d") / name
    if not copy.is_file():
        content = resource(archive.read_bytes(), name)
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
