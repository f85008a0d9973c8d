"""The numbers of a model card: tables of finished runs, kept beside the weights that they were measured with.

Knows the tables of runs and the marked places in a text that show them. Does not know how anything was asked.
"""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

from demo.bench import measures, store
from demo.bench.tables import ASKED_MISSING, OTHER_MISSING
from models.mini import checkpoint
from models.omni import ALIGNED, BASE, McGurkError

MEASURED = Path(checkpoint.__file__).parent / "measured"
ROOT = Path(checkpoint.__file__).parents[2]
CARDS = (ROOT / "README.md", Path(checkpoint.__file__).parent / "README.md")
WEIGHTS = "weights.csv"  # which adapters the tables are about: adapter, sha256
MARK = re.compile(r"<!-- measured: (\w+), ([\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
SENSES = ("see", "hear")
CHANCE, ALONE = "chance", "encoder alone"  # of a run's measures: what stands beside questions that clips were made for
PLAIN = {  # titles that would be mistaken beside the adapters' names, or leave open what is counted
    "aligned": "picture and sound agree",
    "asked modality missing": "asked modality missing: abstains",
    "only the other modality missing": "only the other modality missing: wrongly abstains",
}


def keep(name: str, run: Path, folder: Path = MEASURED) -> Path:
    """Keep a finished run's table as the card's `name`, and its answers and what stands beside; refill the cards.

    Raises McGurkError if the run is not finished or was not made with the adapters that are there now.
    """
    if not name.isidentifier():
        raise McGurkError(f"{name!r} is no name for a table: use letters, digits and underscores.")
    if not (Path(run) / "table.csv").is_file():
        raise McGurkError(f"{run} has no tables yet: let the run finish first.")
    used = {
        (adapter, answer["adapter_sha256"])
        for sample in store.read_samples(Path(run)).values()
        for adapter, answer in sample.get("answers", {}).items()
    }
    present = {(adapter, checkpoint.checksum(adapter)) for adapter in (BASE, ALIGNED)}
    if used != present:
        raise McGurkError(f"{run} was made with other adapters than the ones shipped now: run it again.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(run) / "table.csv", folder / f"{name}.csv")
    if (Path(run) / "answers.csv").is_file():
        shutil.copy(Path(run) / "answers.csv", folder / f"{name}_answers.csv")
    _keep_beside(Path(run) / "measures.csv", folder / f"{name}.csv")
    with open(folder / WEIGHTS, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("adapter", "sha256"), *sorted(present)])
    for card in CARDS:
        card.write_text(filled(card.read_text("utf-8"), folder), "utf-8")
    return folder / f"{name}.csv"


def filled(text: str, folder: Path = MEASURED) -> str:
    """A text whose marked places, `<!-- measured: quality, trained -->` to `<!-- end -->`, show the tables kept."""

    def shown(mark: re.Match) -> str:
        name, pool = mark.groups()
        return f"<!-- measured: {name}, {pool} -->\n\n{table(folder / f'{name}.csv', pool)}\n\n<!-- end -->"

    return MARK.sub(shown, text)


def table(path: Path, pool: str) -> str:
    """One pool of a kept table as markdown: right answers in %, with 95 % Wilson intervals, per condition.

    Of questions that clips were made for, what a guess and the encoder alone get right stands beside them.
    """
    rows = [row for row in _read(path) if row["pool"] == pool]
    if _beside(path).is_file():
        return _table_beside(rows, [row for row in _read(_beside(path)) if row["pool"] == pool])
    cells = {(row["title"], row["question"], row["adapter"]): row for row in rows}
    lines = ["| condition | see, base | see, aligned | hear, base | hear, aligned |", "|---|---:|---:|---:|---:|"]
    for title in dict.fromkeys(row["title"] for row in rows if row["question"] in SENSES):
        shown = [_cell(cells.get((title, ask, adapter))) for ask in SENSES for adapter in (BASE, ALIGNED)]
        lines.append(f"| {PLAIN.get(title, title)} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _table_beside(rows: list[dict[str, str]], beside: list[dict[str, str]]) -> str:
    known = {(row["detail"], row["measure"]): row for row in beside}
    right = {(row["title"], row["adapter"]): _cell(row) for row in rows}
    lines = ["| question | a guess | encoder alone | base | aligned |", "|---|---:|---:|---:|---:|"]
    for title in dict.fromkeys(row["title"] for row in rows):
        alone = known[title, ALONE]
        share, low, high = (float(alone[name]) for name in ("value", "low", "high"))
        cells = [
            f"{100 * float(known[title, CHANCE]['value']):.0f}",
            _percent(share, low, high, alone["n"]),
            *(right.get((title, adapter), "–") for adapter in (BASE, ALIGNED)),
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _keep_beside(of_run: Path, table: Path) -> None:
    """Keep what a guess and the encoder alone get right where that was measured of every condition in the table."""
    titles = {(row["pool"], row["title"]) for row in _read(table)}
    rows = [row for row in _read(of_run) if row["measure"] in (CHANCE, ALONE)] if of_run.is_file() else []
    rows = [row for row in rows if (row["pool"], row["detail"]) in titles]
    if {(row["pool"], row["detail"]) for row in rows if row["measure"] == CHANCE} != titles:
        _beside(table).unlink(missing_ok=True)
        return
    with open(_beside(table), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _beside(table: Path) -> Path:
    return table.with_name(f"{table.stem}_beside.csv")


def _read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cell(row: dict[str, str] | None) -> str:
    if row is None:
        return "–"
    n = int(row["n"])
    if row["condition"] in (ASKED_MISSING, OTHER_MISSING):  # what is told of these is how often it abstains
        share = float(row["followed_abstained"])
        low, high = measures.wilson(round(share * n), n)
    else:
        share, low, high = int(row["right"]) / n, float(row["low"]), float(row["high"])
    return _percent(share, low, high, n)


def _percent(share: float, low: float, high: float, n: int | str) -> str:
    return f"{100 * share:.1f} ({100 * low:.0f}–{100 * high:.0f}, n {n})"
