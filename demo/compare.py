"""One stimulus, one question, both adapters: what each answered and whom it followed, as values and as files.

Knows the order in which answers arrive and how a comparison is written as JSON and CSV. Does not know where a
stimulus came from, how attention is drawn, or which page asked.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from demo.maps import shares
from demo.questions import OTHER, Question, followed
from models.omni import BASE, SAMPLE_RATE, Answer, McGurkError, OmniModel, Stimulus

CSV_COLUMNS = ("adapter", "question", "answer", "followed", "quantity", "name", "layer", "value")
UNTOLD = "untold"  # whom an answer followed where nobody told what is true and it names nothing that is known
DIGITS = 6  # of numbers in files; attention rows are float16


@dataclass(frozen=True, eq=False)
class Comparison:
    """What has been answered so far to one question about one stimulus."""

    stimulus: Stimulus
    question: Question
    adapters: tuple[str, ...]  # those that were asked, in the order in which they answer
    answers: dict[str, Answer]  # adapter -> its answer, if it is there already
    followed: dict[str, str]  # adapter -> "picture", "sound", "text", "both", "abstained", "other" or UNTOLD
    seconds: float  # since the question was asked, encoding included
    untold: frozenset[str] = frozenset()  # senses of which nobody told the truth: "picture", "sound"

    @property
    def complete(self) -> bool:
        """Whether every adapter has answered."""
        return len(self.answers) == len(self.adapters)

    def reduced(self) -> Comparison:
        """The same with attention as far as it is drawn: a row for each generated token is most of its memory."""
        light = {
            adapter: replace(answer, attention=answer.attention and answer.attention.reduced())
            for adapter, answer in self.answers.items()
        }
        return replace(self, answers=light)


def compare(
    model: OmniModel,
    stimulus: Stimulus,
    question: Question,
    *,
    adapters: Sequence[str] | None = None,
    encoded: Any = None,
    untold: frozenset[str] = frozenset(),
    **how,
) -> Iterator[Comparison]:
    """Yield a Comparison that grows by one answer each time, base first.

    adapters: which of the model's adapters, default all; a model without an aligned one then answers once more with
    what it offers instead, under that label. encoded: what model.encode(stimulus) gave before, so that
    another question about the same stimulus need not encode it again. untold: see conflicts.untold. how: passed on to
    ask_all(), and by it to model.answer().
    Raises McGurkError for an adapter that the model does not have.
    """
    asked = (*model.adapters, *model.alternatives) if adapters is None else tuple(adapters)
    if not asked or (unknown := [name for name in adapters or () if name not in model.adapters]):
        wrong = f"no adapter {unknown[0]!r}" if asked else "nobody to ask"
        raise McGurkError(f"There is {wrong}: {model.name} has {', '.join(model.adapters)}.")
    started = time.perf_counter()
    encoded = model.encode(stimulus) if encoded is None else encoded
    answers: dict[str, Answer] = {}
    for adapter, answer in ask_all(model, encoded, question.prompt, question.options, adapters=adapters, **how):
        answers = answers | {adapter: answer}
        whom = {name: judge(question, given.text, stimulus, untold) for name, given in answers.items()}
        yield Comparison(stimulus, question, asked, answers, whom, time.perf_counter() - started, untold)


def judge(question: Question, text: str, stimulus: Stimulus, untold: frozenset[str] = frozenset()) -> str:
    """Whom an answer followed; UNTOLD where that depends on what nobody told."""
    whom = followed(question, text, stimulus)
    return UNTOLD if untold and (whom == OTHER or question.kind == "match") else whom


def ask_all(
    model: OmniModel,
    encoded: Any,
    prompt: str,
    options: Sequence[str] = (),
    *,
    adapters: Sequence[str] | None = None,
    each: Mapping[str, dict[str, Any]] | None = None,
    **how,
) -> Iterator[tuple[str, Answer]]:
    """Yield each adapter's answer; of a model without an aligned one, then what its alternatives answer.

    each: alternative -> what differs for it from `how`.
    """
    yield from model.answer(encoded, prompt, options, adapters=adapters, **how)
    for label, system in model.alternatives.items() if adapters is None else ():
        own = how | {"system": system} | (each or {}).get(label, {})
        for _, answer in model.answer(encoded, prompt, options, adapters=(BASE,), **own):
            yield label, answer


def to_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain values that json.dumps takes: every answer, the stimulus, the receipt, seconds.

    "base" and "aligned" appear as far as they have answered. "receipt" holds what all adapters received alike;
    the receipt of each stands with its answer. Attention shares: see demo.maps.shares.
    """
    stimulus = comparison.stimulus
    written: dict[str, Any] = {
        adapter: _answer_json(answer, comparison.followed[adapter]) for adapter, answer in comparison.answers.items()
    }
    receipts = [asdict(answer.receipt) for answer in comparison.answers.values()]
    return written | {
        "question": {**asdict(comparison.question), "prompt": comparison.question.prompt},
        "stimulus": {
            "seen": stimulus.seen,
            "heard": stimulus.heard,
            "read": stimulus.read,
            "untold": sorted(comparison.untold),
            "text": stimulus.text,
            "text_position": stimulus.text_position,
            "frames": 0 if stimulus.frames is None else len(stimulus.frames),
            "frame_size": None if stimulus.frames is None else list(stimulus.frames.shape[1:3]),
            "fps": stimulus.fps,
            "sound_seconds": None if stimulus.waveform is None else len(stimulus.waveform) / SAMPLE_RATE,
            "duration": stimulus.duration,
        },
        "receipt": _plain({key: receipts[0][key] for key in _alike(receipts)}),
        "seconds": round(comparison.seconds, 3),
    }


def to_csv(comparison: Comparison) -> str:
    """A comparison as a tidy table, one number a line: option probabilities, attention shares raw and per token."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(CSV_COLUMNS)
    for adapter, answer in comparison.answers.items():
        said = [adapter, comparison.question.prompt, answer.text, comparison.followed[adapter]]
        lines = [("option probability", option, "", p) for option, p in answer.options.items()]
        if answer.attention is not None:
            for quantity, by_kind in shares(answer.attention).items():
                label = "attention share" if quantity == "raw" else "attention share per token"
                lines += [(label, k, layer, v) for k, values in by_kind.items() for layer, v in enumerate(values)]
        for *cells, value in lines or [("", "", "", "")]:
            writer.writerow([safe_cell(cell) for cell in (*said, *cells)] + [_rounded(value)])
    return table.getvalue()


def _answer_json(answer: Answer, whom: str) -> dict[str, Any]:
    attention = None if answer.attention is None else shares(answer.attention)
    return _plain(
        {
            "answer": answer.text,
            "options": answer.options,
            "followed": whom,
            "attention_share": attention,
            "perceived": answer.perceived,
            "receipt": asdict(answer.receipt),
            "seconds": answer.seconds,
        }
    )


def _alike(receipts: list[dict[str, Any]]) -> list[str]:
    """The entries that are the same in all receipts."""
    return [key for key in (receipts[0] if receipts else {}) if all(r[key] == receipts[0][key] for r in receipts)]


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers rounded, whatever was nested in them."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return _rounded(value)


def _rounded(value: Any) -> Any:
    return round(float(value), DIGITS) if isinstance(value, (float, np.floating)) else value


def safe_cell(cell: Any) -> Any:
    """Text that a spreadsheet would run as a formula, made text again."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
