"""`python -m demo bench ...`: arguments of a run, of a report over runs, of the pointing test and of the timing.

Knows arguments and the terminal. Does not compute anything.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from demo.bench.cases.conditions import CONDITIONS, SETS
from demo.bench.results import card, layerwise, methods, report
from demo.bench.runs import alike, curves, interventions, load, pointing, store, timing
from demo.bench.runs.running import QUESTIONS, Config, run
from demo.bench.runs.series import shard_of
from models.omni import McGurkError

REPORT, POINTING, SPEED, LOAD = "report", "pointing", "speed", "load"
INTERVENTIONS, CURVES, ALIKE, KEEP, FINE = "interventions", "curves", "alike", "keep", "fine"

TASKS = "instead of a run: report, pointing, speed, load, fine, interventions, curves, alike, keep RUNS"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add `bench` to the commands: `bench` runs, `report RUN...` compares, `pointing` tests the maps, `speed` times,
    `load` sends visitors to a running application, `fine` asks where, when and how many, `interventions` tries every
    method without training, `curves` what is lost layer by layer and head by head, `alike` finds clips that encoders
    can hardly tell apart, `keep RUN...` keeps what runs found with their model and shows it in its card."""
    sets = ", ".join(SETS)
    parser = commands.add_parser(
        "bench",
        help="ask many questions under many conditions; report; pointing; speed; load; interventions; curves; alike",
        epilog="Several processes: `accelerate launch --multi_gpu --num_processes N -m demo bench ...` (on CPUs too), "
        "or --shard 1/N to N/N by hand. Whoever finishes last writes the tables.",
    )
    parser.add_argument("task", nargs="*", metavar="TASK", help=TASKS)
    parser.add_argument("--model", default="mini", metavar="NAME")
    parser.add_argument(
        "--clips",
        default="assets/clips",
        metavar="FOLDER",
        help="with clips.csv, manifest.csv or AVHBench; or a JSON list of labelled videos",
    )
    parser.add_argument("--out", metavar="FOLDER", help="of the run; a run that was stopped goes on there")
    parser.add_argument("--conditions", default="quality", metavar="A,B", help=f"ids or sets ({sets}); see --list")
    parser.add_argument("--list", action="store_true", help="list the conditions and leave")
    parser.add_argument("--questions", type=int, metavar="N", help=f"a condition, halved by sense; default {QUESTIONS}")
    parser.add_argument("--held-out", type=int, metavar="N", help="a condition, on concepts never trained on")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--split", default="val", metavar="val|train|all")
    parser.add_argument("--options", type=int, default=8, metavar="N", help='names offered before "none of the above"')
    parser.add_argument(
        "--options-from", default="vocabulary", metavar="vocabulary|labels", help="labels: only names of the clips"
    )
    parser.add_argument("--no-attention", action="store_true", help="faster; no white-box tables")
    parser.add_argument("--shard", default="", metavar="i/n", help="this process's part; default: accelerate's rank")
    parser.add_argument("--methods", metavar="A,B", help="interventions: which; default all")
    parser.add_argument("--visitors", type=int, default=20, metavar="N", help="load: how many at a time; default 20")
    parser.add_argument("--minutes", type=float, metavar="M", help="load: how long; default 5, or --requests alone")
    parser.add_argument("--requests", type=int, default=0, metavar="N",
                        help="load: over after so many, memory written down at every tenth of them")  # fmt: skip
    parser.add_argument("--think", type=float, default=load.THINK, metavar="S", help="load: between two questions")
    parser.add_argument("--situations", type=int, default=0, metavar="N",
                        help="load: a class works through so many; default: everybody makes up another")  # fmt: skip
    parser.add_argument("--address", default=load.Config.address, metavar="URL", help="load: the running application")
    parser.set_defaults(run=run_bench)


def run_bench(given: argparse.Namespace) -> None:
    """Run what the arguments ask for."""
    if given.list:
        for condition in CONDITIONS.values():
            print(f"{condition.id:18} {condition.title} [{condition.source}]")
    elif not given.task:
        _run(given)
    elif given.task[0] == REPORT:
        _report(given.task[1:], given.out)
    elif given.task == [POINTING]:
        _point(given)
    elif given.task == [SPEED]:
        _time(given)
    elif given.task == [LOAD]:
        _load(given)
    elif given.task == [FINE]:
        given.conditions = FINE
        _run(given)
    elif given.task == [INTERVENTIONS]:
        _try(given)
    elif given.task == [CURVES]:
        _curve(given)
    elif given.task == [ALIKE]:
        _compare(given)
    elif given.task[0] == KEEP:
        _keep(given.task[1:])
    else:
        known = f"{REPORT} RUN..., {POINTING}, {SPEED}, {LOAD}, {FINE}, {INTERVENTIONS}, {CURVES}, {ALIKE}"
        raise McGurkError(f"There is no bench {given.task[0]!r}: give nothing, {known} or {KEEP} RUN...")


def _run(given: argparse.Namespace) -> None:
    if not given.out:
        raise McGurkError("Say where the run is to be kept: --out runs/NAME.")
    config = Config(
        clips=given.clips,
        out=given.out,
        model=given.model,
        conditions=tuple(name.strip() for name in given.conditions.split(",") if name.strip()),
        questions=QUESTIONS if given.questions is None else given.questions,
        held_out_questions=given.held_out,
        seed=given.seed,
        split=given.split,
        options=given.options,
        options_from=given.options_from,
        attention=not given.no_attention,
        shard=shard_of(given.shard),
    )
    last = asked = None
    with tqdm(desc=Path(given.out).name, unit="question", disable=None) as bar:
        for progress in run(config):
            bar.total = progress.total
            bar.update(progress.done - bar.n)
            asked, last = (progress if progress.asked else asked), progress
    for clip, reason in last.skipped:
        print(f"Left out: {clip}: {reason}", file=sys.stderr)
    if asked:
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in asked.timing.items())
        print(f"{asked.asked} questions at {asked.per_minute:.0f} a minute ({spent})", file=sys.stderr)
    if last.tables is None:
        print(f"{last.done} of {last.total} questions are answered; the tables are written once all shards are done.")
        return
    print(report.markdown(last.tables))
    if beside := report.fine(last.tables):
        print("\n" + beside)
    print(f"\n{Path(given.out) / 'report.html'}", file=sys.stderr)


def _report(runs: list[str], out: str | None) -> None:
    """Compare runs: their tables beside each other on stdout and, with --out, as files."""
    if not runs:
        raise McGurkError(f"Name the runs: bench {REPORT} RUN RUN...")
    read = [report.read_run(folder) for folder in runs]
    found, configs = [tables for tables, _ in read], [config for _, config in read]
    for tables in found:
        print(f"## {tables.name}\n\n{report.markdown(tables)}\n")
    if not out and len(runs) == 1:
        out = runs[0]
    if out:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in report.files(found, configs).items():
            store.write_atomically(folder / name, content)
        print(folder / "report.html", file=sys.stderr)


def _point(given: argparse.Namespace) -> None:
    config = pointing.Config(
        clips=given.clips,
        model=given.model,
        cases=pointing.CASES if given.questions is None else given.questions,
        seed=given.seed,
        split=given.split,
        out=given.out,
    )
    every = []
    with tqdm(desc="pointing", unit="case", total=2 * config.cases, disable=None) as bar:
        for done, _total, found in pointing.run(config):
            every += found
            bar.update(done - bar.n)
    print(pointing.markdown(pointing.table(every)))


def _load(given: argparse.Namespace) -> None:
    minutes = given.minutes or (load.MOST_MINUTES if given.requests else load.Config.minutes)
    config = load.Config(given.address.rstrip("/"), given.visitors, minutes, given.think, given.seed,
                         situations=given.situations, requests=given.requests)  # fmt: skip
    for found in load.run(config):
        if isinstance(found, str):
            print(found, file=sys.stderr)
        else:
            print(load.markdown(found))


def _time(given: argparse.Namespace) -> None:
    for found in timing.measure(given.model, timing.CASES if given.questions is None else given.questions):
        if isinstance(found, str):
            print(f"Timing {found} ...", file=sys.stderr)
        else:
            print(timing.markdown(found))


def _watch(steps: Iterable[tuple[int, int, Any]], what: str, unit: str) -> Any:
    """Show a bar over (done, total, found); the last that was found."""
    last = None
    with tqdm(desc=what, unit=unit, disable=None) as bar:
        for done, total, found in steps:
            bar.total = total
            bar.update(done - bar.n)
            last = found
    return last


def _try(given: argparse.Namespace) -> None:
    if not given.out:
        raise McGurkError("Say where the run is to be kept: --out runs/NAME.")
    listed = {"conditions": given.conditions, "methods": given.methods}
    if given.conditions == "quality":
        listed["conditions"] = None  # the default of other runs
    config = interventions.Config(
        clips=given.clips,
        out=given.out,
        model=given.model,
        questions=interventions.QUESTIONS if given.questions is None else given.questions,
        seed=given.seed,
        split=given.split,
        options=given.options,
        shard=shard_of(given.shard),
        **{name: tuple(part.strip() for part in text.split(",")) for name, text in listed.items() if text},
    )
    _watch(interventions.run(config), "interventions", "question")
    print(methods.markdown(interventions.read(given.out)))


def _curve(given: argparse.Namespace) -> None:
    config = curves.Config(
        clips=given.clips,
        model=given.model,
        clips_asked=curves.CLIPS if given.questions is None else given.questions,
        seed=given.seed,
        split=given.split,
        out=given.out,
        shard=shard_of(given.shard),
    )
    last = _watch(curves.run(config), "curves", "question")
    print(layerwise.markdown(last.points()))


def _keep(runs: list[str]) -> None:
    """Keep what runs found with their models, and show it in their cards."""
    if not runs:
        raise McGurkError(f"Name the runs: bench {KEEP} RUN RUN...")
    for run_folder in runs:
        print(card.keep(run_folder))


def _compare(given: argparse.Namespace) -> None:
    config = alike.Config(
        clips=given.clips,
        model=given.model,
        pairs=alike.PAIRS if given.questions is None else given.questions,
        seed=given.seed,
        split=given.split,
        out=given.out,
    )
    last = _watch(alike.run(config), "alike", "step")
    print(alike.markdown(last))
