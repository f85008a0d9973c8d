"""Do both encoders recognise a finished clip? Ranks its right classes on its frames and on its sound.

Knows the two encoders and how clips are decoded. Does not know how a clip was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from demo.clips import read_clip
from models import weights
from models.mini.encoders import (
    AUDIOSET_CLASSES,
    FRAME_SIZE,
    IMAGENET_CLASSES,
    EfficientNetLite2,
    YAMNet,
    sound_patches,
)
from models.omni import McGurkError


@dataclass(frozen=True)
class Verdict:
    """The best-ranked right class (1 is first) and its probability, averaged over the clip; and the first class."""

    name: str
    rank: int
    probability: float
    first: str


@torch.inference_mode()
def seen(path: Path, right: tuple[str, ...]) -> Verdict:
    """EfficientNet-Lite2 on two frames a second, softmax averaged over the frames. `right`: ImageNet class names."""
    frames = read_clip(path).frames
    square = np.stack([cv2.resize(f, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_AREA) for f in frames])
    encoder = _encoder(EfficientNetLite2, "efficientnet_lite2")
    maps = encoder(torch.from_numpy(square).permute(0, 3, 1, 2))
    return _verdict(encoder.logits(maps.mean((1, 2))).softmax(-1).mean(0), IMAGENET_CLASSES, right)


@torch.inference_mode()
def heard(path: Path, right: tuple[str, ...]) -> Verdict:
    """YAMNet on patches of 0.96 s, sigmoid averaged over the patches. `right`: AudioSet class names."""
    encoder = _encoder(YAMNet, "yamnet")
    maps = encoder(torch.from_numpy(sound_patches(read_clip(path).waveform)))
    return _verdict(encoder.logits(maps.mean((1, 2))).sigmoid().mean(0), AUDIOSET_CLASSES, right)


@cache
def _encoder(kind: type[nn.Module], part: str) -> nn.Module:
    encoder = kind()
    encoder.load_state_dict(load_file(weights.fetch(part) / "model.safetensors"))
    return encoder.float().eval()


def _verdict(scores: torch.Tensor, classes: tuple[str, ...], right: tuple[str, ...]) -> Verdict:
    unknown = [name for name in right if name not in classes]
    if unknown or not right:
        raise McGurkError(f"Not a class of the encoder: {', '.join(unknown) or 'none given'}.")
    best = max((classes.index(name) for name in right), key=lambda i: scores[i])
    rank = int((scores > scores[best]).sum()) + 1
    return Verdict(classes[best], rank, float(scores[best]), classes[int(scores.argmax())])
