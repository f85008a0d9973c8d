"""The tab "What if it couldn't look there?": choose what is done to the models, set it, and see both answers again.

Knows components and events. Does not know what an intervention does or how a model is asked under it. The chosen one
is held as a word (demo.probing.steering) in a hidden field, which the form, the grid of heads and links write into.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo import inside
from demo.draw import charts
from demo.pages import answers, asking, workshop_markup
from demo.pages.markup import QUIET, plotted, warn
from demo.probing import regions, steering, sweeps, workshop
from demo.probing.sweeps import Curve
from demo.session import Asked, Lab
from demo.visitors.turns import Wait
from models.interventions import INTERVENTIONS, Intervention
from models.omni import McGurkError

METHODS = [(method.title, id) for id, method in INTERVENTIONS.items()]
PRESS = "Press “Ask again”: this model is too slow to be asked at every touch."
TAB = "what-if"  # its id
REDRAW = 0.5  # s between two drawings of a growing curve, at least
ASKING = "Both are answering again."


class Workshop:
    """The tab's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.method = gr.Radio(
            METHODS, label="What is done to them", container=False, elem_classes=["pills", "methods"], elem_id="method"
        )
        with gr.Row(elem_classes="workbench"):
            with gr.Column(scale=4, min_width=300):
                self.form = gr.HTML(workshop_markup.form(None), elem_id="how")
                with gr.Row(elem_classes="tight"):
                    self.go = gr.Button("Ask again", variant="primary", elem_id="steer", min_width=110, scale=0)
                    self.status = asking.line("steer-status")
            with gr.Column(scale=6, min_width=320):
                self.steered = gr.HTML(workshop_markup.changed(None), elem_id="steered")
        with gr.Row(elem_classes=["tight", "curve-row"]):
            self.axis = gr.Dropdown([], label="A curve along", elem_id="axis", min_width=330, scale=0, filterable=False)
            self.draw = gr.Button("Draw the curve", elem_id="draw-curve", min_width=130, scale=0)
            self.stop = gr.Button("Stop", elem_id="stop-curve", min_width=60, scale=0)
            self.progress = asking.line("curve-status")
        self.plot = gr.Plot(show_label=False, elem_id="curve")

    def hold(self) -> None:
        """Add the hidden fields: the word, and what was wished for elsewhere on the page. They must lie in no tab."""
        self.word = gr.Textbox(visible="hidden", elem_id="does")
        self.wish = gr.Textbox(visible="hidden", elem_id="wish")
        self.look = gr.Textbox(visible="hidden", elem_id="look-at")  # layer and head whose map is wanted

    @property
    def held(self) -> list[Any]:
        """What a link fills, in the order of opened()."""
        return [self.method, self.form, self.axis, self.word]

    # what a visitor's touch sets off -----------------------------------------------------------------------------

    def choose(self, id: str, request: gr.Request) -> list[Any]:
        """A method as one would usually try it on what was asked. Outputs: form, axes, word."""
        asked = self.lab.last(request.session_hash)
        question = asked.situation.question if asked else None
        try:
            it = workshop.usual(id, question, self._layers())
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * 3
        return [self._form(it, asked), _axes(it), steering.to_word(it)]

    def wished(self, wish: str, request: gr.Request) -> list[Any]:
        """What was asked for by a button in the form or elsewhere. Outputs: method, form, axes, word, tabs."""
        _, _, word = wish.partition(" ")
        try:
            it = workshop.meant(self.lab, request.session_hash, word)
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * 5
        form = self._form(it, self.lab.last(request.session_hash))
        return [it.id, form, _axes(it), steering.to_word(it), gr.Tabs(selected=TAB)]

    def insisted(self, wish: str, request: gr.Request) -> Iterator[list[Any]]:
        """Both are asked at once under what was picked, however slow they are. Outputs: status, answers."""
        _, _, word = wish.partition(" ")
        if regions.is_pick(word) and not self.lab.fast:
            try:
                it = workshop.meant(self.lab, request.session_hash, word)
            except McGurkError:  # wished() has said so
                return
            yield from self.steer(steering.to_word(it), request)

    def steer(self, word: str, request: gr.Request) -> Iterator[list[Any]]:
        """Ask the last question again. Outputs: status, answers."""
        if word:
            begin = lambda: workshop.steer(self.lab, request.session_hash, steering.from_word(word))  # noqa: E731
            yield from asking.asked(ASKING, begin, lambda found: [workshop_markup.changed(found)])

    def touched(self, word: str, request: gr.Request) -> Iterator[list[Any]]:
        """The same once the word has changed: only a fast model is asked, and only if it has answered plainly."""
        asked = self.lab.last(request.session_hash)
        if not word or asked is None or not asked.complete:
            return
        if not self.lab.fast:
            yield [answers.status(PRESS), gr.skip()]
            return
        yield from self.steer(word, request)

    def answered(self, word: str, request: gr.Request) -> Iterator[list[Any]]:
        """After a new question: the form with this model's layers, and both asked again. Outputs: form, and above."""
        asked = self.lab.last(request.session_hash)
        if not word or asked is None or not asked.complete:
            return
        try:
            it = steering.from_word(word)
        except McGurkError as error:
            warn(error)
            return
        yield [self._form(it, asked), gr.skip(), gr.skip()]
        for step in self.touched(word, request):
            yield [gr.skip(), *step]

    def follow(self, word: str, axis: str, request: gr.Request) -> Iterator[list[Any]]:
        """Draw a curve as it comes. Outputs: progress, plot."""
        drawn = 0.0
        try:
            if not word:
                raise McGurkError("Choose above what is done to them, then what the curve goes along.")
            it = steering.from_word(word)
            if not axis:
                raise McGurkError(f"There is nothing in “{it.title}” that a curve could go along: choose another.")
            for step in sweeps.sweep(self.lab, request.session_hash, it, axis):
                if isinstance(step, Wait):
                    yield [answers.status(answers.waiting(step), busy=True), gr.skip()]
                elif step.done == step.total or time.monotonic() - drawn > REDRAW:
                    drawn = time.monotonic()
                    said = "" if step.done == step.total else f"{step.done} of {step.total}"
                    yield [answers.status(said, busy=bool(said)), self._plot(step, request)]
        except McGurkError as error:
            yield [answers.status(str(error)), gr.skip()]

    def outdated(self, word: str, request: gr.Request) -> list[Any]:
        """Nothing is said or shown of a curve that is of something else than what is done now. Outputs: as follow()."""
        asked = self.lab.last(request.session_hash)
        try:
            if asked is None or not word or (asked.curve and sweeps.holds(asked.curve, steering.from_word(word))):
                return [gr.skip(), gr.skip()]
        except McGurkError:  # whoever asks says so
            pass
        return [answers.status(), None]

    def stopped(self) -> str:
        return answers.status("Stopped: what was found stays.")

    # how it is done ----------------------------------------------------------------------------------------------

    def opened(self, it: Intervention | None) -> list[Any]:
        """Values for method, form, axes and word as a link opens them."""
        word = steering.to_word(it) if it else ""
        return [it.id if it else None, self._form(it, None), _axes(it), word]

    def _plot(self, curve: Curve, request: gr.Request) -> Any:
        roles = sweeps.told(self.lab.asked_last(request.session_hash).comparison)
        lines = {
            adapter: {option: [point and point[option] for point in points] for option in roles}
            for adapter, points in curve.points.items()
        }
        return plotted(charts.curve(curve.xs, lines, curve.plain, roles, curve.label))

    def _form(self, it: Intervention | None, asked: Asked | None) -> str:
        strengths = inside.strengths(asked) if asked and asked.comparison else {}
        return workshop_markup.form(it, self._layers(), strengths, workshop.region(asked, it))

    def _layers(self) -> int:
        model = self.lab.model(timeout=0) if self.lab.ready else None
        return model.layers if model else 0

    # events ------------------------------------------------------------------------------------------------------

    def wire(self, asks: list[Any], tabs: gr.Tabs, lane: dict[str, Any]) -> list[Any]:
        """Connect everything; asks: events after which something new was answered. Returns the events that ask."""
        lane = {**lane, **QUIET}
        shown = [self.status, self.steered]
        self.method.input(self.choose, [self.method], [self.form, self.axis, self.word], **QUIET)
        wished = self.wish.change(self.wished, [self.wish], [*self.held, tabs], **QUIET)
        insisted = wished.then(self.insisted, [self.wish], shown, **lane)
        touched = self.word.change(self.touched, [self.word], shown, trigger_mode="always_last", **lane)
        self.word.change(self.outdated, [self.word], [self.progress, self.plot], trigger_mode="always_last", **QUIET)
        pressed = self.go.click(self.steer, [self.word], shown, **lane)
        again = [event.then(self.answered, [self.word], [self.form, *shown], **lane) for event in asks]
        drawn = self.draw.click(self.follow, [self.word, self.axis], [self.progress, self.plot], **lane)
        self.stop.click(self.stopped, None, [self.progress], cancels=[drawn], concurrency_limit=None, **QUIET)
        return [insisted, touched, pressed, drawn, *again]


def _axes(it: Intervention | None) -> Any:
    """What a curve can be drawn along, as choices; at first what has been set."""
    found = sweeps.axes(it) if it else {}
    choices = [(label, name) for name, label in found.items()]
    return gr.Dropdown(choices, value=sweeps.usual(it) if it else None, interactive=bool(found))
