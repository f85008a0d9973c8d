"""The drawer with the visitor's own shelf: bring clips, say what they are, trim, play and remove them.

Knows components and events. Does not know how a clip is kept, cut or perceived. It lies over the cards, so that opening
it moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from demo.clips import NOTHING
from demo.media.limits import ENDINGS
from demo.pages import answers, cards, choices, shelf_markup
from demo.pages.cards import Cards
from demo.pages.markup import QUIET, warn
from demo.session import Lab
from demo.visitors import bundle
from demo.visitors.bundle import Bundle
from demo.visitors.shelf import COUNTED, MAX_CLIPS, SENSES, OwnClip
from demo.visitors.state import State
from models.omni import McGurkError

FROM = f"The {COUNTED:g} s from here on count (s)"
UNKNOWN = "?"  # the chip "I don't know"
CUTTING = "Cutting these seconds out …"
LOOKING = "The model is looking at your clip and listening to it."
SEE, HEAR = "see", "hear"  # what the drawer was opened for
LOOK_AGAIN = 2.0  # s between two looks whether a phone has added something
TYPES = ["video", "audio", "image", *ENDINGS]
SHOWN = (
    "mine", "pictures", "about", "see", "hear", "seen", "heard", "window", "start", "film", "clip", "other", "sound",
)  # fmt: skip


class ShelfDrawer:
    """The drawer's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab, cards_: Cards):
        self.lab, self.cards = lab, cards_
        with gr.Column(elem_id="shelf", elem_classes=["drawer", "sheet"]):
            with gr.Column(elem_classes="shelf-side", min_width=200):
                with gr.Row(elem_classes="shelf-head"):
                    gr.HTML(f"<h2>Your clips</h2><p>Upload, paste or drop up to {MAX_CLIPS}; gone with the page.</p>")
                    self.close = gr.Button("Close", size="sm", elem_id="shelf-close", elem_classes="quiet", scale=0)
                self.mine = choices.Radio(
                    [], label="Your clips", container=False, elem_classes="thumbs", elem_id="mine"
                )
                gr.HTML(shelf_markup.ARRIVING, elem_id="arriving")
                with gr.Row(elem_classes=["tight", "shelf-actions"]):
                    self.upload = gr.UploadButton(
                        "Upload", file_types=[*TYPES, bundle.SUFFIX], file_count="multiple", size="sm",
                        variant="primary", elem_id="upload", min_width=90,
                    )  # fmt: skip
                    self.see = gr.Button("See it", size="sm", elem_id="shelf-see", min_width=50)
                    self.hear = gr.Button("Hear it", size="sm", elem_id="shelf-hear", min_width=50)
                    self.remove = gr.Button("Remove", size="sm", elem_id="shelf-remove", min_width=50)
            with gr.Tabs(elem_classes="shelf-tabs"):
                with gr.Tab("What is it?"):
                    self.about = gr.HTML(shelf_markup.about(None), elem_id="shelf-about")
                    with gr.Row(elem_classes="truths"):
                        self.seen, self.seen_words = _truth("see", "What does it show?", "seen")
                        self.heard, self.heard_words = _truth("hear", "What makes the sound?", "heard")
                with gr.Tab("Trim"):
                    self.window = gr.HTML(shelf_markup.window(None), elem_id="window")
                    self.start = gr.Slider(0, 50, 0, step=0.1, label=FROM, interactive=False, elem_id="trim")
                with gr.Tab("Play") as self.play_tab:
                    self.film = gr.Video(
                        label="What counts of it", show_label=False, interactive=False, height=150, elem_id="shelf-film"
                    )
                with gr.Tab("Camera"):
                    self.camera = gr.Video(
                        sources=["webcam"], include_audio=True, label="Record with sound", height=150, elem_id="camera",
                        webcam_options=gr.WebcamOptions(mirror=False),
                    )  # fmt: skip
                with gr.Tab("Mic"):
                    self.microphone = gr.Audio(
                        sources=["microphone"], type="filepath", label="Record a sound", elem_id="microphone"
                    )
                with gr.Tab("Phone"):
                    self.invitation = gr.HTML(shelf_markup.invitation("", ""), elem_id="invitation")
                    self.invite = gr.Button("Show a code", size="sm", elem_id="invite", scale=0)
        self.pictures = gr.HTML("", elem_id="shelf-pictures")
        self.page = gr.Textbox(visible="hidden", elem_id="page-address")
        self.purpose = gr.Textbox(visible="hidden", elem_id="purpose")  # the script fills it in
        self.clock = gr.Timer(LOOK_AGAIN, active=False)

    # what a visitor's touch sets off -----------------------------------------------------------------------------

    def add(self, paths: str | list[str] | None, purpose: str, request: gr.Request) -> list[Any]:
        """Put files on the shelf; the last one is shown, and chosen to be seen or heard (`purpose`)."""
        session, last, opened = request.session_hash, None, None
        for path in [paths] if isinstance(paths, str) else paths or []:
            try:
                last, opened = self.lab.work(session, lambda path=path: self._added(session, Path(path)))
            except McGurkError as error:
                warn(error)
        return self._shown(session, last, purpose) + self._opened(last, opened)

    def recorded(self, what: str, path: str | None, purpose: str, request: gr.Request) -> list[Any]:
        """Put a recording on the shelf under a name of its own and empty the recorder."""
        session, last = request.session_hash, None
        try:
            count = sum(clip.name.startswith(what) for clip in self.lab.shelves.of(session).clips)
            name = f"{what} {count + 1}"
            last = self.lab.work(session, lambda: self.lab.shelves.of(session).add(path, name)) if path else None
        except McGurkError as error:
            warn(error)
        return [*self._shown(session, last, purpose), None]

    def look(self, chosen: str | None, request: gr.Request) -> Iterator[list[Any]]:
        """Let the encoders look at and listen to what is new on the shelf: chips to tap."""
        shelf = self.lab.shelves.of(request.session_hash)
        for clip in shelf.clips:
            if clip.perceived is not None:
                continue
            try:
                clip = shelf.note(clip.id, self._proposals(request.session_hash, clip))
            except McGurkError as error:  # removed meanwhile, or the model could not be loaded
                warn(error)
                return
            if clip.id == chosen:
                yield [shelf_markup.about(clip), *(_chips(clip, sense) for sense in SENSES)]

    def look_first(self, chosen: str | None, request: gr.Request) -> Iterator[list[Any]]:
        """`look` before something is asked: the line above the answers tells what they wait for."""
        if any(clip.perceived is None for clip in self.lab.shelves.of(request.session_hash).clips):
            yield [*[gr.skip()] * 3, answers.status(LOOKING, busy=True)]
        for found in self.look(chosen, request):
            yield [*found, gr.skip()]

    def say(self, sense: str, id: str | None, said: str | None, request: gr.Request) -> list[Any]:
        """Note what a clip shows or sounds like. Outputs: the sense's chips, its text field."""
        if not id or not (said or "").strip():
            return [gr.skip(), gr.skip()]
        try:
            clip = self.lab.shelves.of(request.session_hash).say(id, sense, None if said == UNKNOWN else said)
            return [_chips(clip, sense, said), ""]
        except McGurkError as error:
            warn(error)
            return [gr.skip(), gr.skip()]

    def show(self, id: str | None, request: gr.Request) -> list[Any]:
        """Show another clip of the shelf."""
        return self._shown(request.session_hash, self._get(request, id), fresh=False)

    def trim(self, id: str | None, start: float, request: gr.Request) -> list[Any]:
        """Let the ten seconds from `start` s on count."""
        try:
            shelf = self.lab.shelves.of(request.session_hash)
            clip = self.lab.work(request.session_hash, lambda: shelf.trim(id or "", start))
            return self._shown(request.session_hash, clip)
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * len(SHOWN)

    def play(self, id: str | None, request: gr.Request) -> Any:
        """The film of what counts of a clip, as every browser plays it."""
        try:
            if not id:
                return None
            return str(self.lab.made(request.session_hash, State(clip=id))[1])
        except McGurkError as error:
            warn(error)
            return None

    def take_away(self, id: str | None, seen: str | None, heard: str | None, request: gr.Request) -> list[Any]:
        """Remove a clip; where it was seen or heard, the page goes back to the worked conflict's clips."""
        shelf = self.lab.shelves.of(request.session_hash)
        shelf.remove(id or "")
        left = shelf.clips
        updates = self._shown(request.session_hash, left[-1] if left else None)
        default = self.lab.default()
        values = {"clip": (seen, default.clip), "other": (heard, default.conflict.other)}
        for name, (chosen, instead) in values.items():
            updates[SHOWN.index(name)] = self._choices(request.session_hash, name, instead if chosen == id else chosen)
        return updates

    def invited(self, page: str, request: gr.Request) -> list[Any]:
        """A new code for a phone, and the clock that looks whether it has been used."""
        code = self.lab.invitations.invite(request.session_hash)
        return [shelf_markup.invitation(code, page), gr.Timer(active=True)]

    def arrived(self, request: gr.Request) -> list[Any]:
        """What a phone has added meanwhile; the clock stops with the code."""
        session = request.session_hash
        clip = self.lab.shelves.of(session).collect()
        clock = gr.skip() if self.lab.invitations.is_open(session) else gr.Timer(active=False)
        return [*(self._shown(session, clip) if clip else [gr.skip()] * len(SHOWN)), clock]

    # how it is done ----------------------------------------------------------------------------------------------

    def _proposals(self, session: str, clip: OwnClip) -> dict[str, tuple[str, ...]]:
        """Names for what the encoders perceive in a clip as it is."""
        offered = self.lab.perceive(session, State(clip=clip.id))
        return {sense: tuple(name for name, _ in named) for sense, named in offered.items()}

    def _added(self, session: str, path: Path) -> tuple[OwnClip, Bundle | None]:
        shelf = self.lab.shelves.of(session)
        if path.suffix != bundle.SUFFIX:
            return shelf.add(path), None
        film = self.lab.path_for(session, "opened.mp4")
        opened = bundle.read(path, film)
        try:
            return shelf.add(film, opened.name, opened.seen, opened.heard), opened
        finally:
            film.unlink(missing_ok=True)

    def _opened(self, clip: OwnClip | None, opened: Bundle | None) -> list[Any]:
        """The cards' values for a situation that was opened from a file."""
        if clip is None or opened is None:
            return [gr.skip()] * len(self.cards.inputs)
        held = dict(zip(cards.FIELDS, cards.values(opened.state), strict=True))
        own = {"clip", "other"}  # their choices came with the shelf
        return [gr.skip() if name in own else value for name, value in held.items()]

    def _get(self, request: gr.Request, id: str | None) -> OwnClip | None:
        return next((clip for clip in self.lab.shelves.of(request.session_hash).clips if clip.id == id), None)

    def _shown(self, session: str, clip: OwnClip | None, purpose: str = "", *, fresh: bool = True) -> list[Any]:
        """Values for SHOWN. purpose: SEE the clip with its own sound, or HEAR it with the picture that is there, as far
        as it has what is asked for, "" to choose nothing. fresh: the shelf has changed."""
        clips = self.lab.shelves.of(session).clips
        if clip is None and clips and fresh:
            return [gr.skip()] * len(SHOWN)
        chosen = bool(purpose) and clip is not None
        sounding = chosen and (not clip.frames or (purpose == HEAR and bool(clip.peaks)))
        pictured = chosen and not sounding
        trims = clip is not None and clip.is_long
        values = {
            "mine": gr.Radio([(one.name, one.id) for one in clips], value=clip.id if clip else None),
            "pictures": shelf_markup.pictures(clips) if fresh else gr.skip(),
            "about": shelf_markup.about(clip),
            "see": gr.Button(interactive=clip is not None and bool(clip.frames)),
            "hear": gr.Button(interactive=clip is not None and bool(clip.peaks)),
            "seen": _chips(clip, "picture"),
            "heard": _chips(clip, "sound"),
            "window": shelf_markup.window(clip),
            "start": gr.Slider(
                value=clip.start if clip else 0, maximum=round(clip.duration - COUNTED, 1) if trims else 1,
                interactive=trims,
            ),
            "film": None,
            "clip": self._choices(session, "clip", clip.id if pictured else None) if fresh else gr.skip(),
            "other": self._choices(session, "other", clip.id if sounding else None) if fresh else gr.skip(),
            "sound": "swap" if sounding else "own" if pictured and clip.peaks else gr.skip(),
        }  # fmt: skip
        return [values[name] for name in SHOWN]

    def _choices(self, session: str, name: str, value: str | None) -> Any:
        """Own clips and the gallery's as choices; no value: what was chosen stays."""
        own = tuple((clip.name, clip.id) for clip in self.lab.shelves.of(session).clips)
        how = {"choices": cards.clip_choices(own)} | ({"value": value} if value else {})
        return gr.Radio(**how) if name == "clip" else gr.Dropdown(**how)

    # events ------------------------------------------------------------------------------------------------------

    def wire(self, asking: dict[str, Any], show: Callable, lane: dict[str, Any], status: gr.HTML) -> list[Any]:
        """Connect everything; returns the events that ask. asking: arguments of an event that asks by `show`.
        status: the line above the answers."""
        c = self.cards
        shown = [getattr(self, name, None) or getattr(c, name) for name in SHOWN]
        found = [self.about, self.seen, self.heard]
        looked = {"fn": self.look, "inputs": [self.mine], "outputs": found, **lane, **QUIET}
        first = looked | {"fn": self.look_first, "outputs": [*found, status]}
        brought = {"js": "(files) => [files, window.mcgurk.purpose()]", **QUIET}
        asks = []

        def then_ask(event: Any, look: bool = False) -> None:
            event = event.then(**first) if look else event
            asks.append(event.then(show, **asking))

        uploaded = self.upload.upload(self.add, [self.upload, self.purpose], [*shown, *c.inputs], **brought)
        then_ask(uploaded, look=True)
        for recorder, what in ((self.camera, "Camera"), (self.microphone, "Microphone")):
            inputs, outputs = [recorder, self.purpose], [*shown, recorder]
            then_ask(recorder.stop_recording(_kind(self.recorded, what), inputs, outputs, **brought), look=True)
        for sense, chips, words in (("picture", self.seen, self.seen_words), ("sound", self.heard, self.heard_words)):
            then_ask(chips.input(_kind(self.say, sense), [self.mine, chips], [chips, words], **QUIET))
            then_ask(words.submit(_kind(self.say, sense), [self.mine, words], [chips, words], **QUIET))
        then_ask(self.see.click(lambda id: id or gr.skip(), [self.mine], [c.clip], **QUIET))
        hear = self.hear.click(
            lambda id: (id, "swap") if id else (gr.skip(), gr.skip()), [self.mine], [c.other, c.sound], **QUIET
        )
        then_ask(hear)
        cutting = f"(id, at) => {{ window.mcgurk.say('{CUTTING}'); return [id, at]; }}"
        trimmed = self.start.release(self.trim, [self.mine, self.start], shown, js=cutting, **QUIET)
        for event in (uploaded, trimmed):
            event.then(None, None, None, js="() => window.mcgurk.say('')", **QUIET)
        then_ask(trimmed, look=True)
        removed = self.remove.click(self.take_away, [self.mine, c.clip, c.other], shown, **QUIET)
        removed.then(None, None, None, js="() => window.mcgurk.stay()", **QUIET)
        then_ask(removed)
        self.mine.input(self.show, [self.mine], shown, **QUIET)
        self._wire_quiet(shown, looked)
        return asks

    def _wire_quiet(self, shown: list[Any], looked: dict[str, Any]) -> None:
        """Events after which nothing is asked."""
        self.play_tab.select(self.play, [self.mine], [self.film], **QUIET)
        self.close.click(None, None, None, js="() => window.mcgurk.shelf(false)", **QUIET)
        self.start.input(None, [self.start], None, js="(at) => window.mcgurk.trim(at)", **QUIET)
        self.invite.click(
            self.invited, [self.page], [self.invitation, self.clock],
            js="() => [location.origin + location.pathname]", **QUIET,
        )  # fmt: skip
        self.clock.tick(self.arrived, None, [*shown, self.clock], **QUIET).then(**looked)


def _truth(kind: str, question: str, id: str) -> tuple[gr.Radio, gr.Textbox]:
    """One of the two questions: chips to tap and a field to write in."""
    with gr.Column(elem_classes=["truth", kind], min_width=220):
        gr.HTML(f"<h3>{question}</h3>")
        chips = choices.Radio([], label=question, container=False, elem_classes="pills", elem_id=f"{id}-chips")
        words = gr.Textbox(
            label=question, show_label=False, container=False, placeholder="or write it, then Enter", max_lines=1,
            elem_id=f"{id}-words",
        )  # fmt: skip
    return chips, words


def _chips(clip: OwnClip | None, sense: str, tapped: str | None = None) -> Any:
    """What was perceived, what was said, "nothing" and "I don't know", as choices."""
    if clip is None:
        return gr.Radio([], value=None)
    said = clip.label(sense)
    proposed = (clip.perceived or {}).get(sense, ())  # what is tapped stays where it is
    named = dict.fromkeys([*([said] if said and said not in proposed else []), *proposed])
    named.pop(NOTHING, None)
    offered = [*((name, name) for name in named), (NOTHING, NOTHING), ("I don't know", UNKNOWN)]
    return gr.Radio(offered, value=said or (UNKNOWN if tapped else None))


def _kind(function: Callable, what: str) -> Callable:
    """An event's handler with its first argument filled in. Gradio looks at the signature, so it is spelled out."""
    if function.__name__ == "say":

        def handler(id: str | None, said: str | None, request: gr.Request) -> list[Any]:
            return function(what, id, said, request)
    else:

        def handler(path: str | None, purpose: str, request: gr.Request) -> list[Any]:
            return function(what, path, purpose, request)

    return handler
