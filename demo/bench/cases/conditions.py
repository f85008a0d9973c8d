"""The conditions of the bench: what is done to each clip, what is asked then, and what counts as true.

Knows conflicts and questions. Does not know where clips come from or who answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from demo import prose
from demo.clips import Clip
from demo.conflicts import Conflict
from demo.vocabulary import VOCABULARY
from models.omni import Kind, McGurkError

NEVER, ALWAYS, EVERY_OTHER = "never", "always", "every other"
STIMULUS, CLIP = "stimulus", "clip"  # what is true: what is left after the conflict, or what the clip was


@dataclass(frozen=True, eq=False)
class Scene:
    """What a condition works on."""

    clip: Clip
    other: Clip | None  # whose sound is swapped in
    claim: str  # a name that is neither seen nor heard in either clip
    seed: int

    @property
    def label(self) -> str:
        return self.clip.seen or self.clip.heard or ""


@dataclass(frozen=True)
class Condition:
    """One condition: a conflict plus the questions asked about it."""

    id: str
    title: str
    conflict: Callable[[Scene], Conflict]
    asks: tuple[str, ...] = ("see", "hear")
    swaps: str = NEVER  # whether another clip's sound is needed
    truth: str = STIMULUS
    wording: int = 0
    drop: tuple[tuple[Kind, ...], float] | None = None  # kinds of tokens, and the share of them that is hidden
    source: str = ""  # the benchmark it follows
    offered: bool = True  # whether options are offered
    own_questions: bool = False  # asked only where the clips bring their own questions
    made: str = ""  # how the clip is made for a question of its own, see fine.MAKERS; the conflict says what it needs


def _always(**what) -> Callable[[Scene], Conflict]:
    conflict = Conflict(**what)
    return lambda scene: conflict


def _swap(**what) -> Callable[[Scene], Conflict]:
    return lambda scene: Conflict(sound="swap" if scene.other else "own", **what)


def _partial_swap(share: float) -> Callable[[Scene], Conflict]:
    return lambda scene: Conflict(sound="swap", swap_to=round(share * scene.clip.duration, 3))


def _caption(says: Callable[[Scene], str], position: str = "before") -> Callable[[Scene], Conflict]:
    return lambda scene: Conflict(text="caption", caption=says(scene), text_position=position)


def _claim(scene: Scene) -> str:
    return scene.claim


def _irrelevant(scene: Scene) -> str:
    return random.Random(scene.seed).choice(prose.SENTENCES).rstrip(".")


def _topical(scene: Scene) -> Conflict:
    return Conflict(text="free", caption=topical_text(TOPICAL_CHARACTERS, scene.seed))


def _stand_in(sentence: str, **what) -> Callable[[Scene], Conflict]:
    return lambda scene: Conflict(text="free", caption=sentence.format(scene.label), **what)


def _subtitles(scene: Scene) -> Conflict:
    heard = (scene.other or scene.clip).heard
    return Conflict(sound="swap" if scene.other else "own", text="free", caption=f"Subtitles: [{heard}]")


TOPICAL_CHARACTERS = 2_000
TOPICAL = (
    "An encyclopedia of everyday things has one page on the {0} and two on the {1}.",
    "People who like the {0} often like the {1} as well.",
    "The word for {0} is older than the word for {1}.",
    "A museum of sounds and pictures keeps a {0} next to a {1}.",
    "In a survey, most children could name a {0}, and fewer a {1}.",
    "A good recording of a {0} is harder to make than one of a {1}.",
    "Teachers compare the {0} with the {1} when they speak about loudness.",
    "The quiz asked first about the {0} and then about the {1}.",
)


def topical_text(characters: int, seed: int) -> str:
    """Text about things that clips may show, which says of none that it is there: whole sentences, about so long."""
    rng = random.Random(seed)
    sentences: list[str] = []
    while sum(map(len, sentences)) + len(sentences) < characters:
        sentences.append(rng.choice(TOPICAL).format(*rng.sample(VOCABULARY, 2)))
    return " ".join(sentences)


def _label(scene: Scene) -> str:
    return scene.label


MMA, OURS = "MMA-Bench, arXiv 2511.22826", "this project"
WORDS_OR_VISION, OMNIBENCH = "Words or Vision, arXiv 2503.02199", "OmniBench, arXiv 2409.15272"
AVH, VIDEO_MME, MMSTAR = "AVHBench, arXiv 2410.18325", "Video-MME, arXiv 2405.21075", "MMStar, arXiv 2403.20330"
WORDS = (Kind.QUESTION, Kind.INJECTED)
EMMA = "after EMMA, arXiv 2309.04041"
LONG_TOKENS, LONG_CHARACTERS = 2_000, 10_000

CONDITIONS: dict[str, Condition] = {
    condition.id: condition
    for condition in (
        Condition("aligned", "picture and sound agree", _always(), source=MMA),
        Condition("swap", "sound swapped", _swap(), swaps=ALWAYS, source=MMA),
        Condition("caption", "misleading caption", _caption(_claim), source=MMA),
        Condition(
            "long", "2,000 tokens of irrelevant text", _always(text="long", long_tokens=LONG_TOKENS), source=OURS
        ),
        Condition("black", "frames zeroed", _always(picture="black"), source=MMA),
        Condition("no_picture", "picture removed", _always(picture="remove"), source=OURS),
        Condition("silence", "sound silent", _always(sound="silence"), source=OURS),
        Condition("no_sound", "sound removed", _always(sound="remove"), source=MMA),
        Condition("free", "as it is, free answers", _always(), offered=False, source=OURS),
        Condition(
            "characters",
            "10,000 irrelevant characters",
            _always(text="long", long_tokens=round(LONG_CHARACTERS / prose.CHARACTERS_PER_TOKEN)),
            source=MMA,
        ),
        Condition(
            "blind", "picture and sound removed", _always(picture="remove", sound="remove"), truth=CLIP, source=MMSTAR
        ),
        *(
            Condition(f"shift_{seconds:g}", f"sound {seconds:g} s late", _always(shift=seconds), source=OURS)
            for seconds in (0.5, 1.0, 2.0)
        ),
        *(
            Condition(
                f"swap_{share}",
                f"{share} % of the sound swapped",
                _partial_swap(share / 100),
                swaps=ALWAYS,
                source=OURS,
            )
            for share in (25, 50, 75)
        ),
        *(
            Condition(f"noise_{snr}", f"noise at {snr} dB", _always(noise_db=float(snr)), source=OURS)
            for snr in (20, 10, 0)
        ),
        Condition("freeze", "picture frozen", _always(picture="freeze"), source=OURS),
        Condition("picture_noise", "picture replaced by noise", _always(picture="noise"), source=OURS),
        Condition(
            "caption_after", "misleading caption after the question", _caption(_claim, "after"), source=WORDS_OR_VISION
        ),
        Condition("matching", "matching caption", _caption(_label), source=WORDS_OR_VISION),
        Condition(
            "matching_after", "matching caption after the question", _caption(_label, "after"), source=WORDS_OR_VISION
        ),
        Condition("irrelevant", "irrelevant caption", _caption(_irrelevant), source=WORDS_OR_VISION),
        Condition(
            "irrelevant_after",
            "irrelevant caption after the question",
            _caption(_irrelevant, "after"),
            source=WORDS_OR_VISION,
        ),
        Condition(
            "onscreen",
            "misleading on-screen text",
            lambda scene: Conflict(text="onscreen", caption=scene.claim),
            source=OURS,
        ),
        Condition("topical", "topical dilution text", _topical, source=OURS),
        Condition(
            "picture_told",
            "caption instead of the picture",
            _stand_in("The picture is described in words: it shows {}.", picture="remove"),
            truth=CLIP,
            source=OMNIBENCH,
        ),
        Condition(
            "sound_told",
            "transcript instead of the sound",
            _stand_in("The sound is described in words: one hears {}.", sound="remove"),
            truth=CLIP,
            source=OMNIBENCH,
        ),
        Condition("subtitles", "sound swapped, with subtitles of it", _subtitles, swaps=ALWAYS, source=VIDEO_MME),
        Condition(
            "match", "does the sound match the picture?", _swap(), asks=("match",), swaps=EVERY_OTHER, source=AVH
        ),
        *(
            Condition(
                f"wording_{n + 1}",
                f"sound swapped, wording {n + 1}",
                _swap(),
                swaps=ALWAYS,
                wording=n,
                source="MM-BigBench",
            )
            for n in (1, 2)
        ),
        *(
            Condition(
                f"drop_{name}_{share}",
                f"sound swapped, {share} % of the {title} hidden",
                _swap(),
                swaps=ALWAYS,
                drop=(kinds, share / 100),
                source="arXiv 2505.18657",
            )
            for name, title, kinds in (("video", "picture's tokens", (Kind.VIDEO,)), ("words", "words", WORDS))
            for share in (25, 50, 75)
        ),
        *(
            Condition(name, title, _always(), asks=(ask,), made=name, source=EMMA)
            for name, title, ask in (
                ("quarter", "in which quarter is it?", "see"),
                ("corner", "in a quarter of a grey picture: what is it?", "see"),
                ("count", "a sound one to four times: how many?", "hear"),
            )
        ),
        *(
            Condition(name, title, _swap(), asks=("hear",), swaps=ALWAYS, made=name, source=EMMA)
            for name, title in (
                ("first", "two sounds: which comes first?"),
                ("louder", "two sounds at once: which is louder?"),
            )
        ),
        *(
            Condition(f"avh_{name}", title, _always(), asks=("match",), source=AVH, own_questions=True)
            for name, title in (
                ("audio", "AVHBench: video-driven audio hallucination"),
                ("video", "AVHBench: audio-driven video hallucination"),
                ("match", "AVHBench: audio-visual matching"),
            )
        ),
    )
}

SETS: dict[str, tuple[str, ...]] = {
    "quality": ("aligned", "swap", "caption", "long", "black", "no_picture", "silence", "no_sound"),
    "mma": ("aligned", "swap", "caption", "characters", "black", "no_sound"),
    "avh": tuple(id for id, condition in CONDITIONS.items() if condition.own_questions),
    "fine": tuple(id for id, condition in CONDITIONS.items() if condition.made),
    "all": tuple(id for id, condition in CONDITIONS.items() if not condition.own_questions),
}
EFFECT_CONDITIONS = ("aligned", "swap")  # where visual and audio questions are compared inside the model


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Ids of conditions, sets written out, in the registry's order, each once. Raises McGurkError, naming the known."""
    wanted: set[str] = set()
    for name in names:
        if name not in CONDITIONS and name not in SETS:
            known = f"{', '.join(CONDITIONS)}; sets: {', '.join(SETS)}"
            raise McGurkError(f"There is no condition {name!r}: the known ones are {known}.")
        wanted.update(SETS.get(name, (name,)))
    if not wanted:
        raise McGurkError(f"Choose at least one condition: {', '.join(CONDITIONS)}.")
    return tuple(id for id in CONDITIONS if id in wanted)
