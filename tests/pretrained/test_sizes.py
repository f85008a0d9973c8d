"""What is said of every release's size, counted in a model of that size without weights; the README says the same."""

import re
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn
from transformers.quantizers.quantizers_utils import should_convert_module

from models.adapters import LAYERS
from models.pretrained import loading
from models.pretrained.families import RELEASES, family_of
from models.qwen_omni.family import clip_tokens
from models.speed import SPECIAL, full_size
from tests import tiny_omni

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module", autouse=True)
def torchvision():
    """Before any model is made: transformers decides once a process which of its processors there are."""
    tiny_omni.torchvision()


def gemma(kind: str, period: int, layers: int, **text):
    """A Gemma 4 whose every `period`-th layer sees the whole prompt."""
    kinds = (["sliding_attention"] * (period - 1) + ["full_attention"]) * (layers // period)
    text |= {"num_hidden_layers": layers, "layer_types": kinds, "global_head_dim": 512}
    return getattr(transformers, kind)(text_config=text, audio_config={}, vision_config={})


def three_billion():
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    text = dict(vocab_size=151_936, hidden_size=2048, intermediate_size=11_008, num_hidden_layers=36,
                num_attention_heads=16, num_key_value_heads=2, rope_parameters=rope)  # fmt: skip
    vision = {"hidden_size": 1280, "out_hidden_size": 2048}
    audio = {"output_dim": 2048}
    return transformers.Qwen2_5OmniThinkerConfig(text_config=text, vision_config=vision, audio_config=audio, **SPECIAL)


def thirty_billion():
    text = dict(vocab_size=152_064, hidden_size=2048, num_hidden_layers=48, num_attention_heads=32,
                num_key_value_heads=4, head_dim=128, num_experts=128, num_experts_per_tok=8,
                moe_intermediate_size=768)  # fmt: skip
    vision = dict(depth=27, hidden_size=1152, intermediate_size=4304, out_hidden_size=2048)
    audio = {"output_dim": 2048}
    return transformers.Qwen3OmniMoeThinkerConfig(text_config=text, vision_config=vision, audio_config=audio)


RELEASED = {  # as in the releases' config.json
    "qwen2.5-omni-3b": three_billion,
    "qwen2.5-omni-7b": lambda: full_size().config,
    "qwen3-omni-30b-a3b": thirty_billion,
    "gemma-4-e2b-it": lambda: gemma(
        "Gemma4Config", 5, 35, hidden_size=1536, intermediate_size=6144, num_attention_heads=8, num_key_value_heads=1,
        num_kv_shared_layers=20, use_double_wide_mlp=True,
    ),
    "gemma-4-e4b-it": lambda: gemma(
        "Gemma4Config", 6, 42, hidden_size=2560, intermediate_size=10_240, num_attention_heads=8, num_key_value_heads=2,
        num_kv_shared_layers=18,
    ),
    "gemma-4-12b-it": lambda: gemma(
        "Gemma4UnifiedConfig", 6, 48, hidden_size=3840, intermediate_size=15_360, num_attention_heads=16,
        num_key_value_heads=8, attention_k_eq_v=True, num_global_key_value_heads=1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RELEASES)
def test_a_release_is_as_large_as_its_configuration_makes_it(name):
    config, release = RELEASED[name](), RELEASES[name]
    family = family_of(config)
    with torch.device("meta"):
        model = getattr(transformers, family.model)._from_config(config)
    decoder = family.parts()[1](model)
    attention = [block.self_attn for block in model.model.language_model.layers]
    keys = [one.k_proj.out_features for one in attention if getattr(one, "k_proj", None) is not None]
    shrunk = {place: module for place, module in model.named_modules()
              if type(module) is nn.Linear and should_convert_module(place, list(loading.UNTOUCHED))}  # fmt: skip
    assert shrunk and all(place.startswith(LAYERS) for place in shrunk)
    parts = [model.parameters(), (weight for module in shrunk.values() for weight in module.parameters())]
    billions = [sum(weight.numel() for weight in weights) / 1e9 for weights in parts]
    assert release.parameters == pytest.approx(billions[0], rel=0.01)
    assert release.experts == loading.has_experts(config)
    assert release.experts or release.linear == pytest.approx(billions[1], abs=0.06)
    text = config.get_text_config()
    assert (release.layers, release.heads) == (len(decoder.attention_layers), text.num_attention_heads)
    assert (release.cached, release.widest, release.hidden) == (2 * sum(keys), max(keys), text.hidden_size)
    experts = text.num_experts_per_tok * text.moe_intermediate_size if release.experts else 0
    inner = max(p.shape[0] for place, p in model.named_parameters() if "language_model" in place and "up_proj" in place)
    assert release.inner == (experts or inner)


def columns(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]


def test_the_readme_counts_memory_as_the_registry_does():
    text = (ROOT / "README.md").read_text("utf-8")
    table = re.search(r"\| clip \| prompt tokens \| 3B .*?(?=\n\n)", text, re.S)[0]
    head, _, *rows = columns(table)
    qwen = {"3B": "qwen2.5-omni-3b", "7B": "qwen2.5-omni-7b", "30B-A3B": "qwen3-omni-30b-a3b"}
    assert head[2:] == ["3B", "7B", "7B, four bits", "30B-A3B"] and len(rows) == 4
    for clip, shown, *counted in rows:
        tokens = clip_tokens(*map(float, re.fullmatch(r"(\d+) s at (\d+) fps", clip).groups()))
        assert shown == f"{tokens:,}"
        sizes = [name.partition(", four bits") for name in head[2:]]
        expected = [RELEASES[qwen[size]].gigabytes(bool(four_bit), tokens) for size, four_bit, _ in sizes]
        assert [float(cell) for cell in counted] == expected
    told = re.search(r"Gemma 4 needs, counted in the same way: E2B ([\d.]+), E4B ([\d.]+) and 12B ([\d.]+) GB", text)
    sizes = [RELEASES[f"gemma-4-{size}-it"].gigabytes() for size in ("e2b", "e4b", "12b")]
    assert [float(size) for size in told.groups()] == sizes
