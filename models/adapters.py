"""LoRA adapters for a language model, from a folder or the hub, including those written for older module names.

Knows PEFT's files, LLaMA-Factory's and older transformers' key names, and refuses an adapter that does not fit or does
nothing. Does not know which model it is for, what it was trained on, or how the two answers are run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.habits import FILE, Habits, read_habits
from models.omni import McGurkError
from models.weights import is_offline, sha256

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
BARE = "__base__"  # PEFT's name for "no adapter" in a mixed batch
SHOWN = 3  # keys named in a message
NO_HABITS = Habits()
LAYERS = "model.language_model.layers."  # where transformers keeps the thinker's text layers today

# A text layer's key as written by: older transformers on the whole model (thinker.model.layers.0), older transformers
# on the thinker alone (model.layers.0), today's on either ([thinker.]model.language_model.layers.0). No other "layers."
# may match: the audio tower's are audio_tower.layers.0, the vision tower's visual.blocks.0, the talker's talker.model.
_TEXT_LAYER = re.compile(
    r"^(?:base_model\.model\.)?(?:thinker\.)?(?:model\.)?(?:language_model\.)?(?:model\.)?layers\."
)
_PART = re.compile(r"\.(lora_[AB])(?:\.[^.]+)?\.weight$")  # PEFT leaves the adapter's name out, others write "default"
_UNSUPPORTED = (
    "modules_to_save", "use_dora", "rank_pattern", "alpha_pattern", "target_parameters", "trainable_token_indices",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Adapter:
    """A LoRA read from disk, its keys in today's names.

    state: "model.language_model.layers.0.self_attn.q_proj.lora_A" -> r x in (A) or out x r (B).
    """

    source: str
    state: dict[str, Tensor]
    rank: int
    alpha: float
    rslora: bool
    sha256: str  # of the weights file
    renamed: bool  # its keys were written for older names
    habits: Habits = NO_HABITS  # how the model was fed while it was trained

    @property
    def modules(self) -> list[str]:
        """Full names of the modules that it changes, sorted."""
        return sorted({key.rpartition(".")[0] for key in self.state})


def read_adapter(source: str | Path) -> Adapter:
    """Read a LoRA from a folder or a hub id.

    Raises McGurkError when there is none, it is damaged, it changes anything but linear layers of the language model
    (both answers share one encoding of picture and sound), or every B is zero.
    """
    folder = _folder(source)
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        state = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise McGurkError(f"{source} is no adapter: it has no {Path(error.filename).name}.") from error
    except (ValueError, SafetensorError, OSError) as error:
        raise McGurkError(f"The adapter {source} cannot be read ({error}): copy or download it again.") from error
    if config.get("peft_type") != "LORA":
        raise McGurkError(f"The adapter {source} is of type {config.get('peft_type')}: only LoRA can be loaded.")
    if present := [key for key in _UNSUPPORTED if config.get(key)]:
        raise McGurkError(f"The adapter {source} uses {', '.join(present)}: only a plain LoRA can be loaded.")
    if config.get("bias", "none") != "none":
        raise McGurkError(f"The adapter {source} also changes biases: only a plain LoRA can be loaded.")
    renamed = rename(state, str(source))
    largest = max((float(value.abs().max()) for key, value in renamed.items() if key.endswith("lora_B")), default=0.0)
    if not largest > 0.0:  # also true of nan
        raise McGurkError(f"The adapter {source} is inert (every B matrix is zero): train it again.")
    older = any(LAYERS not in key for key in state)
    return Adapter(
        str(source), renamed, int(config["r"]), float(config["lora_alpha"]), bool(config.get("use_rslora")),
        sha256(folder / WEIGHTS), older, read_habits(folder),
    )  # fmt: skip


def made_up(model: nn.Module, rank: int = 8) -> Adapter:
    """A random LoRA on q and v of every text layer that has them, to measure with."""
    state, random = {}, torch.Generator().manual_seed(0)
    for name, module in model.named_modules():
        if name.startswith(LAYERS) and name.endswith(("q_proj", "v_proj")):
            state[f"{name}.lora_A"] = torch.randn(rank, module.in_features, generator=random) / module.in_features**0.5
            state[f"{name}.lora_B"] = 0.1 * torch.randn(module.out_features, rank, generator=random)
    return Adapter("random", state, rank, 2.0 * rank, False, "", False)


def rename(state: dict[str, Tensor], source: str = "this adapter") -> dict[str, Tensor]:
    """Keys of any of the known writers -> today's names. Raises McGurkError for a key of anything but a text layer."""
    renamed: dict[str, Tensor] = {}
    unknown = []
    for key, value in state.items():
        layer, part = _TEXT_LAYER.match(key), _PART.search(key)
        if not layer or not part:
            unknown.append(key)
            continue
        renamed[LAYERS + key[layer.end() : part.start()] + "." + part[1]] = value
    if unknown:
        raise McGurkError(
            f"{source} holds {len(unknown)} unexpected keys ({_some(unknown)}): "
            "an adapter may change the linear layers of the language model only."
        )
    if len(renamed) != len(state):
        raise McGurkError(f"{source} holds the same module twice under different names: merge or export it again.")
    return renamed


def attach(model: nn.Module, adapter: Adapter, name: str) -> PeftModel:
    """Wrap `model` with the adapter under `name`, switchable. Every missing or unexpected key is a McGurkError."""
    modules = dict(model.named_modules())
    if absent := [module for module in adapter.modules if not isinstance(modules.get(module), nn.Linear)]:
        raise McGurkError(
            f"{adapter.source} does not fit: {len(absent)} modules it changes are not in the model ({_some(absent)})."
        )
    tuned = get_peft_model(
        model,
        LoraConfig(
            r=adapter.rank, lora_alpha=adapter.alpha, use_rslora=adapter.rslora, lora_dropout=0.0,
            target_modules=adapter.modules,
        ),
        adapter_name=name,
    )  # fmt: skip
    expected = get_peft_model_state_dict(tuned, adapter_name=name)
    given = {f"base_model.model.{key}.weight": value for key, value in adapter.state.items()}
    _refuse_misfit(adapter.source, expected, given)
    set_peft_model_state_dict(tuned, given, adapter_name=name)
    return tuned.requires_grad_(False).eval()


def _refuse_misfit(source: str, expected: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    missing, extra = expected.keys() - given.keys(), given.keys() - expected.keys()
    if missing or extra:
        raise McGurkError(
            f"{source} does not fit: {len(missing)} keys are missing and {len(extra)} unexpected "
            f"({_some(sorted(missing | extra))})."
        )
    if wrong := [key for key in given if given[key].shape != expected[key].shape]:
        raise McGurkError(f"{source} does not fit: {len(wrong)} matrices have another shape ({_some(wrong)}).")


def save_adapter(model: PeftModel, name: str, folder: Path) -> None:
    """Write adapter `name` as bfloat16 safetensors with its configuration straight into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(model, adapter_name=name)
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in state.items()}, folder / WEIGHTS)
    model.peft_config[name].save_pretrained(str(folder))


@contextmanager
def mixed(model: PeftModel, names: Sequence[str]) -> Iterator[None]:
    """Inside, row i of every batch is answered with adapter names[i] (BARE: without one).

    PEFT takes `adapter_names` in its own forward only; here the language model below it is called, so each LoRA layer
    gets the names handed in, as PEFT does it.
    """
    hook = partial(_hand_in, names=list(names))
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    handles = [layer.register_forward_pre_hook(hook, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hand_in(module, arguments, keywords, *, names: list[str]):
    return arguments, {**keywords, "adapter_names": names}


def _folder(source: str | Path) -> Path:
    if Path(source).is_dir():
        return Path(source)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise McGurkError(f"There is no adapter folder {source}: give a folder or a hub id such as owner/name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(str(source), allow_patterns=[WEIGHTS, CONFIG, FILE], local_files_only=is_offline())
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise McGurkError(f"The adapter {source} is neither a folder nor could it be downloaded ({reason}).") from error


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")
