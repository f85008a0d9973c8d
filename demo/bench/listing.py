"""Every answer of a run over own clips, right or wrong: one line a clip and question, to be read by a person.

Knows samples as they are written. Does not know files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from demo.bench.conditions import CONDITIONS

COLUMNS = ("clip", "sound of", "condition", "question", "label", "also", "adapter", "answer", "verdict")
RIGHT, WRONG = "right", "wrong"


def lines(samples: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """COLUMNS of every answer, by condition, question, clip and adapter."""
    order = list(CONDITIONS)
    asked = [sample for sample in samples if "skipped" not in sample]
    asked.sort(key=lambda sample: (order.index(sample["condition"]), sample["ask"] != "see", sample["index"]))
    return [
        (
            sample["clip"], sample["other"] or "", sample["condition"], sample["ask"], sample["truth"],
            ";".join(sample.get("also", ())), adapter, answer["text"], RIGHT if answer["correct"] else WRONG,
        )
        for sample in asked
        for adapter, answer in sample["answers"].items()
    ]  # fmt: skip


def markdown(samples: Sequence[dict[str, Any]]) -> str:
    """A table a condition and question: a line a clip, the adapters' answers beside each other, wrong ones marked."""
    told = lines(samples)
    parts = []
    for condition, ask in dict.fromkeys((line[2], line[3]) for line in told):
        here = [line for line in told if line[2:4] == (condition, ask)]
        adapters = list(dict.fromkeys(line[6] for line in here))
        head = ["clip", "sound of", "label", *adapters]
        body = []
        for clip in dict.fromkeys(line[0] for line in here):
            of_it = [line for line in here if line[0] == clip]
            said = [f"{line[7]}{'' if line[8] == RIGHT else ' ✗'}" for line in of_it]
            body.append([clip, of_it[0][1], of_it[0][4], *said])
        rows = [head, ["---"] * len(head), *body]
        table = "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)
        parts.append(f"## {CONDITIONS[condition].title}: {ask}\n\n{table}\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    """Text of users and models as text: no line breaks, no Markdown or HTML of its own."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + letter if letter in "\\|`*_[]" else letter for letter in text)
