"""What was asked last, with what was done to the models after it, as JSON and as a table.

Knows what belongs into a file. Does not know pages, or where a file goes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from demo.compare import CSV_COLUMNS, DIGITS, safe_cell, to_csv, to_json
from demo.probing import lens, steering, sweeps, tellings, workshop
from demo.session import Asked
from models.interventions import Intervention, to_values


def to_json_text(asked: Asked) -> str:
    """The last comparison and its conflict as JSON, with the answers under an intervention and a curve, if any."""
    written = to_json(asked.comparison) | {"conflict": asdict(asked.situation.state.conflict)}
    if asked.changed:
        written["intervention"] = under(asked)
    if asked.curve:
        written["curve"] = described(asked.curve.does, asked) | sweeps.to_values(asked.curve)
    if asked.lens:
        written["lens"] = lens.to_values(asked.lens)
    return json.dumps(written, indent=2, ensure_ascii=False)


def to_csv_text(asked: Asked) -> str:
    """demo.compare.to_csv with one column more: the intervention as in links; "" for the plain answers.

    A curve adds the probabilities at each of its points, and says at each if it was stopped before its end.
    """
    parts = [("", asked.comparison)]
    if asked.changed:
        parts.append((steering.to_word(asked.changed[0]), asked.changed[1]))
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([*CSV_COLUMNS, "intervention"])
    for word, comparison in parts:
        _, *rows = csv.reader(io.StringIO(to_csv(comparison)))
        writer.writerows([*row, word] for row in rows)
    if asked.curve:
        writer.writerows(_curve_rows(asked))
    return table.getvalue()


def described(it: Intervention, asked: Asked) -> dict[str, Any]:
    """An intervention as plain values: id, word (as in links), values, what it does, paper, where it fails.

    asked: what it was done to.
    """
    return {
        "id": it.id,
        "word": steering.to_word(it),
        "values": to_values(it),
        "does": tellings.told(it, workshop.region(asked, it)),
        "paper": it.paper,
        "fails": it.fails,
    }


def under(asked: Asked) -> dict[str, Any]:
    """The answers under the last intervention as plain values, and what it was."""
    it, changed = asked.changed
    written = to_json(changed)
    return described(it, asked) | {name: written[name] for name in (*changed.answers, "seconds")}


def _curve_rows(asked: Asked) -> Iterator[list[Any]]:
    """The points of the last curve as lines of the table."""
    curve, quantity = asked.curve, "option probability on a curve"
    quantity += ", stopped" if curve.stopped else ""
    for adapter, points in curve.points.items():
        for way, point in zip(curve.ways, points, strict=True):
            cells = {"adapter": adapter, "question": asked.comparison.question.prompt, "quantity": quantity}
            for option, p in (point or {}).items():
                row = cells | {"name": option, "value": round(p, DIGITS)}
                yield [*(safe_cell(row.get(column, "")) for column in CSV_COLUMNS), steering.to_word(way)]
