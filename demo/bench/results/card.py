"""The numbers of a model's card: what runs found, kept with the model, and the marked places in a text that show it.

`<!-- measured: quality, trained -->` to `<!-- end -->` shows one pool of the table that a run called "quality" left,
`<!-- measured: interventions -->` that of a run of `bench interventions`, `<!-- measured: curves -->` that of `bench
curves`. Knows the files of runs and those marks. Does
not know how anything was asked.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import models
from demo.bench.results import layerwise, measured, measures, methods
from demo.bench.results.layerwise import Found
from demo.bench.results.tables import ALONE, ASKED_MISSING, CHANCE, OTHER_MISSING
from demo.bench.runs import curves, interventions, store
from models.mini import checkpoint
from models.omni import ALIGNED, BASE, McGurkError

README = Path(models.__path__[0]).parent / "README.md"  # the project's, which shows what was measured of mini
MINI = "mini"
WEIGHTS = "weights.csv"  # which adapters the tables of runs are about: adapter, sha256
MARK = re.compile(r"<!-- measured: (\w+)(?:, ([\w ]+))? -->\n.*?<!-- end -->", re.DOTALL)
UNMEASURED = (
    "Not measured with these weights yet: `python -m demo bench {bench} --clips FOLDER --out RUN`, then "
    "`python -m demo bench keep RUN`."
)
ASKED = ("model", "split", "seed", "options", "questions", "conditions", "methods")  # settings that say what was asked
SENSES = ("see", "hear")
PLAIN = {  # titles that leave open what is counted
    "asked modality missing": "asked modality missing: abstains",
    "only the other modality missing": "only the other modality missing: wrongly abstains",
}


def keep(run: str | Path, folder: Path | None = None) -> Path:
    """Keep what a run found where it is shipped with its model (folder: elsewhere), and refill the cards that show it.

    A run of `bench interventions` or `bench curves` is kept as far as it got, any other once it is finished, under the
    name of its folder. Returns the folder that it is kept in.
    Raises McGurkError for a folder without such a run, or where the adapters are not the ones shipped now.
    """
    run = Path(run)
    settings = store.read_config(run).get("settings", {})
    if "model" not in settings:
        raise McGurkError(f"There is no run in {str(run)!r}: make one first with `bench --out {run}`.")
    samples = [sample for sample in store.read_samples(run).values() if "skipped" not in sample]
    if not samples:
        raise McGurkError(f"Nothing was measured in {str(run)!r} yet: let it run first.")
    adapters = _adapters(run, samples, settings["model"])
    folder = folder or measured.folder_of(settings["model"])
    about = {"clips": Path(settings["clips"]).name} | {name: settings[name] for name in ASKED if name in settings}
    about["adapters"] = adapters
    kind = settings.get("bench")
    if kind == interventions.BENCH:
        folder.mkdir(parents=True, exist_ok=True)
        methods.write(folder, interventions.read(run))
        store.write_json(folder / measured.ABOUT, about)
    elif kind == curves.BENCH:
        layerwise.write(folder, Found.of(samples), about)
    else:
        _keep_tables(run, folder, adapters)
    for card in _cards(folder):
        store.write_atomically(card, filled(card.read_text(encoding="utf-8"), folder))
    return folder


def _adapters(run: Path, samples: Iterable[dict[str, Any]], model: str) -> dict[str, str]:
    """Adapter -> sha256 of all that a run was made with. Raises McGurkError if those shipped now are others."""
    used = {pair for sample in samples for pair in _used(sample)}
    shipped = {(adapter, checkpoint.checksum(adapter)) for adapter in (BASE, ALIGNED)} if model == MINI else used
    if used != shipped or len(dict(used)) < len(used):
        raise McGurkError(f"{run} was made with other adapters than the ones shipped now: run it again.")
    return dict(sorted(used))


def _used(sample: dict[str, Any]) -> Iterable[tuple[str, str]]:
    if "adapters" in sample:  # of curves
        return sample["adapters"].items()
    answers = sample.get("answers", {})
    return [(adapter, answer["adapter_sha256"]) for adapter, answer in answers.get(methods.PLAIN, answers).items()]


def _keep_tables(run: Path, folder: Path, adapters: dict[str, str]) -> None:
    """A finished run's table and answers, what stands beside, and which weights they are about."""
    name = run.resolve().name
    if not name.isidentifier():
        raise McGurkError(f"{name!r} is no name for a table: call the run's folder by letters, digits and underscores.")
    if not (run / "table.csv").is_file():
        raise McGurkError(f"{run} has no tables yet: let the run finish first.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(run / "table.csv", folder / f"{name}.csv")
    if (run / "answers.csv").is_file():
        shutil.copy(run / "answers.csv", folder / f"{name}_answers.csv")
    _keep_beside(run / "measures.csv", folder / f"{name}.csv")
    with open(folder / WEIGHTS, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("adapter", "sha256"), *adapters.items()])


def _cards(folder: Path) -> list[Path]:
    """The texts that show what is kept in a folder."""
    found = [folder.parent / "README.md"] + ([README] if folder == measured.folder_of(MINI) else [])
    return [card for card in found if card.is_file()]


def filled(text: str, folder: Path) -> str:
    """A text whose marked places show what is kept in a folder."""

    def shown(mark: re.Match) -> str:
        head = mark.group(0).partition("\n")[0]
        name, pool = mark.groups()
        inner = table(folder / f"{name}.csv", pool) if pool else WHOLE[name](folder)
        return f"{head}\n\n{inner}\n\n<!-- end -->"

    return MARK.sub(shown, text)


def _methods_table(folder: Path) -> str:
    found, _ = measured.read_folder(folder)
    if found is None:
        return UNMEASURED.format(bench=interventions.BENCH)
    return f"{found.questions} questions in all, {_of(found.about)}.\n\n{methods.markdown(found.rows)}"


def _curves_table(folder: Path) -> str:
    _, found = measured.read_folder(folder)
    if found is None:
        return UNMEASURED.format(bench=curves.BENCH)
    return f"{found.clips}, {_of(found.about)}, sound swapped.\n\n{layerwise.markdown(found.points)}"


WHOLE = {interventions.BENCH: _methods_table, curves.BENCH: _curves_table}  # shown whole, not by pools


def _of(about: dict[str, Any]) -> str:
    return f"clips of {about.get('clips')}, {about.get('split')} split"


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
            measures.percent(share, low, high, alone["n"]),
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
    return measures.percent(share, low, high, n)
