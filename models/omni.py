"""What every multimodal LLM here is given and gives back.

Knows values (Stimulus, TokenMap, Attention, Answer, Receipt) and the one interface that each
backend implements (OmniModel). Does not know which clip, which conflict or which page asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from models.wording import ALTERNATIVE, GROUNDING

if TYPE_CHECKING:
    from models.interventions import Intervention
    from models.lens import Said

SAMPLE_RATE = 16_000  # Hz, of every waveform in this project
NAME_TOKENS, SENTENCE_TOKENS = 24, 96  # of an answer, at most: one of several options, or free
MOST_ROWS, ROWS_BYTES = 13, 6_000_000  # of an answer's attention that is kept: the prompt's last and twelve tokens
BASE, ALIGNED = "base", "aligned"  # the two adapters a comparison puts side by side
FPS = 2.0  # frames of a clip a second, unless an adapter is used to others
FRAME_TOKENS, SOUND_TOKENS, LETTERS = 256, 25, 4  # of a frame, of a second of sound; of text a token: typical ones


class McGurkError(Exception):
    """Something a visitor or a caller can mend: one sentence, what is wrong and what to do."""


class Stopped(McGurkError):
    """Nobody waits for this answer any more: its model left off."""


def never() -> bool:
    """Whether to leave off, for those who wait to the end."""
    return False


def unless(stop: Callable[[], bool]) -> None:
    """Raise Stopped if `stop` says that nobody waits any more. Backends call it between passes and between tokens."""
    if stop():
        raise Stopped("This answer was stopped, because nobody waited for it any more: ask again.")


class Kind(StrEnum):
    """What a position of the prompt is."""

    SYSTEM = "system"
    QUESTION = "question"
    INJECTED = "injected text"
    MARKER = "marker"
    VIDEO = "video"
    AUDIO = "audio"
    GENERATED = "generated"


KINDS: tuple[Kind, ...] = tuple(Kind)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What a model is given, and what is true of it. Building or reading one touches no file."""

    frames: np.ndarray | None  # uint8, T x H x W x 3, RGB; None: no picture at all
    fps: float  # frames per second of `frames`
    waveform: np.ndarray | None  # float32, mono, 16 kHz, -1..1; None: no sound at all
    text: str = ""  # injected text: caption, long text, ...
    text_position: str = "before"  # the injected text stands "before" or "after" the question
    seen: str | None = None  # true label of the picture; None: unknown or nothing to see
    heard: str | None = None  # true label of the sound; None: unknown or nothing to hear
    read: str | None = None  # what the injected text claims; None: it claims nothing
    seen_also: tuple[str, ...] = ()  # further right answers to what is seen
    heard_also: tuple[str, ...] = ()  # further right answers to what is heard

    @property
    def duration(self) -> float:
        """Seconds: the longer of picture and sound."""
        seen = 0.0 if self.frames is None else len(self.frames) / self.fps
        heard = 0.0 if self.waveform is None else len(self.waveform) / SAMPLE_RATE
        return max(seen, heard)


@dataclass(frozen=True, eq=False)
class TokenMap:
    """For each of the T positions of a prompt as fed: what it is and where it lies.

    kinds:  T Kinds.
    pieces: T strings, the text of each position ("" for video and audio, and where a letter goes on from the last).
    video:  int, T x 3, (time index, row, column) of a video token, -1 elsewhere.
    audio:  float, T x 2, (start, end) in seconds of an audio token, nan elsewhere.
    grid:   (times, rows, columns) of the video tokens; (0, 0, 0) without a picture.
    frame_times: seconds at which each of the `times` video steps starts.
    sinks:  bool, T: positions that draw attention whatever they hold (first token, border).
    audio_window: seconds of sound that an encoder computes an audio token from, where longer than the token's span.
    """

    kinds: tuple[Kind, ...]
    pieces: tuple[str, ...]
    video: np.ndarray
    audio: np.ndarray
    grid: tuple[int, int, int]
    frame_times: np.ndarray
    sinks: np.ndarray
    audio_window: float = 0.0

    def __len__(self) -> int:
        return len(self.kinds)

    def positions(self, *kinds: Kind) -> np.ndarray:
        """Indices of the positions whose kind is one of `kinds`."""
        return np.array([i for i, kind in enumerate(self.kinds) if kind in kinds], dtype=int)

    def counts(self) -> dict[str, int]:
        """Number of positions of each kind that occurs."""
        return {k.value: self.kinds.count(k) for k in KINDS if k in self.kinds}


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention rows of one answer.

    rows: float16, layers x heads x R x T. Row 0 is the last position of the prompt, rows 1.. are the first
    generated positions; T covers prompt and those positions (columns ahead of a row are 0).
    tokens: the TokenMap of the T columns, generated positions included.
    counts: of how many recorded rows each of the R is the mean; () for one each.
    """

    rows: np.ndarray
    tokens: TokenMap
    counts: tuple[int, ...] = ()

    @property
    def layers(self) -> int:
        return self.rows.shape[0]

    @property
    def heads(self) -> int:
        return self.rows.shape[1]

    @property
    def weights(self) -> np.ndarray:
        """float64, R: what each row counts in a mean over rows."""
        return np.array(self.counts or (1,) * self.rows.shape[2], dtype=float)

    def reduced(self) -> Attention:
        """The same with at most MOST_ROWS rows and about ROWS_BYTES, but at least two: the last is the rest's mean."""
        layers, heads, count, columns = self.rows.shape
        kept = max(2, min(MOST_ROWS, ROWS_BYTES // max(1, layers * heads * columns * self.rows.itemsize)))
        if count <= kept:
            return self
        first, weights = kept - 1, self.weights
        rest = np.average(self.rows[:, :, first:], axis=2, weights=weights[first:]).astype(self.rows.dtype)
        rows = np.concatenate([self.rows[:, :, :first], rest[:, :, None]], axis=2)
        return replace(self, rows=rows, counts=(*map(int, weights[:first]), int(weights[first:].sum())))

    @property
    def steps(self) -> int:
        """How many tokens of the answer have a row of their own: that of the position before each."""
        single = int((self.weights == 1).sum())
        return min(single, self.tokens.kinds.count(Kind.GENERATED))


@dataclass(frozen=True)
class Receipt:
    """What a model really received for one answer."""

    model: str
    adapter: str  # "base", "aligned"
    adapter_sha256: str  # "" for the bare model
    tokens: dict[str, int]  # positions per kind, counted in the ids that were fed
    frames: int
    fps: float
    frame_size: tuple[int, int]  # height, width in pixels as the encoder saw them
    audio_seconds: float
    prompt: str  # as sent; media tokens written as <video x392>
    decoding: str
    seed: int
    versions: dict[str, str]
    notes: tuple[str, ...] = ()  # anything that was trimmed, resampled or left out
    intervention: dict[str, Any] = field(default_factory=dict)
    # what was done to the attention: {"id", "what", "layers", "rows" ("all" or "last"), "extra passes", "notes"}


@dataclass(frozen=True, eq=False)
class Answer:
    """What one adapter answered."""

    text: str
    options: dict[str, float]  # probability of each option, summing to 1; {} without options
    attention: Attention | None
    receipt: Receipt
    seconds: float
    perceived: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    # what the encoders alone recognised: {"picture": [(class name, score)...], "sound": [...]}


class OmniModel(ABC):
    """A multimodal LLM that answers about one stimulus with one or more adapters."""

    name: str
    adapters: tuple[str, ...]  # (BASE,) or (BASE, ALIGNED)
    can_look_inside: bool = True  # False: a server that returns no attention
    layers: int = 0
    heads: int = 0
    borrows: bool = True  # on ZeroGPU, a GPU for each answer; False: answers on the CPU
    fps: float = FPS  # frames a second that it is used to
    pixels: int = 0  # of a frame, at most, that it is used to; 0: any
    gigabytes: float = 0.0  # of weights, which a GPU has to be given; 0.0: nobody counted them

    def require_insides(self) -> None:
        """Raise McGurkError for a model that nobody can reach into."""
        if not self.can_look_inside:
            raise McGurkError(f"Nobody can reach into {self.name}: choose a model that runs here.")

    @property
    def alternatives(self) -> dict[str, str]:
        """What stands in for a missing aligned adapter, and is never called one: {label: system prompt}."""
        return {} if ALIGNED in self.adapters else {ALTERNATIVE: GROUNDING}

    def lightened(self, stimulus: Stimulus) -> Stimulus:
        """The same with frames no larger than they are read, where that is known; needs no GPU."""
        return stimulus

    def expected_tokens(self, stimulus: Stimulus, question: str = "") -> int:
        """About how many tokens a prompt about a stimulus has; nothing is read for it."""
        frames = 0 if stimulus.frames is None else len(stimulus.frames)
        heard = 0.0 if stimulus.waveform is None else len(stimulus.waveform) / SAMPLE_RATE
        return round(FRAME_TOKENS * frames + SOUND_TOKENS * heard) + len(stimulus.text + question) // LETTERS

    @abstractmethod
    def encode(self, stimulus: Stimulus) -> Any:
        """Run the picture and sound encoders once; the result may be asked many times."""

    @abstractmethod
    def answer(
        self,
        encoded: Any,
        question: str,
        options: Sequence[str] = (),
        *,
        adapters: Sequence[str] | None = None,
        attention: bool = True,
        steering: Intervention | None = None,
        max_new_tokens: int | None = None,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, Answer]]:
        """Yield (adapter, Answer) as each is ready.

        question: the whole question as asked, its options written into it.
        options: texts to score by their full log-probability after the prompt.
        adapters: which of self.adapters, default all. system: another system prompt.
        steering: an intervention (models/interventions/); the receipt says what it did. Raises McGurkError where it
        can't be done.
        max_new_tokens: of the answer, which ends earlier where the model ends it; None: see longest_answer().
        stop: asked between passes and between tokens (see unless()); once it is true, Stopped is raised.
        """

    def sweep(
        self,
        encoded: Any,
        question: str,
        options: Sequence[str],
        interventions: Sequence[Intervention],
        *,
        adapters: Sequence[str] | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, int, dict[str, float]]]:
        """Yield (adapter, place, probability of each option) under each of several interventions, as they are ready.

        place: which of `interventions`. Closing the generator stops it, as `stop` does (see answer()). A backend that
        can answer many at once does.
        """
        for adapter in adapters or self.adapters:
            for place, steering in enumerate(interventions):
                how = {"adapters": (adapter,), "attention": False, "max_new_tokens": 1, "stop": stop}
                [(_, answer)] = self.answer(encoded, question, options, steering=steering, **how)
                yield adapter, place, answer.options

    def opened(
        self, encoded: Any, question: str, adapter: str, stop: Callable[[], bool] = never
    ) -> AbstractContextManager:
        """The prompt in front of an adapter, to be read in several ways (a Reader); nobody else is at it meanwhile.

        Raises McGurkError for a model that nobody can reach into.
        """
        raise McGurkError(f"Nobody can reach into {self.name}: choose a model that runs here.")

    def gist(self, encoded: Any) -> dict[str, np.ndarray]:
        """What the encoders hand to the language model, averaged over its tokens: {"picture": hidden, "sound": hidden}.

        float32; a modality that isn't there is left out. Raises McGurkError for a model that nobody can reach into.
        """
        raise McGurkError(f"Nobody can reach into {self.name}: choose a model that runs here.")

    def lens(
        self, encoded: Any, question: str, names: Sequence[str], adapter: str, stop: Callable[[], bool] = never
    ) -> Said:
        """What picture and sound tokens say of these names in each layer, see models/lens.py.

        Raises McGurkError for a model whose states nobody can read out.
        """
        raise McGurkError(f"Nobody can read the layers of {self.name} out: choose a model that runs here.")

    def ask(self, stimulus: Stimulus, question: str, options: Sequence[str] = (), **how) -> dict[str, Answer]:
        """Encode and answer in one call: {adapter: Answer}."""
        return dict(self.answer(self.encode(stimulus), question, options, **how))


def longest_answer(options: Sequence[str], wanted: int | None = None) -> int:
    """Tokens that an answer may have: a name needs few, a sentence about picture and sound more."""
    return wanted or (NAME_TOKENS if options else SENTENCE_TOKENS)


def without_generated(tokens: TokenMap) -> TokenMap:
    """The TokenMap of the prompt alone."""
    n = sum(kind is not Kind.GENERATED for kind in tokens.kinds)
    return replace(
        tokens,
        kinds=tokens.kinds[:n],
        pieces=tokens.pieces[:n],
        video=tokens.video[:n],
        audio=tokens.audio[:n],
        sinks=tokens.sinks[:n],
    )
