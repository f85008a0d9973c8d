"""What people call things: synonyms, everyday words and wider classes, and whether one name means another.

The table everyday.csv has a row for every name that may be an answer: the encoders' classes, the data set's concepts,
words of captions, and what people say besides. `same`: other words for exactly that; `basic`: what one would call it
without looking closely (a beagle is a dog; a bark is a dog); `broad`: classes too wide to name it (an animal).
assets/names.py builds it and says from what. Pure functions; knows no clips and no questions.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).parent / "everyday.csv"

_ARTICLES = frozenset({"a", "an", "the", "some", "several", "many", "two", "three", "four", "his", "her", "my", "your"})
# Words that look like plurals or whose plural has no rule.
_SINGULAR = {
    "bus": "bus", "buses": "bus", "calves": "calf", "children": "child", "clothes": "clothes", "feet": "foot",
    "firemen": "fireman", "gas": "gas", "geese": "goose", "halves": "half", "hooves": "hoof", "jeans": "jeans",
    "knives": "knife", "leaves": "leaf", "lens": "lens", "loaves": "loaf", "men": "man", "mice": "mouse",
    "news": "news", "oxen": "ox", "pants": "pants", "people": "people", "policemen": "policeman",
    "potatoes": "potato", "scissors": "scissors", "series": "series", "sheaves": "sheaf", "shelves": "shelf",
    "shorts": "shorts", "species": "species", "teeth": "tooth", "thieves": "thief", "tights": "tights",
    "tomatoes": "tomato", "wives": "wife", "wolves": "wolf", "women": "woman", "movies": "movie",
    "cookies": "cookie", "pyjamas": "pyjamas", "pajamas": "pajamas", "fishes": "fish", "headphones": "headphones",
    "aches": "ache",
}  # fmt: skip
_GLUE = frozenset({
    "of", "on", "in", "at", "with", "and", "or", "to", "from", "by", "is", "are", "be", "being", "it", "its",
    "that", "this", "there", "for", "into", "over", "near",
})  # fmt: skip
# After the name of a thing these say what is seen or heard of it, and name nothing of their own.
_OF_IT = frozenset({
    "music", "sound", "noise", "song", "solo", "call", "voice", "player", "concert", "team", "club",
})  # fmt: skip
_ACTS = frozenset({
    "run", "walk", "jump", "play", "sing", "talk", "bark", "meow", "moo", "stand", "sit", "fly", "swim", "cry",
    "laugh", "ride", "eat", "roar", "howl",
})  # fmt: skip


def normal(text: str) -> str:
    """A name as it is compared: lower case, no article or number, blanks for underscores and hyphens, no plurals.

    "The_Church Bells" -> "church bell", "two girls" -> "girl".
    """
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text.lower())
    while len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    return " ".join(map(_singular, words))


def synonyms(name: str) -> tuple[str, ...]:
    """Other words for exactly that: "sofa" -> ("couch",); the name itself is not among them."""
    return _field(name, 0)


def basic(name: str) -> tuple[str, ...]:
    """What one would call it without looking closely, if that is another word: "beagle" -> ("dog",)."""
    return _field(name, 1)


def broad(name: str) -> tuple[str, ...]:
    """Classes it is in that are too wide to name it: "beagle" -> ("animal", ...)."""
    return _field(name, 2)


def means(said: str, label: str, also: Sequence[str] = ()) -> bool:
    """Whether who says `said` has named what bears the label, or something of `also`.

    Right: the same word in any number or with any article, a synonym, something narrower ("puppy" for a dog, "canary"
    for a bird), and the everyday word of a narrow label ("dog" for a beagle). Wrong: a class too wide for the label
    ("animal"), another thing of its kind, a part of it. A sentence names what stands in it as whole words and isn't
    denied; a label of several words that the table lacks has to be said with all of them, in any order.
    """
    return first_mention(said, label, also) is not None


def first_mention(text: str, label: str, also: Sequence[str] = (), *, exactly: bool = False) -> int | None:
    """Which word of a text (from 0) first means the label or something of `also`, as means() judges; None: none.

    exactly: only its own name and its synonyms count, nothing narrower or wider. Of `also` nothing counts that is only
    in a class as wide as "vehicle" or "music".
    """
    near, wide = (_same, _same) if exactly else (_near, _single)
    found = (_position(text, right, near if at else wide) for at, right in enumerate((label, *also)) if right.strip())
    return min((at for at in found if at is not None), default=None)


def mentions(text: str, names: Iterable[str] = ()) -> dict[str, int]:
    """Names of the table (and of `names`) that a text says as whole words, the longest of those that overlap.

    In normal form -> which word of the text it first begins with. "a dog runs after a hot dog" -> dog, run, hot dog;
    "no dog" -> nothing. Where one thing qualifies the next, only the next is named: "cat food" -> food.
    """
    found: dict[str, int] = {}
    for name, at in _located(text, frozenset(map(normal, names))):
        found.setdefault(name, at)
    return found


def _position(text: str, label: str, fits: Callable[[str, str], bool]) -> int | None:
    target, phrase = normal(label), normal(text)
    if not phrase or not target:
        return None
    if phrase == target or (len(_clauses(text)) == 1 and fits(phrase, target)):
        return 0
    if phrase in _index():  # known as a whole: its words mean nothing by themselves ("hot dog")
        return None
    for name, at in _located(text, frozenset({target})):
        if fits(name, target):
            return at
    if " " in target and target not in _index() and _stems(target) <= _stems(" ".join(_affirmed(text))):
        return next(at for at, word in enumerate(_words(text)) if _stems(word) & _stems(target))
    return None


def _near(said: str, label: str) -> bool:
    return _single(said, label, wide=False)


@lru_cache(maxsize=65536)
def _single(said: str, label: str, wide: bool = True) -> bool:
    """Whether one name means another; both in normal form. wide: a thing of a wide class means the class.

    A word that has a row of its own is taken as that, not as a synonym of others: a horn is blown, and a car horn is
    something else. Of a label without one ("bass"), the everyday word has to fit whatever it may stand for.
    """
    if _same(said, label):
        return True
    if any({label, *_own(label)} & _above(sense, wide) for sense in _own(said)):  # narrower than the label
        return True
    return all({said, *_own(said)} & set(_everyday(sense)) for sense in _own(label))


def _same(said: str, label: str) -> bool:
    """Whether they are one thing: not where both are only synonyms of a third ("bike" is said of two things)."""
    return bool(_own(said) & _senses(label) or _senses(said) & _own(label))


def _own(name: str) -> frozenset[str]:
    return frozenset((name,)) if name in _table() else _senses(name)


def _senses(name: str) -> frozenset[str]:
    """The rows that a name in normal form stands for; a name that the table lacks stands for itself."""
    return _index().get(name) or frozenset({name})


@lru_cache(maxsize=4096)
def _everyday(sense: str) -> tuple[str, ...]:
    """The basic words of a row, in normal form; of a name of two words that the table lacks, the thing it ends in."""
    row = _table().get(sense)
    if row is not None:
        return tuple(normal(word) for word in row[1])
    words = sense.split()
    if len(words) == 2 and words[1] in _index() and not (words[0].endswith("ing") or _denies(words[0])):
        return (words[1],)  # "yellow bird", but not "ripping paper"
    return ()


@lru_cache(maxsize=4096)
def _above(sense: str, wide: bool) -> frozenset[str]:
    """Every class above a row, near and, if wanted, wide, in normal form."""
    found: dict[str, None] = {}
    waiting = [*_everyday(sense), *(_wide(sense) if wide else ())]
    while waiting:
        word = waiting.pop()
        if word not in found:
            found[word] = None
            if word in _table():
                waiting += [*_everyday(word), *(_wide(word) if wide else ())]
    return frozenset(found)


def _wide(sense: str) -> tuple[str, ...]:
    return tuple(normal(word) for word in _table().get(sense, ((), (), ()))[2])


def _located(text: str, extra: frozenset[str]) -> list[tuple[str, int]]:
    """(name in normal form, which word of the text it begins with), of what is said and not denied."""
    found: list[tuple[str, int]] = []
    at = 0
    for clause in _clauses(text):
        words = [_singular(word).replace("-", " ") if "-" in word else _singular(word) for word in clause]
        i, end = 0, -1  # end: where the name before ended
        while i < len(words):
            sizes = range(min(len(words) - i, _longest()), 0, -1)
            names = (" ".join(words[i : i + size]) for size in sizes)
            size, name = next(
                ((size, name) for size, name in zip(sizes, names, strict=True) if name in _index() or name in extra),
                (1, ""),
            )
            if name and not any(map(_denies, clause[max(0, i - 4) : i])):
                if end == i and _qualifies(found[-1][0], name):
                    found.pop()
                found.append((name, at + i))
                end = i + size
            i += size
        at += len(words)
    return found


def _qualifies(name: str, after: str) -> bool:
    """Whether a thing only says what kind of thing the next one is: "cat" in "cat food", but not in "cat meowing"."""
    return not (name.endswith("ing") or after.endswith("ing") or after in _OF_IT or after in _ACTS)


def _affirmed(text: str) -> list[str]:
    """The words of a text that are not denied."""
    return [
        word
        for clause in _clauses(text)
        for i, word in enumerate(clause)
        if not any(map(_denies, clause[max(0, i - 4) : i]))
    ]


def _words(text: str) -> list[str]:
    return [word for clause in _clauses(text) for word in clause]


def _clauses(text: str) -> list[list[str]]:
    """Its words by clause; one with hyphens is one word."""
    parts = re.split(r"[,.;:!?]+|(?=\bbut\b)", text.lower().replace("_", " ").replace("’", "'"))
    return [words for part in parts if (words := re.findall(r"[^\W_]+(?:['-][^\W_]+)*", part))]


def _denies(word: str) -> bool:
    return word in ("no", "not", "never", "neither", "without", "cannot") or word.endswith("n't")


def _stems(text: str) -> frozenset[str]:
    """The words that carry a phrase, without endings: "a woman playing guitar" and "woman plays a guitar" have the
    same."""
    words = (word for word in normal(text).split() if word not in _GLUE and word not in _ARTICLES)
    return frozenset(map(_stem, words))


def _stem(word: str) -> str:
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
        if len(word) > 2 and word[-1] == word[-2] and word[-1] not in "ls":
            word = word[:-1]
    return word.rstrip("e") if len(word) > 3 else word


@lru_cache(maxsize=8192)
def _singular(word: str) -> str:
    if word in _SINGULAR:
        return _SINGULAR[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is", "'s")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zzes")):
        return word[:-2]
    return word[:-1]


def _field(name: str, field: int) -> tuple[str, ...]:
    key = normal(name)
    row = _table().get(key)
    if row is not None:
        return row[field]
    found: dict[str, None] = {}
    for sense in sorted(_senses(key)):
        row = _table().get(sense, ((), (), ()))
        words = (*_names()[sense], *row[0]) if field == 0 and sense in _names() else row[field]
        found.update(dict.fromkeys(word for word in words if normal(word) != key))
    return tuple(found)


@lru_cache(maxsize=1)
def _rows() -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    with TABLE.open(newline="", encoding="utf-8") as opened:
        return tuple(
            (
                row["name"],
                tuple(tuple(row[field].split(";")) if row[field] else () for field in ("same", "basic", "broad")),
            )
            for row in csv.DictReader(opened)
        )


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[tuple[str, ...], ...]]:
    """(same, basic, broad) by name in normal form; rows whose names differ in number only are one."""
    table: dict[str, tuple[tuple[str, ...], ...]] = {}
    for name, fields in _rows():
        before = table.get(normal(name), ((), (), ()))
        table[normal(name)] = tuple(tuple(dict.fromkeys(a + b)) for a, b in zip(before, fields, strict=True))
    return table


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    """How the rows are written, by normal form."""
    names: dict[str, tuple[str, ...]] = {}
    for name, _ in _rows():
        names[normal(name)] = (*names.get(normal(name), ()), name)
    return names


@lru_cache(maxsize=1)
def _index() -> dict[str, frozenset[str]]:
    """The rows a saying in normal form may stand for: a row's own name and its synonyms."""
    index: dict[str, set[str]] = {}
    for name, (same, _, _) in _table().items():
        for saying in (name, *same):
            index.setdefault(normal(saying), set()).add(name)
    return {saying: frozenset(rows) for saying, rows in index.items()}


@lru_cache(maxsize=1)
def _longest() -> int:
    return max(len(saying.split()) for saying in _index())
