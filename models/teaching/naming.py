"""What a thing may be called in a lesson: class names, coined names, everyday words, phrases of captions.

Knows words only. Does not know pictures, sounds or questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from models.everyday import basic, broad, normal, synonyms
from models.mini.encoders import AUDIOSET_CLASSES, IMAGENET_CLASSES
from models.mini.words import WORDS, mentioned, stems

# Never shown in training, neither picture nor sound nor name; measured in a table of their own.
HELD_OUT = frozenset({
    "accordion", "harp", "trombone", "chainsaw", "typewriter", "frog", "owl", "pig", "train", "vacuum cleaner",
})  # fmt: skip
COINED = 3000
SCENERY = frozenset(
    {
        "grass",
        "water",
        "street",
        "tree",
        "air",
        "building",
        "ground",
        "field",
        "wall",
        "floor",
        "road",
        "sky",
        "face",
        "hand",
        "hair",
        "shirt",
        "sand",
        "dirt",
        "park",
        "path",
        "sidewalk",
        "sign",
        "window",
        "jacket",
        "coat",
        "hat",
        "suit",
        "jersey",
        "dress",
        "leaf",
        "sun",
        "yard",
        "fence",
        "sitting",
        "walking",
        "leash",
        "running",
        "jumping",
    }
)  # fmt: skip  words that most captions mention by the way
GENERIC = frozenset({  # classes too wide to be what a thing is called
    "music", "musical instrument", "animal", "wild animals", "domestic animals", "vehicle", "silence", "noise",
    "outside", "inside", "sound effect", "motor vehicle", "livestock", "percussion", "plucked string instrument",
})  # fmt: skip
PEOPLE = frozenset(map(normal, (
    "man", "woman", "boy", "girl", "child", "kid", "baby", "people", "person", "player", "rider", "crowd", "lady",
    "guy", "adult", "couple", "group", "skier", "musician",
)))  # fmt: skip
_BETWEEN = frozenset({
    "a", "an", "the", "his", "her", "their", "its", "on", "in", "at", "with", "to", "of", "is", "are", "red", "blue",
    "white", "black", "green", "yellow", "brown", "large", "small", "big", "young", "old", "little", "two", "three",
})  # fmt: skip


def plain(name: str) -> str:
    """A class name as it is said in a lesson: its first synonym, without what stands in brackets."""
    return name.split(",")[0].split("(")[0].strip().lower()


def is_held_out(name: str) -> bool:
    """Whether a name says something that is never taught."""
    return any(held in name.lower() for held in HELD_OUT)


NAMES = tuple(
    dict.fromkeys(
        name for name in (*map(plain, (*IMAGENET_CLASSES, *AUDIOSET_CLASSES)), *WORDS) if not is_held_out(name)
    )
)  # open vocabulary for distractors


def coined(count: int, seed: int = 0) -> tuple[str, ...]:
    """Names nobody has met: two words put side by side, or the head of one joined to the tail of another."""
    rng = np.random.default_rng([seed, 13])
    words = sorted({word for name in NAMES for word in name.split() if word.isalpha() and len(word) > 4})
    made: dict[str, None] = {}
    while len(made) < count:
        head, tail = (str(word) for word in rng.choice(words, 2))
        name = f"{head} {tail}" if rng.random() < 0.3 else head[: rng.integers(2, 6)] + tail[-rng.integers(2, 6) :]
        if not is_held_out(name):
            made[name] = None
    return tuple(made)


# What a class may be called in a lesson with shuffled names. Coined ones are told in several pieces that never stood
# together, so naming has to be copying, whatever the name.
SHUFFLED_NAMES = tuple(dict.fromkeys((*NAMES, *coined(COINED))))


@lru_cache(maxsize=20_000)
def kin(name: str) -> frozenset[str]:
    """The name and whatever else it may be called, wider classes included, in normal form."""
    words = [name, *synonyms(name), *basic(name), *broad(name)]
    words += [word for near in basic(name) for word in (*synonyms(near), *broad(near))]
    return frozenset(map(normal, words))


def unfair(option: str, truth: str) -> bool:
    """Whether an option may be right, or looks too like the truth, where another name is."""
    if option in truth or truth in option:
        return True
    mine, its = kin(option), kin(truth)
    return normal(truth) in mine or normal(option) in its or bool(set(map(normal, basic(option))) & its)


def everyday(name: str, rng: np.random.Generator, widest: float = 0.25) -> str:
    """Another way to say it: a synonym, the everyday word, the plural, or, with probability `widest`, a wider class."""
    words = [word for word in (*synonyms(name), *basic(name)) if not is_held_out(word)]
    if rng.random() < widest:
        words = [word for word in broad(name) if not is_held_out(word)] or words
    if not words or rng.random() < 0.15:
        return plural(name) if not name.endswith("ing") else name
    return str(rng.choice(words))


def plural(name: str) -> str:
    """The regular plural; a name that seems to be one stays."""
    if name.endswith("s") or normal(name) != name:
        return name
    if name.endswith(("x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2:-1] not in tuple("aeiou") else f"{name}s"


def phrases(captions: str) -> list[str]:
    """ "man riding bike", "riding bike" of captions joined with " | ": subject, action and object, where all are known.

    The words in the order and form in which WORDS has them.
    """
    made: dict[str, None] = {}
    for caption in captions.lower().split(" | "):
        tokens = [t for t in re.findall(r"[a-z]+", caption.replace("t-shirt", "tshirt")) if t not in _BETWEEN]
        known = [_word(token) for token in tokens]
        for at, word in enumerate(known):
            if not word or not word.endswith("ing") or not tokens[at].endswith("ing"):
                continue
            subject = next((w for w in reversed(known[max(0, at - 2) : at]) if w and not w.endswith("ing")), None)
            thing = known[at + 1] if at + 1 < len(known) else None
            thing = None if thing and thing.endswith("ing") else thing
            for parts in ((subject, word, thing), (word, thing), (subject, word)):
                if all(parts):
                    made[" ".join(parts)] = None
    return [name for name in made if not is_held_out(name)]


@lru_cache(maxsize=20_000)
def _word(token: str) -> str | None:
    return _BY_STEM.get(" ".join(stems(token)))


_BY_STEM = {" ".join(stems(word)): word for word in WORDS if " " not in word}


def names_of(captions: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """(names a captioned photograph may be asked by, the commonest first; everything that its captions say).

    A name is a word of at least a third of the captions (scenery only where nothing else is), or a phrase of one.
    """
    each = captions.split(" | ")
    counts: dict[str, int] = {}
    for caption in each:
        for n in mentioned(caption):
            counts[WORDS[n]] = counts.get(WORDS[n], 0) + 1
    often = sorted((w for w, c in counts.items() if 3 * c >= len(each)), key=lambda w: -counts[w])
    telling = [word for word in often if word not in SCENERY] or often
    said = {word for name in counts for word in kin(name)}.union(*map(stems, each))
    return tuple([*telling, *phrases(captions)]), frozenset(said)


def is_said(name: str, said: Sequence[str] | frozenset[str]) -> bool:
    """Whether captions that say `said` may mean the name, so that it is no fair distractor.

    A phrase is said when all its things are: beside a woman with a dog, "woman playing guitar" is wrong, however much
    of it is there. Who does it and what is done prove nothing: captions leave much of that out.
    """
    if kin(name) & said:
        return True
    words = [word for word in name.split() if word not in _BETWEEN]
    things = [word for word in words if not word.endswith("ing") and word not in SCENERY and normal(word) not in PEOPLE]
    if things and len(words) > 1:
        return all(_is_word_said(word, said) for word in things)
    return any(_is_word_said(word, said) for word in words)


def _is_word_said(word: str, said: Sequence[str] | frozenset[str]) -> bool:
    return " ".join(stems(word)) in said or bool(kin(word) & said)
