"""Every answer of a run over own clips, right or wrong: one line a clip and question, to be read by a person.

Knows samples as they are written. Does not know files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demo.bench.cases.conditions import CONDITIONS
from models.everyday import normal

COLUMNS = ("clip", "sound of", "condition", "question", "label", "also", "adapter", "answer", "verdict")
# Literally the label or a further right answer (in any number), a word that means one of them, or neither.
RIGHT, MEANT, WRONG = "right", "right by its meaning", "wrong"
MARKS = {RIGHT: "", MEANT: " ≈", WRONG: " ✗"}


def lines(samples: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """COLUMNS of every answer, by condition, question, clip and adapter."""
    order = list(CONDITIONS)
    asked = [sample for sample in samples if "skipped" not in sample]
    asked.sort(key=lambda sample: (order.index(sample["condition"]), sample["ask"] != "see", sample["index"]))
    return [
        (
            sample["clip"], sample["other"] or "", sample["condition"], sample["ask"], sample["truth"],
            ";".join(sample.get("also", ())), adapter, answer["text"], _verdict(sample, answer),
        )
        for sample in asked
        for adapter, answer in sample["answers"].items()
    ]  # fmt: skip


def markdown(samples: Sequence[dict[str, Any]]) -> str:
    """A table a condition and question: a line a clip, the adapters' answers beside each other.

    ≈ marks an answer that is right by its meaning, ✗ a wrong one.
    """
    told = lines(samples)
    parts = []
    for condition, ask in dict.fromkeys((line[2], line[3]) for line in told):
        here = [line for line in told if line[2:4] == (condition, ask)]
        adapters = list(dict.fromkeys(line[6] for line in here))
        head = ["clip", "sound of", "label", *adapters]
        body = []
        for clip in dict.fromkeys(line[0] for line in here):
            of_it = [line for line in here if line[0] == clip]
            said = [line[7] + MARKS[line[8]] for line in of_it]
            body.append([clip, of_it[0][1], of_it[0][4], *said])
        rows = [head, ["---"] * len(head), *body]
        table = "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)
        counts = "; ".join(_count(adapter, [line[8] for line in here if line[6] == adapter]) for adapter in adapters)
        parts.append(f"## {CONDITIONS[condition].title}: {ask}\n\nRight: {counts}.\n\n{table}\n")
    return "\n".join(parts)


def _count(adapter: str, verdicts: list[str]) -> str:
    literally, meant = verdicts.count(RIGHT), verdicts.count(MEANT)
    return f"{adapter} {literally} literally and {meant} by their meaning, of {len(verdicts)}"


def _verdict(sample: dict[str, Any], answer: dict[str, Any]) -> str:
    if not answer["correct"]:
        return WRONG
    literal = {normal(name) for name in (sample["truth"], *sample.get("also", ()))}
    return RIGHT if normal(answer["text"]) in literal else MEANT


def _cell(text: str) -> str:
    """Text of users and models as text: no line breaks, no Markdown or HTML of its own."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + letter if letter in "\\|`*_[]" else letter for letter in text)
