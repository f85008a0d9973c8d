"""What the frozen encoders make of a labelled folder, computed once and kept in the cache for training.

Knows the folder (manifest.csv: path, concept, kind, split) and how a photograph becomes several
views. Does not know what is asked about them.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from models.mini.encoders import FRAME_SIZE, SAMPLE_RATE, EfficientNetLite0, YAMNet, sound_patches
from models.mini.processing import square
from models.omni import McGurkError
from models.weights import cache_folder, fetch

VIEWS = 5  # of a photograph: whole, three crops, one pasted small into a plain frame
TAKES = 2  # of a recording: as it is, and softer with noise
BLANKS = 6  # frames that show nothing, patches that hold no sound: one zero, the rest noise


@dataclass(frozen=True)
class Item:
    """One labelled photograph or recording."""

    path: Path
    concept: str  # plain name, spaces
    kind: str  # "image" or "audio"
    split: str  # "train" or "val"
    group: str  # the original; pieces of one never stand in both splits


def read_items(data: Path) -> list[Item]:
    """Items of a labelled folder. Raises McGurkError without a manifest."""
    manifest = Path(data) / "manifest.csv"
    if not manifest.is_file():
        raise McGurkError(f"{data} has no manifest.csv: give a folder with path, concept, kind, group, split columns.")
    with open(manifest, newline="", encoding="utf-8") as file:
        return [
            Item(Path(data) / r["path"], r["concept"].replace("_", " "), r["kind"], r["split"], r["group"])
            for r in csv.DictReader(file)
        ]


@dataclass(frozen=True)
class Features:
    """Encoder features of a folder's items.

    images: float16, one VIEWS x 7 x 7 x 1280 tensor an image; sounds: float16, TAKES x P x 3 x 2 x 1024 a recording;
    black: BLANKS x 7 x 7 x 1280; silence: BLANKS x P x 3 x 2 x 1024.
    """

    items: list[Item]
    images: dict[int, torch.Tensor]
    sounds: dict[int, torch.Tensor]
    black: torch.Tensor
    silence: torch.Tensor


def views(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 H x W x 3 -> uint8 VIEWS x 224 x 224 x 3: whole, three crops (some mirrored), one pasted small."""
    made = [square(image[None])[0]]
    height, width = image.shape[:2]
    for _ in range(VIEWS - 2):
        h, w = (round(side * rng.uniform(0.65, 1.0)) for side in (height, width))
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        crop = square(image[None, y : y + h, x : x + w])[0]
        made.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    frame = np.full((FRAME_SIZE, FRAME_SIZE, 3), rng.integers(40, 216), np.uint8)
    side = int(FRAME_SIZE * rng.uniform(0.4, 0.75))
    y, x = rng.integers(0, FRAME_SIZE - side + 1, 2)
    frame[y : y + side, x : x + side] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.stack([*made, frame])


def takes(waveform: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A recording as it is, and softer with some noise (10 to 30 dB below it)."""
    noise = rng.standard_normal(len(waveform)).astype(np.float32)
    level = np.sqrt(np.mean(waveform**2)) * 10 ** (-rng.uniform(10, 30) / 20)
    return [waveform, (waveform * rng.uniform(0.2, 0.9) + noise * level).astype(np.float32)]


def load_encoders(device: str = "cpu") -> tuple[EfficientNetLite0, YAMNet]:
    """Both encoders with their pretrained weights, frozen."""
    vision, sound = EfficientNetLite0(), YAMNet()
    vision.load_state_dict(load_file(fetch("efficientnet_lite0") / "model.safetensors"))
    sound.load_state_dict(load_file(fetch("yamnet") / "model.safetensors"))
    return vision.eval().requires_grad_(False).to(device), sound.eval().requires_grad_(False).to(device)


@torch.inference_mode()
def compute(data: Path, seed: int = 0, device: str = "cpu") -> Features:
    """Features of every item under `data`, read from the cache when it holds them."""
    items = read_items(data)
    fingerprint = hashlib.sha256(f"{seed} {VIEWS} {TAKES} {BLANKS}".encode())
    fingerprint.update((Path(data) / "manifest.csv").read_bytes())
    store = cache_folder() / f"features-{fingerprint.hexdigest()[:12]}.safetensors"
    if not store.exists():
        cache_folder().mkdir(parents=True, exist_ok=True)
        scratch = store.with_suffix(f".{os.getpid()}")
        save_file(_encode(items, seed, device), scratch)
        os.replace(scratch, store)
    tensors = load_file(store)
    images = {i: tensors[str(i)] for i, item in enumerate(items) if item.kind == "image" and str(i) in tensors}
    sounds = {i: tensors[str(i)] for i, item in enumerate(items) if item.kind == "audio" and str(i) in tensors}
    return Features(items, images, sounds, tensors["black"], tensors["silence"])


def _encode(items: list[Item], seed: int, device: str) -> dict[str, torch.Tensor]:
    vision, sound = load_encoders(device)
    tensors = {}
    for i, item in enumerate(tqdm(items, desc="features", mininterval=5)):
        rng = np.random.default_rng([seed, i])
        if item.kind == "image":
            image = cv2.imread(str(item.path))
            if image is None:
                continue
            pixels = views(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), rng)
            tensors[str(i)] = vision(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)).half().cpu().contiguous()
        else:
            waveform, rate = soundfile.read(item.path, dtype="float32")
            if rate != SAMPLE_RATE or waveform.ndim != 1:
                raise McGurkError(f"{item.path} is not 16 kHz mono: convert it first.")
            patches = np.stack([sound_patches(take) for take in takes(waveform, rng)])
            features = sound(torch.from_numpy(patches).flatten(0, 1).to(device))
            tensors[str(i)] = features.unflatten(0, patches.shape[:2]).half().cpu().contiguous()
    rng = np.random.default_rng([seed, len(items)])
    frames = rng.integers(0, 256, (BLANKS, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
    frames[: BLANKS // 2] = np.array([0, 8, 20])[:, None, None, None]  # black, and what a codec makes of it
    tensors["black"] = vision(torch.from_numpy(frames).permute(0, 3, 1, 2).to(device)).half().cpu().contiguous()
    levels = np.array([0, 1e-4, 1e-3, 0.01, 0.05, 0.1])  # RMS: digital silence, hiss, noise
    noise = (rng.standard_normal((BLANKS, 10 * SAMPLE_RATE)) * levels[:, None]).astype(np.float32)
    quiet = np.stack([sound_patches(wave) for wave in noise])
    features = sound(torch.from_numpy(quiet).flatten(0, 1).to(device)).unflatten(0, quiet.shape[:2])
    tensors["silence"] = features.half().cpu().contiguous()
    return tensors
