"""The report of one or several runs as one HTML file that needs nothing else and prints well.

Knows HTML. Does not know how anything was computed. Every text that comes from clips, users or models is escaped.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.bench.cases.conditions import CONDITIONS
from demo.bench.results import svg
from demo.draw.colours import NEUTRAL, SIGHT, SOUND, TEXT
from models.omni import BASE, Kind

if TYPE_CHECKING:
    from demo.bench.results.report import Tables
    from demo.bench.results.tables import Row

PUBLISHED = Path(__file__).with_name("published.csv")
ASKED = {"see": ("picture", SIGHT), "hear": ("sound", SOUND), "match": ("match", NEUTRAL)}
LINES = {Kind.VIDEO.value: SIGHT, Kind.AUDIO.value: SOUND, Kind.INJECTED.value: TEXT, Kind.QUESTION.value: NEUTRAL}
STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;font-size:13px;margin:.5rem 0 1.5rem}
th,td{padding:.2rem .6rem;border-bottom:1px solid #8A909955;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
figure{margin:1rem 0;overflow-x:auto}figcaption{font-weight:600;margin-bottom:.3rem}
.beside{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem}.beside figcaption{font-size:12px;max-width:22rem}
pre{white-space:pre-wrap;font-size:12px}
@media print{body{max-width:none;margin:0;font-size:11px}section{break-inside:avoid-page}svg{max-width:100%}}
"""


def html(runs: Sequence[Tables], configs: Sequence[dict[str, Any]]) -> str:
    """The whole page. The same runs give the same bytes."""
    name = ", ".join(run.name for run in runs)
    body = [f"<h1>McGurk bench: {escape(name)}</h1>"]
    for run in runs:
        heading = f"{run.name}: " if len(runs) > 1 else ""
        for pool in dict.fromkeys(row.pool for row in run.rows):
            body += _pool(run, pool, f"{heading}concepts: {pool}")
        body.append(_skipped(run))
    body.append(published())
    for run, config in zip(runs, configs, strict=True):
        body.append(f"<section><h2>Configuration: {escape(run.name)}</h2><pre>")
        body.append(escape(json.dumps(config, indent=2, ensure_ascii=False)) + "</pre></section>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>McGurk bench: {escape(name)}</title><style>{STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def charts(run: Tables, pool: str) -> dict[str, str]:
    """The figures of one pool by what they are about, as HTML to stand in another page; "" where there is none."""
    rows = [row for row in run.rows if row.pool == pool]
    caption = "Whom the answers followed"
    return {
        "Accuracy": _accuracies(rows),
        "Followed": _figure(caption, svg.stacked(_followed(rows), svg.FOLLOWED_COLOURS, caption)),
        "Layers": _layers(run, pool),
        "Layers × heads": _effects(run, pool),
    }


def _pool(run: Tables, pool: str, title: str) -> list[str]:
    drawn = charts(run, pool)
    return [
        f"<section><h2>{escape(title)}</h2>",
        drawn["Accuracy"],
        "</section><section>",
        drawn["Followed"],
        "</section><section>",
        _row_table([row for row in run.rows if row.pool == pool]),
        "</section><section>",
        _measure_table(run, pool),
        "</section><section>",
        drawn["Layers"],
        drawn["Layers × heads"],
        _alignments(run, pool),
        "</section>",
    ]


def _accuracies(rows: list[Row]) -> str:
    groups: dict[str, list[svg.Bar]] = {}
    for row in rows:
        what, colour = ASKED[row.ask]
        bar = svg.Bar(f"{what}, {row.adapter}", row.accuracy, *row.interval, colour, row.adapter == BASE)
        groups.setdefault(row.title, []).append(bar)
    caption = "Accuracy of free-text answers, 95 % Wilson intervals (pale: before tuning)"
    return _figure(caption, svg.bars(groups, caption))


def _followed(rows: list[Row]) -> dict[str, dict[str, float]]:
    return {
        f"{row.title}: {ASKED[row.ask][0]}, {row.adapter}": {
            whom: count / row.n for whom, count in row.followed.items()
        }
        for row in rows
    }


def _row_table(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        low, high = row.interval
        p = f"{row.mcnemar.p:.2g}" if row.mcnemar else ""
        source = CONDITIONS[row.condition].source if row.condition in CONDITIONS else ""
        lines.append(
            (row.title, ASKED[row.ask][0], row.adapter, row.n, f"{100 * row.accuracy:.1f}",
             f"{100 * low:.1f} to {100 * high:.1f}", f"{100 * row.choice_right / row.n:.1f}", p, source)
        )  # fmt: skip
    columns = ("condition", "asked about", "adapter", "n", "right, %", "95 %", "by option, %", "McNemar p", "after")
    return "<h3>Black box: accuracy</h3>" + _table(columns, lines, numeric=(3, 4, 5, 6, 7))


def _measure_table(run: Tables, pool: str) -> str:
    lines = []
    for m in run.measures:
        if m.pool == pool:
            reach = f"{m.low:.3f} to {m.high:.3f}" if m.low is not None and m.n else ""
            lines.append((m.name, m.detail, m.adapter, _number(m.value), reach, m.n))
    if not lines:
        return ""
    columns = ("measure", "of", "adapter", "value", "95 %", "n")
    return "<h3>Black box: measures over conditions</h3>" + _table(columns, lines, numeric=(3, 4, 5))


def _layers(run: Tables, pool: str) -> str:
    figures = []
    for condition in ("aligned", "swap", "caption"):
        for ask in ("see", "hear"):
            series = {
                f"{s.kind}, {s.adapter}": (s.raw, LINES[s.kind], s.adapter == BASE)
                for s in run.shares
                if (s.pool, s.condition, s.ask) == (pool, condition, ask) and s.kind in LINES
            }
            if series:
                caption = f"Attention share per layer: {CONDITIONS[condition].title}, asked about the {ASKED[ask][0]}"
                figures.append(_figure(caption, svg.lines(series, caption)))
    return f'<h3>White box: attention</h3><div class="beside">{"".join(figures)}</div>' if figures else ""


def _effects(run: Tables, pool: str) -> str:
    here = [effect for effect in run.effects if effect.pool == pool]
    largest = max([e.largest for e in here if math.isfinite(e.largest)], default=1.0)
    figures = []
    for effect in here:
        found = f"largest |d| {effect.largest:.2f}, n {effect.n[0]} + {effect.n[1]}"
        caption = f"{effect.kind} tokens, {CONDITIONS[effect.condition].title}, {effect.adapter}: {found}"
        figures.append(_figure(caption, svg.heat(effect.heads, caption, largest)))
    if not figures:
        return ""
    about = (
        "<p>Cohen's d of the attention on these tokens between questions about the picture and about the sound: "
        "blue where a question about the picture draws more, orange where one about the sound does.</p>"
    )
    return f'<h3>White box: what the question changes</h3>{about}<div class="beside">{"".join(figures)}</div>'


def _alignments(run: Tables, pool: str) -> str:
    series = {
        f"{a.condition}, {a.adapter}": (a.layers, NEUTRAL, a.adapter == BASE) for a in run.alignments if a.pool == pool
    }
    caption = "Implicit alignment score per layer"
    return _figure(caption, svg.lines(series, caption)) if series else ""


def _skipped(run: Tables) -> str:
    if not run.skipped:
        return ""
    return "<section><h3>Left out</h3>" + _table(("clip", "why"), run.skipped) + "</section>"


def published() -> str:
    """The paper's own numbers, from a file that says where each was read; never mixed with ours."""
    with PUBLISHED.open(newline="", encoding="utf-8") as opened:
        columns, *lines = csv.reader(opened)
    about = "<p>Other models on other clips, as published: not measured here, not directly comparable.</p>"
    return "<section><h2>Published numbers of MMA-Bench</h2>" + about + _table(columns, lines) + "</section>"


def _figure(caption: str, drawn: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>"


def _table(columns: Iterable[str], lines: Iterable[Sequence[Any]], numeric: Sequence[int] = ()) -> str:
    head = "".join(f"<th>{escape(str(column))}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="n">{escape(str(v))}</td>' if at in numeric else f"<td>{escape(str(v))}</td>"
            for at, v in enumerate(line)
        )
        + "</tr>"
        for line in lines
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else ""
