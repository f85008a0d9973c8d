"""The Lab page: four cards, the player, two answers, a look inside. Wires controls to demo.session and demo.inside.

Knows components and events. Does not know how a conflict is done, a model asked or a map drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from demo import inside as insides
from demo.inside import View
from demo.maps import RAW
from demo.pages import answers, asking, cards, heads, inside_markup, late, lens, shelf, workshop_markup
from demo.pages import inside as inside_page
from demo.pages.cards import FIELDS, Cards
from demo.pages.inside import Inside
from demo.pages.markup import QUIET, plotted, toast, warn
from demo.pages.shelf import ShelfDrawer
from demo.pages.workshop import TAB
from demo.probing import regions, steering
from demo.session import Asked, Lab
from demo.visitors import exports
from demo.visitors.newest import Newest
from demo.visitors.state import State, to_query
from demo.visitors.turns import Full
from models.omni import BASE, McGurkError

MODEL_LANE = {"concurrency_id": "model", "concurrency_limit": None}  # who waits for the model has a place in Turns
LOADING = "The model is loading. The first answer follows by itself."
JOINING = "Picture and sound are being put together."
ANSWERING = "The base model is answering.", "The tuned model is answering."
OLD_FILM = "The film shown is still the one from before."
TAGLINE = "When sight, sound and text disagree, what does a model believe?"
SHOWN = ("player", "given", "question", "status", "base", "aligned")  # what an asking fills at once
KNOWN = ("link", "receipt", "heard", "layer", "head", "steered", "curve", "heads", "said", "says")  # besides drawings


class LabPage:
    """The page's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab):
        self.lab, self.newest = lab, Newest()
        gr.HTML(f'<header class="brand"><h1>McGurk</h1><p>{TAGLINE}</p></header>')
        with gr.Column(elem_classes="cards-holder"):
            self.cards: Cards = cards.build()
            self.shelf = ShelfDrawer(lab, self.cards)
        with gr.Row(elem_classes="stage-row"):
            with gr.Column(scale=5, min_width=320, elem_classes="given-panel"):
                self.player = gr.Video(
                    label="What the models are given", interactive=False, elem_id="player", show_label=False,
                    height=318, buttons=["download"],
                )  # fmt: skip
                self.given = gr.HTML('<ul class="given"><li>&nbsp;</li></ul>', elem_id="given")
            with gr.Column(scale=7, min_width=320, elem_classes="answers-panel"):
                with gr.Row(elem_classes="asked-row"):
                    self.question = gr.HTML(answers.asked(None), elem_id="question")
                    self.save = gr.Button("Save as file", size="sm", elem_id="save", elem_classes="quiet", scale=0)
                    self.saved = gr.DownloadButton(visible="hidden", elem_id="saved")
                    self.copy = gr.Button("Copy link", size="sm", elem_id="copy-link", elem_classes="quiet", scale=0)
                self.status = asking.line("status")
                with gr.Row(elem_classes="pair answers"):
                    self.base = asking.card("answer-base", answers.answer_card(BASE, None))
                    self.aligned = asking.card("answer-aligned", answers.second_card(None))
        self.inside: Inside = inside_page.build(lab)
        self.workshop = self.inside.workshop
        self.workshop.hold()
        self.search = gr.Textbox(visible="hidden", elem_id="search")
        self.link = gr.Textbox(visible="hidden", elem_id="link")
        self._wire()

    # what a visitor's touch sets off -----------------------------------------------------------------------------

    def open(self, search: str) -> list[Any]:
        """Fill the controls from the page's address, or with the worked conflict."""
        try:
            state = self.lab.opened(search)
        except McGurkError as error:
            gr.Warning(toast(f"{error} The page starts as usual."), title="This link cannot be opened")
            state = self._default_or_nothing()
        return [
            *cards.values(state),
            gr.Dropdown(inside_page.layer_choices(state.layer + 1), value=state.layer),
            gr.Dropdown(inside_page.head_choices(state.head + 1), value=state.head),
            state.view,
            state.sink,
            str(state.step),
            gr.Slider(maximum=max(7, state.frame), value=state.frame),
            *self.workshop.opened(state.does),
            gr.Tabs(selected=TAB) if state.does else gr.skip(),
        ]

    def show_new(self, request: gr.Request, *inputs) -> Iterator[list[Any]]:
        """Ask unless exactly this has been answered already; a slow model is only asked when the button is pressed."""
        try:
            missing = cards.missing(*inputs[: len(FIELDS)])
            if not missing and self.lab.answers_already(request.session_hash, self._state(inputs)):
                return
        except McGurkError as error:
            yield self._refused(error, old=self.lab.last(request.session_hash) is not None)
            return
        yield from self._show(inputs, request, only_if_fast=True)

    def show(self, request: gr.Request, *inputs) -> Iterator[list[Any]]:
        """Ask: the player's file first, then base, then aligned, then the drawings."""
        yield from self._show(inputs, request)

    def redraw(self, layer, head, view, sink, step, frame, per_token, request: gr.Request) -> list[Any]:
        """Draw the last answers' attention in another view."""
        asked = self.lab.last(request.session_hash)
        if asked is None or asked.comparison is None:  # a link is opening
            return [gr.skip()] * len(self.inside.drawings)
        try:
            asked = self.lab.with_reference(request.session_hash, view)
            return self._drawings(asked, _view(layer, head, view, sink, step), int(frame), per_token)
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * len(self.inside.drawings)

    def border(self, on, layer, head, view, sink, step, frame, request: gr.Request) -> Any:
        """One frame with a border between before and after, where it is switched on."""
        return self.inside.border.draw(on, _view(layer, head, view, sink, step), int(frame), request.session_hash)

    def look_at(self, wish: str) -> list[Any]:
        """The layer and the head that were chosen in the grid. Outputs: layer, head, tabs."""
        _, layer, head = map(int, wish.split())
        return [layer, head, gr.Tabs(selected="frames")]

    def export(self, kind: str, view: View, session: str) -> str:
        """Write the last comparison as a file and return its path. Raises McGurkError."""
        asked = self.lab.with_reference(session, view.kind if kind == "mp4" else RAW)
        out = self.lab.path_for(session, f"mcgurk.{kind}")
        if kind == "mp4":
            return str(insides.write_film(asked, view, out))
        write = exports.to_csv_text if kind == "csv" else exports.to_json_text
        out.write_text(write(asked), encoding="utf-8")
        return str(out)

    def link_of(self, *inputs) -> str:
        """The state of all controls as a query string; a warning where there is none."""
        try:
            return to_query(self._state(inputs))
        except McGurkError as error:
            warn(error)
            return ""

    def stopped(self, request: gr.Request) -> list[Any]:
        asked = self.lab.last(request.session_hash)
        comparison = asked.comparison if asked else None
        return [answers.status("Stopped."), answers.answer_card(BASE, comparison), answers.second_card(comparison)]

    def save_file(self, request: gr.Request, *inputs) -> str:
        """Write the situation as a .mcgurk file and return its path."""
        return str(self.lab.bundle(request.session_hash, self._state(inputs)))

    # how it is done ----------------------------------------------------------------------------------------------

    def _show(self, inputs: tuple, request: gr.Request, only_if_fast: bool = False) -> Iterator[list[Any]]:
        if missing := cards.missing(*inputs[: len(FIELDS)]):
            yield self._fill(status=answers.status(missing))
            return
        before, overtaken, given = self.lab.last(request.session_hash), self.newest.begin(request.session_hash), 0
        try:
            for given, values in enumerate(self._asking(inputs, request, only_if_fast)):  # noqa: B007
                if overtaken():  # the page shows what a newer asking gave
                    break
                yield values
        except McGurkError as error:
            if not overtaken():
                yield self._refused(error, old=before is not None and not given)  # 1: the film
                return
        yield self._fill()  # when it is over Gradio sends the last again, which then is not a megabyte of drawings

    def _asking(self, inputs: tuple, request: gr.Request, only_if_fast: bool) -> Iterator[list[Any]]:
        layer, head, view, sink, step, frame, _, per_token = inputs[len(FIELDS) :]
        state, view = self._state(inputs), _view(layer, head, view, sink, step)
        wanted = not only_if_fast or not self.lab.ready or self.lab.fast
        yield self._begun(wanted)
        steps = self.lab.ask(request.session_hash, state)
        asked = next(steps)
        yield self._answers(asked, busy=wanted, link=self._quiet_link(state))
        if not wanted:
            return
        for asked in steps:
            yield self._answers(asked, busy=not asked.complete)
        if not self.lab.model().can_look_inside:
            filled = self._received(asked, request.session_hash)
            yield self._fill(status=answers.answered(asked.comparison, more=insides.BLIND), **filled)
            return
        insides.check(view, self.lab.model())
        asked = self.lab.with_reference(request.session_hash, view.kind)
        filled = self._received(asked, request.session_hash) | self._ready_controls(view)
        yield self._fill(drawings=self._drawings(asked, view, int(frame), per_token), **filled)

    def _begun(self, wanted: bool) -> list[Any]:
        """While the film is made the old answers, which are not about it, are gone. wanted: new ones will follow."""
        base, aligned = answers.answer_card(BASE, None, busy=wanted), answers.second_card(None, busy=wanted)
        return self._fill(status=answers.status(JOINING, True), base=base, aligned=aligned)

    def _answers(self, asked: Asked, *, busy: bool, link: Any = None) -> list[Any]:
        comparison = asked.comparison
        done = 0 if comparison is None else len(comparison.answers)
        said = "" if not busy else LOADING if not self.lab.ready else ANSWERING[min(done, len(ANSWERING) - 1)]
        if asked.wait and not comparison:
            return self._fill(status=answers.status(answers.waiting(asked.wait), busy))
        ended = comparison is not None and not busy
        filled = {
            "status": answers.answered(comparison, asked.recalled) if ended else answers.status(said, busy),
            "base": answers.answer_card(BASE, comparison, busy=busy),
            "aligned": answers.second_card(comparison, busy=busy),
        }
        if comparison is None:
            situation = asked.situation
            filled |= {
                "player": str(asked.film),
                "given": answers.given(situation.stimulus, situation.notices, situation.untold),
                "question": answers.asked(situation.question),
                "link": link,
                "steered": workshop_markup.changed(None),
                "curve": None,
                "heads": heads.EMPTY,
                "said": None,
                "says": lens.EMPTY,
            }
        return self._fill(**filled)

    def _drawings(self, asked: Asked, view: View, frame: int, per_token: bool) -> list[Any]:
        seen = insides.seen(asked, view)
        steps = len(seen.times) if seen else 1
        at = min(max(frame, 0), steps - 1)
        words, strips = insides.read(asked, view), insides.strips(asked, view)
        marks = {name: regions.mark(tokens) for name, tokens in insides.prompts(asked).items()}
        prompt = insides.prompt(asked)
        mark = regions.mark(prompt)
        return [
            inside_markup.frames(seen, at, mark),
            gr.Slider(maximum=max(1, steps - 1), value=at, interactive=steps > 1),
            inside_markup.sound(insides.heard(asked, view), regions.moments(prompt), mark),
            *(
                inside_markup.words(words.get(name, []), name, strips, mark if marks.get(name) == mark else "")
                for name in (BASE, answers.second(asked.comparison))
            ),
            plotted(insides.by_layer(asked, per_token, view.sink)),
            inside_markup.steps(insides.written(asked), view.step),
        ]

    def _ready_controls(self, view: View) -> dict[str, Any]:
        """Choices that are known once the model is."""
        model = self.lab.model()
        return {
            "layer": gr.Dropdown(inside_page.layer_choices(model.layers), value=view.layer),
            "head": gr.Dropdown(inside_page.head_choices(model.heads), value=view.head),
        }

    def _received(self, asked: Asked, session: str) -> dict[str, Any]:
        """The receipt, and the very sound that the model was given, if any."""
        return {"receipt": answers.receipt(asked.comparison), "heard": self.lab.heard(asked.situation, session)}

    def _refused(self, error: McGurkError, old: bool) -> list[Any]:
        """old: whether the page still shows the film of what was asked before."""
        if not isinstance(error, Full):
            warn(error)
        said = f"{error} {OLD_FILM}" if old else str(error)
        return self._fill(
            status=answers.full(error) if isinstance(error, Full) else answers.status(said),
            base=answers.answer_card(BASE, None),
            aligned=answers.second_card(None),
        )

    def _fill(self, **some) -> list[Any]:
        """Values for `self.outputs`: those that are named, and nothing new for the rest."""
        drawings = some.pop("drawings", None) or [gr.skip()] * len(self.inside.drawings)
        named = [some.get(name, gr.skip()) for name in (*SHOWN, *KNOWN)]
        return [*named, *drawings]

    def _state(self, inputs: tuple) -> State:
        layer, head, view, sink, step, frame, word = inputs[len(FIELDS) : len(FIELDS) + 7]
        shown = {"layer": int(layer), "head": int(head), "view": view, "sink": bool(sink), "frame": int(frame)}
        shown["step"] = int(step)
        shown["does"] = steering.from_word(word) if word else None
        return cards.state_of(*inputs[: len(FIELDS)], **shown)

    def _quiet_link(self, state: State) -> str:
        try:
            return to_query(state)
        except McGurkError:  # a clip of the visitor's own: it is said when the link is asked for
            return ""

    def _default_or_nothing(self) -> State:
        try:
            return self.lab.default()
        except McGurkError:
            return State()

    # events ------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        c, i = self.cards, self.inside
        inputs = [*c.inputs, *i.view_inputs, i.frame, self.workshop.word, i.per_token]
        outputs = [getattr(self, name) for name in SHOWN] + [self.link, i.receipt, i.heard, i.layer, i.head]
        outputs += [self.workshop.steered, self.workshop.plot, i.heads.grids]
        outputs += [i.lens.plot, i.lens.words, *i.drawings]
        asking = {"inputs": inputs, "outputs": outputs, **MODEL_LANE, **QUIET}
        filled, search = [*c.inputs, *i.view_inputs, i.frame, *self.workshop.held, i.tabs], "() => location.search"
        opened = gr.on([_page().load], self.open, [self.search], filled, js=search, **QUIET)
        first = opened.then(self.show, **asking)
        auto = gr.on(self._touches(), self.show_new, trigger_mode="always_last", **asking)
        button = c.go.click(self.show, trigger_mode="always_last", **asking)
        own = self.shelf.wire(asking, self.show, MODEL_LANE, self.status)
        asks = [first, auto, button, *own]
        self.asks = tuple(asks)
        asks += self.workshop.wire(asks, self.inside.tabs, MODEL_LANE)
        asks += [*i.heads.wire(MODEL_LANE), *i.lens.wire(MODEL_LANE)]
        c.stop.click(
            self.stopped, None, [self.status, self.base, self.aligned], cancels=asks, concurrency_limit=None, **QUIET
        )
        self._wire_inside(inputs)
        self.link.change(None, [self.link], None, js="(query) => window.mcgurk.address(query)", **QUIET)
        self.copy.click(self.link_of, inputs, [self.link], **QUIET).then(
            None, [self.link], None, js="(query) => window.mcgurk.copy(query)", **QUIET
        )
        saved = self.save.click(self.save_file, inputs, [self.saved], api_visibility="private")
        saved.success(None, None, None, js="() => window.mcgurk.press('saved')", **QUIET)
        for opener, purpose in ((c.own_clip, shelf.SEE), (c.own_sound, shelf.HEAR)):
            opener.click(None, None, None, js=f"() => window.mcgurk.shelf(true, '{purpose}')", **QUIET)
        c.clip.change(None, [c.clip], None, js="() => window.mcgurk.reveal()", **QUIET)
        for radio in (c.sound, c.text, c.ask):
            radio.change(None, [radio], None, js=f"(value) => window.mcgurk.choose('{radio.elem_id}', value)", **QUIET)
        _page().unload(self._left)

    def _left(self, request: gr.Request) -> None:
        self.lab.forget(request.session_hash)

    def _touches(self) -> list[Callable]:
        """Every event by which a visitor changes what is asked."""
        c = self.cards
        chosen = [c.clip, c.picture, c.sound, c.other, c.text, c.caption, c.text_position, c.ask, c.answers, c.wording]
        written = [c.swap_from, c.swap_to, c.noise_db, c.free, c.own, c.options]
        slid = [c.shift, c.long_tokens]
        return [
            *(control.input for control in chosen),
            *(event for control in written for event in (control.submit, control.blur)),
            *(control.release for control in slid),
        ]

    def _wire_inside(self, inputs: list[Any]) -> None:
        i = self.inside
        view = [*i.view_inputs, i.frame, i.per_token]
        drawn = {"fn": self.redraw, "inputs": view, "outputs": i.drawings, "trigger_mode": "always_last", **QUIET}
        redrawn = [
            gr.on([i.layer.input, i.head.input, i.sink.input, i.step.change], **drawn),
            i.view.input(**drawn, **MODEL_LANE),
        ]
        turned = i.frame.release(None, [i.frame], None, js="(at) => window.mcgurk.frame(at)", **QUIET)
        i.frame.input(None, [i.frame], None, js="(at) => window.mcgurk.frame(at)", **QUIET)
        over = {"fn": self.border, "inputs": [i.border.on, *i.view_inputs, i.frame], "outputs": [i.border.pictures]}
        for event in (i.border.on.input, turned.then, *(one.then for one in (*redrawn, *self.asks))):
            event(**over, trigger_mode="always_last", **QUIET)
        for event in (*redrawn, turned, self.workshop.word):
            event = event.change if event is self.workshop.word else event.then
            event(self._link_again, inputs, [self.link], **QUIET)
        at = self.workshop.look.change(self.look_at, [self.workshop.look], [i.layer, i.head, i.tabs], **QUIET)
        at.then(**drawn, **MODEL_LANE).then(self._link_again, inputs, [self.link], **QUIET)
        i.heads_tab.select(i.heads.opened, [i.heads.kind], [i.heads.status, i.heads.grids], **MODEL_LANE, **QUIET)
        shown = [i.lens.status, *i.lens.drawn]
        i.lens_tab.select(i.lens.turned, [i.lens.where, i.lens.layer], shown, **MODEL_LANE, **QUIET)
        late.wire(self.lab, i)
        for button, download, kind in i.exports:
            self._wire_export(button, download, kind)

    def _wire_export(self, button: gr.Button, download: gr.DownloadButton, kind: str) -> None:
        lane = MODEL_LANE if kind == "mp4" else {}

        def write(layer: int, head: int, view: str, sink: bool, step: str, request: gr.Request) -> Any:
            return self.export(kind, _view(layer, head, view, sink, step), request.session_hash)

        event = button.click(write, self.inside.view_inputs, [download], **lane, api_visibility="private")
        event.success(None, None, None, js=f"() => window.mcgurk.press('{download.elem_id}')", **QUIET)

    def _link_again(self, *inputs) -> str:
        try:
            return self._quiet_link(self._state(inputs))
        except McGurkError:
            return gr.skip()


def _view(layer: int, head: int, view: str, sink: bool, step: str) -> View:
    return View(int(layer), int(head), view, bool(sink), int(step))


def _page() -> gr.Blocks:
    return gr.context.Context.root_block
