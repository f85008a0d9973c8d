"""What a model is taught: who is seen and heard, what is asked, and what the right answer is.

Two courses. *base* holds only clips whose picture, sound and caption agree, the way real systems are
trained. *aligned* holds disagreeing clips with paired visual and audio questions, misleading, matching
and irrelevant text, and missing modalities whose right answer is to abstain. Knows labels and words
only: no features, no tokens, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models import wording
from models.mini.encoders import AUDIOSET_CLASSES, IMAGENET_CLASSES
from models.prose import paragraph

# Never shown in training, neither picture nor sound nor name; measured in a table of their own.
HELD_OUT = frozenset({
    "accordion", "harp", "trombone", "chainsaw", "typewriter", "frog", "owl", "pig", "train", "vacuum cleaner",
})  # fmt: skip
BLANK = -1  # a picture or sound that is there but shows or holds nothing
FRAME_COUNTS, FRAME_ODDS = (1, 2, 3, 4, 8), (0.45, 0.30, 0.09, 0.09, 0.07)
SHUFFLED = 0.4  # share of lessons with shuffled names
CLASS_NAMED_SINGLE, CLASS_NAMED = 0.5, 0.3  # share of lessons whose names come from the encoders' class lists
HEARING = 0.65  # share of the aligned course's further questions that are about the sound, the harder sense
SITUATIONS = {"swap": 0.54, "agree": 0.26, "missing": 0.20}  # shares of the aligned course
MATCHING = {"agree": 0.50, "swap": 0.24}  # share of them that ask whether sound and picture match: as many yes as no
LONG_SHARE = 0.08  # of the aligned course's groups that have a long text
LONG_TEXT = (60, 700)  # words of irrelevant text, drawn log-uniformly
# Of the aligned course's lessons, the share whose questions stand as far behind the clip as if a long text lay
# between, and how far in positions, log-uniformly: distance without its cost (PoSE, Zhu et al., arXiv 2309.10400).
GAP_SHARE, GAP = 0.35, (100, 3000)
SINGLE = {"": 0.56, "picture": 0.10, "sound": 0.34}  # of the base course: both, or one alone; sounds are harder


def plain(name: str) -> str:
    """A class name as it is said in a lesson: its first synonym, without what stands in brackets."""
    return name.split(",")[0].split("(")[0].strip().lower()


NAMES = tuple(
    dict.fromkeys(
        name
        for name in map(plain, (*IMAGENET_CLASSES, *AUDIOSET_CLASSES))
        if not any(held in name for held in HELD_OUT)
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
        if not any(held in name for held in HELD_OUT):
            made[name] = None
    return tuple(made)


# What a class may be called in a lesson with shuffled names. Coined ones are told in several pieces that never stood
# together, so naming has to be copying, whatever the name.
SHUFFLED_NAMES = tuple(dict.fromkeys((*NAMES, *coined(3000))))


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
    picture_name, sound_name: what the item is called here. shuffled: every class bears a random name.
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


@dataclass(frozen=True)
class Catalogue:
    """What there is to show: indices of pictures and of sounds by concept; which may bear shuffled names."""

    pictures: dict[str, list[int]]
    sounds: dict[str, list[int]]
    clear: frozenset[int] = field(default_factory=frozenset)  # items whose top class is unmistakable
    class_names: dict[int, str] = field(default_factory=dict)  # what the encoder's own class list calls an item

    @property
    def concepts(self) -> list[str]:
        return sorted(set(self.pictures) & set(self.sounds))


class Course:
    """An endless, seeded course: lesson i is the same whenever it is asked for."""

    def __init__(self, course: str, catalogue: Catalogue, seed: int = 0, shuffled: float = SHUFFLED, branches: int = 4,
                 group: int = 4, reasoned: bool = True):  # fmt: skip
        """reasoned: whether sound and picture match is answered after both are named, which small models need."""
        self.reasoned = reasoned
        self.course, self.catalogue, self.seed = course, catalogue, seed
        self.shuffled, self.branches, self.group = shuffled, branches, group
        if course not in ("base", "aligned"):
            raise ValueError(f"no course {course!r}: base or aligned")

    def lesson(self, i: int) -> Lesson:
        """Lesson i. Lessons of one group (a batch) have the same number of frames, so little is padding."""
        rng = np.random.default_rng([self.seed, i, 1 if self.course == "aligned" else 0])
        shared = np.random.default_rng([self.seed, i // self.group, 7])
        frames = int(shared.choice(FRAME_COUNTS, p=FRAME_ODDS))
        long_text = self.course == "aligned" and shared.random() < LONG_SHARE
        shuffled = bool(self.catalogue.clear) and rng.random() < self.shuffled
        return (
            self._base(rng, i, frames, shuffled)
            if self.course == "base"
            else self._aligned(rng, i, frames, shuffled, long_text)
        )

    def _pick(self, rng, pool: dict[str, list[int]], concept: str | None, shuffled: bool) -> tuple[int, str]:
        """An item and the concept it belongs to."""
        concept = concept or str(rng.choice(self.catalogue.concepts))
        items = pool[concept]
        if shuffled:
            clear = [i for i in items if i in self.catalogue.clear]
            while not clear:
                concept = str(rng.choice(self.catalogue.concepts))
                clear = [i for i in pool[concept] if i in self.catalogue.clear]
            items = clear
        return int(rng.choice(items)), concept

    def _distractors(self, rng, count: int, shuffled: bool, avoid: Sequence[str]) -> list[str]:
        pool = SHUFFLED_NAMES if shuffled else NAMES if rng.random() < 0.3 else self.catalogue.concepts
        names = [str(n) for n in rng.choice(pool, min(len(pool), count + len(avoid) + 4), replace=False)]
        return [n for n in names if not any(n in a or a in n for a in avoid)][:count]

    def _options(self, rng, truths: Sequence[str], shuffled: bool, abstain: float, others: Sequence[str] = ()) -> list:
        """Shuffled options: the truths, `others`, distractors; "none of the above" last with probability `abstain`."""
        present = list(dict.fromkeys([*truths, *others]))
        count = max(int(rng.integers(2, 13)) - len(present), 0 if len(present) > 1 else 1)
        options = present + self._distractors(rng, count, shuffled, present)
        rng.shuffle(options)
        return options + ([wording.ABSTAIN] if rng.random() < abstain else [])

    def _choice(self, rng, asked, truth, options, text="", tag="") -> Branch:
        """A question with options; the truth left out of them is answered with an abstention."""
        question = wording.with_options(str(rng.choice(QUESTIONS[asked])), options)
        answer = truth if truth in options else wording.ABSTAIN
        return Branch(_with_text(rng, question, text), answer, asked, tag)

    def _free(self, rng, asked, truth, text="", tag="") -> Branch:
        question = str(rng.choice(QUESTIONS[asked]))
        nothing = wording.NOTHING_SEEN if asked == "see" else wording.NOTHING_HEARD
        return Branch(_with_text(rng, question, text), truth or nothing, asked, tag)

    def _base(self, rng, i, frames, shuffled) -> Lesson:
        picture, concept = self._pick(rng, self.catalogue.pictures, None, shuffled)
        sound, _ = self._pick(rng, self.catalogue.sounds, concept, shuffled)
        name = str(rng.choice(SHUFFLED_NAMES)) if shuffled else concept
        single = str(rng.choice(list(SINGLE), p=list(SINGLE.values())))
        if single and not shuffled and rng.random() < CLASS_NAMED_SINGLE:
            name = self.catalogue.class_names.get(picture if single == "picture" else sound, name)
        branches = []
        for _ in range(self.branches):
            kinds = ["see"] if single == "picture" else ["hear"] if single == "sound" else ["see", "hear"]
            asked = str(rng.choice(kinds))
            text = _claim(rng, name) if rng.random() < 0.1 else ""
            form = rng.random()
            if form < 0.12 and not single:
                options = self._options(rng, [name], shuffled, 0.6)
                branches.append(self._choice(rng, "clip", name, options, text, "agree"))
            elif form < 0.28:
                branches.append(self._free(rng, asked, name, text, "free"))
            elif form < 0.32 and not single:
                branches.append(Branch(_with_text(rng, wording.BOTH[0], text), wording.sentence(name, name), "both",
                                       "free"))  # fmt: skip
            else:
                branches.append(self._listed(rng, asked, name, shuffled, text))
        return Lesson(
            None if single == "sound" else picture, None if single == "picture" else sound,
            name, name, frames, int(rng.integers(1, 11)), shuffled, "", 0, tuple(branches), i,
        )  # fmt: skip

    def _listed(self, rng, asked, name, shuffled, text, tag="agree") -> Branch:
        """Options with the truth among them, now and then without it."""
        options = self._options(rng, [name], shuffled, 0.65)
        if options[-1] == wording.ABSTAIN and len(options) > 2 and rng.random() < 0.1:
            options.remove(name)
            tag = "unlisted"
        return self._choice(rng, asked, name, options, text, tag)

    def _aligned(self, rng, i, frames, shuffled, long_text) -> Lesson:
        picture, seen = self._pick(rng, self.catalogue.pictures, None, shuffled)
        situation = str(rng.choice(list(SITUATIONS), p=list(SITUATIONS.values())))
        sound, heard = self._pick(rng, self.catalogue.sounds, seen if situation == "agree" else None, shuffled)
        if not shuffled and situation != "agree" and heard == seen:
            situation = "agree"
        if shuffled:
            seen, heard = (str(n) for n in rng.choice(SHUFFLED_NAMES, 2, replace=False))
            heard = seen if situation == "agree" else heard
        elif situation != "agree" and rng.random() < CLASS_NAMED:
            seen = self.catalogue.class_names.get(picture, seen)
            heard = self.catalogue.class_names.get(sound, heard)
            situation = "agree" if seen == heard else situation
        if situation == "missing":
            blank = BLANK if rng.random() < 0.5 else None
            if rng.random() < 0.5:
                picture, seen = blank, None
            else:
                sound, heard = blank, None
        branches = self._paired(rng, seen, heard, shuffled, situation)
        while len(branches) < self.branches:
            branches.append(self._extra(rng, seen, heard, shuffled, situation, (picture, sound)))
        prefix = paragraph(rng, int(np.exp(rng.uniform(*np.log(LONG_TEXT)))), NAMES) if long_text else ""
        gap = int(np.exp(rng.uniform(*np.log(GAP)))) if rng.random() < GAP_SHARE else 0
        return Lesson(picture, sound, seen, heard, frames, int(rng.integers(1, 11)), shuffled, prefix, gap,
                      tuple(branches[: self.branches]), i)  # fmt: skip

    def _paired(self, rng, seen, heard, shuffled, situation) -> list[Branch]:
        """The paper's pair: what is seen and what is heard, with the same options and the same injected text."""
        text, claim, tag = self._injection(rng, seen, heard, shuffled)
        truths = [t for t in (seen, heard) if t]
        others = [claim] if claim and rng.random() < 0.8 else []
        if situation == "missing":
            options = self._options(rng, truths, shuffled, 1.0, others)
        elif rng.random() < 0.85:
            options = self._options(rng, truths, shuffled, 0.7, others)
        else:  # only one of the two truths is offered: the other question's answer is to abstain
            left_out = str(rng.choice(truths))
            kept = [t for t in truths if t != left_out]
            options = [o for o in self._options(rng, kept or ["thing"], shuffled, 1.0, others) if o != left_out]
        where = str(rng.choice(["before", "after"]))
        pair = []
        for asked, truth in (("see", seen), ("hear", heard)):
            question = wording.with_options(str(rng.choice(QUESTIONS[asked])), options)
            answer = truth if truth in options else wording.ABSTAIN
            pair.append(Branch(wording.join(question, text, where), answer, asked, f"{situation} {tag}".strip()))
        return pair

    def _injection(self, rng, seen, heard, shuffled) -> tuple[str, str, str]:
        """(text, what it claims, tag): nothing, a misleading or matching caption, or irrelevant text."""
        draw = rng.random()
        if draw < 0.42:
            return "", "", ""
        if draw < 0.78:
            wrong = [n for n in (seen, heard) if n] if rng.random() < 0.15 else []
            claim = str(rng.choice(wrong)) if wrong else (self._distractors(rng, 1, shuffled, [
                n for n in (seen, heard) if n]) or ["thing"])[0]  # fmt: skip
            return _claim(rng, claim), claim, "caption"
        if draw < 0.88 and (seen or heard):
            claim = str(rng.choice([n for n in (seen, heard) if n]))
            return _claim(rng, claim), claim, "caption"
        return paragraph(rng, int(rng.integers(8, 60)), NAMES), "", "text"

    def _extra(self, rng, seen, heard, shuffled, situation, items) -> Branch:
        text = self._injection(rng, seen, heard, shuffled)[0] if rng.random() < 0.25 else ""
        if rng.random() < MATCHING.get(situation, 0.0):
            question = wording.with_options(wording.MATCH[0], wording.YES_NO if rng.random() < 0.7 else ())
            said = (seen, heard)
            if situation == "agree" and not shuffled and rng.random() < CLASS_NAMED:  # a tabby matches a cat
                said = tuple(self.catalogue.class_names.get(i, name) for i, name in zip(items, said, strict=True))
            plain_answer = wording.YES_NO[seen != heard]
            answer = wording.judgement(*said, plain_answer) if self.reasoned else plain_answer
            return Branch(_with_text(rng, question, text), answer, "match", "match")
        asked, truth = ("hear", heard) if rng.random() < HEARING else ("see", seen)
        form = rng.random()
        if form < 0.3:
            return Branch(_with_text(rng, wording.BOTH[0], text), wording.sentence(seen, heard), "both", "free")
        if form < 0.65 or truth is None:
            return self._free(rng, asked, truth, text, f"{situation} free")
        return self._listed(rng, asked, truth, shuffled, text, situation)


QUESTIONS = {"see": wording.SEE, "hear": wording.HEAR, "clip": wording.CLIP}
CLAIMS = (
    "The caption says: {}.", "The caption says: {}.", "Caption: {}.", "Subtitle: {}.", "This video shows {}.",
    "You can hear {}.", "Someone wrote: it is {}.", "Note: {}.", "I think this is {}.",
)  # fmt: skip


def _claim(rng, name: str) -> str:
    named = wording.article(name) if rng.random() < 0.3 else name
    return str(rng.choice(CLAIMS)).format(named)


def _with_text(rng, question: str, text: str) -> str:
    return wording.join(question, text, str(rng.choice(["before", "after"])))
