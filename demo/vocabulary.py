"""The names that answers are chosen from: concepts that can be both seen and heard, and how they are said.

Knows names, articles, synonyms and which concepts are easily taken for one another. Does not know stimuli or models.
Everything is in plain lower-case names ("church bell"); the ids of the data set have underscores instead of spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

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

# Ways of saying a concept in which its own name does not occur.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "airplane": ("plane", "aeroplane", "aircraft", "jet"),
    "ambulance": ("siren", "emergency vehicle"),
    "acoustic guitar": ("guitar",),
    "baby": ("infant", "crying baby"),
    "boat": ("ship",),
    "car": ("automobile", "race car", "car horn"),
    "cat": ("kitten", "meowing"),
    "cello": ("violoncello",),
    "church bell": ("bell", "church", "bell tower"),
    "clock": ("alarm clock", "ticking"),
    "computer keyboard": ("keyboard", "typing on a keyboard"),
    "cow": ("cattle", "bull", "ox", "mooing"),
    "crow": ("raven",),
    "dog": ("puppy", "barking"),
    "drum": ("drums", "drum kit", "drumming"),
    "electric guitar": ("guitar",),
    "fire engine": ("fire truck",),
    "fire": ("campfire", "flames", "fireplace", "bonfire"),
    "fireworks": ("firework",),
    "french horn": ("horn",),
    "hair dryer": ("hairdryer", "blow dryer"),
    "hen": ("chicken", "hens"),
    "insect": ("cricket", "bee", "cicada", "fly"),
    "lawn mower": ("lawnmower", "mower"),
    "maraca": ("maracas", "rattle"),
    "marimba": ("xylophone",),
    "monkey": ("ape", "chimpanzee", "gorilla"),
    "motorcycle": ("motorbike",),
    "ocean waves": ("ocean", "sea", "waves", "surf"),
    "organ": ("pipe organ", "church organ"),
    "pig": ("hog", "piglet"),
    "rain": ("raining", "rainfall"),
    "river": ("stream", "brook", "creek"),
    "rooster": ("cock", "cockerel"),
    "saxophone": ("sax",),
    "sheep": ("lamb",),
    "sink tap": ("tap", "faucet", "running tap", "sink", "running water"),
    "songbird": ("bird", "birds", "birdsong"),
    "speech": ("person talking", "person speaking", "talking", "speaking", "voice", "person", "people", "man", "woman"),
    "telephone": ("phone", "telephone ringing"),
    "thunderstorm": ("thunder", "storm", "lightning"),
    "toilet": ("toilet flush",),
    "truck": ("lorry",),
    "vacuum cleaner": ("vacuum", "hoover"),
    "violin": ("fiddle",),
    "washing machine": ("washer",),
    "wolf": ("wolves", "howling"),
}

_NEGATION = re.compile(r"\b(?:no|not|never|neither|without|\w+n't|cannot)\b")

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
    synonyms = SYNONYMS.get(name, ())
    return tuple(dict.fromkeys((name, plural(name), said, *synonyms, *(plural(word) for word in synonyms))))


def group_of(name: str) -> str:
    """The group of confusable concepts that a name is in; "" for an unknown name."""
    return OUTSIDE.get(name) or next((group for group, names in GROUPS.items() if name in names), "")


def confusable(name: str, other: str) -> bool:
    """Whether one may pass for the other, so that asking to choose between them would be unfair."""
    return name == other or (bool(group_of(name)) and group_of(name) == group_of(other))


def names_in(text: str, extra: Sequence[str] = ()) -> dict[str, int]:
    """Every known name (and those of `extra`) said in a text and not denied -> position of its first mention.

    Longer sayings win ("electric guitar" is no acoustic one), synonyms and plurals count, "not a dog" doesn't.
    """
    text = text.lower()
    pattern, sayings = _sayings(tuple(extra))
    found: dict[str, int] = {}
    for match in pattern.finditer(text):
        if not _denied(text, match.start()):
            for name in sayings[match[0]]:
                found.setdefault(name, match.start())
    return found


@lru_cache(maxsize=256)
def _sayings(extra: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, list[str]]]:
    sayings: dict[str, list[str]] = {}
    for name in dict.fromkeys([*extra, *VOCABULARY, *OUTSIDE]):
        for saying in ways_to_say(name):
            sayings.setdefault(saying, []).append(name)
    longest_first = sorted(sayings, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])"), sayings


def _denied(text: str, at: int) -> bool:
    """Whether a "no" or "not" stands among the four words before, in the same clause."""
    clause = re.split(r"[,.;!?]|\bbut\b", text[:at])[-1]
    return bool(_NEGATION.search(" ".join(clause.split()[-4:])))
