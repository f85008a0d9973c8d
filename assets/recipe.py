"""What a recipe is: where a clip's picture and sound come from, and what must be recognised in it.

Knows values. Does not know which clips there are, or how anything is rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

from assets.picture import Cutout, Film, Photo
from assets.sound import Call, Stretch

WIDE, SMALL = (854, 480), (640, 360)  # SMALL where the material has fewer pixels
DEBIAN, PYPI, NPM = "Debian", "PyPI", "npm"


@dataclass(frozen=True)
class Source:
    """One file of a package, with what its licence asks to be said."""

    package: str  # of Debian: its name; of PyPI: name==version; of npm: name@version
    file: str  # inside the package; "archive.rcc!entry" inside a Qt resource file
    author: str
    licence: str
    home: str = DEBIAN

    def __str__(self) -> str:
        home = "" if self.home == DEBIAN else f"{self.home} "
        return f"{home}{self.package}: {self.file.rpartition('/')[2]} ({self.author}, {self.licence})"


@dataclass(frozen=True)
class Recipe:
    """One clip. `seen_as`, `heard_as`: the ImageNet and AudioSet classes that mean it was recognised, if any does."""

    id: str
    title: str
    name: str  # what is seen, and heard unless `heard` says otherwise
    picture: Source
    style: Photo | Cutout | Film
    sound: Source
    cut: Call | Stretch
    seen_as: tuple[str, ...]
    heard_as: tuple[str, ...]
    seconds: float = 6.0
    size: tuple[int, int] = WIDE
    fps: int = 25
    heard: str = ""
    seen_also: tuple[str, ...] = ()  # further right answers
    heard_also: tuple[str, ...] = ()

    @property
    def own_sound(self) -> bool:
        """Whether picture and sound were recorded together: such a clip stays, recognised or not."""
        return self.picture == self.sound
