"""Prepared situations worth showing to a class: what to open, what to look for, and where tuning does not help.

Knows the table of lessons. Does not know how they are drawn, nor asks a model.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from demo.visitors.state import State, from_query
from models.omni import McGurkError

LESSONS = Path(__file__).parents[1] / "assets" / "lessons" / "lessons.csv"


@dataclass(frozen=True)
class Lesson:
    """One situation: what it is called, its link, what to look for; whom the embedded model's answers follow."""

    title: str
    query: str  # of the Lab page, without "?"
    teaches: str
    base: str  # see demo.questions.followed
    aligned: str
    base_then: str  # the same under the intervention of the link; "" without one
    aligned_then: str

    @property
    def state(self) -> State:
        """The Lab's state. Raises McGurkError if the link is none."""
        return from_query(self.query)


def lessons(table: Path = LESSONS) -> tuple[Lesson, ...]:
    """The lessons of a table whose columns are the fields of Lesson; none if there is no table.

    Raises McGurkError for a table that lacks a column or a cell.
    """
    return _read(table, table.stat().st_mtime_ns) if table.is_file() else ()


@cache
def _read(table: Path, _modified: int) -> tuple[Lesson, ...]:
    with table.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    named = [field.name for field in fields(Lesson)]
    for row in rows:
        if missing := [name for name in named if row.get(name) is None]:
            raise McGurkError(f"{table} lacks a column or a value ({missing[0]}) in the row {row}.")
    return tuple(Lesson(**{name: row[name] for name in named}) for row in rows)
