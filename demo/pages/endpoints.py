"""The named endpoints `compose`, `ask` and `attention`, for gradio_client and other programs.

Knows what callers send and get. Does not know pages or how anything is computed.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from demo import inside
from demo.compare import to_json
from demo.conflicts import Conflict
from demo.inside import View
from demo.sentences import shortened
from demo.session import Lab
from demo.state import ALL_HEADS, LAST_LAYERS, UPLOAD, State
from models.omni import McGurkError

API = "api"  # the session folder of calls that have no session


def build(lab: Lab, lane: dict[str, Any]) -> None:
    """Add the endpoints to the Blocks that are being built; `lane`: where model work queues."""

    def compose(
        clip: str = "",
        sound: str = "own",
        other: str = "",
        swap_from: float | None = None,
        swap_to: float | None = None,
        shift: float = 0.0,
        noise_db: float | None = None,
        picture: str = "own",
        text: str = "none",
        caption: str = "",
        text_position: str = "before",
        long_tokens: int = 2000,
        clip_file: dict | None = None,
        other_file: dict | None = None,
        request: gr.Request = None,
    ) -> dict:
        """Do a conflict to a clip: {"video": the mp4 as a visitor sees it, "seen", "heard", "read", "notices"}.

        clip, other: ids of gallery clips (clip "" is the page's first); or clip_file, other_file: uploads, as
        gradio_client's handle_file makes them. sound: own, swap (needs other), silence, remove, noise. picture:
        own, black, freeze, noise, remove. text: none, caption, long, free, onscreen; caption: what it says. Times
        in seconds, noise as signal-to-noise ratio in dB.
        """
        with refusals():
            conflict = Conflict(
                sound=sound, other=_id(other, other_file), swap_from=swap_from, swap_to=swap_to, shift=shift,
                noise_db=noise_db, picture=picture, text=text, caption=caption, text_position=text_position,
                long_tokens=long_tokens,
            )  # fmt: skip
            state = State(clip=_id(clip, clip_file), conflict=conflict)
            situation, film = lab.made(_session(request), state, _uploads(clip_file, other_file))
            stimulus = situation.stimulus
            return {
                "video": _file(film),
                "seen": stimulus.seen,
                "heard": stimulus.heard,
                "read": stimulus.read,
                "notices": list(situation.notices),
            }

    def ask(
        question: str = "see",
        clip: str = "",
        sound: str = "own",
        other: str = "",
        swap_from: float | None = None,
        swap_to: float | None = None,
        shift: float = 0.0,
        noise_db: float | None = None,
        picture: str = "own",
        text: str = "none",
        caption: str = "",
        text_position: str = "before",
        long_tokens: int = 2000,
        own: str = "",
        options: list[str] | None = None,
        free_answer: bool = False,
        clip_file: dict | None = None,
        other_file: dict | None = None,
        request: gr.Request = None,
    ) -> dict:
        """Ask base and aligned about a clip with a conflict done to it.

        question: see, hear, match, free; own: a question in your own words. options: answers to choose from; without
        them eight names and "none of the above" are offered, or none with free_answer. The rest as in compose.
        Returns "base" and "aligned" (each: answer, options with probabilities, followed, attention_share, receipt,
        seconds), "question", "stimulus", "receipt", "seconds".
        """
        with refusals():
            conflict = Conflict(
                sound=sound, other=_id(other, other_file), swap_from=swap_from, swap_to=swap_to, shift=shift,
                noise_db=noise_db, picture=picture, text=text, caption=caption, text_position=text_position,
                long_tokens=long_tokens,
            )  # fmt: skip
            state = State(
                clip=_id(clip, clip_file), conflict=conflict, question=question, own=own,
                answers="own" if options else "free" if free_answer else "options", options=tuple(options or ()),
            )  # fmt: skip
            *_, asked = lab.ask(_session(request), state, _uploads(clip_file, other_file), film=False)
            return to_json(asked.comparison)

    def attention(
        layer: int = LAST_LAYERS,
        head: int = ALL_HEADS,
        view: str = "raw",
        sink: bool = False,
        film: bool = False,
        request: gr.Request = None,
    ) -> dict:
        """The attention behind the answers that this client's last call of ask gave.

        layer: one layer, or -1 for the mean over the last third; head: one head, or -1 for the mean of all. view:
        raw, difference (this question minus the other), relative (to a neutral prompt). sink: leave the first token's
        share in. Returns for "base" and "aligned": "video" (times x rows x columns), "frame_times" (s), "audio"
        (weights), "spans" (start and end in s), "words" (text and weight); and "film", an mp4 with both overlays, if
        `film` is set.
        """
        with refusals():
            how = View(layer, head, view, sink)
            inside.check(how, lab.model())
            asked = lab.with_reference(_session(request), view)
            found = inside.to_values(asked, how)
            if film:
                out = lab.path_for(_session(request), "attention.mp4")
                found["film"] = _file(inside.write_film(asked, how, out))
            return found

    for endpoint in (compose, ask, attention):
        gr.api(endpoint, api_name=endpoint.__name__, **lane)


class refusals:
    """Turns a McGurkError into the error that clients are shown, without a traceback in the log."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, McGurkError):
            raise gr.Error(escape(shortened(str(error)), quote=False), print_exception=False) from error
        if isinstance(error, TypeError | ValueError | AttributeError):  # JSON of another type than the endpoint states
            raise gr.Error("An argument has the wrong type: see the endpoint's description.") from error


def _session(request: gr.Request | None) -> str:
    return (request and request.session_hash) or API


def _id(id: str, file: dict | None) -> str:
    return UPLOAD if file else id


def _uploads(clip: dict | None, other: dict | None) -> dict[str, str]:
    return {name: _uploaded(file) for name, file in (("clip", clip), ("other", other)) if file}


def _uploaded(file: dict) -> str:
    """The path of an upload. Raises McGurkError for any other file of the server."""
    folder = Path(get_upload_folder()).resolve()
    path = Path(str(file.get("path", ""))).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise McGurkError("This file was not uploaded: pass handle_file(path) of gradio_client.")
    return str(path)


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
