"""A learned nothing: tokens that stand where a picture or a sound would, and tell `mini` no more than their absence.

LACING (arXiv 2411.14279) trains a matrix in the place of a picture's tokens, in a tenth of the samples of its tuning.
Here all else is frozen: in each lesson of the first course one sense gives way to its nothing, and what follows the
cross-entropy of the answers is the nothing alone: 7 x 7 tokens, the same for each frame, and 3 x 2, the same for each
patch of sound. It begins as the mean of all names. `python -m models.mini.nothing --data FOLDER` learns it and says how
much an answer costs with it, with black or silence, and with what was really there. Knows tokens and lessons. Does not
know what an intervention does with a nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.interventions.intervention import PICTURE, SOUND, TEXT
from models.interventions.stand_ins import UNLEARNED
from models.mini import checkpoint
from models.mini.processing import TOKENS_A_FRAME, TOKENS_A_PATCH
from models.omni import BASE, McGurkError

if TYPE_CHECKING:
    from models.mini.reading import Encoded

FILE = "nothing.safetensors"
PLACES = {PICTURE: TOKENS_A_FRAME, SOUND: TOKENS_A_PATCH}
PARTS = {PICTURE: "vision", SOUND: "sound"}  # of a lesson
STEPS, BATCH, RATE = 60, 2, 1e-2  # of what is shipped; lessons of four questions each to a step
EXAMINED = 16  # lessons of the val split

Nothings = Mapping[str, Tensor]  # PICTURE: 49 x hidden, SOUND: 6 x hidden


def load(folder: Path) -> Nothings | None:
    """What was learnt; None where it was not."""
    return load_file(folder / FILE) if (folder / FILE).is_file() else None


def in_place(encoded: Encoded, without: Collection[str], nothings: Nothings | None) -> Encoded:
    """The same prompt with the nothings in place of these senses. Raises McGurkError if it can't be done."""
    if nothings is None:
        raise McGurkError(UNLEARNED)
    if TEXT in without:
        raise McGurkError("There is no learned nothing for a text: let it be removed.")
    given, media = {PICTURE: encoded.vision, SOUND: encoded.sound}, dict(zip(PLACES, encoded.media, strict=True))
    for sense in without:
        if given[sense] is None:
            raise McGurkError(f"There is no {sense} here to go without: choose what is there.")
        given[sense], media[sense] = repeated(nothings[sense], given[sense]), b"nothing"
    return replace(encoded, vision=given[PICTURE], sound=given[SOUND], media=tuple(media.values()))


def repeated(nothing: Tensor, tokens: Tensor) -> Tensor:
    """A nothing as often as it takes to stand for these tokens, N x hidden, in their type."""
    return nothing.to(tokens).repeat(len(tokens) // len(nothing), 1)


def at_first(model) -> dict[str, Tensor]:
    """What nothings begin as: every name to the same share, without what a feature adds."""
    made = {}
    for sense, names, projector in (
        (PICTURE, model.vision_names, model.vision_projector),
        (SOUND, model.sound_names, model.sound_projector),
    ):
        mean = names.float().mean(0) + projector.modality.float()
        made[sense] = mean.detach().expand(PLACES[sense], -1).clone()
    return made


@torch.no_grad()
def blank(model, features) -> dict[str, Tensor]:
    """The tokens of a black frame and of silence."""
    return {PICTURE: model.project_vision(features.black[:1]).float(),
            SOUND: model.project_sound(features.silence[0][:1]).float()}  # fmt: skip


def loss(model, inputs: Mapping, gone: list[str], nothings: Nothings | None) -> Tensor:
    """Mean cross-entropy of a batch's answers, nats a token, where each row's sense gave way to its nothing."""
    ids, tokens = inputs["input_ids"], {PICTURE: model.config.video_token_id, SOUND: model.config.audio_token_id}
    with torch.no_grad():
        media = model._project(inputs["vision_features"], inputs["sound_features"], inputs["media"])
        embeddings = model.embed(ids, *media)
    if nothings is not None:
        embeddings = embeddings.clone()
        for row, sense in enumerate(gone):
            at = ids[row] == tokens[sense]
            embeddings[row, at] = repeated(nothings[sense], embeddings[row, at])
    given = {name: inputs[name] for name in ("attention_mask", "position_ids", "labels")}
    return model(inputs_embeds=embeddings, **given).loss


def batches(features, model, split: str, count: int, seed: int):
    """Yield (collated lessons of the first course, the sense that goes of each), `count` times."""
    from models.mini.lessons import MiniLessons, catalogue, collate
    from models.teaching.curriculum import Course

    shelf, tops = catalogue(features, model, split)
    course = Course(BASE, shelf, seed, 0.0, group=BATCH)
    lessons = MiniLessons(features, course, model, checkpoint.load_processor(), count * BATCH, tops)
    rng = np.random.default_rng(seed)
    for step in range(count):
        items = [lessons[step * BATCH + n] for n in range(BATCH)]
        there = [[sense for sense, part in PARTS.items() if len(item[part])] for item in items]
        yield collate(items), [str(rng.choice(senses)) for senses in there]


def learn(model, features, steps: int, seed: int = 0) -> dict[str, Tensor]:
    """The nothings after so many steps, float32."""
    nothings = {sense: value.requires_grad_() for sense, value in at_first(model).items()}
    optimizer = torch.optim.Adam(nothings.values(), lr=RATE)
    fading = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    for step, (inputs, gone) in enumerate(batches(features, model, "train", steps, seed)):
        found = loss(model, inputs, gone, nothings)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        fading.step()
        print(json.dumps({"step": step, "gone": gone, "loss": round(float(found), 3)}), file=sys.stderr, flush=True)
    return {sense: value.detach() for sense, value in nothings.items()}


@torch.inference_mode()
def examine(model, features, learned: Nothings, lessons: int = EXAMINED) -> dict[str, float]:
    """Mean cross-entropy of the same answers, nats a token, of val lessons: nothing gone, and one sense replaced."""
    ways = {"as it is": None, "black or silent": blank(model, features), "every name alike": at_first(model),
            "learned": learned}  # fmt: skip
    found: dict[str, list[float]] = {way: [] for way in ways}
    for inputs, gone in batches(features, model, "val", lessons // BATCH, seed=1000):
        for way, nothings in ways.items():
            found[way].append(float(loss(model, inputs, gone, nothings)))
    return {way: round(float(np.mean(values)), 3) for way, values in found.items()}


def main(arguments: list[str] | None = None) -> None:
    from models.mini.features import compute

    parser = argparse.ArgumentParser(prog="python -m models.mini.nothing", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled folder with manifest.csv")
    parser.add_argument("--captions", type=Path, help="folder with captions.csv")
    parser.add_argument("--base", type=Path, default=checkpoint.TRAINED, help="where the finished base is")
    parser.add_argument("--runs", type=Path, default=Path("runs/nothing"), help="folder for what is learnt")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    model, features = checkpoint.load_base(options.base), compute(options.data, options.captions)
    learned = {name: value.to(torch.bfloat16).contiguous()
               for name, value in learn(model, features, options.steps, options.seed).items()}  # fmt: skip
    options.runs.mkdir(parents=True, exist_ok=True)
    save_file(learned, options.runs / FILE)
    print(json.dumps(examine(model, features, learned), indent=1))


if __name__ == "__main__":
    main()
