"""The clips that have been read: the gallery's, which everybody asks for, and those that visitors bring.

Knows which of them are kept and for how long. Does not know what is done to them or who asks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from demo.clips import USUAL, Clip, GalleryClip, Sampling, gallery, gallery_clip, read_clip
from demo.visitors.memory import Kept
from demo.visitors.shelf import Source
from demo.visitors.state import is_own
from models.omni import McGurkError

BROUGHT = 160_000_000  # bytes of visitors' clips kept: 5-10 s of sampled frames are about 7 MB, 60 s up to 72 MB
GALLERY = 240_000_000  # bytes of gallery clips kept, 4.4 MB each; what visitors bring doesn't drive them out
SPARE = 10_000_000  # bytes left free by reading ahead, so that it never drives out what somebody asked for

log = logging.getLogger(__name__)


class Library:
    """Reads each clip once, as long as there is room. Safe among threads."""

    def __init__(self, brought: int = BROUGHT, gallery: int = GALLERY):
        self._brought, self._gallery = Kept(brought), Kept(gallery)

    def clip(self, id: str, own: Mapping[str, Source], sampling: Sampling = USUAL) -> tuple[Any, Clip]:
        """(key to remember it by, the clip of that id). own: the visitor's own clips, by id. Raises McGurkError."""
        if not is_own(id):
            return self._from_gallery(gallery_clip(id), sampling)
        if id not in own:
            raise McGurkError("This clip of yours is not on the shelf any more: add it again, or choose another.")
        return self._from_visitor(own[id], sampling)

    def read_ahead(self, idle: Callable[[], bool], sampling: Sampling = USUAL) -> int:
        """Read gallery clips that nobody has asked for yet while idle() says so and there is room; how many were."""
        before = len(self._gallery)
        for named in gallery():
            if not idle() or self._gallery.bytes > self._gallery.most - SPARE:
                break
            try:
                self._from_gallery(named, sampling)
            except McGurkError as error:  # whoever chooses it is told
                log.warning("a gallery clip could not be read ahead: %s", error)
        return len(self._gallery) - before

    def _from_gallery(self, named: GalleryClip, sampling: Sampling) -> tuple[Any, Clip]:
        key = (named.id, _changed(named.path), sampling)
        return key, self._gallery.made(key, lambda: named.read(sampling))

    def _from_visitor(self, source: Source, sampling: Sampling) -> tuple[Any, Clip]:
        key = (str(source.path), _changed(source.path), sampling)
        clip = self._brought.made(key, lambda: read_clip(source.path, sampling))
        labels = {"seen": source.seen, "heard": source.heard}
        named = replace(clip, name=source.name, notices=source.notices or clip.notices, **labels)
        return (*key, *labels.values(), source.name), named


def _changed(path: Path) -> int:
    """When a file was last written, in ns; 0 for one that isn't there."""
    return path.stat().st_mtime_ns if path.is_file() else 0
