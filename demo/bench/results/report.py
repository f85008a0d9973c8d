"""Writes what a run found: tables as CSV, report.html, the answers about own clips, and a table for the terminal.

Knows file formats. Does not know how samples were asked or what a formula means.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.bench.cases.own import OWN
from demo.bench.results import inside, listing, measures, page, tables
from demo.bench.runs import store
from models.omni import McGurkError

DIGITS = 4  # of numbers in tables
TABLE_COLUMNS = (
    "run", "pool", "condition", "title", "question", "adapter", "n", "right", "accuracy", "low", "high",
    "choice_accuracy", *(f"followed_{whom}" for whom in tables.FOLLOWED), "base_only_right", "aligned_only_right",
    "mcnemar_p",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tables:
    """Everything that was found out in a run."""

    name: str
    rows: tuple[tables.Row, ...]
    measures: tuple[tables.Measure, ...]
    shares: tuple[inside.LayerShare, ...]
    effects: tuple[inside.Effect, ...]
    alignments: tuple[inside.Alignment, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def find(name: str, samples: Sequence[dict[str, Any]], skipped: Iterable[tuple[str, str]] = ()) -> Tables:
    """All tables of a run's samples."""
    return Tables(
        name,
        tuple(tables.rows(samples)),
        tuple(tables.all_measures(samples)),
        tuple(inside.layer_shares(samples)),
        tuple(inside.effects(samples)),
        tuple(inside.alignments(samples)),
        tuple(skipped),
    )


def write(out: Path, samples: Sequence[dict[str, Any]], skipped: Iterable[tuple[str, str]] = ()) -> Tables:
    """Write every file of a run into its folder and return what they hold."""
    found = find(out.resolve().name, samples, skipped)
    for name, content in files([found], [store.read_config(out)]).items():
        store.write_atomically(out / name, content)
    own = [sample for sample in samples if sample["pool"] == OWN]
    if own:
        store.write_atomically(out / "answers.csv", as_csv(listing.COLUMNS, listing.lines(own)))
        store.write_atomically(out / "answers.md", listing.markdown(own))
    return found


def files(runs: Sequence[Tables], configs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """File name -> content, of one run or of several beside each other."""
    csv_of = as_csv if len(runs) > 1 else _nameless_csv
    return {
        "table.csv": csv_of(TABLE_COLUMNS, (_table_line(run.name, row) for run in runs for row in run.rows)),
        "measures.csv": csv_of(
            ("run", "pool", "measure", "detail", "adapter", "value", "low", "high", "n"),
            (
                (run.name, m.pool, m.name, m.detail, m.adapter, m.value, m.low, m.high, m.n)
                for run in runs
                for m in run.measures
            ),
        ),
        "layers.csv": csv_of(
            ("run", "pool", "condition", "question", "adapter", "tokens", "layer", "share", "share_per_token", "n"),
            (
                (run.name, s.pool, s.condition, s.ask, s.adapter, s.kind, layer, raw, f"{each:.3e}", s.n)
                for run in runs
                for s in run.shares
                for layer, (raw, each) in enumerate(zip(s.raw, s.per_token, strict=True))
            ),
        ),
        "effects.csv": csv_of(
            ("run", "pool", "condition", "adapter", "tokens", "layer", "head", "cohens_d"),
            (
                (run.name, e.pool, e.condition, e.adapter, e.kind, layer, head, float(d))
                for run in runs
                for e in run.effects
                for layer, by_head in enumerate(e.heads)
                for head, d in enumerate(by_head)
            ),
        ),
        "report.html": page.html(runs, configs),
    }


def read_run(folder: str | Path) -> tuple[Tables, dict[str, Any]]:
    """The tables and the configuration of a run as far as it got. Raises McGurkError for a folder without samples."""
    folder = Path(folder)
    samples = store.read_samples(folder) if folder.is_dir() else {}
    if not any("skipped" not in sample for sample in samples.values()):
        raise McGurkError(f"There is no run in {str(folder)!r}: give a folder with samples.jsonl.")
    config = store.read_config(folder)
    skipped = dict.fromkeys(
        [tuple(pair) for pair in config.get("skipped", ())]
        + [(sample["clip"], sample["skipped"]) for sample in samples.values() if "skipped" in sample]
    )
    ordered = [samples[key] for key in sorted(samples)]
    return find(folder.resolve().name, ordered, skipped), config


def _nameless_csv(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Without the column of the run's name, so that the same samples give the same file in any folder."""
    return as_csv(columns[1:], (line[1:] for line in lines))


def as_csv(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A table as CSV with \\n line ends: the same numbers give the same bytes. None and nan are empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def markdown(run: Tables) -> str:
    """The accuracies as Markdown: a line a condition, questions x adapters across, in percent with intervals."""
    return "\n\n".join(_pool_markdown(run, pool) for pool in dict.fromkeys(row.pool for row in run.rows))


def fine(run: Tables) -> str:
    """Questions that clips were made for, what a guess and the encoder alone get right beside them; "" without any."""
    known = {(m.pool, m.detail, m.name): m for m in run.measures if m.name in (tables.CHANCE, tables.ALONE)}
    made = [row for row in run.rows if (row.pool, row.title, tables.CHANCE) in known]
    lines = ["| question | concepts | chance | encoder alone | adapter | right |", "|---|---|---:|---:|---|---:|"]
    for row in made:
        guess, alone = (known[row.pool, row.title, name] for name in (tables.CHANCE, tables.ALONE))
        beside = f"{100 * guess.value:.0f} | {_percent(round(alone.value * alone.n), alone.n)}"
        lines.append(f"| {row.title} | {row.pool} | {beside} | {row.adapter} | {_accuracy(row)} |")
    return "\n".join(lines) if made else ""


def _pool_markdown(run: Tables, pool: str) -> str:
    here = [row for row in run.rows if row.pool == pool]
    heads = list(dict.fromkeys((row.ask, row.adapter) for row in here))
    lines = [
        f"**Concepts: {pool}**",
        "",
        "| condition | " + " | ".join(f"{ask}, {adapter}" for ask, adapter in heads) + " |",
        "|---|" + "---:|" * len(heads),
    ]
    for condition in dict.fromkeys(row.condition for row in here):
        of_it = {(row.ask, row.adapter): row for row in here if row.condition == condition}
        title = next(iter(of_it.values())).title
        if condition == tables.OTHER_MISSING:
            lines.append(_line(f"{title}: wrongly abstains", [of_it.get(head) for head in heads], _abstained))
            continue
        title += ": abstains" * (condition == tables.ASKED_MISSING)
        lines.append(_line(title, [of_it.get(head) for head in heads], _accuracy))
    return "\n".join(lines)


def _line(title: str, found: list[tables.Row | None], said) -> str:
    return f"| {title} | " + " | ".join(said(row) if row else "" for row in found) + " |"


def _accuracy(row: tables.Row) -> str:
    return _percent(row.right, row.n)


def _abstained(row: tables.Row) -> str:
    return _percent(row.followed[tables.ABSTAINED], row.n)


def _percent(count: int, n: int) -> str:
    return measures.percent(count / n, *measures.wilson(count, n), n)


def _table_line(run: str, row: tables.Row) -> tuple:
    test = row.mcnemar
    return (
        run, row.pool, row.condition, row.title, row.ask, row.adapter, row.n, row.right, row.accuracy, *row.interval,
        row.choice_right / row.n, *(row.followed[whom] / row.n for whom in tables.FOLLOWED),
        test.first_only if test else None, test.second_only if test else None, f"{test.p:.3g}" if test else None,
    )  # fmt: skip


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.{DIGITS}f}"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@"):
        return value if _is_number(value) else f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
