"""Fits how likely and how usual the names are that proposed.py offers, and counts how often the right one is offered.

`python -m models.mini.proposing --data FOLDER --captions FOLDER` writes proposed.json: how usual a word is, counted on
the captioned train photographs; calibration, three numbers a kind of name, on the val photographs of both folders,
which the word head never saw. No weight of the model changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from models.everyday import basic, means, normal, synonyms
from models.mini import evidence, perceived, proposed
from models.mini.features import Item, compute, load_encoders
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES
from models.mini.words import WORDS, load_head, mentioned, stems
from models.teaching.naming import PEOPLE, SCENERY, names_of

FEWEST = 2.0**-proposed.MOST_TELLING  # share of photographs from which a word counts as usual
UNKNOWN = -1.0  # a label says nothing about who or what else is there
TABLE = "{:38} {:>5} {:>6} {:>6} {:>6}"


def said_in(captions: str) -> Tensor:
    """Captions -> N: 1 for each name of a picture that they say, by itself, a synonym or something narrower."""
    text = f" {' '.join(' '.join(stems(caption)) for caption in captions.split(' | '))} "
    known = [WORDS[n] for n in mentioned(captions)]
    wider = {normal(word) for name in known for word in (name, *synonyms(name), *basic(name))}
    return torch.tensor([
        float(normal(word) in wider or any(f" {' '.join(stems(name))} " in text for name in (word, *synonyms(word))))
        for word in proposed.seen_names().words
    ])  # fmt: skip


@cache
def labelled_as(concept: str) -> Tensor:
    """A label -> N: 1 for names that mean it, 0 for other things, UNKNOWN for people, scenery and what is done."""
    return torch.tensor([
        1.0 if means(word, concept)
        else UNKNOWN if normal(word) in PEOPLE or word in SCENERY or word.endswith("ing") else 0.0
        for word in proposed.seen_names().words
    ])  # fmt: skip


def fit(facts: Tensor, truth: Tensor) -> list[list[float]]:
    """P x N x 3 evidence, P x N truth (UNKNOWN: not counted) -> 3 weights for each of proposed.kinds()."""
    weights = []
    for kind in range(3):
        names = proposed.kinds() == kind
        right = truth[:, names].flatten()
        given = facts[:, names].flatten(0, 1)[right != UNKNOWN].double()
        right = right[right != UNKNOWN].double()
        guess = torch.zeros(3, dtype=torch.double, requires_grad=True)
        optimizer = torch.optim.LBFGS([guess], max_iter=100)

        def loss(given=given, right=right, guess=guess, optimizer=optimizer):
            optimizer.zero_grad()
            off = torch.nn.functional.binary_cross_entropy_with_logits(given @ guess, right)
            (off + 1e-6 * guess.square().sum()).backward()
            return off

        optimizer.step(loss)
        weights.append([round(value, 3) for value in guess.tolist()])
    return weights


def usual(captions: Sequence[str]) -> dict[str, float]:
    """Captions of photographs -> share of them that say a name, of the usual ones, the commonest first."""
    shares = torch.stack([said_in(one) for one in captions]).mean(0)
    told = zip(proposed.seen_names().words, shares.tolist(), strict=True)
    return {word: round(share, 4) for word, share in sorted(told, key=lambda pair: -pair[1]) if share > FEWEST}


def tells(word: str, names: Sequence[str]) -> bool:
    """Whether a name says one of these, and none so wide that nobody would choose it."""
    return word in (*proposed.seen_names().words, *proposed.heard_names().words) and any(means(word, n) for n in names)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.mini.proposing", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--captions", type=Path, required=True)
    given = parser.parse_args(arguments)
    features = compute(given.data, given.captions)
    val = [(at, item) for at, item in enumerate(features.items) if item.split == "val"]
    (vision, sound), head = load_encoders(), load_head()
    pictures, sounds = [], []
    with torch.inference_mode():
        for at, item in val:
            if at in features.images:
                places = features.images[at][:1].float()
                words = head(places)
                share = evidence.seen_words(vision.logits(places), words.clone()).flatten(0, 2).mean(0)
                pictures.append((item, share, words.mean((1, 2)).sigmoid().mean(0)))
            elif at in features.sounds:
                share = evidence.heard_words(sound.logits(features.sounds[at][0].float())).flatten(0, 2).mean(0)
                sounds.append((item, share))
    truth = [said_in(item.captions) if item.captions else labelled_as(item.concept) for item, _, _ in pictures]
    facts = torch.stack([proposed.evidence_of(share, said) for _, share, said in pictures])
    fitted = {
        "calibration": fit(facts, torch.stack(truth)),
        "usual": usual([item.captions for item in features.items if item.captions and item.split == "train"]),
    }
    proposed.FITTED.write_text(json.dumps(fitted, indent=1) + "\n")
    for cached in (proposed._fitted, proposed.calibration, proposed.telling):
        cached.cache_clear()
    report(pictures, sounds)


def report(pictures: list[tuple[Item, Tensor, Tensor]], sounds: list[tuple[Item, Tensor]]) -> None:
    """Print how often a right name is first, among the first three, and among all: by share alone, and as offered."""
    print(TABLE.format("right name is, %", "n", "first", "in 3", "in 5"))
    ways: dict[str, tuple[Callable, Callable]] = {
        "by share": (
            lambda share, _: perceived.named(share, SEEN_NAMES), lambda share: perceived.named(share, HEARD_NAMES)
        ),
        "as offered": (proposed.seen, proposed.heard),
    }  # fmt: skip
    for how, (see, hear) in ways.items():
        rows: dict[str, list[list[bool]]] = {}
        for item, share, said in pictures:
            if names := _telling_names(item):
                rows.setdefault("captioned" if item.captions else "labelled", []).append(_hits(see(share, said), names))
        for item, share in sounds:
            rows.setdefault("recordings", []).append(_hits(hear(share), [item.concept]))
        for of, hits in rows.items():
            first, three, five = (f"{100 * sum(hit) / len(hits):.1f}" for hit in zip(*hits, strict=True))
            print(TABLE.format(f"{of}, {how}", len(hits), first, three, five))


def _telling_names(item: Item) -> list[str]:
    """The label, or what at least a third of the captions say, neither people nor scenery."""
    if not item.captions:
        return [item.concept]
    aside = SCENERY | proposed.BY_THE_WAY
    return [n for n in names_of(item.captions)[0] if " " not in n and normal(n) not in PEOPLE and n not in aside]


def _hits(found: Sequence[tuple[str, float]], names: Sequence[str]) -> list[bool]:
    right = [tells(word, names) for word, _ in found]
    return [any(right[:n]) for n in (1, 3, proposed.OFFERED)]


if __name__ == "__main__":
    main()
