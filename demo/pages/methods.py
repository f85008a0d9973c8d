"""The part of the Bench page on methods without training: what was measured, and a few questions live.

Knows components and events. Does not know markup, nor how anything is asked or counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.bench.runs.live import FEW, LAYERS, METHODS, MOST, Standing, Trials, Wanted
from demo.pages import asking
from demo.pages import methods_markup as markup
from demo.pages.answers import status
from demo.pages.markup import QUIET, warn
from demo.session import Lab
from models.interventions import INTERVENTIONS
from models.omni import McGurkError

QUESTION = "Does any method without training reach what tuning reaches?"
HINTS = {
    METHODS: "Every question is asked plainly and under each method, before and after tuning.",
    LAYERS: "Clips with swapped sound, asked with a modality cut off around each layer and thrown away after each.",
}
LIVE = '<p class="hint">What you ask here fills its own table; the shipped numbers stay where they are.</p>'


class MethodsPart:
    """Two sheets: the table of methods, and the curves along layers and heads."""

    def __init__(self, lab: Lab, lane: dict[str, Any]):
        self.trials, self.lane = Trials(lab), lane
        self.what = gr.State(METHODS)
        self.turn = gr.Number(0, visible="hidden", elem_id="methods-turn")
        self.parts = {}
        with gr.Column(elem_classes="sheet", elem_id="methods-sheet"):
            gr.HTML(f'<h2 class="section">{QUESTION}</h2>')
            self._part(METHODS, "Questions a condition", markup.NOT_MEASURED)
        with gr.Column(elem_classes="sheet"):
            gr.HTML('<h2 class="section">Layer by layer, head by head</h2>')
            self._part(LAYERS, "Clips", markup.NO_CURVES)
        self._wire()

    # what a visitor's touch sets off -----------------------------------------------------------------------------

    def opened(self) -> list[str]:
        """The shipped table and curves of the model in use."""
        try:
            table, curves = self.trials.shipped()
        except McGurkError as error:
            warn(error)
            return [gr.skip(), gr.skip()]
        stale = self.trials.outdated
        return [
            markup.shipped_methods(table, table is not None and stale(table.about)),
            markup.shipped_curves(curves, curves is not None and stale(curves.about)),
        ]

    def start(self, what: str, chosen, questions, turn: float, request: gr.Request) -> list[Any]:
        """Begin; the changed turn sets it going. Outputs: what, turn, status, start, stop."""
        try:
            self.trials.begin(request.session_hash, Wanted(what, int(questions or 0), tuple(chosen or ())))
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * 5
        buttons = [gr.Button(interactive=False), gr.Button(interactive=True)]
        return [what, turn + 1, status("Waiting for the model.", True), *buttons]

    def go_on(self, what: str, turn: float, request: gr.Request) -> Iterator[list[Any]]:
        """Ask for one turn; a changed turn queues the next, behind others who wait for the model."""
        standing = None
        try:
            for standing in self.trials.advance(request.session_hash):
                yield [gr.skip(), *self._filled(what, standing)]
            if standing is not None and not standing.over:
                yield [turn + 1, *[gr.skip()] * (len(self.outputs) - 1)]
        except McGurkError as error:
            warn(error)
            yield [gr.skip(), *self._shown(what, status(str(error)), gr.skip(), True)]

    def stop(self, what: str, request: gr.Request) -> list[Any]:
        self.trials.stop(request.session_hash)
        return [status("Stopping after this question.", True), gr.Button(interactive=False)]

    # how it is laid out ------------------------------------------------------------------------------------------

    def _part(self, what: str, label: str, without: str) -> None:
        with gr.Tabs(elem_id=f"{what}-tabs"):
            with gr.Tab("Measured"):
                shipped = gr.HTML(without, elem_id=f"{what}-measured", elem_classes="bench-figures")
            with gr.Tab("A few questions, live"):
                gr.HTML(f'<p class="hint">{HINTS[what]}</p>')
                chosen = gr.State(())
                if what == METHODS:
                    chosen = gr.CheckboxGroup(
                        [(kind.title, id) for id, kind in INTERVENTIONS.items()], value=["look", "cut", "guidance"],
                        label="Methods", elem_id="methods-chosen", elem_classes="pills",
                    )  # fmt: skip
                with gr.Row(elem_classes=["tight", "go"]):
                    questions = gr.Number(FEW[what], label=label, minimum=1, maximum=MOST[what], precision=0,
                                          min_width=120, elem_id=f"{what}-questions")  # fmt: skip
                    begin, halt = asking.start_and_stop(what)
                said = asking.line(f"{what}-status", "Nothing was asked yet.")
                live = gr.HTML(LIVE, elem_id=f"{what}-live", elem_classes="bench-figures")
        self.parts[what] = {"shipped": shipped, "chosen": chosen, "questions": questions, "begin": begin, "halt": halt,
                            "said": said, "live": live}  # fmt: skip

    def _filled(self, what: str, standing: Standing) -> list[Any]:
        said = f"{standing.done} of {standing.total} questions"
        if standing.over:
            said += ": stopped, what is done is kept. Start goes on from here." if standing.stopped else ": done."
        shown = gr.skip()
        if standing.rows:
            shown = markup.methods_html(standing.rows)
        elif standing.points:
            shown = markup.curves_html(standing.points, standing.grids)
        return self._shown(what, status(said, not standing.over), shown, standing.over)

    def _shown(self, what: str, said: Any, shown: Any, over: bool) -> list[Any]:
        """Values for the four outputs of every part, those of the others untouched."""
        mine = [said, shown, gr.Button(interactive=over), gr.Button(interactive=not over)]
        return [value for part in self.parts for value in (mine if part == what else [gr.skip()] * len(mine))]

    def _wire(self) -> None:
        parts = self.parts
        self.outputs = [self.turn] + [parts[what][name] for what in parts for name in ("said", "live", "begin", "halt")]
        root = gr.context.Context.root_block
        root.load(self.opened, None, [part["shipped"] for part in parts.values()], **self.lane, **QUIET)
        for what, part in parts.items():
            begun = [self.what, self.turn, part["said"], part["begin"], part["halt"]]
            given = [gr.State(what), part["chosen"], part["questions"], self.turn]
            part["begin"].click(self.start, given, begun, **QUIET)
            part["halt"].click(self.stop, [self.what], [part["said"], part["halt"]], concurrency_limit=None, **QUIET)
        self.turn.change(self.go_on, [self.what, self.turn], self.outputs, **self.lane, **QUIET)
        root.unload(self._left)

    def _left(self, request: gr.Request) -> None:
        self.trials.forget(request.session_hash)
