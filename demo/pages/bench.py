"""The Bench page: choose conditions, watch the table fill, look at charts and at single samples, take the files.

Knows components, events and markup; every text goes through html.escape. Does not know how anything is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr

from demo.bench.results import page as figures
from demo.bench.results.view import (
    FILES,
    MOST_QUESTIONS,
    OFFERED,
    OFFERED_SETS,
    QUESTIONS,
    Bench,
    Line,
    Shown,
    Standing,
    Wanted,
)
from demo.pages import asking
from demo.pages.answers import FOLLOWED, status
from demo.pages.markup import QUIET, warn
from demo.pages.methods import MethodsPart
from demo.session import Lab
from models.omni import ALIGNED, BASE, McGurkError

ADAPTERS = {BASE: "before", ALIGNED: "after"}
ASKS = {
    "see": ("see", "◉ What do you see?"),
    "hear": ("hear", "♪ What do you hear?"),
    "match": ("none", "Do they match?"),
}
POOLS = {
    "trained": "Concepts the model was trained on",
    "held out": "Concepts it never was trained on",
    "own clips": "Clips of your own",
}
CHARTS = ("Accuracy", "Followed", "Layers", "Layers × heads")
EMPTY = '<p class="hint tall">The table fills while the questions are asked.</p>'
NO_CHART = '<p class="hint tall">Charts are drawn when the run is done or stopped.</p>'
NO_SAMPLES = '<p class="hint">Click a number of the table to see the samples behind it.</p>'
LATER = "how long it takes is known after the first questions"
CLICKED = """element.addEventListener('click', (event) => {
  const cell = event.target.closest('[data-cell]');
  if (!cell) return;
  for (const other of element.querySelectorAll('[aria-pressed=true]')) other.setAttribute('aria-pressed', 'false');
  cell.setAttribute('aria-pressed', 'true');
  trigger('select', { cell: cell.dataset.cell });
});"""


class BenchPage:
    """The page's components and what happens when a visitor touches them."""

    def __init__(self, lab: Lab, lane: dict[str, Any]):
        self.bench, self.lane = Bench(lab), lane
        with gr.Row(elem_classes="bench-row"):
            with gr.Column(scale=4, min_width=320, elem_classes=["sheet", "bench-choice"]):
                self._choice()
            with gr.Column(scale=8, min_width=320, elem_classes=["sheet", "bench-found"]):
                self.status = asking.line("bench-status", "Nothing was asked yet.")
                self.table = gr.HTML(EMPTY, elem_id="bench-table", js_on_load=CLICKED)
                with gr.Row(elem_classes="presets"):
                    self.files = [self._file(name) for name in FILES]
        with gr.Column(elem_classes="sheet"):
            gr.HTML('<h2 class="section">Samples</h2>')
            self.samples = gr.HTML(NO_SAMPLES, elem_id="bench-samples")
        with gr.Column(elem_classes="sheet"):
            gr.HTML('<h2 class="section">Charts</h2>')
            with gr.Tabs(elem_id="bench-charts"):
                self.charts = [self._chart(name) for name in CHARTS]
        MethodsPart(lab, lane)
        with gr.Column(elem_classes="sheet"):
            gr.HTML(figures.published(), elem_id="published", elem_classes="bench-figures")
        self.turn = gr.Number(0, visible="hidden", elem_id="bench-turn")
        self._wire()

    # what a visitor's touch sets off -----------------------------------------------------------------------------

    def opened(self, conditions, questions, seed, request: gr.Request) -> str:
        """Time the model where that is quick, and say what the run would take."""
        try:
            self.bench.time_the_model(request.session_hash)
        except McGurkError as error:
            return status(str(error))
        return self.planned(conditions, questions, seed)

    def planned(self, conditions, questions, seed) -> str:
        """How much a run with these choices asks, and how long it takes."""
        try:
            if not self.bench.lab.ready:
                return status("The model is loading.", True)
            found = self.bench.estimate(_wanted(conditions, questions, seed))
        except McGurkError as error:
            return status(str(error))
        held_out = f", {found.held_out} of them about concepts it was never trained on" if found.held_out else ""
        time = LATER if found.seconds is None else f"about {_duration(found.seconds)}"
        return status(f"Model {found.model}: {found.questions} questions on {found.clips} clips{held_out}: {time}.")

    def start(self, conditions, questions, seed, turn: float, request: gr.Request) -> list[Any]:
        """Begin a run; the changed turn sets it going. Outputs: turn, status, start, stop, samples, files."""
        try:
            self.bench.begin(request.session_hash, _wanted(conditions, questions, seed))
        except McGurkError as error:
            warn(error)
            return [gr.skip()] * (5 + len(FILES))
        files = [gr.DownloadButton(interactive=False)] * len(FILES)
        waiting = status("Waiting for the model.", True)
        return [turn + 1, waiting, gr.Button(interactive=False), gr.Button(interactive=True), NO_SAMPLES, *files]

    def go_on(self, turn: float, request: gr.Request) -> Iterator[list[Any]]:
        """Ask for one turn; a changed turn queues the next, behind others who wait for the model."""
        try:
            for standing in self.bench.advance(request.session_hash):
                yield self._filled(standing)
            if not standing.over:
                yield [turn + 1, *[gr.skip()] * (len(self.outputs) - 1)]
        except McGurkError as error:
            warn(error)
            said = [gr.skip(), status(str(error)), gr.skip(), gr.Button(interactive=True), gr.Button(interactive=False)]
            yield said + [gr.skip()] * (len(self.outputs) - len(said))

    def stop(self, request: gr.Request) -> list[Any]:
        self.bench.stop(request.session_hash)
        return [status("Stopping after this question.", True), gr.Button(interactive=False)]

    def list_samples(self, chosen: gr.EventData, request: gr.Request) -> str:
        try:
            return samples_html(self.bench.samples(request.session_hash, str(chosen.cell)))
        except McGurkError as error:
            warn(error)
            return gr.skip()

    # how it is laid out ------------------------------------------------------------------------------------------

    def _choice(self) -> None:
        gr.HTML('<h2 class="section">Is that typical?</h2><p class="hint">The same questions over all clips of the '
                "gallery, under the conditions chosen here, before and after tuning. Your own folder: "
                "<code>python -m demo bench --clips FOLDER --out RUN</code>.</p>")  # fmt: skip
        with gr.Row(elem_classes="presets"):
            self.sets = [(gr.Button(name, size="sm", elem_classes="quiet"), ids) for name, ids in OFFERED_SETS.items()]
        self.conditions = gr.CheckboxGroup(
            [(title, id) for id, title in OFFERED.items()], value=list(next(iter(OFFERED_SETS.values()))),
            label="Conditions", elem_id="conditions", elem_classes="pills",
        )  # fmt: skip
        with gr.Row(elem_classes="tight"):
            self.questions = gr.Number(
                QUESTIONS, label="Questions a condition", minimum=1, maximum=MOST_QUESTIONS, precision=0, min_width=120,
                elem_id="bench-questions",
            )  # fmt: skip
            self.seed = gr.Number(0, label="Seed", minimum=0, precision=0, min_width=90, elem_id="bench-seed")
        self.plan = asking.line("bench-plan", "The model is being timed.", True)
        with gr.Row(elem_classes=["tight", "go"]):
            self.begin, self.halt = asking.start_and_stop("bench")

    def _file(self, name: str) -> gr.DownloadButton:
        return gr.DownloadButton(
            name, size="sm", interactive=False, elem_id=f"bench-file-{name.split('.')[0]}", elem_classes="quiet"
        )

    def _chart(self, name: str) -> gr.HTML:
        with gr.Tab(name):
            return gr.HTML(NO_CHART, elem_classes="bench-figures")

    def _filled(self, standing: Standing) -> list[Any]:
        """Values for `self.outputs`."""
        files = [gr.skip()] * len(FILES)
        charts = [gr.skip()] * len(CHARTS)
        if standing.charts:
            charts = [_of_pools(standing.charts, name) for name in CHARTS]
            files = [gr.DownloadButton(value=standing.files[name], interactive=True) for name in FILES]
        buttons = [gr.Button(interactive=standing.over), gr.Button(interactive=not standing.over)]
        shown = table_html(standing.lines) if standing.lines else EMPTY
        return [gr.skip(), said_of(standing), shown, *buttons, *files, *charts]

    def _wire(self) -> None:
        self.outputs = [self.turn, self.status, self.table, self.begin, self.halt, *self.files, *self.charts]
        chosen = [self.conditions, self.questions, self.seed]
        root = gr.context.Context.root_block
        root.load(self.opened, chosen, [self.plan], **self.lane, **QUIET)
        gr.on([control.change for control in chosen], self.planned, chosen, [self.plan], **QUIET)
        for button, ids in self.sets:
            button.click(lambda ids=ids: list(ids), None, [self.conditions], **QUIET)
        started = [self.turn, self.status, self.begin, self.halt, self.samples, *self.files]
        self.begin.click(self.start, [*chosen, self.turn], started, **QUIET)
        self.turn.change(self.go_on, [self.turn], self.outputs, **self.lane, **QUIET)
        self.halt.click(self.stop, None, [self.status, self.halt], concurrency_limit=None, **QUIET)
        self.table.select(self.list_samples, None, [self.samples], **QUIET)
        root.unload(self._left)

    def _left(self, request: gr.Request) -> None:
        self.bench.forget(request.session_hash)


def table_html(lines: tuple[Line, ...]) -> str:
    """The table: a line a condition, questions and adapters across, every number a button."""
    heads = [
        (ask, adapter) for ask in ASKS for adapter in _adapters(lines) if any((ask, adapter) in x.cells for x in lines)
    ]
    asks = dict.fromkeys(ask for ask, _ in heads)
    spans = {ask: sum(other == ask for other, _ in heads) for ask in asks}
    top = "".join(f'<th colspan="{spans[ask]}" class="{ASKS[ask][0]}">{ASKS[ask][1]}</th>' for ask in asks)
    below = "".join(
        f'<th class="{ASKS[ask][0]}">{escape(ADAPTERS.get(adapter, adapter))}</th>' for ask, adapter in heads
    )
    body = []
    for pool in dict.fromkeys(line.pool for line in lines):
        body.append(f'<tr class="pool"><th colspan="{len(heads) + 1}">{escape(POOLS.get(pool, pool))}</th></tr>')
        for line in (line for line in lines if line.pool == pool):
            cells = "".join(_cell(line, *head) for head in heads)
            body.append(f"<tr><th>{escape(line.title)}</th>{cells}</tr>")
    return (
        f'<table class="bench"><thead><tr><th rowspan="2">right, % <small>95 % interval</small></th>{top}</tr>'
        f"<tr>{below}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _cell(line: Line, ask: str, adapter: str) -> str:
    cell = line.cells.get((ask, adapter))
    if cell is None:
        return "<td></td>"
    said = f"{line.title}, {ASKS[ask][1]} {ADAPTERS.get(adapter, adapter)}: {100 * cell.share:.0f} % of {cell.n}"
    style = f"--at:{100 * cell.share:.1f}%;--low:{100 * cell.low:.1f}%;--high:{100 * cell.high:.1f}%"
    return (
        f'<td class="{ASKS[ask][0]} {"faint" if adapter == BASE else ""}"><button type="button" '
        f'data-cell="{escape(cell.key)}" aria-pressed="false" title="{escape(said)}" style="{style}">'
        f"<b>{100 * cell.share:.0f}</b><small>{100 * cell.low:.0f}–{100 * cell.high:.0f}, n {cell.n}</small>"
        '<i aria-hidden="true"></i></button></td>'
    )


def samples_html(samples: list[Shown]) -> str:
    """The samples of a cell, each with its way into the Lab."""
    adapters = list(samples[0].answers)
    head = "".join(f"<th>{escape(ADAPTERS.get(adapter, adapter))}</th>" for adapter in adapters)
    rows = "".join(_sample(sample) for sample in samples)
    return (
        f'<p class="hint">{escape(samples[0].question)}</p><div class="wide"><table class="samples"><thead><tr>'
        f"<th>clip</th><th>right is</th>{head}<th></th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _sample(sample: Shown) -> str:
    given = "".join(
        f'<span class="chip {what}">{escape(words)} <b>{escape(true)}</b></span>' for what, words, true in sample.given
    )
    answers = "".join(
        f'<td class="{FOLLOWED[whom][0]}" data-label="{escape(ADAPTERS.get(adapter, adapter))}"><span class="mark">'
        f"{'✓' if right else '✗'}</span> "
        f"<b>{escape(text)}</b> <small>{FOLLOWED[whom][2]}</small></td>"
        for adapter, (text, whom, right) in sample.answers.items()
    )
    link = "<small>can't be linked</small>"
    if sample.query:
        link = f'<a href="./?{escape(sample.query)}" target="_blank" rel="noopener">Open in the Lab</a>'
    truth = f'<td data-label="right is">{escape(sample.truth)}</td>'
    return f"<tr><td>{given}</td>{truth}{answers}<td>{link}</td></tr>"


def said_of(standing: Standing) -> str:
    """How far a run has come, and what was left out."""
    done, total = standing.progress.done, standing.progress.total
    said = f"{done} of {total} questions"
    if standing.over:
        said += ": stopped, what is done is kept. Start goes on from here." if standing.stopped else ": done."
    elif standing.seconds_left is not None:
        said += f", about {_duration(standing.seconds_left)} left."
    left_out = "".join(f"<li>{escape(f'{what}: {why}')}</li>" for what, why in standing.progress.skipped)
    count = len(standing.progress.skipped)
    notices = f'<details class="hint"><summary>{count} left out</summary><ul>{left_out}</ul></details>'
    bar = f'<progress max="{max(1, total)}" value="{done}" aria-label="progress"></progress>'
    return status(said, not standing.over) + bar + (notices if left_out else "")


def _of_pools(charts: dict[str, dict[str, str]], name: str) -> str:
    drawn = "".join(
        f"<h4>{escape(POOLS.get(pool, pool))}</h4>{by_name[name]}" for pool, by_name in charts.items() if by_name[name]
    )
    return drawn or '<p class="hint tall">Too few answers for this chart, or the model shows no attention.</p>'


def _adapters(lines: tuple[Line, ...]) -> list[str]:
    return list(dict.fromkeys(adapter for line in lines for _, adapter in line.cells))


def _wanted(conditions: list[str], questions: float | None, seed: float | None) -> Wanted:
    return Wanted(tuple(conditions or ()), int(questions or 0), int(seed or 0))


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 100 else f"{round(seconds / 60)} min"
