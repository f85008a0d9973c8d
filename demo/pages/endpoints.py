"""The named endpoints `compose`, `ask`, `attention`, `intervene` and `sweep`, for gradio_client and other programs.

Knows what callers send and get. Does not know pages or how anything is computed.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import gradio as gr
from gradio.utils import get_upload_folder
from pydantic import FiniteFloat, TypeAdapter, ValidationError

from demo import inside, perception
from demo.compare import to_json
from demo.conflicts import Conflict
from demo.inside import View
from demo.pages import returned
from demo.probing import sweeps, workshop
from demo.sentences import quoted
from demo.session import Lab
from demo.visitors import exports
from demo.visitors.shelf import Source, checked_label
from demo.visitors.state import ALL_HEADS, LAST_LAYERS, OWN, State
from models.omni import McGurkError

API = "api"  # the session folder of calls that have no session
KINDS = {  # what endpoints take -> how that is called, and what reads it
    list[str]: ("a list of texts", TypeAdapter(list[str])),
    bool: ("true or false", TypeAdapter(bool)),
    int: ("a whole number", TypeAdapter(int)),
    float: ("a number", TypeAdapter(FiniteFloat)),
    str: ("text", TypeAdapter(str)),
    gr.FileData: ("an upload, as handle_file of gradio_client makes it", TypeAdapter(dict[str, Any])),
}


def build(lab: Lab, lane: dict[str, Any]) -> None:
    """Add the endpoints to the Blocks that are being built; `lane`: where model work queues."""

    def compose(
        clip: str = "",
        sound: returned.Sound = "own",
        other: str = "",
        swap_from: float | None = None,
        swap_to: float | None = None,
        shift: float = 0.0,
        noise_db: float | None = None,
        picture: returned.Picture = "own",
        text: returned.Text = "none",
        caption: str = "",
        text_position: returned.Position = "before",
        long_tokens: int = 2000,
        clip_file: gr.FileData | None = None,
        other_file: gr.FileData | None = None,
        seen: str = "",
        heard: str = "",
        request: gr.Request = None,
    ) -> returned.Composed:
        """Do a conflict to a clip and write the mp4 as a visitor sees it.

        clip, other: ids of gallery clips (clip "" is the page's first); or clip_file, other_file: uploads, as
        gradio_client's handle_file makes them. seen, heard: what an uploaded picture shows and what makes the uploaded
        sound that is played, "nothing" for nothing, "" where nobody knows. sound: swap needs other. caption: what the
        text says. Times in seconds, noise as signal-to-noise ratio in dB.

        Returns:
        "video", "seen", "heard", "read", "untold" (senses nobody labelled), "perceived" (by the encoders), "notices"
        """
        conflict = Conflict(
            sound=sound, other=_id(other, "other", other_file), swap_from=swap_from, swap_to=swap_to, shift=shift,
            noise_db=noise_db, picture=picture, text=text, caption=caption, text_position=text_position,
            long_tokens=long_tokens,
        )  # fmt: skip
        state = State(clip=_id(clip, "clip", clip_file), conflict=conflict)
        own_clips = _own(state, clip_file, other_file, seen, heard)
        situation, film = lab.made(_session(request), state, own_clips)
        stimulus = situation.stimulus
        perceived = lab.perceive(_session(request), state, own_clips)
        return {
            "video": _file(film),
            "seen": stimulus.seen,
            "heard": stimulus.heard,
            "read": stimulus.read,
            "untold": sorted(situation.untold),
            "perceived": {sense: perception.names(perceived, sense) for sense in ("picture", "sound")},
            "notices": list(situation.notices),
        }

    def ask(
        question: returned.Question = "see",
        clip: str = "",
        sound: returned.Sound = "own",
        other: str = "",
        swap_from: float | None = None,
        swap_to: float | None = None,
        shift: float = 0.0,
        noise_db: float | None = None,
        picture: returned.Picture = "own",
        text: returned.Text = "none",
        caption: str = "",
        text_position: returned.Position = "before",
        long_tokens: int = 2000,
        own: str = "",
        options: list[str] | None = None,
        free_answer: bool = False,
        clip_file: gr.FileData | None = None,
        other_file: gr.FileData | None = None,
        seen: str = "",
        heard: str = "",
        request: gr.Request = None,
    ) -> returned.Asked:
        """Ask base and aligned about a clip with a conflict done to it.

        own: a question in your own words. options: answers to choose from; without them eight names and "none of the
        above" are offered, or none with free_answer. The rest as in compose.

        Returns:
        "base", "aligned" (answer, options, followed, attention_share, receipt...), "question", "stimulus", "perceived"
        """
        conflict = Conflict(
            sound=sound, other=_id(other, "other", other_file), swap_from=swap_from, swap_to=swap_to, shift=shift,
            noise_db=noise_db, picture=picture, text=text, caption=caption, text_position=text_position,
            long_tokens=long_tokens,
        )  # fmt: skip
        state = State(
            clip=_id(clip, "clip", clip_file), conflict=conflict, question=question, own=own,
            answers="own" if options else "free" if free_answer else "options", options=tuple(options or ()),
        )  # fmt: skip
        own_clips = _own(state, clip_file, other_file, seen, heard)
        *_, asked = lab.ask(_session(request), state, own_clips, film=False)
        perceived = perception.offered(asked.encoded)
        return to_json(asked.comparison) | {
            "perceived": {sense: perception.names(perceived, sense) for sense in ("picture", "sound")}
        }

    def attention(
        layer: int = LAST_LAYERS,
        head: int = ALL_HEADS,
        view: returned.View = "raw",
        sink: bool = False,
        token: int = 0,
        film: bool = False,
        request: gr.Request = None,
    ) -> returned.Attended:
        """The attention behind the answers that this client's last call of ask gave.

        layer: one layer, or -1 for the mean over the last third; head: one head, or -1 for the mean of all. view:
        raw, difference (this question minus the other), relative (to a neutral prompt). sink: leave the first token's
        share in. token: which one of the answer, 0 the first: the maps are where it looked when it wrote that; shorter
        answers give their last. film: make an mp4 with both overlays as well.

        Returns:
        "base" and "aligned" (video, frame_times, audio, spans, words), and "film" where it was asked for
        """
        how = View(layer, head, view, sink, max(0, token))
        inside.check(how, lab.model())
        asked = lab.with_reference(_session(request), view)
        found = inside.to_values(asked, how)
        if film:
            out = lab.path_for(_session(request), "attention.mp4")
            found["film"] = _file(inside.write_film(asked, how, out))
        return found

    def intervene(does: str, request: gr.Request = None) -> returned.Intervened:
        """The question of this client's last call of ask once more, under an intervention.

        does: as in the page's links: an id, then names and values of its controls with ~ between, such as
        listen~kind~sound~gain~0.5 or cut~source~picture~layers~3-9; python -m demo interventions lists them. Or places
        that nobody can look at any more: pick~patch~3.4~patch~2.0.5~frame~2~sound~1.28-1.6~text~dog~whole~text, which
        are a row and column of attention's video (counted from 0) in all frames or in frame 5, a whole frame, seconds,
        a word wherever it stands, and all of a modality.

        Returns:
        "base" and "aligned" as ask gives them, and "id", "word", "values", "does", "paper", "fails"
        """
        session = _session(request)
        *_, asked = workshop.steer(lab, session, workshop.meant(lab, session, does))
        return exports.under(asked)

    def sweep(does: str, axis: str, request: gr.Request = None) -> returned.Swept:
        """Probabilities of all options of this client's last call of ask, under an intervention along an axis.

        does: as in intervene. axis: one of its controls: "layers" (a window of 9 layers), a layer, or a strength.

        Returns:
        "x", "points" (adapter -> the probability of each option at each x), "plain" (with nothing done), and as above
        """
        session = _session(request)
        *_, curve = sweeps.sweep(lab, session, workshop.meant(lab, session, does), axis)
        return exports.described(curve.does, lab.asked_last(session)) | sweeps.to_values(curve)

    for endpoint in (compose, ask, attention, intervene, sweep):
        gr.api(typed(endpoint), api_name=endpoint.__name__, **lane)


def typed(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """The endpoint, which takes an argument of the type it states, and its default for null.

    Raises McGurkError for another type; names are checked where they are used.
    """
    stated = inspect.signature(endpoint).parameters
    kinds = {name: _kind(hint) for name, hint in get_type_hints(endpoint).items() if name in stated}

    @functools.wraps(endpoint)
    def checked(*given: Any) -> Any:
        return endpoint(*(_taken(stated[name], kinds[name], value) for name, value in zip(stated, given, strict=False)))

    return checked


def _kind(hint: Any) -> Any:
    """What a parameter takes: one of KINDS, or None for what is no value of the caller's."""
    if get_origin(hint) is Literal:
        return str
    for kind in KINDS:
        if hint == kind or kind in get_args(hint):
            return kind
    return None


def _taken(parameter: inspect.Parameter, kind: Any, value: Any) -> Any:
    if kind is None:
        return value
    if value is None and parameter.default is not parameter.empty:
        return parameter.default
    words, adapter = KINDS[kind]
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise McGurkError(f"{parameter.name} must be {words}, not {quoted(value)}: see the description.") from error


def _session(request: gr.Request | None) -> str:
    return (request and request.session_hash) or API


def _id(id: str, what: str, file: dict | None) -> str:
    return OWN + what if file else id


def _own(state: State, clip: dict | None, other: dict | None, seen: str, heard: str) -> dict[str, Source]:
    """The uploads by id, the labels where they belong: `heard` to the sound that is played."""
    swapped = state.conflict.sound == "swap"
    if seen and not clip:
        raise McGurkError("Say what is seen of an upload only: the gallery's clips have labels.")
    if heard and not (other if swapped else clip):
        raise McGurkError("Say what is heard of an upload only: the gallery's clips have labels.")
    seen, heard = checked_label(seen), checked_label(heard)
    own = {}
    if clip:
        path = _uploaded(clip)
        own[OWN + "clip"] = Source(path, path.stem, seen, None if swapped else heard)
    if other:
        path = _uploaded(other)
        own[OWN + "other"] = Source(path, path.stem, None, heard)
    return own


def _uploaded(file: dict) -> Path:
    """The path of an upload. Raises McGurkError for any other file of the server."""
    folder = Path(get_upload_folder()).resolve()
    try:
        path = Path(str(file.get("path", ""))).resolve()
        if path.is_relative_to(folder) and path.is_file():
            return path
    except (OSError, ValueError):  # a zero byte, a name that is too long
        pass
    raise McGurkError("This file was not uploaded: pass handle_file(path) of gradio_client.")


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
