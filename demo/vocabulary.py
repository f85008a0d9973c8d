"""The names that answers are chosen from: concepts that can be both seen and heard, and how they are said.

Knows names, articles and which concepts are easily taken for one another; models/everyday.py knows what else people
call them. Does not know stimuli or models.
Everything is in plain lower-case names ("church bell"); the ids of the data set have underscores instead of spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from models import everyday

# Within a group a picture or a sound of one may pass for another, so it makes an unfair distractor.
GROUPS: dict[str, tuple[str, ...]] = {
    "guitars": ("acoustic guitar", "banjo", "electric guitar"),
    "bowed strings": ("cello", "violin"),
    "plucked strings": ("harp",),
    "brass": ("french horn", "saxophone", "trombone", "trumpet"),
    "woodwind": ("flute",),
    "reeds": ("accordion", "harmonica"),
    "keys": ("organ", "piano"),
    "drums": ("drum", "maraca", "marimba"),
    "bells": ("church bell", "gong"),
    "big cats": ("bear", "lion", "tiger"),
    "dogs": ("dog", "wolf"),
    "small pets": ("cat",),
    "farm": ("cow", "goat", "horse", "pig", "sheep"),
    "poultry": ("duck", "goose", "hen", "rooster"),
    "birds": ("crow", "owl", "parrot", "songbird"),
    "wild": ("elephant", "monkey"),
    "small wild": ("frog", "insect", "snake"),
    "people": ("baby", "speech"),
    "road": ("ambulance", "bus", "car", "motorcycle", "tractor", "truck"),
    "rail": ("train",),
    "air": ("airplane", "helicopter"),
    "water craft": ("boat",),
    "motors": ("blender", "chainsaw", "hair dryer", "lawn mower", "vacuum cleaner", "washing machine"),
    "desk": ("clock", "computer keyboard", "printer", "telephone", "typewriter"),
    "water": ("ocean waves", "rain", "river", "sink tap", "thunderstorm", "toilet", "waterfall"),
    "fire": ("fire", "fireworks"),
}

# Names that clips and captions may bear though no answer is drawn from them, and the group each would be confused in.
OUTSIDE: dict[str, str] = {
    "bagpipes": "reeds",
    "bicycle": "road",
    "fire engine": "road",
    "police car": "road",
    "sea lion": "wild",
    "sewing machine": "motors",
    "skateboard": "road",
    "turkey": "poultry",
    "wind chime": "bells",
}

VOCABULARY: tuple[str, ...] = tuple(sorted(name for names in GROUPS.values() for name in names))

_SAID: dict[str, str] = {  # where "a" or "an" and the name is not how it is said
    "fireworks": "fireworks",
    "french horn": "a French horn",
    "ocean waves": "ocean waves",
    "rain": "rain",
    "river": "a stream",
    "sink tap": "a running tap",
    "speech": "a person talking",
}

_PLURALS: dict[str, str] = {"wolf": "wolves", "goose": "geese", "baby": "babies", "sheep": "sheep"}


def plain(label: str) -> str:
    """A concept id or any label as a plain name: "Church_Bell" -> "church bell"."""
    return " ".join(label.replace("_", " ").split()).lower()


def with_article(name: str) -> str:
    """The name as it is said in a sentence: "cello" -> "a cello", "rain" -> "rain"."""
    if name in _SAID:
        return _SAID[name]
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def without_article(text: str) -> str:
    """ "a cello" -> "cello"; the text is in lower case."""
    return re.sub(r"^(?:an?|the|some)\s+", "", text)


def plural(name: str) -> str:
    """More than one of it: "wolf" -> "wolves"."""
    if name in _PLURALS:
        return _PLURALS[name]
    return name + ("es" if name.endswith(("s", "sh", "ch", "x")) else "s")


def ways_to_say(name: str) -> tuple[str, ...]:
    """The name, its plural, how it is said in a sentence, and its synonyms; all lower case."""
    said = without_article(_SAID.get(name, name).lower())
    return tuple(dict.fromkeys((name, plural(name), said, *everyday.synonyms(name))))


def group_of(name: str) -> str:
    """The group of confusable concepts that a name is in, itself or as what it names ("beagle"); "" if in none."""
    return next(iter(_groups(name)), "")


@lru_cache(maxsize=65536)
def confusable(name: str, other: str) -> bool:
    """Whether one may pass for the other, so that asking to choose between them would be unfair.

    Concepts of one group, names of which one means the other ("barking" and "dog"), and names that share an everyday
    word ("beagle" and "pomeranian"). Between two concepts their groups alone decide.
    """
    if name == other:
        return True
    if name in _GROUP_OF and other in _GROUP_OF:
        return _GROUP_OF[name] == _GROUP_OF[other]
    return (
        bool(set(_groups(name)) & set(_groups(other)))
        or everyday.means(name, other)
        or everyday.means(other, name)
        or bool(set(everyday.basic(name)) & set(everyday.basic(other)))
    )


def names_in(text: str, extra: Sequence[str] = ()) -> dict[str, int]:
    """Every known name (and those of `extra`) said in a text and not denied -> which word of it first says so.

    Longer sayings win ("electric guitar" is no acoustic one); synonyms, plurals and narrower words ("puppy" for dog)
    count, "not a dog" doesn't.
    """
    mentions = everyday.mentions(text, extra)
    found: dict[str, int] = {}
    for mention, at in mentions.items():
        for name in dict.fromkeys((*extra, *_named_by(mention))):
            if name in found or not (name in _named_by(mention) or everyday.means(mention, name)):
                continue
            found[name] = at
    for name in extra:  # a label of several words, said in another order
        if name not in found and (at := everyday.first_mention(text, name)) is not None:
            found[name] = at
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names} | OUTSIDE


@lru_cache(maxsize=8192)
def _groups(name: str) -> tuple[str, ...]:
    """Its own group, or those of the concepts that it names."""
    if name in _GROUP_OF:
        return (_GROUP_OF[name],)
    return tuple(dict.fromkeys(_GROUP_OF[concept] for concept in _named_by(name)))


@lru_cache(maxsize=8192)
def _named_by(name: str) -> tuple[str, ...]:
    """The concepts of the vocabulary, and those outside it, that a name names."""
    return tuple(concept for concept in (*VOCABULARY, *OUTSIDE) if everyday.means(name, concept))
