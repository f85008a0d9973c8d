"""LoRA adapters in every writer's names load or are refused with a reason; none that does nothing gets through."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.adapters import BARE, attach, mixed, read_adapter, rename, save_adapter
from models.omni import ALIGNED, McGurkError
from tests import tiny_omni

TODAY = "base_model.model.model.language_model.layers."
WRITERS = {
    "today, thinker": TODAY,
    "today, whole model": "base_model.model.thinker.model.language_model.layers.",
    "older, whole model": "base_model.model.thinker.model.layers.",
    "older, thinker": "base_model.model.model.layers.",
    "without PEFT's prefix": "thinker.model.layers.",
}


def write_lora(folder, thinker, prefix=TODAY, scale=0.3, targets=("q_proj", "v_proj"), infix="", **config):
    """A random LoRA of rank 4 for the text layers, keys written as `prefix` says."""
    generator, state = torch.Generator().manual_seed(5), {}
    for name, module in thinker.named_modules():
        if not name.startswith("model.language_model.layers.") or name.rpartition(".")[2] not in targets:
            continue
        rest = name.removeprefix("model.language_model.layers.")
        state[f"{prefix}{rest}.lora_A{infix}.weight"] = torch.randn(4, module.in_features, generator=generator) * 0.3
        state[f"{prefix}{rest}.lora_B{infix}.weight"] = torch.randn(module.out_features, 4, generator=generator) * scale
    folder.mkdir(exist_ok=True, parents=True)
    save_file(state, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", "target_modules": list(targets)} | config
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def thinker():
    tiny_omni.torchvision()
    return tiny_omni.thinker("Qwen2.5-Omni")


@torch.inference_mode()
def logits(model):
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = inner.model.language_model(input_ids=torch.arange(3, 12)[None]).last_hidden_state
    return inner.lm_head(hidden)[0, -1]


@pytest.mark.parametrize("writer", WRITERS)
def test_every_writer_s_names_load_to_the_same_model(writer, tmp_path):
    model = tiny_omni.thinker("Qwen2.5-Omni")
    bare = logits(model)
    adapter = read_adapter(write_lora(tmp_path, model, WRITERS[writer]))
    assert adapter.renamed == ("older" in writer or "without" in writer)
    tuned = attach(model, adapter, ALIGNED)
    state = load_file(tmp_path / "adapter_model.safetensors")
    by_hand = tiny_omni.thinker("Qwen2.5-Omni")
    with torch.no_grad():
        for module in adapter.modules:
            of_it = {k: v for k, v in state.items() if module.split("layers.")[1] in k}
            a, b = (next(v for k, v in of_it.items() if part in k) for part in ("lora_A", "lora_B"))
            by_hand.get_submodule(module).weight += 2.0 * b @ a  # alpha 8 over rank 4
    torch.testing.assert_close(logits(tuned), logits(by_hand), atol=1e-4, rtol=1e-4)
    with tuned.disable_adapter():
        torch.testing.assert_close(logits(tuned), bare, atol=0, rtol=0)
    assert (logits(tuned) - bare).abs().max() > 1e-3


def test_the_adapter_s_name_inside_a_key_is_left_out(thinker, tmp_path):
    named = rename(load_file(write_lora(tmp_path / "a", thinker, infix=".default") / "adapter_model.safetensors"))
    plain = rename(load_file(write_lora(tmp_path / "b", thinker) / "adapter_model.safetensors"))
    assert named.keys() == plain.keys()


def test_an_inert_adapter_is_refused(thinker, tmp_path):
    with pytest.raises(McGurkError, match="inert"):
        read_adapter(write_lora(tmp_path, thinker, scale=0.0))


def test_missing_and_unexpected_keys_are_refused(tmp_path):
    model = tiny_omni.thinker("Qwen2.5-Omni")
    folder = write_lora(tmp_path, model)
    state = load_file(folder / "adapter_model.safetensors")
    first = next(key for key in state if "lora_B" in key)
    save_file({k: v for k, v in state.items() if k != first}, folder / "adapter_model.safetensors")
    with pytest.raises(McGurkError, match="1 keys are missing"):
        attach(model, read_adapter(folder), ALIGNED)
    extra = {"base_model.model.model.visual.blocks.0.attn.qkv.lora_A.weight": torch.ones(4, 4)}
    save_file(state | extra, folder / "adapter_model.safetensors")
    with pytest.raises(McGurkError, match=r"1 unexpected keys .*visual.blocks.0"):
        read_adapter(folder)
    tower = {k.replace("model.language_model.layers", "thinker.audio_tower.layers"): v for k, v in state.items()}
    save_file(tower, folder / "adapter_model.safetensors")
    with pytest.raises(McGurkError, match="audio_tower"):
        read_adapter(folder)


def test_an_adapter_of_another_model_is_refused(tmp_path):
    model = tiny_omni.thinker("Qwen2.5-Omni")
    folder = write_lora(tmp_path, model)
    state = load_file(folder / "adapter_model.safetensors")
    save_file({k.replace("layers.2.", "layers.9."): v for k, v in state.items()}, folder / "adapter_model.safetensors")
    with pytest.raises(McGurkError, match=r"not in the model .*layers.9"):
        attach(model, read_adapter(folder), ALIGNED)
    save_file({k: v[:, :2].contiguous() for k, v in state.items()}, folder / "adapter_model.safetensors")
    with pytest.raises(McGurkError, match="another shape"):
        attach(tiny_omni.thinker("Qwen2.5-Omni"), read_adapter(folder), ALIGNED)


@pytest.mark.parametrize(
    "config", ({"bias": "all"}, {"use_dora": True}, {"peft_type": "IA3"}, {"modules_to_save": ["x"]})
)
def test_anything_but_a_plain_lora_is_refused(config, thinker, tmp_path):
    with pytest.raises(McGurkError, match="only"):
        read_adapter(write_lora(tmp_path, thinker, **config))


def test_nothing_there_and_damaged_files_are_refused(thinker, tmp_path):
    with pytest.raises(McGurkError, match="no adapter folder"):
        read_adapter(tmp_path / "absent")
    with pytest.raises(McGurkError, match=r"it has no adapter_config\.json"):
        read_adapter(tmp_path)
    folder = write_lora(tmp_path / "damaged", thinker)
    (folder / "adapter_model.safetensors").write_bytes(b"not tensors at all")
    with pytest.raises(McGurkError, match="cannot be read"):
        read_adapter(folder)


def test_saved_and_read_back(tmp_path):
    model = tiny_omni.thinker("Qwen3-Omni")
    tuned = attach(model, read_adapter(write_lora(tmp_path / "a", model)), ALIGNED)
    save_adapter(tuned, ALIGNED, tmp_path / "b")
    again = attach(tiny_omni.thinker("Qwen3-Omni"), read_adapter(tmp_path / "b"), ALIGNED)
    torch.testing.assert_close(logits(again), logits(tuned), atol=0.05, rtol=0.05)  # stored as bfloat16


@torch.inference_mode()
def test_each_row_of_a_mixed_batch_has_its_own_adapter(tmp_path):
    model = tiny_omni.thinker("Qwen2.5-Omni")
    tuned = attach(model, read_adapter(write_lora(tmp_path, model)), ALIGNED)
    ids = torch.arange(3, 12)[None].expand(2, -1)
    language = tuned.get_base_model().model.language_model
    with mixed(tuned, [BARE, ALIGNED]):
        both = language(input_ids=ids).last_hidden_state
    with tuned.disable_adapter():
        torch.testing.assert_close(both[0], language(input_ids=ids[:1]).last_hidden_state[0])
    torch.testing.assert_close(both[1], language(input_ids=ids[:1]).last_hidden_state[0])
    assert not torch.allclose(both[0], both[1])
