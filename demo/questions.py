"""A question about a stimulus: its wording, its options, and whom an answer followed.

Knows the wordings that models were trained on and how free answers are read. Does not know models or attention.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from demo import vocabulary as words
from demo.sentences import check_letters, quoted
from models.everyday import first_mention, means, normal
from models.omni import McGurkError, Stimulus
from models.wording import ABSTAIN, HEAR, MATCH, SEE, YES_NO, with_options
from models.wording import BOTH as BOTH_SENSES

KINDS = ("see", "hear", "match", "free")
MAX_OWN = 500  # characters of a visitor's own question
MAX_OPTIONS = 24
MAX_OPTION = 60  # characters

# The first of each kind is the default.
WORDINGS: dict[str, tuple[str, ...]] = {"see": SEE, "hear": HEAR, "match": MATCH, "free": BOTH_SENSES}

PICTURE, SOUND, TEXT = "picture", "sound", "text"
BOTH, ABSTAINED, OTHER = "both", "abstained", "other"

_ABSTENTIONS = re.compile(
    r"\b(none of the above|none of these|none|nothing|silence|silent|no (?:sound|audio|picture|image|video)"
    r"|(?:can't|cannot|can not|don't|do not) (?:see|hear|tell|know))\b"
)

_VERDICT = re.compile(r"^(?:yes|no)\b(?! (?:sound|audio|picture|image|video))|(?<!yes or )\b(?:yes|no)(?=\W*$)")


@dataclass(frozen=True)
class Question:
    """What is asked, as it is asked."""

    kind: str  # "see", "hear", "match" or "free"
    text: str  # the question itself
    options: tuple[str, ...] = ()  # answers to choose from, in the order they are offered; (): a free answer

    @property
    def prompt(self) -> str:
        """The text as sent to a model, its options written into it."""
        return with_options(self.text, self.options)


def question(kind: str, options: Sequence[str] = (), wording: int = 0, own: str = "") -> Question:
    """A question of a kind, in one of its wordings or in the visitor's `own` words.

    "match" always has the options yes and no, unless others are given. Raises McGurkError for an unknown kind or
    wording, for empty, repeated or overlong options, or an overlong question.
    """
    if kind not in KINDS:
        raise McGurkError(f"There is no question {quoted(kind)}: ask {', '.join(KINDS)}.")
    check_letters("The question", own)
    own = " ".join(own.split())
    if len(own) > MAX_OWN:
        raise McGurkError(f"The question has {len(own)} characters: keep it under {MAX_OWN}.")
    if not own and not 0 <= wording < len(WORDINGS[kind]):
        raise McGurkError(f"The question {kind!r} has wordings 0 to {len(WORDINGS[kind]) - 1}, not {wording}.")
    options = checked_options(options)
    if kind == "match" and not options and not own:
        options = YES_NO
    return Question(kind, own or WORDINGS[kind][wording], options)


def checked_options(options: Sequence[str]) -> tuple[str, ...]:
    """Options without surplus blanks. Raises McGurkError if they can't be offered."""
    if isinstance(options, str):
        raise McGurkError('Give the options as a list, ["cat", "dog"], not as one text.')
    for option in options:
        check_letters("An option", option)
    cleaned = tuple(" ".join(option.split()) for option in options)
    if not cleaned:
        return ()
    if not 2 <= len(cleaned) <= MAX_OPTIONS:
        raise McGurkError(f"Give 2 to {MAX_OPTIONS} options, not {len(cleaned)}, or none for a free answer.")
    if any(not option or len(option) > MAX_OPTION or "," in option for option in cleaned):
        raise McGurkError(f"Every option must have 1 to {MAX_OPTION} characters and no comma.")
    if len({option.lower() for option in cleaned}) < len(cleaned):
        raise McGurkError("Two options are the same: give each once.")
    return cleaned


def build_options(
    stimulus: Stimulus,
    n: int = 8,
    rng: random.Random | int = 0,
    vocabulary: Sequence[str] = words.VOCABULARY,
    first: Sequence[str] = (),
    taken: Sequence[str] = (),
    also: Sequence[str] = (),
) -> tuple[str, ...]:
    """`n` shuffled options, what is seen, heard and read among them, then "none of the above".

    Distractors come from groups that none of the truths is in, each from a group of its own as far as they go, and
    none means a truth or a further right answer of the stimulus, or what is `taken` besides. first: names that are
    preferred to the vocabulary.
    also: further names to offer, such as what was perceived where nobody told the truth.
    rng: a seeded random.Random, or a seed. Raises McGurkError if n is too small for the truths or too large.
    """
    rng = rng if isinstance(rng, random.Random) else random.Random(rng)
    known = [label for label in (stimulus.seen, stimulus.heard, stimulus.read, *also) if label]
    truths = list({normal(label): words.plain(label) for label in reversed(known)}.values())[::-1]  # "cows", "a cow"
    if not max(1, len(truths)) <= n < MAX_OPTIONS:
        raise McGurkError(f"The number of options must lie between {max(1, len(truths))} and {MAX_OPTIONS - 1}.")
    taken = [*truths, *map(words.plain, (*stimulus.seen_also, *stimulus.heard_also, *taken))]
    preferred = _apart(_distractors(first, taken, rng))[: n - len(truths)]
    options = [*truths, *preferred]
    options += _distractors(vocabulary, [*taken, *preferred], rng)[: n - len(options)]
    if len(options) < n:
        raise McGurkError(f"The vocabulary has only {len(options)} names to offer, not {n}: ask for fewer options.")
    rng.shuffle(options)
    return (*options, ABSTAIN)


def _distractors(vocabulary: Sequence[str], taken: Sequence[str], rng: random.Random) -> list[str]:
    """The names of a vocabulary that none of those taken can pass for, shuffled; first one of each group."""
    strangers = [name for name in vocabulary if not any(words.confusable(name, other) for other in taken)]
    rng.shuffle(strangers)
    groups = [words.group_of(name) or name for name in strangers]
    rounds = [groups[:at].count(group) for at, group in enumerate(groups)]
    return [name for _, name in sorted(zip(rounds, strangers, strict=True), key=lambda pair: pair[0])]


def _apart(names: Sequence[str]) -> list[str]:
    """Names none of which may pass for one before it."""
    kept: list[str] = []
    for name in names:
        if not any(words.confusable(name, other) for other in kept):
            kept.append(name)
    return kept


def followed(question: Question, answer_text: str, stimulus: Stimulus) -> str:
    """Whom an answer followed: "picture", "sound", "text", "both" (picture and sound), "abstained" or "other".

    - What names a thing is decided by models.everyday: "puppy" follows the picture of a dog, "drum" the sound of drums,
      and so do the further right answers that a stimulus has. Where options are offered, an option means itself only.
    - An answer that names what is seen and what is heard, or one thing that is both, followed both.
    - A free sentence about both ("I see a cello, but I hear rain.") is read by its part on seeing or on hearing where
      only that was asked; to the free question, each part counts.
    - A thing that is read *and* seen (or heard) counts for the picture (or the sound): the text added nothing.
    - An answer that names a sense and the text counts for whichever it names first.
    - To "match": the answer that is right took both into account; the other took neither ("other").
    - Nothing named, and "none of the above", "nothing", "silence"...: abstained.
    """
    if question.kind == "match" and (said := verdict(answer_text)):
        return BOTH if (said == "yes") == agree(stimulus) else OTHER
    answer = _asked_part(question, answer_text)
    found = named(question, answer_text, stimulus)
    if PICTURE in found and SOUND in found:
        return BOTH
    if found:
        return min(found, key=lambda source: (found[source], source == TEXT))
    return ABSTAINED if not answer or _ABSTENTIONS.search(answer) else OTHER


def named(question: Question, answer_text: str, stimulus: Stimulus) -> dict[str, int]:
    """Which word of the part of an answer that counts first names each of picture, sound and text; the unnamed are left
    out. Where options are offered, an answer that is the very label of one source names no other."""
    return _first_mentions(_asked_part(question, answer_text), stimulus, exactly=bool(question.options))


def _asked_part(question: Question, answer_text: str) -> str:
    answer = _normalised(answer_text)
    return _part(answer, question.kind) if question.kind in ("see", "hear") else answer


def agree(stimulus: Stimulus) -> bool:
    """Whether picture and sound are of one thing, as far as it is known: "dog" and "barking" are."""
    seen, heard = stimulus.seen, stimulus.heard
    if not seen or not heard:
        return False
    return means(seen, heard, stimulus.heard_also) or means(heard, seen, stimulus.seen_also)


def verdict(answer_text: str) -> str:
    """The "yes" or "no" that an answer begins or ends with, else "".

    "No, that is a dog", "I see a cello and I hear rain: no"; but "no sound" is a thing that is heard.
    """
    said = _VERDICT.search(_normalised(answer_text))
    return said[0] if said else ""


def _normalised(text: str) -> str:
    """Lower case, blanks and apostrophes made uniform, punctuation other than sentence breaks gone."""
    text = text.lower().replace("’", "'").replace("_", " ")
    return " ".join(re.sub(r"[^\w\s',.;!?-]", " ", text).split())


def _part(answer: str, verb: str) -> str:
    """The part of an answer after "I see" or "I hear" when it has both, else the whole answer."""
    parts = re.split(r"\b(see|hear)(?:s|ing)?\b", answer)
    verbs = parts[1::2]
    if "see" not in verbs or "hear" not in verbs:
        return answer
    return " ".join(part for said, part in zip(verbs, parts[2::2], strict=True) if said == verb)


def _first_mentions(answer: str, stimulus: Stimulus, exactly: bool = False) -> dict[str, int]:
    labels = {PICTURE: stimulus.seen, SOUND: stimulus.heard, TEXT: stimulus.read}
    also = {PICTURE: stimulus.seen_also, SOUND: stimulus.heard_also}
    if exactly:
        same = {source: 0 for source, label in labels.items() if label and normal(label) == normal(answer)}
        if same:
            return same
    found = {source: first_mention(answer, label, also.get(source, ())) for source, label in labels.items() if label}
    found = {source: at for source, at in found.items() if at is not None}
    if len(found) < 2:
        return found
    strictly = {source: first_mention(answer, labels[source], exactly=True) for source in found}
    for source, at in list(found.items()):  # a fire truck is the fire truck that is seen, not the truck that is heard
        if at != strictly[source] and at in strictly.values():
            found[source] = strictly[source]
    return {source: at for source, at in found.items() if at is not None}
