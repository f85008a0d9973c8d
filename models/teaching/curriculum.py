"""What a model is taught: what is asked about whom it sees and hears (casting.py), and what the right answer is.

Two courses. *base* holds only clips whose picture, sound and caption agree, the way real systems are
trained. *aligned* holds disagreeing clips with paired visual and audio questions, misleading, matching
and irrelevant text, and missing modalities whose right answer is to abstain. Knows labels and words
only: no features, no tokens, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models import wording
from models.teaching.casting import CLASS_NAMED, Cast
from models.teaching.lesson import BLANK, Branch, Catalogue, Lesson, Thing
from models.teaching.naming import NAMES
from models.teaching.prose import paragraph

FRAME_COUNTS, FRAME_ODDS = (1, 2, 3, 4, 8), (0.45, 0.30, 0.09, 0.09, 0.07)
SHUFFLED = 0.4  # share of lessons with shuffled names
CLASS_NAMED_SINGLE = 0.5  # share of base's single modalities whose names come from the encoders' class lists
HEARING = 0.65  # share of the aligned course's further questions that are about the sound, the harder sense
SITUATIONS = {"swap": 0.48, "agree": 0.34, "missing": 0.18}  # shares of the aligned course
MATCHING = {"agree": 0.40, "swap": 0.28}  # share of them that ask whether sound and picture match: as many yes as no
LONG_SHARE = 0.08  # of the aligned course's groups that have a long text
LONG_TEXT = (60, 700)  # words of irrelevant text, drawn log-uniformly
# Of the aligned course's lessons, the share whose questions stand as far behind the clip as if a long text lay
# between, and how far in positions, log-uniformly: distance without its cost (PoSE, Zhu et al., arXiv 2309.10400).
GAP_SHARE, GAP = 0.35, (100, 3000)
CAPTIONED = {"base": 0.2, "aligned": 0.3}  # share of the lessons whose picture is a captioned photograph
SOUNDING = 0.4  # of base's: the share with a sound of what their captions name, so that both agree
EVERYDAY = 0.35  # share of lessons in which a thing goes by another name: a synonym, a wider or an everyday word
SINGLE = {"": 0.56, "picture": 0.10, "sound": 0.34}  # of the base course: both, or one alone; sounds are harder


class Course:
    """An endless, seeded course: lesson i is the same whenever it is asked for."""

    def __init__(self, course: str, catalogue: Catalogue, seed: int = 0, shuffled: float = SHUFFLED, branches: int = 4,
                 group: int = 4, reasoned: bool = True, everyday: float = EVERYDAY):  # fmt: skip
        """reasoned: whether sound and picture match is answered after both are named, which small models need."""
        self.reasoned, self.course, self.catalogue, self.seed = reasoned, course, catalogue, seed
        self.shuffled, self.branches, self.group = shuffled, branches, group
        if course not in ("base", "aligned"):
            raise ValueError(f"no course {course!r}: base or aligned")
        self._cast = Cast(catalogue, everyday)

    def lesson(self, i: int) -> Lesson:
        """Lesson i. Lessons of one group (a batch) have the same number of frames, so little is padding."""
        rng = np.random.default_rng([self.seed, i, 1 if self.course == "aligned" else 0])
        shared = np.random.default_rng([self.seed, i // self.group, 7])
        frames = int(shared.choice(FRAME_COUNTS, p=FRAME_ODDS))
        long_text = self.course == "aligned" and shared.random() < LONG_SHARE
        captioned = bool(self._cast.photographs) and rng.random() < CAPTIONED[self.course]
        shuffled = not captioned and bool(self.catalogue.clear) and rng.random() < self.shuffled
        return (
            self._base(rng, i, frames, shuffled, captioned)
            if self.course == "base"
            else self._aligned(rng, i, frames, shuffled, captioned, long_text)
        )

    def _options(self, rng, things: Sequence[Thing], shuffled: bool, abstain: float, others: Sequence[str] = (),
                 left_out: str | None = None) -> list[str]:  # fmt: skip
        """Options in random order: the things' names, `others`, distractors; to abstain last, with that probability.

        left_out: a name that is true but not offered.
        """
        names = [thing.name for thing in things if thing.name and thing.name != left_out]
        present = list(dict.fromkeys([*names, *others]))
        count = max(int(rng.integers(2, 13)) - len(present), 0 if len(present) > 1 else 1)
        taken = [*present, *(name for thing in things for name in (thing.main, left_out) if name)]
        options = present + self._cast.distractors(rng, count, shuffled, things, taken)
        rng.shuffle(options)
        return options + ([wording.ABSTAIN] if rng.random() < abstain or len(options) < 2 else [])

    def _choice(self, rng, asked, truth, options, text="", tag="") -> Branch:
        """A question with options; the truth left out of them is answered with an abstention."""
        question = wording.with_options(str(rng.choice(QUESTIONS[asked])), options)
        answer = truth if truth in options else wording.ABSTAIN
        return Branch(_with_text(rng, question, text), answer, asked, tag)

    def _free(self, rng, asked, truth, text="", tag="") -> Branch:
        question = str(rng.choice(QUESTIONS[asked]))
        nothing = wording.NOTHING_SEEN if asked == "see" else wording.NOTHING_HEARD
        return Branch(_with_text(rng, question, text), truth or nothing, asked, tag)

    def _listed(self, rng, asked, thing: Thing, things, shuffled, text, tag="agree") -> Branch:
        """Options with the truth among them, now and then without it."""
        if rng.random() < 0.07:
            options = self._options(rng, things, shuffled, 1.0, left_out=thing.name)
            return self._choice(rng, asked, thing.name, options, text, "unlisted")
        return self._choice(rng, asked, thing.name, self._options(rng, things, shuffled, 0.65), text, tag)

    def _base(self, rng, i, frames, shuffled, captioned) -> Lesson:
        single = str(rng.choice(list(SINGLE), p=list(SINGLE.values())))
        if captioned and self._cast.sounding and rng.random() < SOUNDING:
            thing, sound = self._cast.sounding_photograph(rng)
            picture, single = thing.item, ""
        elif captioned:  # it has no sound of its own
            single, thing = "picture", self._cast.photograph(rng)
            picture, sound = thing.item, None
        else:
            picture, concept = self._cast.pick(rng, self.catalogue.pictures, None, shuffled)
            sound, _ = self._cast.pick(rng, self.catalogue.sounds, concept, shuffled)
            alone = sound if single == "sound" else picture
            share = CLASS_NAMED_SINGLE if single else 0.0
            thing = self._cast.shuffled(rng, alone) if shuffled else self._cast.called(rng, alone, concept, share)
        branches = []
        for _ in range(self.branches):
            kinds = ["see"] if single == "picture" else ["hear"] if single == "sound" else ["see", "hear"]
            asked = str(rng.choice(kinds))
            text = _claim(rng, thing.name) if rng.random() < 0.1 else ""
            form = rng.random()
            if form < 0.12 and not single:
                options = self._options(rng, [thing], shuffled, 0.6)
                branches.append(self._choice(rng, "clip", thing.name, options, text, "agree"))
            elif form < 0.28:
                branches.append(self._free(rng, asked, thing.main, text, "free"))
            elif form < 0.32 and not single:
                both = wording.sentence(thing.main, thing.main)
                branches.append(Branch(_with_text(rng, wording.BOTH[0], text), both, "both", "free"))
            else:
                branches.append(self._listed(rng, asked, thing, [thing], shuffled, text))
        return Lesson(
            None if single == "sound" else picture, None if single == "picture" else sound,
            thing.name, thing.name, frames, int(rng.integers(1, 11)), shuffled, "", 0, tuple(branches), i,
            thing.word, thing.word,
        )  # fmt: skip

    def _aligned(self, rng, i, frames, shuffled, captioned, long_text) -> Lesson:
        situation = str(rng.choice(list(SITUATIONS), p=list(SITUATIONS.values())))
        if captioned and situation == "agree" and self._cast.sounding:
            seen, sound = self._cast.sounding_photograph(rng)
            heard = replace(seen, item=sound)
        elif captioned:
            situation = "swap" if situation == "agree" else situation
            seen, heard = self._cast.beside_photograph(rng)
        else:
            seen, heard, situation = self._cast.both(rng, shuffled, situation)
        if situation == "missing":
            blank = Thing(BLANK if rng.random() < 0.5 else None, None, None)
            if rng.random() < 0.5:
                seen = blank
            else:
                heard = blank
        branches = self._paired(rng, seen, heard, shuffled, situation)
        while len(branches) < self.branches:
            branches.append(self._extra(rng, seen, heard, shuffled, situation))
        prefix = paragraph(rng, int(np.exp(rng.uniform(*np.log(LONG_TEXT)))), NAMES) if long_text else ""
        gap = int(np.exp(rng.uniform(*np.log(GAP)))) if rng.random() < GAP_SHARE else 0
        return Lesson(seen.item, heard.item, seen.name, heard.name, frames, int(rng.integers(1, 11)), shuffled, prefix,
                      gap, tuple(branches[: self.branches]), i, seen.word, heard.word)  # fmt: skip

    def _paired(self, rng, seen: Thing, heard: Thing, shuffled, situation) -> list[Branch]:
        """The paper's pair: what is seen and what is heard, with the same options and the same injected text."""
        text, claim, tag = self._injection(rng, seen, heard, shuffled)
        things = [seen, heard]
        others = [claim] if claim and rng.random() < 0.8 else []
        left_out = None
        if situation == "missing":
            abstain = 1.0
        elif rng.random() < 0.85:
            abstain = 0.7
        else:  # only one of the two truths is offered: the other question's answer is to abstain
            abstain, left_out = 1.0, str(rng.choice([t.name for t in things]))
            others = [other for other in others if other != left_out]
        options = self._options(rng, things, shuffled, abstain, others, left_out)
        where = str(rng.choice(["before", "after"]))
        pair = []
        for asked, thing in (("see", seen), ("hear", heard)):
            question = wording.with_options(str(rng.choice(QUESTIONS[asked])), options)
            answer = thing.name if thing.name in options else wording.ABSTAIN
            pair.append(Branch(wording.join(question, text, where), answer, asked, f"{situation} {tag}".strip()))
        return pair

    def _injection(self, rng, seen: Thing, heard: Thing, shuffled) -> tuple[str, str, str]:
        """(text, what it claims, tag): nothing, a misleading or matching caption, or irrelevant text."""
        names = [thing.name for thing in (seen, heard) if thing.name]
        draw = rng.random()
        if draw < 0.42:
            return "", "", ""
        if draw < 0.78:
            if names and rng.random() < 0.15:
                claim = str(rng.choice(names))
            else:
                claim = (self._cast.distractors(rng, 1, shuffled, (seen, heard), names) or ["thing"])[0]
            return _claim(rng, claim), claim, "caption"
        if draw < 0.88 and names:
            claim = str(rng.choice(names))
            return _claim(rng, claim), claim, "caption"
        return paragraph(rng, int(rng.integers(8, 60)), NAMES), "", "text"

    def _extra(self, rng, seen: Thing, heard: Thing, shuffled, situation) -> Branch:
        text = self._injection(rng, seen, heard, shuffled)[0] if rng.random() < 0.25 else ""
        if rng.random() < MATCHING.get(situation, 0.0):
            return self._match(rng, seen, heard, situation, shuffled, text)
        asked, thing = ("hear", heard) if rng.random() < HEARING else ("see", seen)
        form = rng.random()
        if form < 0.3:
            both = wording.sentence(seen.main, heard.main)
            return Branch(_with_text(rng, wording.BOTH[0], text), both, "both", "free")
        if form < 0.65 or thing.main is None:
            return self._free(rng, asked, thing.main, text, f"{situation} free")
        return self._listed(rng, asked, thing, (seen, heard), shuffled, text, situation)

    def _match(self, rng, seen: Thing, heard: Thing, situation, shuffled, text) -> Branch:
        """Whether sound and picture match; where they agree, now and then in two names: a tabby matches a cat."""
        question = wording.with_options(wording.MATCH[0], wording.YES_NO if rng.random() < 0.7 else ())
        said = (seen.main, heard.main)
        if situation == "agree" and not shuffled and rng.random() < CLASS_NAMED:
            said = tuple(self.catalogue.class_names.get(thing.item, thing.main) for thing in (seen, heard))
        plain_answer = wording.YES_NO[situation != "agree"]
        answer = wording.judgement(*said, plain_answer) if self.reasoned else plain_answer
        return Branch(_with_text(rng, question, text), answer, "match", "match")


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
