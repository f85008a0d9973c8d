"""What each clip of the gallery is made of: picture, sound, where they come from, and what must be recognised.

Knows origins, licences and tastes. Does not know how anything is rendered.
Licences were read in each package's copyright file, or in the README beside the file inside GCompris' resources.
"""

from __future__ import annotations

from assets.films import FILMS
from assets.picture import Cutout, Film, Move, Photo, View
from assets.recipe import SMALL, Recipe, Source
from assets.sound import Call, Stretch


def gcompris(activity: str, file: str, author: str, licence: str, below: str = "") -> Source:
    entry = f"gcompris/src/activities/{activity}/resource/{below}{file}"
    return Source("gcompris-qt-data", f"usr/share/gcompris-qt/rcc/{activity}.rcc!{entry}", author, licence)


def farm(file: str, author: str = "Bruno Coudoin and others", licence: str = "GPL-3.0-only") -> Source:
    return gcompris("explore_farm_animals", file, author, licence, "animals/")


def instrument(file: str) -> Source:
    players = "Sylvain Dechy, Jérome Blanchard, Julie Jules, Chloé Tuvuku"
    return gcompris("instruments", file, players, "GPL-3.0-or-later")


def stamp(file: str) -> Source:
    author = "Bill Kendrick and Tux Paint contributors"
    return Source("tuxpaint-stamps-default", f"usr/share/tuxpaint/stamps/{file}", author, "GPL-2.0-only")


def scratch(file: str) -> Source:
    author = "Massachusetts Institute of Technology"
    return Source("scratch", f"usr/share/scratch/Media/{file}", author, "CC-BY-SA-3.0")


def wallpaper(file: str, author: str, licence: str) -> Source:
    return Source("lomiri-wallpapers-16.04", f"usr/share/backgrounds/{file}", author, licence)


def kart(file: str, author: str, licence: str) -> Source:
    return Source("supertuxkart-data", f"usr/share/games/supertuxkart/data/sfx/{file}", author, licence)


def pomodoro(file: str) -> Source:
    author = "Kamil Prusko and GNOME Pomodoro contributors"
    return Source("gnome-shell-pomodoro-data", f"usr/share/gnome-pomodoro/sounds/{file}", author, "GPL-3.0-or-later")


def lincity(file: str) -> Source:
    author = "LinCity-NG contributors"
    return Source("lincity-ng-data", f"usr/share/games/lincity-ng/sounds/{file}", author, "GPL-2.0-or-later")


def nature(file: str, author: str) -> Source:
    return Source("mate-backgrounds", f"usr/share/backgrounds/mate/nature/{file}", author, "GPL-2.0-or-later")


def erase(file: str, author: str, licence: str) -> Source:
    return gcompris("erase", file, f"{author} (Wikimedia Commons)", licence)


IVORY = {"top": (244, 240, 232), "bottom": (176, 164, 148)}
SLATE = {"top": (206, 214, 224), "bottom": (104, 118, 136)}
SKY = {"top": (96, 150, 206), "bottom": (214, 230, 242)}

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "cello", "Cello", "cello",
        stamp("hobbies/music/string/cello.png"), Cutout(0.84, **IVORY),
        instrument("cello.ogg"), Stretch(),
        ("cello",), ("Cello",), size=SMALL,
    ),
    Recipe(
        "dog", "Barking dog", "dog",
        Source("forensics-samples-files", "usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4",
               "Joao Eriberto Mota Filho", "CC-BY-SA-4.0"), Film(swing=True),
        farm("dog.ogg"), Call((0.4, 1.5, 2.3, 3.7, 4.6)),
        ("Samoyed",), ("Dog", "Bark"),
    ),
    Recipe(
        "parrot", "Cockatoo", "parrot",
        Source("python3-imageio", "usr/lib/python3/dist-packages/imageio/resources/images/cockatoo.mp4",
               "imageio contributors", "BSD-2-Clause"), Film(start=8.85),
        kart("exotic-birds.ogg", "James Swift (Freesound)", "CC0-1.0"), Stretch(),
        ("sulphur-crested cockatoo",), ("Bird", "Squawk", "Bird vocalization, bird call, bird song"),
        seconds=5.0, fps=20,
    ),
    Recipe(
        "macaw", "Macaw", "parrot",
        gcompris("explore_world_animals", "scarlet_macaw.webp", "Dcoetzee (Wikimedia Commons)", "CC0-1.0", "animals/"),
        Photo(Move(View(0.5, 0.5, 1.0), View(0.47, 0.4, 0.75))),
        kart("exotic-birds.ogg", "James Swift (Freesound)", "CC0-1.0"), Stretch(4.0),
        ("macaw",), ("Bird", "Squawk", "Bird vocalization, bird call, bird song"),
    ),
    Recipe(
        "river", "Stream", "river",
        wallpaper("life_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi", "CC-BY-4.0"),
        Photo(Move(View(0.5, 0.55, 0.8), View(0.5, 0.48, 0.76))),
        kart("river_loop.ogg", "Adam Newns (Freesound)", "CC0-1.0"), Stretch(),
        ("valley",), ("Stream",), size=SMALL,
        seen_also=("stream", "forest"), heard_also=("stream", "water"),
    ),
    Recipe(
        "cat", "Kitten", "cat",
        erase("kitten.webp", "GalgenTX", "CC-BY-2.0"), Photo(Move(View(0.5, 0.45, 1.0), View(0.5, 0.5, 0.7))),
        farm("cat.ogg"), Call((0.3, 3.2)),
        ("tabby cat", "tiger cat", "Egyptian Mau", "Persian cat"), ("Cat", "Meow"),
    ),
    Recipe(
        "church_bell", "Church bells", "church bell",
        gcompris("explore_monuments", "berlinCathedral.webp", "Gary Todd (Wikimedia Commons)", "CC0-1.0", "germany/"),
        Photo(Move(View(0.5, 0.75, 1.0), View(0.5, 0.4, 0.8))),
        lincity("ResidentialLowLow1.wav"), Stretch(),
        ("church", "bell tower"), ("Church bell",), size=SMALL,
        seen_also=("church", "cathedral"),
    ),
    Recipe(
        "trumpet", "Trumpet", "trumpet",
        stamp("hobbies/music/brass/trumpet.png"), Cutout(0.5, **SLATE),
        instrument("trumpet.ogg"), Stretch(), ("cornet",), ("Trumpet",), seconds=5.6, size=SMALL,
    ),
    *FILMS,
    Recipe(
        "rain", "Rain", "rain",
        nature("Aqua.jpg", "Charles Barbin"), Photo(Move(View(0.5, 0.5, 1.0), View(0.55, 0.5, 0.8))),
        kart("rain.ogg", "Mike Koenig, Dawid Gan", "CC-BY-3.0"), Stretch(),
        ("bubble", "umbrella", "fountain"), ("Rain", "Rain on surface", "Raindrop"),
        seen_also=("raindrop", "drop of water", "water"),
    ),
    Recipe(
        "insect", "Bee", "bee",
        Source("palapeli-data", "usr/share/palapeli/collection/european-honey-bee.jpg",
               "John Severns (Wikimedia Commons)", "public domain"),
        Photo(Move(View(0.5, 0.45, 1.0), View(0.4, 0.42, 0.78))),
        stamp("animals/insects/bee.ogg"), Stretch(), ("bee",), ("Insect", "Bee, wasp, etc."),
        seen_also=("insect", "flower"), heard_also=("insect", "buzzing"),
    ),
    Recipe(
        "tiger", "Tiger", "tiger",
        Source("puzzle-jigsaw", "usr/share/puzzle-jigsaw/samples/pexels-photo-302304.jpeg", "Pexels", "CC0-1.0"),
        Photo(Move(View(0.5, 0.45, 1.0), View(0.5, 0.38, 0.82))),
        stamp("animals/mammals/cats/tiger.ogg"), Stretch(), ("tiger",), ("Roaring cats (lions, tigers)", "Roar"),
    ),
    Recipe(
        "acoustic_guitar", "Acoustic guitar", "acoustic guitar",
        stamp("hobbies/music/string/guitar_classical.png"), Cutout(0.84, **SLATE),
        instrument("guitar.ogg"), Stretch(), ("acoustic guitar",), ("Guitar", "Acoustic guitar"), size=SMALL,
    ),
    Recipe(
        "airplane", "Airplane", "airplane",
        stamp("vehicles/flight/planes/747.png"), Cutout(0.7, shadow=0.0, **SKY),
        kart("airplane_jetEngine.ogg", "Fritz Schlüter (Wikimedia Commons)", "CC-BY-SA-3.0"), Stretch(),
        ("airliner", "military aircraft", "airplane wing"),
        ("Fixed-wing aircraft, airplane", "Aircraft engine", "Aircraft"),
        seconds=5.2, size=SMALL,
    ),
    Recipe(
        "fire_engine", "Fire engine", "fire engine",
        stamp("vehicles/emergency/firetruck.png"), Cutout(0.6, **IVORY),
        lincity("FireStation3.wav"), Stretch(),
        ("fire truck",), ("Fire engine, fire truck (siren)",), size=SMALL,
        heard_also=("siren",),
    ),
    Recipe(
        "owl", "Owl", "owl",
        farm("owl.webp", "Lepale (Wikimedia Commons)", "CC0-1.0"),
        Photo(Move(View(0.5, 0.4, 1.0), View(0.5, 0.35, 0.75))),
        farm("owl.ogg"), Call((0.3, 3.3)), ("great grey owl",), ("Owl", "Hoot"),
    ),
    Recipe(
        "horse", "Horse", "horse",
        erase("horse.webp", "Eatcha", "CC-BY-SA-4.0"), Photo(Move(View(0.55, 0.5, 1.0), View(0.55, 0.48, 0.78))),
        scratch("Sounds/Animal/Horse.wav"), Call((0.4, 2.4, 4.3)),
        ("common sorrel horse",), ("Horse", "Neigh, whinny"),
    ),
    Recipe(
        "cow", "Cows", "cow",
        farm("cow.webp", "Dohduhdah (Wikimedia Commons)", "public domain"),
        Photo(Move(View(0.5, 0.6, 1.0), View(0.5, 0.62, 0.8))),
        farm("cow.ogg"), Call((0.5,)), ("ox", "water buffalo", "bullock cart"), ("Cattle, bovinae", "Moo"),
        seconds=5.5, size=SMALL,
    ),
    Recipe(
        "sheep", "Sheep", "sheep",
        farm("sheep.webp", "Rob Mitchell (Wikimedia Commons)", "CC0-1.0"),
        Photo(Move(View(0.5, 0.4, 1.0), View(0.45, 0.4, 0.8))),
        stamp("animals/mammals/bovines/sheep.ogg"), Call((0.4, 2.2, 4.1)),
        ("ram (adult male sheep)", "bighorn sheep"), ("Sheep", "Bleat"), size=SMALL,
    ),
    Recipe(
        "goat", "Mountain goat", "goat",
        erase("nubian_ibex.webp", "Rhododendrites", "CC-BY-SA-4.0"),
        Photo(Move(View(0.45, 0.5, 1.0), View(0.42, 0.42, 0.75))),
        stamp("animals/mammals/bovines/mountaingoat.ogg"), Call((0.4, 1.7, 3.4, 4.7)),
        ("Alpine ibex",), ("Goat", "Bleat"),
    ),
    Recipe(
        "hen", "Hens", "hen",
        farm("chicken.webp", "Tranquilles (Wikimedia Commons)", "public domain"),
        Photo(Move(View(0.4, 0.55, 0.85), View(0.6, 0.55, 0.75))),
        farm("chickens.ogg"), Stretch(), ("hen", "rooster"), ("Chicken, rooster", "Cluck", "Fowl"), size=SMALL,
    ),
    Recipe(
        "pig", "Pig", "pig",
        farm("pig.webp", "Teinesavaii (Wikimedia Commons)", "public domain"),
        Photo(Move(View(0.45, 0.5, 1.0), View(0.42, 0.42, 0.8))),
        farm("pig.ogg"), Stretch(), ("pig", "wild boar"), ("Pig", "Oink"), seconds=5.5, size=SMALL,
    ),
    Recipe(
        "songbird", "Bird", "bird",
        erase("kingfisher.webp", "Frank-2.0", "CC0-1.0"), Photo(Move(View(0.5, 0.5, 1.0), View(0.45, 0.42, 0.75))),
        pomodoro("birds.ogg"), Stretch(1.0),
        ("jacamar", "indigo bunting"), ("Bird", "Bird vocalization, bird call, bird song", "Chirp, tweet"),
        seen_also=("kingfisher", "songbird"), heard_also=("songbird", "birdsong"),
    ),
    Recipe(
        "electric_guitar", "Electric guitar", "electric guitar",
        gcompris("explore_world_music", "america.webp", "Tom Harpel (Wikimedia Commons)", "CC-BY-2.0", "music/"),
        Photo(Move(View(0.6, 0.6, 0.8), View(0.8, 0.62, 0.5))),
        instrument("electric_guitar.ogg"), Stretch(), ("electric guitar",), ("Electric guitar", "Guitar"), size=SMALL,
    ),
    Recipe(
        "clock", "Ticking clock", "clock",
        wallpaper("greentock_by_Peter_Nerlich.jpg", "Peter Nerlich", "CC-BY-SA-4.0"),
        Photo(Move(View(0.5, 0.5, 1.0), View(0.52, 0.45, 0.85))),
        pomodoro("clock.ogg"), Stretch(),
        ("wall clock", "analog clock"), ("Clock", "Tick", "Tick-tock"),
    ),
    Recipe(
        "ocean_waves", "Ocean waves", "ocean waves",
        scratch("Backgrounds/Nature/wave.jpg"), Photo(Move(View(0.5, 0.42, 1.0), View(0.5, 0.5, 0.9))),
        Source("scorched3d-data", "usr/share/games/scorched3d/data/globalmods/none/data/wav/misc/oceanwaves.wav",
               "Gavin Camp and contributors", "GPL-2.0-or-later"), Stretch(),
        ("beach", "promontory", "breakwater", "sandbar", "lakeshore"), ("Waves, surf", "Ocean"), size=SMALL,
        seen_also=("wave", "sea"), heard_also=("wave", "sea"),
    ),
)  # fmt: skip
