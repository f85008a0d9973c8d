"""Methods without training and what happens layer by layer, as HTML: the table, the sentences above it, the curves.

Knows markup; every text goes through html.escape. Does not know components, events or how anything is counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from demo.bench.results import layerwise, methods, svg
from demo.bench.results.layerwise import AFTER, BEFORE, CHANGE, CUT, EXIT, HEARD, NOTHING, SEEN, SHARE, Grid, Point
from demo.bench.results.measured import Curves, Measured
from demo.bench.results.methods import PLAIN, Row, Verdict
from demo.draw.colours import NEUTRAL, SIGHT, SOUND, TEXT
from demo.questions import PICTURE
from models.interventions import INTERVENTIONS
from models.interventions.cut import SPAN
from models.omni import ALIGNED, BASE

ADAPTERS = {BASE: "before", ALIGNED: "after", CHANGE: "change with tuning"}
HEADINGS = {BASE: "before tuning", ALIGNED: "after tuning", CHANGE: "change with tuning"}
ASKED = {"see": "asked what is seen", "hear": "asked what is heard"}
DONE = {
    CUT: f"the answer cannot look at the {{}} in {SPAN} layers around this one",
    EXIT: "the {} is gone above this layer (-1: from the start)",
}
OF = {SEEN: ("what is seen", SIGHT), HEARD: ("what is heard", SOUND)}
WORDS = {True: "reached", False: "not reached", None: "open"}
NOT_MEASURED = (
    '<p class="hint">No table is shipped for this model. Ask a few questions here, or measure it: '
    "<code>python -m demo bench interventions --clips FOLDER --out RUN</code>, then "
    "<code>python -m demo bench keep RUN</code>.</p>"
)
NO_CURVES = (
    '<p class="hint">No curves are shipped for this model. Ask about a few clips here, or measure them: '
    "<code>python -m demo bench curves --clips FOLDER --out RUN</code>, then "
    "<code>python -m demo bench keep RUN</code>.</p>"
)
OUTDATED = "The weights have changed since: these are the numbers of earlier ones."


def measured_on(about: Mapping[str, Any], n: str, outdated: bool) -> str:
    """One line: what shipped numbers were measured on. n: how many questions or clips, in words."""
    where = (
        f"clips of the folder “{about.get('clips', '?')}”, {about.get('split', '?')} split, seed {about.get('seed', 0)}"
    )
    said = f"Measured: {about.get('model', '?')}, {n}; {where}."
    warning = f' <b class="stale">{escape(OUTDATED)}</b>' if outdated else ""
    return f'<p class="hint">{escape(said)}{warning}</p>'


def shipped_methods(found: Measured | None, outdated: bool = False) -> str:
    """The shipped table with its sentences, or how to make one."""
    if found is None:
        return NOT_MEASURED
    n = f"{found.questions} questions in all, each asked {2 * len({row.method for row in found.rows})} times"
    return measured_on(found.about, n, outdated) + methods_html(found.rows)


def methods_html(rows: Sequence[Row]) -> str:
    """The sentences, then a line a method, a column a condition, in each cell before and after tuning."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    by_place = {(row.method, row.condition, row.adapter): row for row in rows}
    counts = {row.condition: row.n for row in rows}
    head = "".join(
        f'<th scope="col">{escape(methods.title_of(c))}<small>n {counts[c]}</small></th>' for c in conditions
    )
    body = []
    for method in dict.fromkeys(row.method for row in rows):
        cells = "".join(
            f"<td>{''.join(_half(by_place.get((method, c, adapter))) for adapter in (BASE, ALIGNED))}</td>"
            for c in conditions
        )
        took = methods.took([row for row in rows if row.method == method])
        body.append(
            f'<tr class="{"plain" if method == PLAIN else ""}"><th scope="row">{_named(method)}</th>{cells}'
            f'<td class="took">{took}</td></tr>'
        )
    note = (
        "Each cell: before tuning (pale) and after it, % right (abstaining, where the heading says so), 95 % Wilson "
        "interval. ▲ ▼: more or fewer right answers than the same adapter's plain ones, exact McNemar p < 0.05, not "
        "corrected for the number of methods. The line to reach is the second number of “plain”. Bars: whom the "
        "answers followed, the picture (blue), the sound (orange) or the text (green); grey where they followed none "
        "alone: that share."
    )
    return (
        f'{verdicts_html(methods.verdicts(rows))}<p class="hint">{note}</p><div class="wide"><table class="methods">'
        f'<thead><tr><th scope="col">method</th>{head}<th scope="col">s<small>an answer</small></th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def verdicts_html(found: Sequence[Verdict]) -> str:
    """One sentence a condition with a badge; where all questions were asked, their verdict first."""
    ordered = sorted(found, key=lambda verdict: verdict.condition != methods.ALL)
    items = "".join(
        f'<li class="{_badge(v)[0]}"><b>{escape(methods.title_of(v.condition))}</b> <span class="badge">'
        f"{_badge(v)[1]}</span> {escape(methods.said(v, _title(v.best.method)))}</li>"
        for v in ordered
    )
    return f'<ul class="verdicts">{items}</ul>' if items else ""


def _badge(verdict: Verdict) -> tuple[str, str]:
    if not verdict.needed:
        return "no-gain", "nothing to reach"
    return {True: "yes", False: "no", None: "open"}[verdict.reached], WORDS[verdict.reached]


def _title(method: str) -> str:
    return INTERVENTIONS[method].title if method in INTERVENTIONS else method


def _named(method: str) -> str:
    if method not in INTERVENTIONS:
        return f"{escape(method)}<small>as it answers by itself</small>"
    kind = INTERVENTIONS[method]
    return (
        f'<span title="{escape(kind.fails, quote=True)}">{escape(kind.title)}</span><small>{escape(kind.paper)}</small>'
    )


def _half(row: Row | None) -> str:
    """One adapter's number in a cell."""
    if row is None:
        return ""
    low, high = row.interval
    share, mark = row.count / row.n, ""
    if row.method != PLAIN and row.p < methods.SIGNIFICANT:
        mark = "▲" if row.mended > row.broken else "▼"
    tip = f"{row.count} of {row.n}"
    if row.method != PLAIN:
        tip += f"; against plain: {row.mended} mended, {row.broken} broken, McNemar {methods.chance(row.p)}"
    if math.isfinite(row.p_tuned):
        tip += f"; against tuning: {row.beyond_tuned} to {row.behind_tuned}, {methods.chance(row.p_tuned)}"
    if row.refused:
        tip += f"; could not be done {row.refused} times, counted as plain"
    whom = ", ".join(f"{name} {n}" for name, n in zip(methods.FOLLOWED, row.followed.values(), strict=True) if n)
    tip += f"; followed: {whom}" if whom else ""
    style = f"--at:{100 * share:.1f}%{_bar(row)}"
    return (
        f'<span class="half {"before" if row.adapter == BASE else "after"}" style="{style}" '
        f'title="{escape(tip, quote=True)}"><b>{100 * share:.0f}</b><em>{mark}</em>'
        f'<small>{100 * low:.0f}–{100 * high:.0f}</small><i aria-hidden="true"></i></span>'
    )


def _bar(row: Row) -> str:
    """CSS: the bar of a cell as shares that followed picture, sound and text; "" where none followed one alone."""
    steps, at = [], 0.0
    for name, colour in ((PICTURE, "see"), ("sound", "hear"), ("text", "read")):
        if n := row.followed[name]:
            steps.append(f"var(--{colour}) {at:.1f}% {(at := at + 100 * n / row.n):.1f}%")
    return f";--whom:linear-gradient(90deg,{','.join([*steps, f'var(--track) {at:.1f}%'])})" if steps else ""


def shipped_curves(found: Curves | None, outdated: bool = False) -> str:
    """The shipped curves and heads, or how to make them."""
    if found is None:
        return NO_CURVES
    about = measured_on(found.about, f"{found.clips}, sound swapped", outdated)
    return about + curves_html(found.points, found.grids)


def curves_html(points: Sequence[Point], grids: Mapping[tuple, Grid]) -> str:
    """Cuts and exits along the layers, the attention that a caption gets, heads, and numbers of the whole model."""
    parts = ["<h3>Where does a modality stop mattering?</h3>"
             "<p>Probability of what is seen and of what is heard; bands: 95 % over clips; dots: nothing done. Where a "
             "curve is back at its dot, the answer no longer needs that layer.</p>"]  # fmt: skip
    parts.append(_legend([(said, colour) for said, colour in OF.values()]))
    for ask, asked in ASKED.items():
        figures = [
            _curve(points, ask, way, kind, f"{asked}: {did.format(kind)}")
            for way, did in DONE.items()
            for kind in ("picture", "sound")
        ]
        parts.append(f'<div class="beside curves">{"".join(figures)}</div>')
    parts.append(_captions(points))
    parts.append(_singles(points))
    parts.append(heads_html(grids))
    return "".join(parts)


def _curve(points: Sequence[Point], ask: str, way: str, kind: str, caption: str) -> str:
    series, level = {}, {}
    for of, (said, colour) in OF.items():
        for adapter in (BASE, ALIGNED):
            line = _line(p for p in points if (p.ask, p.way, p.kind, p.of, p.adapter) == (ask, way, kind, of, adapter))
            if line:
                series[f"{said}, {ADAPTERS[adapter]}"] = svg.Curve(*line, colour, adapter == BASE)
            plain = [p.mean for p in points if (p.ask, p.way, p.of, p.adapter) == (ask, NOTHING, of, adapter)]
            level |= {f"{said}, {ADAPTERS[adapter]}, nothing done": (plain[0], colour)} if plain else {}
    return _figure(caption, svg.curves(series, caption, level)) if series else ""


def _captions(points: Sequence[Point]) -> str:
    figures = []
    for ask, asked in ASKED.items():
        series = {}
        for adapter in (BASE, ALIGNED):
            for place, colour in ((BEFORE, NEUTRAL), (AFTER, TEXT)):
                line = _line(p for p in points if (p.ask, p.way, p.kind, p.adapter) == (ask, SHARE, place, adapter))
                if line:
                    series[f"{place}, {ADAPTERS[adapter]}"] = svg.Curve(*line, colour, adapter == BASE)
        if series:
            caption = f"attention on one caption, {asked}"
            most = max(value for curve in series.values() for value in (*curve.mean, *curve.high) if value == value)
            figures.append(_figure(caption, svg.curves(series, caption, highest=svg.above(most))))
    if not figures:
        return ""
    about = (
        "<h3>The same caption before and after picture and sound</h3><p>Share of the attention that it gets, layer by "
        "layer. The attention shift is 1 minus the correlation of the two curves (after Wings, arXiv 2406.03496).</p>"
    )
    legend = _legend([(BEFORE, NEUTRAL), (AFTER, TEXT)])
    return f'{about}{legend}<div class="beside curves">{"".join(figures)}</div>'


def _legend(lines: Sequence[tuple[str, str]]) -> str:
    """What the lines of the drawings below it are, each before tuning and after. lines: (what, colour)."""
    items = "".join(
        f'<li><i class="{mark}" style="--c:{colour}"></i>{escape(said)}, {ADAPTERS[adapter]} tuning</li>'
        for said, colour in lines
        for adapter, mark in ((BASE, "dashed"), (ALIGNED, "solid"))
    )
    return f'<ul class="legend">{items}</ul>'


def _singles(points: Sequence[Point]) -> str:
    found = layerwise.singles(points)
    if not found:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("asked", "tuning", *layerwise.SINGLE.values()))
    body = "".join(
        f"<tr><td>{ASKED.get(ask, escape(ask))}</td><td>{escape(ADAPTERS.get(adapter, adapter))}</td>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for ask, adapter, cells in found
    )
    about = (
        "<h3>How far the senses meddle</h3><p>Interference: how far the answer about one sense moves once the other "
        "is there (mean of both Kullback-Leibler divergences). Disagreement: how far the answers by either sense alone "
        "lie apart; agreement: how often the likeliest of both is the same, though the clips show one thing and sound "
        "like another. 95 % over clips.</p>"
    )
    table = f'<table class="senses"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'{about}<div class="wide">{table}</div>'


def heads_html(grids: Mapping[tuple, Grid]) -> str:
    """Layers x heads: how far each head's output moves without a modality, before, after, and what tuning changed."""
    rows = []
    for ask, kind in dict.fromkeys((ask, kind) for ask, _, kind in grids):
        shown = [(adapter, grids[ask, adapter, kind]) for adapter in ADAPTERS if (ask, adapter, kind) in grids]
        largest = max((float(grid.mean.max()) for adapter, grid in shown if adapter != CHANGE), default=1.0)
        title, figures = f"Without the {kind}, {ASKED[ask]}", []
        for adapter, grid in shown:
            scale = float(abs(grid.mean).max()) or 1.0 if adapter == CHANGE else largest or 1.0
            colours = {"above": SIGHT if kind == PICTURE else SOUND, "below": NEUTRAL}
            drawn = svg.heat(grid.mean, f"{title}: {HEADINGS[adapter]}", scale, grid.half, **colours)
            figures.append(_figure(HEADINGS[adapter], drawn))
        most = max(grid.n for _, grid in shown)
        rows.append(f'<h4>{title} <small>n {most}</small></h4><div class="beside heats">{"".join(figures)}</div>')
    if not rows:
        return ""
    about = (
        "<h3>Heads that need a modality</h3><p>How far the output of each head moves when a modality is gone (VHD, "
        "arXiv 2412.13949). Change with tuning: in the modality's colour where a head needs it more, grey where less; "
        "small where 0 lies within the 95 % interval over clips.</p>"
    )
    return about + "".join(rows)


def _line(found) -> tuple[list, list, list, list] | None:
    ordered = sorted((p for p in found if p.layer is not None), key=lambda p: p.layer)
    if not ordered:
        return None
    return tuple([getattr(p, name) for p in ordered] for name in ("layer", "mean", "low", "high"))


def _figure(caption: str, drawn: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>"
