"""A small labelled folder and a small folder of videos, made when first asked for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from demo.bench.runs import curves
from demo.bench.runs.running import Config
from models.omni import ALIGNED, BASE

LABELS = ("dog", "cello", "rain", "car", "flute", "church_bell")
HEADER = "path,concept,kind,group,split,source,licence,origin"


@pytest.fixture(scope="session")
def labelled(tmp_path_factory) -> Path:
    """Six concepts with two photographs and two recordings each in val, one each in train; one recording is broken."""
    folder = tmp_path_factory.mktemp("labelled")
    rows = [HEADER]
    for place, label in enumerate(LABELS):
        for number, split in enumerate(("val", "val", "train")):
            picture, sound = f"{label}-{number}.png", f"{label}-{number}.wav"
            pixels = np.full((60, 80, 3), 30 * place + number, np.uint8)
            pixels[10:20, 10:30] = 255
            Image.fromarray(pixels).save(folder / picture)
            times = np.arange(16_000) / 16_000
            soundfile.write(folder / sound, 0.2 * np.sin(2 * np.pi * (200 + 100 * place + number) * times), 16_000)
            rows.append(f"{picture},{label},image,{label} photo {number},{split},,,")
            rows.append(f"{sound},{label},audio,{label} take {number},{split},,,")
    (folder / "manifest.csv").write_text("\n".join(rows))
    (folder / "concepts.csv").write_text(
        "concept,article_name,audioset_names,imagenet_names\ndog,a dog,Bark;Dog,beagle;golden retriever\n"
    )
    return folder


@pytest.fixture
def config(labelled, tmp_path) -> Callable[..., Config]:
    """config(questions=4, ...) is a run with the fake model in a new folder."""

    def make(**changed) -> Config:
        given = {"clips": str(labelled), "out": str(tmp_path / "run"), "model": "fake", "questions": 4} | changed
        return Config(**given)

    return make


@pytest.fixture
def heads(monkeypatch):
    """Heads that move by 1 before tuning and by layer + 1 after it."""
    grid = np.repeat(np.arange(1.0, 7.0)[:, None], 3, 1)
    monkeypatch.setattr(curves, "moved", lambda model, *_: {BASE: np.ones_like(grid), ALIGNED: grid})
