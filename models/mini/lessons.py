"""Lessons as tensors: the curriculum's questions about cached features, packed for `mini`.

Knows how several questions share one clip in one sequence. Does not know what is asked or why.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from models.mini.features import BLANKS, CAPTIONED_VIEWS, TAKES, VIEWS, Features
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES, MiniForConditionalGeneration, spoken
from models.mini.processing import CLOSING, MiniProcessor, Segment, opening, reply
from models.omni import Kind
from models.teaching.align import Wanted
from models.teaching.curriculum import Course
from models.teaching.lesson import BLANK, Catalogue, Lesson
from models.teaching.naming import GENERIC, HELD_OUT, NAMES, SHUFFLED_NAMES, names_of
from models.teaching.packing import padded, visible

IGNORED = -100  # label of a position whose token is not to be learnt
RESIDUAL_DROPPED = 0.2  # share of lessons read without the learned residual, so that soft words stay legible
PASTED = 0.25  # share of frames that show the picture small on grey, beyond its turn among the views: learn where it is
SURROUNDED = 0.5  # share of sounds that stand in a longer silence
LONGEST_SILENCE = 10  # patches on either side, of 0.96 s
TEMPERED, TEMPERATURES = 0.3, (0.7, 1.6)  # share of lessons whose distributions are sharpened or flattened, how far
UNSURE = 0.08  # share of lessons in which the top class is left out of the distribution, as if nobody knew it
CLEAR_SHARE, CLEAR_MARGIN = 0.12, 1.3  # a top class is unmistakable above this mean share, and this far ahead


class MiniLessons(Dataset):
    """A course over cached features. Each item is one packed sequence; see `collate`."""

    def __init__(self, features: Features, course: Course, model: MiniForConditionalGeneration,
                 processor: MiniProcessor, length: int, tops: dict[int, int]):  # fmt: skip
        self.features, self.course, self.processor, self.length, self.tops = features, course, processor, length, tops
        self.names = model.name_embeddings(list(map(spoken, SHUFFLED_NAMES)), processor.tokenizer).detach()
        self.number = {name: n for n, name in enumerate(SHUFFLED_NAMES)}
        self.vision_classes, self.sound_classes = len(model.vision_names), len(model.sound_names)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: int) -> dict:
        lesson = self.course.lesson(i)
        rng = np.random.default_rng([lesson.seed, 11])
        vision = self._frames(lesson, rng)
        sound = self._patches(lesson, rng)
        media = {"frames": len(vision), "patches": len(sound)}
        if lesson.shuffled:
            media |= self._shuffled_names(lesson, rng)
        elif rng.random() < RESIDUAL_DROPPED:
            media["residual"] = False
        media |= self._changes(lesson, rng)
        packed = self._pack(lesson, len(vision), len(sound))
        return {**packed, "vision": vision, "sound": sound, "media": media}

    def _frames(self, lesson: Lesson, rng) -> Tensor:
        if lesson.picture is None:
            return torch.zeros(0, 7, 7, 1280, dtype=torch.float16)
        if lesson.picture == BLANK:
            return self.features.black[int(rng.integers(BLANKS))].expand(lesson.frames, -1, -1, -1)
        if self.features.items[lesson.picture].captions:
            chosen = rng.integers(0, CAPTIONED_VIEWS, lesson.frames)
        else:
            chosen = np.where(rng.random(lesson.frames) < PASTED, VIEWS - 1, rng.integers(0, VIEWS, lesson.frames))
        if rng.random() < 0.5:
            chosen[:] = chosen[0]  # a still camera
        return self.features.images[lesson.picture][torch.from_numpy(chosen)]

    def _patches(self, lesson: Lesson, rng) -> Tensor:
        if lesson.sound is None:
            return torch.zeros(0, 3, 2, 1024, dtype=torch.float16)
        if lesson.sound == BLANK:
            return self.features.silence[int(rng.integers(BLANKS))][: lesson.patches]
        take = self.features.sounds[lesson.sound][int(rng.integers(TAKES))]
        start = int(rng.integers(0, max(len(take) - lesson.patches, 0) + 1))
        heard = take[start : start + lesson.patches]
        if rng.random() < SURROUNDED:  # a sound in a longer silence: learn where it is
            before, after = rng.integers(0, LONGEST_SILENCE + 1, 2)
            quiet = self.features.silence[int(rng.integers(3))]
            heard = torch.cat([quiet[:before], heard, quiet[:after]])
        return heard

    def _shuffled_names(self, lesson: Lesson, rng) -> dict:
        """Every class bears a random name; the top class the one that the lesson's answers use."""
        media = {"residual": False}
        for key, item, name, classes in (
            ("vision_names", lesson.picture, lesson.picture_word, self.vision_classes),
            ("sound_names", lesson.sound, lesson.sound_word, self.sound_classes),
        ):
            named = rng.integers(0, len(SHUFFLED_NAMES), classes)
            if item is not None and item != BLANK and name is not None:
                named[self.tops[item]] = self.number[name]
            media[key] = self.names[torch.from_numpy(named)]
        return media

    def _changes(self, lesson: Lesson, rng) -> dict:
        """What is changed in the distributions: now and then their temperature, or the top class is unknown."""
        changes = {}
        for key, item in (("seen", lesson.picture), ("heard", lesson.sound)):
            changed = {}
            if rng.random() < TEMPERED:
                changed["temperature"] = float(np.exp(rng.uniform(*np.log(TEMPERATURES))))
            if rng.random() < UNSURE and not lesson.shuffled and item in self.tops:
                changed["without"] = (self.tops[item],)
            changes[key] = changed
        return changes

    def _pack(self, lesson: Lesson, frames: int, patches: int) -> dict:
        """Ids, labels, positions and branch (0: shared) of each place; key and last prompt place of each question."""
        encode = self.processor.encode
        prefix = opening(frames, patches)
        if lesson.prefix:
            prefix.append(Segment(Kind.INJECTED, lesson.prefix + " "))
        ids = encode(prefix)
        labels, positions, branches, queries = [IGNORED] * len(ids), list(range(len(ids))), [0] * len(ids), []
        start = len(ids) + lesson.gap
        for n, branch in enumerate(lesson.branches, 1):
            asked = encode([Segment(Kind.QUESTION, branch.user), CLOSING])
            answer = encode(reply(branch.answer))
            ids += asked + answer
            queries.append((len(ids) - len(answer) - 1, branch.asked))
            labels += [IGNORED] * len(asked) + answer
            positions += range(start, start + len(asked) + len(answer))
            branches += [n] * (len(asked) + len(answer))
        keys = [f"{branch.asked} | {branch.tag}" for branch in lesson.branches]
        return {"ids": ids, "labels": labels, "positions": positions, "branches": branches, "keys": keys,
                "queries": queries}  # fmt: skip


def collate(items: list[dict]) -> dict:
    """Pad packed sequences into a batch. Questions of one clip see the clip and themselves, not each other."""
    vision, sound = (torch.cat([item[key] for item in items]) for key in ("vision", "sound"))
    return {
        "input_ids": padded(items, "ids", 2),
        "labels": padded(items, "labels", IGNORED),
        "position_ids": padded(items, "positions", 0),
        "attention_mask": visible(padded(items, "branches", -1))[:, None],
        "vision_features": vision,
        "sound_features": sound,
        "media": [item["media"] for item in items],
        "queries": [(row, query, asked) for row, item in enumerate(items) for query, asked in item["queries"]],
    }


def wanted(inputs: dict, video_token: int, audio_token: int) -> Wanted:
    """Where the visual and audio questions of a collated batch should look."""
    tokens = {"see": video_token, "hear": audio_token}
    asked = [(row, query, tokens[kind]) for row, query, kind in inputs["queries"] if kind in tokens]
    device = inputs["input_ids"].device
    rows, queries, kinds = (
        torch.tensor(column, dtype=torch.long, device=device) for column in zip(*asked, strict=True)
    )
    targets = inputs["input_ids"][rows] == kinds[:, None]
    there = targets.any(-1)  # a modality that is missing cannot be looked at
    return Wanted(rows[there], queries[there], targets[there])


@torch.inference_mode()
def catalogue(features: Features, model: MiniForConditionalGeneration, split: str, held_out: bool = False):
    """(Catalogue, top class of each clear item) of one split; held-out concepts apart from the others.

    Captioned photographs that name a held-out concept are in neither.
    """
    pictures, sounds, tops, class_names, captioned = {}, {}, {}, {}, {}
    vision_names, sound_names = map(_specific, (SEEN_NAMES, HEARD_NAMES))
    for i, item in enumerate(features.items):
        if item.split != split or (i not in features.images and i not in features.sounds):
            continue
        if item.captions:
            names, said = names_of(item.captions)
            if names and not held_out and not any(held in item.captions.lower() for held in HELD_OUT):
                captioned[i] = names, said
            continue
        if (item.concept in HELD_OUT) != held_out:
            continue
        if i in features.images:
            pictures.setdefault(item.concept, []).append(i)
            share, names = model.vision_distribution(features.images[i][:1]).flatten(0, 2).mean(0), vision_names
        else:
            sounds.setdefault(item.concept, []).append(i)
            share, names = model.sound_distribution(features.sounds[i][0]).flatten(0, 2).mean(0), sound_names
        if is_clear(share):
            tops[i] = int(share.argmax())
        specific = share * torch.tensor([name is not None for name in names])
        if is_clear(specific):
            class_names[i] = names[int(specific.argmax())]
    return Catalogue(pictures, sounds, frozenset(tops), class_names, captioned), tops


def is_clear(share: Tensor) -> bool:
    """Whether the first of the classes' shares is large and well ahead of the second."""
    best, second = share.topk(2)[0].tolist()
    return best > CLEAR_SHARE and best > CLEAR_MARGIN * second


def _specific(names: Sequence[str]) -> list[str | None]:
    """What each class is called in lessons; None for names too general, or held out."""
    return [name if name in NAMES and name not in GENERIC else None for name in names]
