"""What a visitor has in hand between two clicks: the situation, its player's file, what was answered, its attention.

Knows which results may be reused and when they are forgotten. Does not know pages, components or how anything is drawn.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from demo import conflicts, maps, player, questions
from demo.clips import Clip, gallery, gallery_clip, read_clip
from demo.compare import Comparison, ask_all, compare
from demo.conflicts import Conflict
from demo.questions import Question
from demo.state import UPLOAD, State, from_query
from models.omni import Attention, Kind, McGurkError, OmniModel, Steering, Stimulus

CLIPS_KEPT = 12  # 5-10 s of sampled frames are about 7 MB each
SITUATIONS_KEPT = 16
SESSIONS_KEPT = 32  # the attention rows of both answers are about 10 MB each
OPTIONS = 8  # names to choose from, before "none of the above"
FAST = "mini", "fake"  # models quick enough to be asked again at every change of a card
WORKED = (
    ("cat", "electric_guitar"),
    ("dog", "cello"),
)  # (clip, sound) to start with, first that is there

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Situation:
    """A state with its clips read and its conflict done."""

    state: State
    clip: Clip
    other: Clip | None
    stimulus: Stimulus
    question: Question
    notices: tuple[str, ...]  # what a visitor should know, one sentence each


@dataclass(frozen=True, eq=False)
class Asked:
    """How far an asking has come: first the player's file alone, then one more answer each time."""

    situation: Situation
    film: Path
    comparison: Comparison | None = None
    encoded: Any = None
    references: dict[str, dict[str, Attention]] = field(default_factory=dict)  # view -> adapter -> held against


class Lab:
    """One model, shared by all visitors, and what each of them has in hand.

    model: the model, or the future of one that is still loading. folder: where players' files are written.
    """

    def __init__(self, model: OmniModel | Future, folder: Path):
        self._model = model
        self.folder = folder
        self._lock = threading.Lock()
        self._clips: OrderedDict[Any, Clip] = OrderedDict()
        self._situations: OrderedDict[Any, tuple] = OrderedDict()
        self._asked: OrderedDict[str, Asked] = OrderedDict()

    @property
    def ready(self) -> bool:
        """Whether the model can be asked."""
        return not isinstance(self._model, Future) or self._model.done()

    @property
    def fast(self) -> bool:
        """Whether the model answers quickly enough to be asked at every change."""
        model = self.model(timeout=0)
        return model is not None and model.name in FAST

    def model(self, timeout: float | None = None) -> OmniModel | None:
        """The model; None if it is still loading after `timeout` seconds (None: wait as long as it takes).

        Raises McGurkError if it could not be loaded.
        """
        if not isinstance(self._model, Future):
            return self._model
        try:
            return self._model.result(timeout)
        except NotYet:
            return None
        except McGurkError:
            raise
        except Exception as error:
            log.exception("the model could not be loaded")
            raise McGurkError("The model could not be loaded: see the server's log and start the app again.") from error

    def default(self) -> State:
        """The worked conflict that the page starts with. Raises McGurkError when the gallery is empty."""
        ids = [clip.id for clip in gallery()]
        if not ids:
            raise McGurkError("The gallery is empty: upload a clip, or restore assets/clips.")
        clip, other = next((pair for pair in WORKED if {*pair} <= {*ids}), (ids[0], ids[-1]))
        return State(clip=clip, conflict=Conflict(sound="swap", other=other), question="hear")

    def opened(self, query: str) -> State:
        """The state that the page shows for an address: its query string's, or the worked conflict for none.

        Keys that start with two underscores belong to the page's host and are left aside. Raises McGurkError for a
        query that is no state, or that names a clip which is not in the gallery.
        """
        own = "&".join(part for part in query.removeprefix("?").split("&") if part and not part.startswith("__"))
        state = from_query(own)
        if state == State():
            return self.default()
        for named in (state.clip, state.conflict.other):
            if named:
                gallery_clip(named)
        return state if state.clip else replace(state, clip=self.default().clip)

    def prepare(self, state: State, uploads: dict[str, str] | None = None) -> Situation:
        """Read the clips of a state, do its conflict, make up its question. Reuses what was read and done before.

        uploads: paths of uploaded files, by what they are for: "clip", "other". Raises McGurkError.
        """
        uploads = uploads or {}
        conflict = state.conflict
        key, clip = self._clip(state.clip, uploads.get("clip"))
        if conflict.sound == "swap" and not conflict.other:
            raise McGurkError("Choose the clip whose sound is to be swapped in.")
        other_key, other = self._clip(conflict.other, uploads.get("other")) if conflict.sound == "swap" else ("", None)
        known = (key, other_key, conflict)
        stimulus, notices = self._remember(
            self._situations,
            known,
            SITUATIONS_KEPT,
            lambda: (conflicts.apply(clip, conflict, other), conflicts.notices(clip, conflict, other)),
        )
        return Situation(state, clip, other, stimulus, question_of(state, stimulus), notices)

    def film(self, situation: Situation, session: str) -> Path:
        """The player's file of a situation, written into the session's folder once."""
        state, clip, other = situation.state, situation.clip, situation.other
        named = f"{clip.path} {other and other.path} {state.conflict}"
        folder = self._folder(session)
        out = folder / f"{_slug(clip.name)}-{hashlib.sha256(named.encode()).hexdigest()[:12]}.mp4"
        if not out.exists():
            folder.mkdir(parents=True, exist_ok=True)
            player.compose(clip, state.conflict, other, out, stimulus=situation.stimulus)
        return out

    def ask(self, session: str, state: State, uploads: dict[str, str] | None = None, **how) -> Iterator[Asked]:
        """Yield the player's file, then each answer as it comes; the last is kept for the session.

        how: passed on to the model. Waits for a model that is still loading. Raises McGurkError.
        """
        situation = self.prepare(state, uploads)
        before = self.last(session)
        same = before is not None and before.situation.stimulus is situation.stimulus
        asked = Asked(situation, self.film(situation, session), encoded=before.encoded if same else None)
        self._keep(session, asked)  # what was answered before is no longer what is asked
        yield asked
        model = self.model()
        encoded = model.encode(situation.stimulus) if asked.encoded is None else asked.encoded
        for comparison in compare(model, situation.stimulus, situation.question, encoded=encoded, **how):
            asked = replace(asked, comparison=comparison, encoded=encoded)
            self._keep(session, asked)
            yield asked

    def answers_already(self, session: str, state: State) -> bool:
        """Whether what the session asked last is this, however it is looked at, and is answered completely."""
        last = self.last(session)
        if last is None or last.comparison is None or not last.comparison.complete:
            return False
        if UPLOAD in (state.clip, state.conflict.other):
            return False
        was = last.situation.state
        return state == replace(
            was, layer=state.layer, head=state.head, view=state.view, sink=state.sink, frame=state.frame
        )

    def last(self, session: str) -> Asked | None:
        """What the session asked last, if it is still remembered."""
        with self._lock:
            return self._asked.get(session)

    def with_reference(self, session: str, view: str) -> Asked:
        """What was asked last, together with the attention that a view holds it against. Raises McGurkError."""
        asked = self._last(session)
        if view == maps.RAW or view in asked.references:
            return asked
        question = asked.comparison.question
        prompt = maps.NEUTRAL_PROMPT if view == maps.RELATIVE else other_question(question).prompt
        answers = ask_all(self.model(), asked.encoded, prompt, max_new_tokens=1)
        asked = replace(
            asked, references=asked.references | {view: {adapter: answer.attention for adapter, answer in answers}}
        )
        current = self.last(session)
        if current is not None and current.comparison is asked.comparison:
            self._keep(session, asked)
        return asked

    def steer(self, session: str, steering: Steering) -> tuple[Comparison, Comparison]:
        """(the last comparison, the same question asked again under an intervention). Raises McGurkError."""
        asked = self._last(session)
        original = asked.comparison
        *_, steered = compare(
            self.model(),
            original.stimulus,
            original.question,
            encoded=asked.encoded,
            steering=steering,
            attention=False,
        )
        return original, steered

    def forget(self, session: str) -> None:
        """Drop what a session had in hand and delete its files."""
        with self._lock:
            self._asked.pop(session, None)
        shutil.rmtree(self._folder(session), ignore_errors=True)

    def _folder(self, session: str) -> Path:
        return self.folder / hashlib.sha256(session.encode()).hexdigest()[:16]

    def path_for(self, session: str, name: str) -> Path:
        """Where a file of a session goes; its folder exists."""
        folder = self._folder(session)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def _last(self, session: str) -> Asked:
        asked = self.last(session)
        if asked is None or asked.comparison is None:
            raise McGurkError("There is no answer to look into yet: ask first.")
        return asked

    def _keep(self, session: str, asked: Asked) -> None:
        with self._lock:
            self._asked[session] = asked
            self._asked.move_to_end(session)
            while len(self._asked) > SESSIONS_KEPT:
                self._asked.popitem(last=False)

    def _clip(self, id: str, upload: str | None) -> tuple[Any, Clip]:
        """(key to remember it by, the clip)."""
        if id == UPLOAD:
            if not upload:
                raise McGurkError("There is no uploaded clip: upload one, or choose a clip of the gallery.")
            return upload, self._remember(self._clips, upload, CLIPS_KEPT, lambda: read_clip(upload))
        named = gallery_clip(id) if id else gallery_clip(self.default().clip)
        key = (named.id, named.path.stat().st_mtime_ns if named.path.is_file() else 0)
        read = lambda: replace(read_clip(named.path, seen=named.seen, heard=named.heard), name=named.title)  # noqa: E731
        return key, self._remember(self._clips, key, CLIPS_KEPT, read)

    def _remember(self, kept: OrderedDict, key: Any, limit: int, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > limit:
                kept.popitem(last=False)
        return made


def question_of(state: State, stimulus: Stimulus) -> Question:
    """The question of a state; to "see" and "hear" options are drawn that hold what is true of the stimulus."""
    options = state.options if state.answers == "own" else ()
    if state.answers == "options" and state.question in ("see", "hear") and not state.own:
        options = questions.build_options(stimulus, OPTIONS)
    return questions.question(state.question, options, state.wording, state.own)


def other_question(question: Question) -> Question:
    """What a question is held against in the difference view: hearing against seeing, all else against hearing."""
    return questions.question("see" if question.kind == "hear" else "hear", question.options)


def steering_of(picture: float, sound: float, text: float, first: int, last: int, layers: int) -> Steering:
    """An intervention on the attention paid to picture, sound and injected text: factors, in layers first..last.

    Raises McGurkError for layers that do not exist.
    """
    if not 0 <= first <= last < layers:
        raise McGurkError(f"There are no layers {first} to {last}: choose from 0 to {layers - 1}, the first one first.")
    gains = {Kind.VIDEO: picture, Kind.AUDIO: sound, Kind.INJECTED: text}
    return Steering({kind: gain for kind, gain in gains.items() if gain != 1.0}, layers=(first, last + 1))


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower())[:40] or "clip"
