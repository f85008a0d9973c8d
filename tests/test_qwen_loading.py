"""Where a Qwen-Omni's weights go and in how many bits: released sizes without weights, and cards that are made up."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from transformers import WhisperFeatureExtractor
from transformers.quantizers.quantizers_utils import should_convert_module

from demo.bench.runs import series
from models import registry
from models.omni import BASE, McGurkError
from models.pretrained import family, loading, placing
from models.pretrained.families import RELEASES, why_not
from models.qwen_omni.processing import QwenLayout
from models.speed import full_size
from tests import tiny_omni

GB = placing.GB


@pytest.fixture(scope="module")
def seven_billion():
    """Qwen2.5-Omni-7B as released, without weights."""
    from transformers import Qwen2_5OmniThinkerForConditionalGeneration

    with torch.device("meta"):
        return Qwen2_5OmniThinkerForConditionalGeneration(full_size().config)


@pytest.fixture
def cards(monkeypatch):
    """Put GPUs with (free, total) GB in place."""

    def put(*sizes, current=0):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(sizes))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(sizes))
        monkeypatch.setattr(torch.cuda, "current_device", lambda: current)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: tuple(int(size * GB) for size in sizes[card]))
        monkeypatch.setattr(family, "find_spec", lambda name: True)

    return put


def converted(model, skipped):
    """The linear layers that bitsandbytes would replace."""
    return {
        name: module
        for name, module in model.named_modules()
        if type(module) is nn.Linear and should_convert_module(name, skipped)
    }


def test_four_bits_leave_the_towers_and_the_last_layer_alone(seven_billion):
    skipped = loading.quantised(True)["quantization_config"].llm_int8_skip_modules
    shrunk = converted(seven_billion, skipped)
    assert shrunk and all(name.startswith("model.language_model.layers.") for name in shrunk)
    shrunk_bytes = sum(p.numel() for module in shrunk.values() for p in module.parameters())
    everything = sum(p.numel() for p in seven_billion.parameters())
    release = RELEASES["qwen2.5-omni-7b"]
    assert release.linear == pytest.approx(shrunk_bytes / 1e9, abs=0.01)
    assert release.parameters == pytest.approx(everything / 1e9, abs=0.05)
    weights = (everything - shrunk_bytes) * family.HALF + shrunk_bytes * family.NF4
    assert weights / GB == pytest.approx(8.5, abs=0.05)
    assert release.gigabytes(True) - release.gigabytes() == pytest.approx(weights / GB - 2 * everything / GB, abs=0.2)


def test_experts_are_not_shrunk_so_four_bits_are_refused(monkeypatch, tmp_path):
    from transformers import Qwen3OmniMoeThinkerForConditionalGeneration

    with torch.device("meta"):
        model = Qwen3OmniMoeThinkerForConditionalGeneration(tiny_omni.config("Qwen3-Omni"))
    names = converted(model, loading.quantised(True)["quantization_config"].llm_int8_skip_modules)
    assert not any("experts" in name for name in names)
    assert "can't be loaded in four bits" in why_not("qwen3-omni-30b-a3b", four_bit=True)
    monkeypatch.setenv("MCGURK_FOUR_BIT", "1")
    assert "can't be loaded in four bits" in registry.entry("qwen3-omni-30b-a3b").obstacle()
    model.config.save_pretrained(tmp_path)
    monkeypatch.setattr(loading, "_need", lambda package: None)
    with pytest.raises(McGurkError, match="can't be loaded in four bits"):
        loading.load_parts(str(tmp_path), four_bit=True)


def test_four_bits_count_when_it_is_decided_what_can_run(cards, monkeypatch):
    cards((15.5, 16.0))
    assert "needs" in registry.entry("qwen2.5-omni-7b").obstacle()
    monkeypatch.setenv("MCGURK_FOUR_BIT", "1")
    assert registry.entry("qwen2.5-omni-7b").obstacle() == ""
    release = RELEASES["qwen2.5-omni-7b"]
    assert registry._pretrained("listed", release).memory == release.gigabytes(True) < release.gigabytes()


def test_a_card_that_others_use_is_said_to_be_occupied(cards):
    cards((12.0, 80.0))
    assert "GB are free: end what else uses the GPU" in why_not("qwen2.5-omni-7b")
    cards()
    assert "There is no GPU here" in why_not("qwen2.5-omni-7b")


@pytest.mark.parametrize(
    ("sizes", "current", "needed", "where"),
    (
        ([(80, 80), (80, 80)], 0, 24, "cuda:0"),
        ([(80, 80), (80, 80)], 1, 24, "cuda:1"),  # each process of a bench has a card of its own
        ([(10, 80), (60, 80), (70, 80)], 0, 24, "cuda:2"),
        ([(40, 40), (40, 40)], 0, 66, "auto"),
        ([], 0, 24, "cpu"),
    ),
)
def test_one_card_where_the_model_fits_into_one(cards, sizes, current, needed, where):
    cards(*sizes, current=current)
    assert placing.place(needed) == where


def test_under_a_launcher_a_process_stays_on_its_card(cards, monkeypatch):
    cards((80, 80), (80, 80), current=1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert placing.place(200) == "cuda:1"


def test_weights_outside_the_gpu_are_told():
    model = nn.Linear(1, 1)
    assert placing.left_out(model) == ""
    model.hf_device_map = {"a": 0, "b": "cpu"}
    assert "lie in main memory" in placing.left_out(model)
    model.hf_device_map = {"": "cpu"}
    assert placing.left_out(model) == ""


def test_a_model_of_ones_own_is_counted_by_its_weights():
    config = full_size().config
    needed = loading._needed("owner/tuned", config, tiny_omni.family("Qwen2.5-Omni"), False)
    assert needed == pytest.approx(RELEASES["qwen2.5-omni-7b"].gigabytes(), rel=0.2)


@pytest.mark.parametrize("kind", ("Qwen2.5-Omni", "Qwen3-Omni"))
def test_the_towers_use_flash_attention_where_it_is_installed(kind, monkeypatch):
    text = "mcgurk_probe"
    for there, expected in ((True, "flash_attention_2"), (False, "sdpa")):
        monkeypatch.setattr(loading, "is_flash_attn_2_available", lambda there=there: there)
        config = tiny_omni.config(kind)
        config._attn_implementation = loading.attentions(text, tiny_omni.family(kind))
        assert config.text_config._attn_implementation == text == config._attn_implementation
        assert config.vision_config._attn_implementation == config.audio_config._attn_implementation == expected


def test_checkpoints_that_do_not_answer_are_refused(tmp_path):
    for name in ("Qwen/Qwen3-Omni-30B-A3B-Thinking", "Qwen/Qwen3-Omni-30B-A3B-Captioner"):
        with pytest.raises(McGurkError, match="choose the Instruct checkpoint"):
            loading.load_parts(name)


@pytest.mark.parametrize(("kind", "heard"), (("Qwen2.5-Omni", 30.0), ("Qwen3-Omni", 45.0)))
def test_sound_is_cut_only_where_the_configuration_says_so(kind, heard, tmp_path):
    """Qwen3-Omni's preprocessor is released with n_samples and without chunk_length, which becomes 30 s unasked."""
    tiny_omni.torchvision()
    processor = tiny_omni.processor(kind)
    written = processor.feature_extractor.to_dict() | {"n_samples": 4_800_000}
    if kind == "Qwen3-Omni":
        del written["chunk_length"], written["nb_max_frames"]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(written, default=str))
    processor.feature_extractor = WhisperFeatureExtractor.from_pretrained(tmp_path)
    layout = QwenLayout(processor, tiny_omni.config(kind), tiny_omni.family(kind))
    media = layout.media(tiny_omni.stimulus(frames=0, seconds=45.0))
    tokens = layout.prompt(media, "What do you hear?").tokens
    assert np.nanmax(tokens.audio) == pytest.approx(heard, abs=0.1)
    assert bool(media.notes) == (heard < 45.0)


def test_a_model_is_loaded_onto_the_card_that_it_was_given(cards, monkeypatch, tmp_path):
    """What from_pretrained is told, and that weights outside the GPU stand on every receipt."""
    tiny_omni.torchvision()
    thinker = tiny_omni.thinker("Qwen2.5-Omni")
    thinker.config.save_pretrained(tmp_path)
    tiny_omni.processor("Qwen2.5-Omni").save_pretrained(tmp_path)
    asked = []

    def from_pretrained(source, **how):
        asked.append(how)
        thinker.hf_device_map = {"model": 0, "lm_head": "cpu"}
        thinker.config._attn_implementation = how["attn_implementation"]
        return thinker

    monkeypatch.setattr(type(thinker), "from_pretrained", from_pretrained)
    monkeypatch.setattr(loading, "_needed", lambda *how: 24.0)
    for sizes, current, where in (
        ([(80, 80), (80, 80)], 0, "cuda:0"),
        ([(80, 80), (80, 80)], 1, "cuda:1"),
        ([(20, 80), (20, 80)], 0, "auto"),
    ):
        cards(*sizes, current=current)
        loading.load_parts(str(tmp_path))
        assert asked[-1]["device_map"] == where
        assert asked[-1]["attn_implementation"]["vision_config"] == "sdpa"
    model = loading.load(str(tmp_path))
    receipt = model.ask(tiny_omni.stimulus(), "What do you hear?", max_new_tokens=1)[BASE].receipt
    assert any("lie in main memory" in note for note in receipt.notes)
    assert receipt.versions["towers"] == "sdpa"
    thinker.config.vision_config._attn_implementation = "flash_attention_2"
    media = model.encode(tiny_omni.stimulus()).media
    assert model.decoder.versions(media)["towers"] == "flash_attention_2"


def test_each_process_of_a_bench_works_on_a_card_of_its_own(cards, monkeypatch):
    chosen, sizes = [], [(80, 80), (80, 80)]
    cards(*sizes)
    monkeypatch.setattr(torch.cuda, "set_device", lambda card: (chosen.append(card), cards(*sizes, current=card)))
    for rank, where in (("1", "cuda:1"), ("0", "cuda:0"), ("3", "cuda:1")):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert series._load("fake").name == "fake" and placing.place(24.0) == where
    assert chosen == [1, 0, 1]
    monkeypatch.delenv("LOCAL_RANK")
    series._load("fake")
    assert len(chosen) == 3
