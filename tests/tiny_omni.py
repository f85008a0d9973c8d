"""Tiny, random Qwen2.5-Omni and Qwen3-Omni thinkers with their real processors, for tests on a machine without a GPU.

The real video processor needs torchvision, which has no CPU build: its wheel is fetched once into the cache, and two of
its compiled operators are declared so that it can be imported. That is good enough for resizing and never for use.
"""

import importlib
import json
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.utils import import_utils

from models.omni import SAMPLE_RATE, Stimulus
from models.pretrained.families import FAMILIES
from models.probe import PROBE
from models.weights import cache_folder, is_offline

TORCHVISION = "torchvision==0.28.0"
PIXELS = (28 * 28 * 4, 28 * 28 * 12)  # of a frame: at most 12 video tokens a time step
SPECIAL = {
    "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
    "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
    "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>", "start": "<|im_start|>",
}  # fmt: skip
CORPUS = (
    "system user assistant You watch and listen, then answer. What do you see in the video? What do you hear in "
    "the audio? Does the sound match the picture? Choose one: dog, rain, cello, none of the above. "
    "The caption says: violin."
)


@cache
def torchvision() -> None:
    """Make torchvision importable in this process, or skip the test that asked."""
    folder = cache_folder() / "tests" / TORCHVISION.replace("==", "-")
    if not folder.exists():
        _fetch(folder)
    sys.path.insert(0, str(folder))
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torchvision.library = library  # it lives as long as its definitions are needed
    for question in ("is_torchvision_available", "is_torchvision_v2_available", "is_torchvision_greater_or_equal"):
        getattr(import_utils, question).cache_clear()
    # transformers was imported without torchvision, and decided then what it offers
    decided = ("image_utils", "image_processing_utils", "image_processing_backends", "video_utils")
    for name in (*decided, "video_processing_utils", "models.auto", "models", ""):
        if module := sys.modules.get(f"transformers.{name}".rstrip(".")):
            importlib.reload(module)
    sys.modules["transformers.processing_utils"].transformers_module = sys.modules["transformers"]


def _fetch(folder: Path) -> None:
    if is_offline():
        pytest.skip(f"{TORCHVISION} is not in the cache and MCGURK_OFFLINE is set")
    scratch = folder.with_suffix(".download")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(scratch), TORCHVISION]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        pytest.skip(f"{TORCHVISION} could not be downloaded: {done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(scratch / "unpacked")
    (scratch / "unpacked").rename(folder)


@cache
def tokenizer():
    """A byte-level BPE of a few hundred tokens with Qwen's control tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = Qwen2Tokenizer()._tokenizer.pre_tokenizer
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator([CORPUS] * 4, trainer)
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    return Qwen2Tokenizer(
        vocab=trained.get_vocab(), merges=merges, eos_token="<|im_end|>", extra_special_tokens=SPECIAL
    )


def processor(family: str):
    """The real processor of "Qwen2.5-Omni" or "Qwen3-Omni" around the tiny tokenizer."""
    torchvision()
    from transformers.models.qwen2_5_omni.processing_qwen2_5_omni import Qwen2_5OmniProcessor
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
    from transformers.models.qwen3_omni_moe.processing_qwen3_omni_moe import Qwen3OmniMoeProcessor
    from transformers.models.whisper.feature_extraction_whisper import WhisperFeatureExtractor

    patch = 14 if family == "Qwen2.5-Omni" else 16
    made = Qwen2_5OmniProcessor if family == "Qwen2.5-Omni" else Qwen3OmniMoeProcessor
    mel = WhisperFeatureExtractor(feature_size=16, chunk_length=30)
    return made(Qwen2VLImageProcessor(patch_size=patch), Qwen2VLVideoProcessor(patch_size=patch), mel, tokenizer())


def _ids() -> dict[str, int]:
    t = tokenizer()
    return {
        "audio_token_id": t.audio_token_id, "image_token_id": t.image_token_id, "video_token_id": t.video_token_id,
        "vision_start_token_id": t.vision_bos_token_id, "vision_end_token_id": t.vision_eos_token_id,
        "audio_start_token_id": t.audio_bos_token_id, "audio_end_token_id": t.audio_eos_token_id,
    }  # fmt: skip


def config(family: str):
    """A configuration with grouped-query attention (4 heads on 2), three text layers, two in each tower."""
    from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
    from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import Qwen3OmniMoeThinkerConfig

    text = dict(
        vocab_size=len(tokenizer()), hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, initializer_range=0.3, pad_token_id=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 1, 2]},
    )  # fmt: skip
    audio = dict(num_mel_bins=16, d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32,
                 output_dim=32, initializer_range=0.1)  # fmt: skip
    vision = dict(depth=2, hidden_size=32, intermediate_size=32, num_heads=2, out_hidden_size=32, initializer_range=0.1)
    if family == "Qwen2.5-Omni":
        ids = {k.replace("_token_id", "_token_index") if k.count("_") == 2 else k: v for k, v in _ids().items()}
        return Qwen2_5OmniThinkerConfig(
            text_config=text, audio_config=audio | {"n_window": 100},
            vision_config=vision | {"fullatt_block_indexes": [1], "window_size": 56}, position_id_per_seconds=25,
            seconds_per_chunk=2, **ids,
        )  # fmt: skip
    return Qwen3OmniMoeThinkerConfig(
        text_config=text | {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
        audio_config=audio | {"n_window": 50, "downsample_hidden_size": 8},
        vision_config=vision | {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64},
        position_id_per_seconds=13, **_ids(),
    )  # fmt: skip


def thinker(family: str, attention: str = PROBE):
    """The same random float32 thinker every time."""
    from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerForConditionalGeneration
    from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import Qwen3OmniMoeThinkerForConditionalGeneration

    made = config(family)
    made._attn_implementation = attention
    torch.manual_seed(7)
    kind = (
        Qwen2_5OmniThinkerForConditionalGeneration
        if family == "Qwen2.5-Omni"
        else Qwen3OmniMoeThinkerForConditionalGeneration
    )
    return kind._from_config(made, attn_implementation=attention).float().eval()


def family(name: str):
    return next(f for f in FAMILIES if f.name == name)


def stimulus(frames: int = 5, height: int = 61, width: int = 90, seconds: float | None = 1.7, fps: float = 2.0, **more):
    """Noise to see and a tone to hear. frames=0: no picture; seconds=None: no sound."""
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 256, (frames, height, width, 3), np.uint8) if frames else None
    sound = None
    if seconds is not None:
        sound = (0.3 * np.sin(np.arange(round(seconds * SAMPLE_RATE)) * 0.17)).astype(np.float32)
    return Stimulus(pictures, fps, sound, **more)
