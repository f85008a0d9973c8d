"""What a visitor has in hand between two clicks: the situation, its player's file, what was answered, its attention.

Knows which results may be reused and when they are forgotten. Does not know pages, components or how anything is drawn.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from demo import conflicts, maps, perception, questions
from demo.clips import Clip, Sampling, gallery, gallery_clip, sampling_for
from demo.compare import Comparison, ask_all, compare
from demo.conflicts import Conflict
from demo.media import player
from demo.questions import Question
from demo.visitors import bundle
from demo.visitors.files import Files, linked
from demo.visitors.invitations import Invitations
from demo.visitors.library import Library
from demo.visitors.memory import Kept, trim
from demo.visitors.sameness import digest, key_of
from demo.visitors.shelf import Shelves, Source
from demo.visitors.state import State, from_query, has_own
from demo.visitors.turns import Turns, Wait
from models.interventions import Intervention
from models.omni import Attention, McGurkError, OmniModel, Stimulus, never, unless

# bytes kept: a situation holds its clip's frames, see library.py; both answers with their attention are 1 to 6 MB
SITUATIONS, SESSIONS, ANSWERS = 160_000_000, 160_000_000, 160_000_000
OPTIONS = 8  # names to choose from, before "none of the above"
EVERYBODY = ""  # the session whose films all others link to
FAST = "mini", "fake"  # models quick enough to be asked again at every change of a card
WORKED = (
    ("cat", "dog"),  # the kitten that barks
    ("dog", "cello"),
)  # (clip, sound) to start with, first that is there

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who asks, for whose turn it is, and whether they have left."""

    visitor: str
    gone: Callable[[], bool] = never


@dataclass(frozen=True, eq=False)
class Situation:
    """A state with its clips read and its conflict done."""

    state: State
    clip: Clip
    other: Clip | None
    stimulus: Stimulus
    question: Question
    notices: tuple[str, ...]  # what a visitor should know, one sentence each
    digest: str = ""  # of everything in the stimulus; "" where nobody counted it
    untold: frozenset[str] = frozenset()  # senses of which nobody told the truth: "picture", "sound"


@dataclass(frozen=True, eq=False)
class Asked:
    """How far an asking has come: first the player's file alone, then one more answer each time."""

    situation: Situation
    film: Path | None  # None where nobody wants to see it
    comparison: Comparison | None = None
    encoded: Any = None
    references: dict[str, dict[str, Attention]] = field(default_factory=dict)  # view -> adapter -> held against
    wait: Wait | None = None  # what comes first, while others have their turn
    recalled: bool = False  # whether the same had been answered before
    changed: tuple[Intervention, Comparison] | None = None  # the last intervention, and the answers under it
    heads: dict[str, Any] = field(default_factory=dict)  # modality -> what demo.probing.heads found
    lens: Any = None  # what the tokens say, see demo.probing.lens
    curve: Any = None  # the last one that was drawn, see demo.probing.sweeps

    @property
    def complete(self) -> bool:
        """Whether everybody who was asked has answered."""
        return self.comparison is not None and self.comparison.complete


class Lab:
    """One model, shared by all visitors, and what each of them has in hand.

    model: the model, or the future of one that is still loading. folder: where players' files are written.
    caller: who is behind a session just now.
    """

    def __init__(self, model: OmniModel | Future, folder: Path, caller: Callable[[str], Caller] = Caller):
        self._model = model
        self._caller = caller
        self.files = Files(folder)
        self.shelves = Shelves(folder / "shelves")
        self.invitations = Invitations()
        self.turns = Turns(remembered=ANSWERS)  # the model's
        self.workshop = Turns(workers=os.cpu_count() or 1)  # where files are read and films written
        self._library, self._situations, self._asked = Library(), Kept(SITUATIONS), Kept(SESSIONS)

    @property
    def ready(self) -> bool:
        """Whether the model can be asked."""
        return not isinstance(self._model, Future) or self._model.done()

    @property
    def fast(self) -> bool:
        """Whether the model answers quickly enough to be asked at every change."""
        model = self.model(timeout=0)
        return model is not None and model.name in FAST

    @property
    def sampling(self) -> Sampling:
        """How clips are read: as the model is used to, once it is here."""
        try:
            return sampling_for(self.model(timeout=0))
        except McGurkError:  # it could not be loaded; whoever asks it is told
            return sampling_for(None)

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

    def prepare(self, state: State, own: Mapping[str, Source] | None = None) -> Situation:
        """Read the clips of a state, do its conflict, make up its question. Reuses what was read and done before.

        own: the visitor's own clips, by id. Raises McGurkError.
        """
        own = own or {}
        conflict = state.conflict
        key, clip = self._library.clip(state.clip or self.default().clip, own, self.sampling)
        if conflict.sound == "swap" and not conflict.other:
            raise McGurkError("Choose the clip whose sound is to be swapped in.")
        other_key, other = (
            self._library.clip(conflict.other, own, self.sampling) if conflict.sound == "swap" else ("", None)
        )
        known = (key, other_key, conflict)
        stimulus, notices, digest = self._situations.made(known, lambda: _done(clip, conflict, other))
        untold = conflicts.untold(clip, conflict, other)
        return Situation(state, clip, other, stimulus, question_of(state, stimulus), notices, digest, untold)

    def made(
        self, session: str, state: State, own: Mapping[str, Source] | None = None, *, film: bool = True
    ) -> tuple[Situation, Path | None]:
        """(situation, its player's file unless nobody wants one), made when it is this visitor's turn.

        own: the visitor's own clips, by id; None: those on the session's shelf. Raises McGurkError.
        """
        caller = self._caller(session)

        def make(stop: Callable[[], bool]) -> Iterator[tuple[Situation, Path | None]]:
            situation = self.prepare(state, self.shelves.of(session).sources if own is None else own)
            unless(stop)
            if not film:
                yield situation, None
                return
            known = self._film_path(situation, session).exists()
            path = self.film(situation, session)
            if not known and (stop() or caller.gone()):  # nobody would ever remove it
                path.unlink(missing_ok=True)
            yield situation, path

        *_, found = self.workshop.take(caller.visitor, make, gone=caller.gone)
        return found

    def work(self, session: str, do: Callable[[], Any]) -> Any:
        """What `do` returns, done when it is the session's turn: reading, cutting and writing of files."""
        caller = self._caller(session)
        *_, found = self.workshop.take(caller.visitor, lambda _stop: iter((do(),)), gone=caller.gone)
        return found

    def bundle(self, session: str, state: State) -> Path:
        """The situation as a .mcgurk file in the session's folder. Raises McGurkError."""

        def write() -> Path:
            situation = self.prepare(state, self.shelves.of(session).sources)
            out = self.path_for(session, f"{_slug(situation.clip.name)}{bundle.SUFFIX}")
            return bundle.write(out, state, situation.clip, situation.other, situation.stimulus)

        return self.work(session, write)

    def film(self, situation: Situation, session: str) -> Path:
        """The player's file of a situation, in the session's folder. One of gallery clips is written once for all."""
        out = self._film_path(situation, session)
        named = {situation.state.clip, situation.state.conflict.other} - {""}
        shared = session != EVERYBODY and named <= {clip.id for clip in gallery()}  # nobody's own clip among them
        if out.exists() or (shared and linked(self.film(situation, EVERYBODY), out)):
            return out
        conflict = situation.state.conflict
        player.compose(situation.clip, conflict, situation.other, out, stimulus=situation.stimulus)
        return out

    def heard(self, situation: Situation, session: str) -> Path | None:
        """The sound that the model was given, as a WAV file in the session's folder; None without sound."""
        if situation.stimulus.waveform is None:
            return None
        out = self._film_path(situation, session).with_suffix(".wav")
        return out if out.exists() else player.write_heard(situation.stimulus, self.path_for(session, out.name))

    def _film_path(self, situation: Situation, session: str) -> Path:
        clip, other = situation.clip, situation.other
        named = f"{clip.path} {other and other.path} {situation.state.conflict}"
        return self.files.path(session, f"{_slug(clip.name)}-{hashlib.sha256(named.encode()).hexdigest()[:12]}.mp4")

    def ask(
        self, session: str, state: State, own: Mapping[str, Source] | None = None, *, film: bool = True, **how
    ) -> Iterator[Asked]:
        """Yield the player's file (unless nobody wants one), then how long it takes while others come first, then each
        answer as it comes; the last is kept for the session. What was answered before is recalled.

        own: as in `made`. how: passed on to the model. Waits for a model that is still loading. Raises McGurkError;
        Stopped, which is one, once the visitor has left.
        """
        late = not self.ready
        situation, path = self.made(session, state, own, film=film)
        before = self.last(session)
        same = before is not None and before.situation.stimulus is situation.stimulus
        asked = Asked(situation, path, encoded=before.encoded if same else None)
        self._asked.put(session, asked)  # what was answered before is no longer what is asked
        yield asked
        if late:  # which frames the model is used to is known once it is here
            for step in self.run(session, lambda stop: iter((self.model(),))):
                if isinstance(step, Wait):
                    yield replace(asked, wait=step)
            situation, _ = self.made(session, state, own, film=False)
            asked = replace(asked, situation=situation)
        stimulus, untold, known = situation.stimulus, situation.untold, asked.encoded

        def answer(stop: Callable[[], bool]) -> Iterator[tuple[Comparison, Any]]:
            model = self.model()
            encoded = model.encode(stimulus) if known is None else known
            question = question_of(state, stimulus, perception.around(perception.offered(encoded), untold))
            for comparison in compare(model, stimulus, question, encoded=encoded, untold=untold, stop=stop, **how):
                yield comparison.reduced(), encoded

        key = key_of(situation.digest, "ask", situation.question, sorted(untold), how)
        asked = replace(asked, recalled=self.turns.remembers(key))
        for step in self.run(session, answer, key=key):
            if isinstance(step, Wait):
                yield replace(asked, wait=step)
                continue
            comparison, encoded = step
            asked = replace(asked, comparison=comparison, encoded=encoded)
            self._asked.put(session, asked)
            yield asked

    def run(self, session: str, work: Callable[[Callable[[], bool]], Any], key: Any = None) -> Iterator[Any]:
        """Do work with the model when it is the session's turn, see Turns.take; yields Waits and results."""
        caller = self._caller(session)
        yield from self.turns.take(caller.visitor, work, key=key, gone=caller.gone)

    def answers_already(self, session: str, state: State) -> bool:
        """Whether what the session asked last is this, however it is looked at, and is answered completely."""
        last = self.last(session)
        if last is None or last.comparison is None or not last.comparison.complete:
            return False
        if has_own(state):  # it may have been trimmed or labelled meanwhile
            return False
        was = last.situation.state
        how = ("layer", "head", "view", "sink", "step", "frame", "does")
        return state == replace(was, **{name: getattr(state, name) for name in how})

    def last(self, session: str) -> Asked | None:
        """What the session asked last, if it is still remembered."""
        return self._asked.get(session)

    def with_reference(self, session: str, view: str) -> Asked:
        """What was asked last, together with the attention that a view holds it against. Raises McGurkError."""
        asked = self.asked_last(session)
        if view == maps.RAW or view in asked.references:
            return asked
        question = asked.comparison.question
        prompt = maps.NEUTRAL_PROMPT if view == maps.RELATIVE else other_question(question).prompt

        def look(stop: Callable[[], bool]) -> Iterator[dict[str, Attention]]:
            answers = ask_all(self.model(), asked.encoded, prompt, max_new_tokens=1, stop=stop)
            yield {adapter: answer.attention and answer.attention.reduced() for adapter, answer in answers}

        *_, reference = self.run(session, look, key=key_of(asked.situation.digest, "look", prompt))
        asked = replace(asked, references=asked.references | {view: reference})
        self.keep(session, asked)
        return asked

    def asked_last(self, session: str) -> Asked:
        """What the session asked last, once there is an answer. Raises McGurkError before."""
        asked = self.last(session)
        if asked is None or asked.comparison is None:
            raise McGurkError("There is no answer to look into yet: ask first.")
        return asked

    def keep(self, session: str, asked: Asked) -> None:
        """Keep more about the last answers, unless something else was asked meanwhile."""
        current = self.last(session)
        if current is not None and current.comparison is asked.comparison:
            self._asked.put(session, asked)

    def forget(self, session: str) -> None:
        """Drop what a session had in hand and delete its files."""
        self._asked.pop(session)
        self.shelves.forget(session)
        self.invitations.revoke(session)
        self.files.forget(session)

    def path_for(self, session: str, name: str) -> Path:
        """Where a file of a session goes; its folder exists."""
        return self.files.path(session, name)

    def tidy(self) -> None:
        """Remove files that have come to their end; while nothing is done, read ahead and give memory back."""
        self.files.sweep()
        self.shelves.sweep()
        idle = lambda: self.ready and self.turns.idle and self.workshop.idle  # noqa: E731
        self._library.read_ahead(idle, self.sampling)
        if idle():
            trim()

    def perceive(self, session: str, state: State, own: Mapping[str, Source] | None = None) -> perception.Perceived:
        """Names to offer for what is in a situation, when it is the session's turn. Raises McGurkError."""
        situation, _ = self.made(session, state, own, film=False)
        work = lambda _stop: iter((perception.offered(self.model().encode(situation.stimulus)),))  # noqa: E731
        *_, found = self.run(session, work)
        return found


def question_of(state: State, stimulus: Stimulus, around: tuple[str, ...] = ()) -> Question:
    """The question of a state; to "see" and "hear" options are drawn that hold what is true of the stimulus.

    around: names to be among the options where nobody told the truth.
    """
    options = state.options if state.answers == "own" else ()
    if state.answers == "options" and state.question in ("see", "hear") and not state.own:
        options = questions.build_options(stimulus, OPTIONS, also=around)
    return questions.question(state.question, options, state.wording, state.own)


def other_question(question: Question) -> Question:
    """What a question is held against in the difference view: hearing against seeing, all else against hearing."""
    return questions.question("see" if question.kind == "hear" else "hear", question.options)


def _done(clip: Clip, conflict: Conflict, other: Clip | None) -> tuple[Stimulus, tuple[str, ...], str]:
    """(what the model is given, what a visitor should know, digest of the former)."""
    stimulus = conflicts.apply(clip, conflict, other)
    return stimulus, conflicts.notices(clip, conflict, other), digest(stimulus)


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name.lower())[:40] or "clip"
