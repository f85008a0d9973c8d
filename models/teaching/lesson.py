"""What a lesson is: one clip, what it shows and what is heard in it, and the questions asked about it. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

BLANK = -1  # a picture or sound that is there but shows or holds nothing


@dataclass(frozen=True)
class Branch:
    """One question about a clip: the user's text, the right answer, what it is about."""

    user: str
    answer: str
    asked: str  # "see", "hear", "match", "both"
    tag: str  # condition, for reporting


@dataclass(frozen=True)
class Lesson:
    """One clip and the questions asked about it.

    picture, sound: index of an item, BLANK, or None (left out of the prompt).
    picture_name, sound_name: what the item is called here. shuffled: every class bears a random name, the top one
    picture_word or sound_word.
    """

    picture: int | None
    sound: int | None
    picture_name: str | None
    sound_name: str | None
    frames: int
    patches: int
    shuffled: bool
    prefix: str  # long text shared by all branches, before the questions
    gap: int  # positions left out between the clip (and its prefix) and the questions
    branches: tuple[Branch, ...]
    seed: int
    picture_word: str | None = None
    sound_word: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """What there is to show: indices of pictures and of sounds by concept; which may bear shuffled names."""

    pictures: dict[str, list[int]]
    sounds: dict[str, list[int]]
    clear: frozenset[int] = field(default_factory=frozenset)  # items whose top class is unmistakable
    class_names: dict[int, str] = field(default_factory=dict)  # what the encoder's own class list calls an item
    # captioned photographs: the names each may be asked by, and all that its captions say
    captioned: dict[int, tuple[tuple[str, ...], frozenset[str]]] = field(default_factory=dict)

    @property
    def concepts(self) -> list[str]:
        return sorted(set(self.pictures) & set(self.sounds))


@dataclass(frozen=True)
class Thing:
    """What is seen or heard in a lesson: its item, what it is plainly called, what it is called in options."""

    item: int | None
    main: str | None  # answers a free question; None: nothing is there
    name: str | None  # stands among the options
    word: str | None = None  # in a lesson with shuffled names: what the top class bears
    said: frozenset[str] = frozenset()  # of a captioned photograph: what else may be true of it
