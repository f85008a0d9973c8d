"""One case becomes one sample: the stimulus, what was asked, what each adapter answered and what it attended to.

Knows a case and a model. Does not know files, tables or how many cases there are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from demo import conflicts, perception, questions
from demo.bench.cases import fine
from demo.bench.cases.alone import recognised
from demo.bench.cases.conditions import CLIP, CONDITIONS, EFFECT_CONDITIONS, Condition, Scene
from demo.bench.cases.material import Material
from demo.bench.cases.own import OwnItem
from demo.bench.cases.sampling import Case
from demo.bench.results.measures import implicit_alignment
from demo.clips import Clip
from demo.conflicts import Conflict
from demo.maps import shares
from demo.questions import ABSTAIN, BOTH, OTHER, PICTURE, SOUND, TEXT, Question
from demo.vocabulary import VOCABULARY, plain
from models.everyday import normal
from models.interventions import Cut
from models.interventions.cut import EVERYTHING, REGION
from models.omni import Answer, Attention, Kind, McGurkError, OmniModel, Receipt, Stimulus

Sample = dict[str, Any]  # one case as it was answered: plain values, a line of samples.jsonl
DIGITS = 4  # of probabilities and shares in samples
MEDIA = (Kind.VIDEO, Kind.AUDIO)  # whose attention is kept head by head, in this order
SENSES = {"see": PICTURE, "hear": SOUND}


@dataclass(frozen=True, eq=False)
class Posed:
    """A case with its clips read and its conflict done."""

    case: Case
    stimulus: Stimulus
    judged: Stimulus  # the stimulus with what counts as true
    conflict: Conflict
    question: Question
    truth: str  # the right answer, as it is offered
    made: fine.Made | None = None  # where the clip is made for a question of its own


def pose(case: Case, material: Material, options: int, made: dict[tuple, Stimulus], labels_only: bool = False) -> Posed:
    """Read the clips of a case, do its conflict, make its question.

    options: how many names are offered before "none of the above". made: the stimulus of the case before, reused where
    it is the same one. labels_only: the wrong options are names of the material.
    Raises McGurkError for clips that can't be read or can't take the conflict.
    """
    condition = CONDITIONS[case.condition]
    clip = material.clip(case.item)
    other = material.clip(case.other) if case.other else None
    conflict = condition.conflict(Scene(clip, other, case.claim, case.seed))
    if condition.made:
        return _made(case, clip, other, conflict, options, material.names if labels_only else None)
    same = (case.item, case.other, conflict, case.seed)
    if same not in made:
        made.clear()
        made[same] = conflicts.apply(clip, conflict, other, seed=case.seed)
    stimulus = made[same]
    judged = stimulus
    if condition.truth == CLIP:
        judged = replace(stimulus, seen=stimulus.seen or clip.seen, heard=stimulus.heard or clip.heard)
    if case.question:
        question, truth = Question("match", case.question, questions.YES_NO), case.truth
    else:
        listed: tuple[str, ...] = ()
        if case.ask != "match" and condition.offered:
            listed = _options(case, judged, other, options, material.names if labels_only else None)
        question = questions.question(case.ask, listed, wording=condition.wording)
        truth = _truth(case.ask, judged)
    return Posed(case, stimulus, judged, conflict, question, truth)


def _made(
    case: Case, clip: Clip, other: Clip | None, conflict: Conflict, options: int, names: Sequence[str] | None
) -> Posed:
    """A clip that is made for its question."""
    made = fine.MAKERS[CONDITIONS[case.condition].made](clip, other, case.seed)
    offered, truth = made.options, made.truth
    if not made.question:
        offered, truth = _options(case, made.stimulus, None, options, names), _truth(case.ask, made.stimulus)
    question = questions.question(case.ask, offered, own=made.question)
    return Posed(case, made.stimulus, made.stimulus, conflict, question, truth, made)


def ask(
    posed: Posed, encoded: Any, model: OmniModel, adapters: Sequence[str], *, attention: bool, classes: dict
) -> dict[str, Any]:
    """Ask every adapter and return the sample: plain values that are the same whenever the same is asked."""
    condition, question = CONDITIONS[posed.case.condition], posed.question
    steering = _hidden(condition, posed, encoded, model, adapters) if condition.drop else None
    given = dict(
        model.answer(
            encoded, question.prompt, question.options, adapters=adapters, attention=attention, steering=steering
        )
    )
    first = next(iter(given.values()))
    return {
        **_what(posed),
        "receipt": _received(first.receipt),
        "perceived": _alone(posed, model, first, classes),
        "hidden_tokens": len(steering.region) if steering else 0,
        "answers": {
            adapter: read_answer(answer, posed) | _alignment(model, encoded, posed, adapter, attention)
            for adapter, answer in given.items()
        },
    }


def _alone(posed: Posed, model: OmniModel, answer: Answer, classes: dict) -> dict[str, str | None]:
    """The option that each encoder alone would choose."""
    if posed.made and posed.made.question:
        seen = posed.made.encoder_alone(lambda part: perception.of(model.encode(part)), classes)
        return {SENSES[posed.case.ask]: seen}
    options = posed.question.options
    return {sense: recognised(answer.perceived.get(sense, ()), options, classes) for sense in (PICTURE, SOUND)}


def _alignment(model: OmniModel, encoded: Any, posed: Posed, adapter: str, wanted: bool) -> dict[str, Any]:
    """The implicit alignment score per layer, if the model offers hidden_states(encoded, question, adapter).

    That optional method returns (states: layers x T x width, TokenMap of the T positions of the prompt). It is one more
    pass, so it is asked for only where the effect of the question is measured too.
    """
    if not wanted or posed.case.condition not in EFFECT_CONDITIONS or not hasattr(model, "hidden_states"):
        return {}
    states, tokens = model.hidden_states(encoded, posed.question.prompt, adapter)
    perceptual, textual = tokens.positions(*MEDIA), tokens.positions(Kind.QUESTION, Kind.INJECTED)
    if not len(perceptual) or not len(textual):
        return {}
    return {"alignment": [round(float(score), DIGITS) for score in implicit_alignment(states, perceptual, textual)]}


def unasked(case: Case, reason: str) -> dict[str, Any]:
    """The sample of a case that could not be asked."""
    return {"key": case.key, "pool": case.pool, "condition": case.condition, "ask": case.ask, "clip": case.item.id,
            "other": case.other.id if case.other else None, "skipped": " ".join(reason.split())}  # fmt: skip


def packed(numbers: np.ndarray) -> str:
    """A float array as text: little-endian float16 in base64, so that a sample stays one short line."""
    return base64.b64encode(np.ascontiguousarray(numbers, "<f2").tobytes()).decode()


def unpacked(text: str, shape: Sequence[int]) -> np.ndarray:
    """What packed() made of an array of that shape, as float64."""
    return np.frombuffer(base64.b64decode(text), "<f2").reshape(shape).astype(np.float64)


def _what(posed: Posed) -> dict[str, Any]:
    case, stimulus = posed.case, posed.stimulus
    default = Conflict()
    given = {f.name: getattr(posed.conflict, f.name) for f in fields(Conflict)}
    changed = {name: value for name, value in given.items() if value != getattr(default, name)}
    return {
        "key": case.key,
        "pool": case.pool,
        "index": case.index,
        "condition": case.condition,
        "ask": case.ask,
        "clip": case.item.id,
        "other": case.other.id if case.other else None,
        **({} if posed.made else {"conflict": changed}),
        "seed": case.seed,
        "label": case.item.label,
        "swapped_in": case.other.label if case.other else None,
        "seen": stimulus.seen,
        "heard": stimulus.heard,
        "read": stimulus.read,
        "question": posed.question.text,
        "options": list(posed.question.options),
        "truth": posed.truth,
        **({"also": list(also)} if (also := _also(case.ask, posed.judged)) else {}),
    }


def _also(asked: str, judged: Stimulus) -> tuple[str, ...]:
    return {"see": judged.seen_also, "hear": judged.heard_also}.get(asked, ())


def _options(
    case: Case, judged: Stimulus, other: Clip | None, count: int, names: Sequence[str] | None
) -> tuple[str, ...]:
    """What is seen, heard, read and swapped in, distractors, and "none of the above".

    names: all that may be offered; None: the vocabulary, after the labels that own clips lend each other. No wrong
    option means anything that is right of the clip or of the one whose sound it has.
    """
    if other is not None and other.heard not in (judged.heard, judged.seen) and not judged.read:
        judged = replace(judged, read=other.heard)  # a sound swapped in part: the lesser one is offered too
    taken = [name for item in (case.item, case.other) if isinstance(item, OwnItem) for name in item.names]
    lent = case.item.lent if isinstance(case.item, OwnItem) else ()
    first, vocabulary = (lent, VOCABULARY) if names is None else (names, ())
    if names is not None:
        count = min(count, len(names))
    return questions.build_options(judged, count, random.Random(case.seed), vocabulary, first=first, taken=taken)


def _truth(asked: str, judged: Stimulus) -> str:
    if asked == "match":
        return "yes" if questions.agree(judged) else "no"
    label = judged.seen if asked == "see" else judged.heard
    return plain(label) if label else ABSTAIN


def _hidden(condition: Condition, posed: Posed, encoded: Any, model: OmniModel, adapters: Sequence[str]) -> Cut:
    """Positions that no later position may look at: a seeded share of the tokens of some kinds."""
    if not model.can_look_inside:
        raise McGurkError(f"{model.name} shows no attention, so none of its tokens can be hidden.")
    kinds, share = condition.drop
    looked = model.answer(encoded, posed.question.prompt, (), adapters=adapters[:1], attention=True, max_new_tokens=1)
    attention = dict(looked)[adapters[0]].attention
    positions = attention.tokens.positions(*kinds)
    rng = np.random.default_rng(posed.case.seed)
    hidden = rng.choice(positions, round(share * len(positions)), replace=False)
    return Cut(REGION, EVERYTHING, region=tuple(sorted(hidden.tolist())))


def read_answer(answer: Answer, posed: Posed) -> dict[str, Any]:
    """What an answer says, whether it is right and whom it followed, as plain values; attention where there is some."""
    question, judged = posed.question, posed.judged
    together = posed.case.other is None
    own = posed.made is not None and bool(posed.made.question)

    def holds(text: str) -> bool:
        if own:
            return fine.chosen(text, question.options) == posed.truth
        return is_right(question, text, judged, posed.truth, together)

    right = holds(answer.text)
    whom = questions.followed(question, answer.text, posed.stimulus)
    if own:
        whom = SENSES[question.kind] if right else OTHER
    if posed.case.question:  # unlabelled clips: as with our own match question, the right answer took both into account
        whom = BOTH if right else OTHER
    choice = max(answer.options, key=answer.options.get) if answer.options else None
    sample = {
        "text": answer.text,
        "correct": right,
        "followed": whom,
        "choice": choice,
        "choice_correct": choice is not None and holds(choice),
        "probabilities": [round(answer.options[option], DIGITS) for option in question.options if answer.options],
        "receipt": digest(answer.receipt),
        "adapter_sha256": answer.receipt.adapter_sha256,
    }
    return sample | _attended(answer.attention)


def is_right(question: Question, text: str, judged: Stimulus, truth: str, together: bool = False) -> bool:
    """Whether a free-text answer is the true one, read as demo.questions reads answers: a synonym or a further right
    answer is right, an option that is the other sense's label isn't, unless it is a further right answer literally.

    An answer that names what is seen and what is heard, as two things, is wrong, unless they belong `together`.
    """
    if question.kind == "match":
        return questions.verdict(text) == truth
    if truth == ABSTAIN:
        return questions.followed(question, text, judged) == questions.ABSTAINED
    if normal(text) in map(normal, _also(question.kind, judged)):
        return True
    named, asked = questions.named(question, text, judged), SENSES[question.kind]
    if asked not in named or named.get(TEXT, named[asked]) < named[asked]:
        return False
    places = {at for sense, at in named.items() if sense != TEXT}
    return together or len(places) == 1 or questions.agree(judged)


def _attended(attention: Attention | None) -> dict[str, Any]:
    """Shares by kind (mean over the upper third of the layers), by layer, and of the media head by head."""
    if attention is None:
        return {}
    by_layer = shares(attention)["raw"]
    upper = attention.layers - max(1, attention.layers // 3)
    row = attention.rows[:, :, 0].astype(np.float64)  # layers x heads x T, of the last position of the prompt
    heads = [row[..., attention.tokens.positions(kind)].sum(-1) for kind in MEDIA]
    return {
        "shares": {kind: round(float(share[upper:].mean()), DIGITS) for kind, share in by_layer.items()},
        "layers": {kind: [round(float(value), DIGITS) for value in share] for kind, share in by_layer.items()},
        "tokens": attention.tokens.counts(),
        "heads": packed(np.stack(heads, -1)),  # layers x heads x (video, audio)
        "heads_shape": [attention.layers, attention.heads, len(MEDIA)],
    }


def _received(receipt: Receipt) -> dict[str, Any]:
    """What all adapters received alike, without the text."""
    return {
        "tokens": receipt.tokens,
        "frames": receipt.frames,
        "audio_seconds": receipt.audio_seconds,
        "prompt_sha256": hashlib.sha256(receipt.prompt.encode()).hexdigest()[:16],
    }


def digest(receipt: Receipt) -> str:
    """First 16 hex digits of the SHA-256 of the whole receipt as JSON."""
    written = json.dumps(asdict(receipt), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(written.encode()).hexdigest()[:16]
