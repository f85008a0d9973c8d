"""What the frozen encoders make of labelled and captioned folders, computed once and kept in the cache for training.

Knows the folders (manifest.csv: path, concept, kind, group, split; captions.csv: path, split, captions) and how a
photograph becomes several views. Does not know what is asked about them.
"""

from __future__ import annotations

import csv
import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import soundfile
import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from models.mini import degradations
from models.mini.encoders import FRAME_SIZE, SAMPLE_RATE, EfficientNetLite2, YAMNet, sound_patches
from models.mini.processing import square
from models.omni import McGurkError
from models.weights import cache_folder, fetch

VIEWS = 4  # of a photograph: whole, a crop, a roughened crop, one pasted small into a plain frame
CAPTIONED_VIEWS = 2  # of a captioned photograph: whole, a roughened crop
TAKES = 4  # of a recording: as it is, softer with noise, over another recording, through a room or a phone
BLANKS = 6  # frames that show nothing, patches that hold no sound: one zero, the rest noise
SHARD = 200  # items encoded and written together


@dataclass(frozen=True)
class Item:
    """One labelled photograph or recording, or a captioned photograph (concept "", captions given)."""

    path: Path
    concept: str  # plain name, spaces
    kind: str  # "image" or "audio"
    split: str  # "train" or "val"
    group: str  # the original; pieces of one never stand in both splits
    captions: str = ""  # of a captioned photograph, joined with " | "


def read_items(data: Path, captions: Path | None = None) -> list[Item]:
    """Items of a labelled folder, then those of a captioned one. Raises McGurkError without their tables."""
    manifest = Path(data) / "manifest.csv"
    if not manifest.is_file():
        raise McGurkError(f"{data} has no manifest.csv: give a folder with path, concept, kind, group, split columns.")
    with open(manifest, newline="", encoding="utf-8") as file:
        items = [
            Item(Path(data) / r["path"], r["concept"].replace("_", " "), r["kind"], r["split"], r["group"])
            for r in csv.DictReader(file)
        ]
    if captions is None:
        return items
    table = Path(captions) / "captions.csv"
    if not table.is_file():
        raise McGurkError(f"{captions} has no captions.csv: give a folder with path, split, captions columns.")
    with open(table, newline="", encoding="utf-8") as file:
        return items + [
            Item(Path(captions) / r["path"], "", "image", r["split"], r["path"], r["captions"])
            for r in csv.DictReader(file)
        ]


@dataclass(frozen=True)
class Features:
    """Encoder features of a folder's items.

    images: float16, one VIEWS (or CAPTIONED_VIEWS) x 7 x 7 x 1280 tensor an image;
    sounds: float16, TAKES x P x 3 x 2 x 1024 a recording;
    black: BLANKS x 7 x 7 x 1280; silence: BLANKS x P x 3 x 2 x 1024.
    """

    items: list[Item]
    images: dict[int, torch.Tensor]
    sounds: dict[int, torch.Tensor]
    black: torch.Tensor
    silence: torch.Tensor


def views(image: np.ndarray, rng: np.random.Generator, captioned: bool = False) -> np.ndarray:
    """uint8 H x W x 3 -> uint8 views x 260 x 260 x 3; a captioned photograph is never cropped much: its words count."""
    made = [image]
    if captioned:
        made.append(degradations.roughen(degradations.crop(image, rng, 0.85), rng))
    else:
        made.append(degradations.crop(image, rng))
        made.append(degradations.roughen(degradations.crop(image, rng), rng))
        made.append(degradations.paste(image, FRAME_SIZE, rng))
    return np.concatenate([square(view[None]) for view in made])


def takes(waveform: np.ndarray, background: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """A recording as it is, softer with noise, over another one, and through a room or a phone."""
    return [
        waveform,
        degradations.noisy(waveform, rng),
        degradations.over(waveform, background, rng),
        degradations.recorded_far(waveform, rng),
    ]


def load_encoders(device: str = "cpu") -> tuple[EfficientNetLite2, YAMNet]:
    """Both encoders with their pretrained weights, frozen."""
    vision, sound = EfficientNetLite2(), YAMNet()
    vision.load_state_dict(load_file(fetch("efficientnet_lite2") / "model.safetensors"))
    sound.load_state_dict(load_file(fetch("yamnet") / "model.safetensors"))
    return vision.eval().requires_grad_(False).to(device), sound.eval().requires_grad_(False).to(device)


def compute(data: Path, captions: Path | None = None, seed: int = 0) -> Features:
    """Features of every item of the folders, read from the cache as far as it holds them."""
    items = read_items(data, captions)
    fingerprint = hashlib.sha256(f"{seed} {VIEWS} {CAPTIONED_VIEWS} {TAKES} {BLANKS}".encode())
    fingerprint.update(repr([(item.path.name, item.split) for item in items]).encode())
    folder = cache_folder() / f"features-{fingerprint.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    shards = range(1 + -(-len(items) // SHARD))  # shard 0 holds the blanks
    missing = [n for n in shards if not (folder / f"{n}.safetensors").exists()]
    if missing:
        load_encoders()  # fetched once, not by every process
        with ProcessPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            jobs = [pool.submit(_encode_shard, items, n, seed, folder) for n in missing]
            for job in tqdm(jobs, desc="features", mininterval=5):
                job.result()
    tensors = {}
    for n in shards:
        tensors |= load_file(folder / f"{n}.safetensors")
    images = {i: tensors[str(i)] for i, item in enumerate(items) if item.kind == "image" and str(i) in tensors}
    sounds = {i: tensors[str(i)] for i, item in enumerate(items) if item.kind == "audio" and str(i) in tensors}
    return Features(items, images, sounds, tensors["black"], tensors["silence"])


@torch.inference_mode()
def _encode_shard(items: list[Item], n: int, seed: int, folder: Path) -> None:
    """Encode items (n - 1) * SHARD to n * SHARD, or the blanks (n = 0), and write them; bfloat16 where it is fast."""
    vision, sound = load_encoders()
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        vision = vision.to(torch.bfloat16).to(memory_format=torch.channels_last)
    if n == 0:
        tensors = _blanks(vision, sound, np.random.default_rng([seed, len(items)]))
    else:
        tensors = {}
        for i in range((n - 1) * SHARD, min(n * SHARD, len(items))):
            made = _encode(items, i, vision, sound, np.random.default_rng([seed, i]))
            if made is not None:
                tensors[str(i)] = made
    scratch = folder / f"{n}.{os.getpid()}"
    save_file(tensors, scratch)
    os.replace(scratch, folder / f"{n}.safetensors")


def _encode(items: list[Item], i: int, vision, sound, rng: np.random.Generator) -> torch.Tensor | None:
    item = items[i]
    if item.kind == "image":
        image = cv2.imread(str(item.path))
        if image is None:
            return None
        pixels = views(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), rng, bool(item.captions))
        return vision(torch.from_numpy(pixels).permute(0, 3, 1, 2)).half().contiguous()
    others = [o for o in items if o.kind == "audio" and o.split == item.split and o.concept != item.concept]
    background = _recording(others[int(rng.integers(len(others)))])
    patches = np.stack([sound_patches(take) for take in takes(_recording(item), background, rng)])
    return sound(torch.from_numpy(patches).flatten(0, 1)).unflatten(0, patches.shape[:2]).half().contiguous()


def _recording(item: Item) -> np.ndarray:
    waveform, rate = soundfile.read(item.path, dtype="float32")
    if rate != SAMPLE_RATE or waveform.ndim != 1:
        raise McGurkError(f"{item.path} is not 16 kHz mono: convert it first.")
    return waveform


def _blanks(vision, sound, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    frames = rng.integers(0, 256, (BLANKS, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
    frames[: BLANKS // 2] = np.array([0, 8, 20])[:, None, None, None]  # black, and what a codec makes of it
    levels = np.array([0, 1e-4, 1e-3, 0.01, 0.05, 0.1])  # RMS: digital silence, hiss, noise
    noise = (rng.standard_normal((BLANKS, 10 * SAMPLE_RATE)) * levels[:, None]).astype(np.float32)
    quiet = np.stack([sound_patches(wave) for wave in noise])
    features = sound(torch.from_numpy(quiet).flatten(0, 1)).unflatten(0, quiet.shape[:2])
    black = vision(torch.from_numpy(frames).permute(0, 3, 1, 2))
    return {"black": black.half().contiguous(), "silence": features.half().contiguous()}
