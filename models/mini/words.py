"""Everyday words that ImageNet has no class for: the list, and a head that reads them off the vision features.

everyday_words.txt holds what at least 20 of the captioned train photographs mention (people, actions, sports, places,
things), less words of the frame ("background", "side") and held-out names, and the concepts of the labelled folder.
Trained by `python -m models.mini.words --data FOLDER --captions FOLDER`. Knows words and features; no language model.
"""

from __future__ import annotations

import argparse
import csv
import re
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.everyday import normal
from models.mini.encoders import VISION_FEATURES

WORDS = tuple((Path(__file__).parent / "everyday_words.txt").read_text().splitlines())
HEAD = Path(__file__).parent / "weights" / "words.safetensors"
EPOCHS, RATE, DECAY, BATCH = 12, 1e-3, 1.0, 64
CERTAIN = 0.95  # target of a word that a caption has; a word it lacks may still be true, hence no hard zero either
UNSAID = 0.002
SPREAD = 0.03  # added to each feature's standard deviation, so that rare ones are not blown up
POOLS = 5  # random parts of each picture
FEWEST_PLACES = 0.4  # of the 49 places at least this share is pooled in training, so that the head reads a part as well


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """What the forms of a word have in common: "riding", "rides", "ride" -> "rid"."""
    word = normal(word)
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
    return word.rstrip("e") if len(word) > 3 else word


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order."""
    return [stem(word) for word in re.findall(r"[a-z]+", text.lower().replace("t-shirt", "tshirt"))]


def mentioned(text: str) -> list[int]:
    """Numbers of the WORDS that a text has, all words of a name side by side, in any form."""
    said = stems(text)
    words, whole = set(said), f" {' '.join(said)} "
    return [n for n, known in enumerate(_STEMS) if (known in words if " " not in known else f" {known} " in whole)]


_STEMS = tuple(" ".join(stems(word)) for word in WORDS)


class WordHead(nn.Linear):
    """... x 1280 features -> ... x W logits, one yes or no a word; its sigmoid is the chance that a caption says it."""

    def __init__(self):
        super().__init__(VISION_FEATURES, len(WORDS))


def load_head() -> WordHead:
    """The trained head, frozen."""
    head = WordHead()
    head.load_state_dict({name: tensor.float() for name, tensor in load_file(HEAD).items()})
    return head.eval().requires_grad_(False)


def train_head(features: Tensor, targets: Tensor, known: Tensor, seed: int = 0) -> WordHead:
    """N x 49 x 1280 features, N x W targets 0 or 1, N x W bool (which are known) -> the head."""
    torch.manual_seed(seed)
    pools = torch.stack([*(pooled(features) for _ in range(POOLS)), pooled(features, 1.0)], 1)
    # of the captioned photographs: an offset shared by all whose word is known makes the words' weights learn slowly
    whole = pools[known.all(1), -1]
    mean, spread = whole.mean(0), whole.std(0) + SPREAD
    pools = (pools - mean) / spread
    head = WordHead()
    goal, weight = targets * (CERTAIN - UNSAID) + UNSAID, known.float()
    nn.init.zeros_(head.weight)  # a feature that never fires here says nothing where it does
    with torch.no_grad():
        head.bias.copy_(((goal * weight).sum(0) / weight.sum(0)).logit())  # how usual each word is
    groups = [{"params": [head.weight], "weight_decay": DECAY}, {"params": [head.bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, RATE)
    steps = EPOCHS * -(-len(pools) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pools)).split(BATCH):
            chosen = pools[batch, torch.randint(POOLS + 1, (len(batch),))]
            loss = nn.functional.binary_cross_entropy_with_logits(
                head(chosen), goal[batch], weight=weight[batch], reduction="sum"
            )
            optimizer.zero_grad()
            (loss / len(batch)).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():  # the standardisation becomes part of the weights
        head.weight /= spread
        head.bias -= head.weight @ mean
    return head.eval().requires_grad_(False)


def pooled(features: Tensor, fewest: float = FEWEST_PLACES) -> Tensor:
    """N x 49 x 1280 -> N x 1280, each the mean over a random part of the places, at least `fewest` of them or so."""
    share = torch.rand(len(features), 1) * (1 - fewest) + fewest
    places = (torch.rand(features.shape[:2]) < share).to(features.dtype)
    places[:, 0] = 1  # never none
    parts = zip(places.float().split(500), features.split(500), strict=True)  # in float32 all at once is too much
    return torch.cat([torch.einsum("np,npf->nf", p, f.float()) / p.sum(1, keepdim=True) for p, f in parts])


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Area under precision over recall of N scores, as the mean of the precisions at each hit; nan without a hit."""
    hits = truth[scores.argsort(descending=True)].float()
    if not hits.sum():
        return float("nan")
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def material(data: Path, captions: Path):
    """{split: (features N x 49 x 1280 float16, targets, known)}, of captioned photographs and, in train, labelled ones.

    A caption may leave a word out, but mostly says what counts; a label says one word and leaves the others unknown.
    """
    from models.mini.features import compute
    from models.teaching.naming import HELD_OUT  # it imports this module

    features = compute(data, captions)
    made: dict[str, list] = {"train": [], "val": []}
    number = {word: n for n, word in enumerate(WORDS)}
    for i, views in features.images.items():
        item = features.items[i]
        targets, known = torch.zeros(len(WORDS)), torch.zeros(len(WORDS), dtype=torch.bool)
        if item.captions:
            if any(held in item.captions.lower() for held in HELD_OUT):
                continue
            targets[mentioned(item.captions)] = 1
            known[:] = True
        elif item.split == "train" and item.concept in number:
            targets[number[item.concept]] = 1
            known[number[item.concept]] = True
            known[[number[c] for c in {o.concept for o in features.items} if c in number]] = True
        else:
            continue
        for view in views[: 2 if item.split == "train" else 1]:
            made[item.split].append((view.flatten(0, 1), targets, known))
    return {split: tuple(torch.stack(column) for column in zip(*rows, strict=True)) for split, rows in made.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.mini.words", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--report", type=Path, help="write average precision per word as CSV")
    given = parser.parse_args(arguments)
    torch.set_flush_denormal(True)  # weights of features that never fire decay to denormals, a hundred times as slow
    split = material(given.data, given.captions)
    head = train_head(*split["train"])
    save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in head.state_dict().items()}, HEAD)
    scores, truth = head(split["val"][0].float().mean(1)), split["val"][1]
    rows = [
        (word, int(truth[:, n].sum()), round(average_precision(scores[:, n], truth[:, n]), 3))
        for n, word in enumerate(WORDS)
    ]
    counted = [precision for _, count, precision in rows if count >= 3]
    print(f"mean average precision of {len(counted)} words with 3 or more val photographs: "
          f"{sum(counted) / len(counted):.3f}")  # fmt: skip
    if given.report:
        with open(given.report, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("word", "val photographs", "average precision"), *rows])


if __name__ == "__main__":
    main()
