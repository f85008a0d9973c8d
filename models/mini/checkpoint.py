"""Puts `mini` together: pretrained parts from the cache, trained parts from a folder of safetensors.

Knows which tensor goes where and refuses adapters that would do nothing. Does not know how any of them
were trained.
"""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

from models.mini.configuration import MiniConfig
from models.mini.modelling import MiniForConditionalGeneration
from models.mini.processing import MiniProcessor
from models.mini.words import load_head
from models.omni import ALIGNED, BASE, McGurkError
from models.weights import fetch, sha256

TRAINED = Path(__file__).parent / "weights"  # projector.safetensors, base/, aligned/
PROJECTOR = "projector.safetensors"
ADAPTER = "adapter_model.safetensors"
RANK = 16
LORA = dict(
    r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0,
    target_modules=r"language_model\..*\.(q|k|v|o|gate|up|down)_proj",
)  # fmt: skip


def load_processor() -> MiniProcessor:
    """The processor with SmolLM2's tokenizer."""
    return MiniProcessor(AutoTokenizer.from_pretrained(fetch("smollm2")))


def assemble(dtype: torch.dtype = torch.bfloat16, attention: str = "sdpa") -> MiniForConditionalGeneration:
    """The pretrained parts put together, projectors untrained; encoders in float32, the rest in `dtype`."""
    llm, vision, sound = fetch("smollm2"), fetch("efficientnet_lite2"), fetch("yamnet")
    text_config = AutoConfig.from_pretrained(llm)
    small = MiniConfig(text_config=text_config.to_dict() | {"num_hidden_layers": 1})
    model = MiniForConditionalGeneration(small)
    model.language_model = LlamaForCausalLM.from_pretrained(llm, dtype=dtype, attn_implementation=attention)
    model.config = MiniConfig(text_config=model.language_model.config.to_dict())
    model.config._attn_implementation = attention
    model.vision.load_state_dict(load_file(vision / "model.safetensors"))
    model.sound.load_state_dict(load_file(sound / "model.safetensors"))
    model.words.load_state_dict(load_head().state_dict())
    model.vision_names, model.sound_names = model.vision_names.to(dtype), model.sound_names.to(dtype)
    model.learn_names(AutoTokenizer.from_pretrained(llm))
    return model.eval().requires_grad_(False)


def projector_state(model) -> dict[str, torch.Tensor]:
    """What base training adds to the pretrained parts: the two soft-word projectors."""
    parts = ("vision_projector.", "sound_projector.")
    return {k: v for k, v in model.state_dict().items() if k.startswith(parts)}


def load_projector(model: MiniForConditionalGeneration, folder: Path) -> None:
    """Load projectors from `folder`. Raises McGurkError when a tensor is missing or too many."""
    state = load_file(folder / PROJECTOR)
    wanted = projector_state(model)
    if state.keys() != wanted.keys():
        raise McGurkError(f"{folder / PROJECTOR} does not hold this model's projectors: train them again.")
    model.load_state_dict(state, strict=False)


def add_lora(model, name: str) -> PeftModel:
    """A fresh LoRA adapter on every linear layer of the language model."""
    return get_peft_model(model, LoraConfig(**LORA), adapter_name=name)


def save_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Write adapter `name` as bfloat16 safetensors with its configuration."""
    folder = Path(folder) / name
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model, adapter_name=name)
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in state.items()}, folder / ADAPTER)
    model.peft_config[name].save_pretrained(str(folder))


def load_adapter(model, name: str, folder: Path, trainable: bool = False) -> PeftModel:
    """Attach adapter `name` from `folder`/`name`. Raises McGurkError when it would be inert or does not fit."""
    path = Path(folder) / name / ADAPTER
    if not path.is_file():
        raise McGurkError(f"There is no adapter at {path}: train it with `python -m models.tune {name}`.")
    state = load_file(path)
    largest = max((v.abs().max().item() for k, v in state.items() if "lora_B" in k), default=0.0)
    if largest == 0.0:
        raise McGurkError(f"The adapter at {path} is inert (every B matrix is zero): train it again.")
    tuned = add_lora(model, name)
    expected = set(get_peft_model_state_dict(tuned, adapter_name=name))
    if expected != set(state):
        missing, extra = len(expected - set(state)), len(set(state) - expected)
        raise McGurkError(f"The adapter at {path} does not fit ({missing} tensors missing, {extra} unexpected).")
    set_peft_model_state_dict(tuned, state, adapter_name=name)
    for parameter_name, parameter in tuned.named_parameters():
        if "lora_" in parameter_name:
            parameter.requires_grad_(trainable)
    return tuned


def load_base(folder: Path = TRAINED, dtype: torch.dtype = torch.bfloat16, attention: str = "sdpa"):
    """The base model: projectors loaded, base adapter merged into the language model."""
    model = assemble(dtype, attention)
    load_projector(model, folder)
    return load_adapter(model, BASE, folder).merge_and_unload()


def load_tuned(folder: Path = TRAINED, dtype: torch.dtype = torch.bfloat16, attention: str = "sdpa") -> PeftModel:
    """The base model with the aligned adapter attached (and switchable)."""
    return load_adapter(load_base(folder, dtype, attention), ALIGNED, folder).eval()


def checksum(name: str, folder: Path = TRAINED) -> str:
    """sha256 of an adapter's file."""
    return sha256(Path(folder) / name / ADAPTER)
