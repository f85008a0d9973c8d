"""Loads a model of a known family from the hub or a folder, in bfloat16 or four bits, perhaps with an adapter.

Knows names, packages and where weights may go. Does not know how a question is answered.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig
from transformers.utils import is_flash_attn_2_available

from models.adapters import made_up, read_adapter
from models.omni import McGurkError
from models.pretrained.backend import Pretrained
from models.pretrained.families import RELEASES, family_of
from models.pretrained.family import GB, HALF, NEEDED, NO_FOUR_BIT, Family
from models.pretrained.placing import left_out, place
from models.probe import PROBE
from models.weights import is_offline

UNTOUCHED = (
    "lm_head",
    "model.visual",
    "model.vision_tower",
    "model.audio_tower",
    "model.embed_vision",
    "model.embed_audio",
    "model.language_model.per_layer_model_projection",
)  # by four bits
NO_ROOM = "{name} does not fit into this GPU's memory: try a smaller one, or four bits."
VARIANTS = {
    "thinking": "writes its thoughts before it answers, so its first words are no answer",
    "captioner": "describes sounds and answers no questions",
}


def load(
    name: str = "qwen2.5-omni-7b",
    *,
    adapter: str | Path | None = None,
    four_bit: bool = False,
    device: str | None = None,
    pixels: tuple[int, int] | None = None,
    dtype: torch.dtype | None = None,
) -> Pretrained:
    """Load a model by release name, hub id or folder.

    adapter: folder or hub id of the aligned LoRA. device: None is one GPU where it fits, else all.
    Raises McGurkError for an unknown name, a missing package, an unreachable hub or an adapter that does not fit.
    """
    tune = None if adapter is None else read_adapter(adapter)  # refuse it before the large download
    model, processor, family = load_parts(name, four_bit=four_bit, device=device, dtype=dtype)
    notes = (said,) if (said := left_out(model)) else ()
    return Pretrained(str(name), model, processor, family, adapter=tune, pixels=pixels, notes=notes)


def load_parts(name: str, *, four_bit: bool = False, device: str | None = None, dtype: torch.dtype | None = None,
               attention: str = PROBE):  # fmt: skip
    """(model, processor, Family); see `load`."""
    source = source_of(name)
    refuse_variant(source)
    _need("torchvision")
    if four_bit:
        _need("bitsandbytes")
    try:
        config, family = _described(source)
        if four_bit and has_experts(config):
            raise McGurkError(NO_FOUR_BIT.format(name=name))
        processor = _processor(source, family)
        model = getattr(transformers, family.model).from_pretrained(
            source, dtype=dtype or _dtype(), attn_implementation=attentions(attention, family),
            device_map=device or place(_needed(name, config, family, four_bit)),
            local_files_only=is_offline(), **quantised(four_bit),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise _not_loaded(name, error) from error
    except torch.OutOfMemoryError as error:
        raise McGurkError(NO_ROOM.format(name=name)) from error
    return model, processor, family


def load_random(name: str, *, device: str | None = None, dtype: torch.dtype | None = None) -> Pretrained:
    """A model of the released size whose weights are random, and both its answers: what it says means nothing, what it
    costs is what the release costs.

    Takes configuration and processor alone from the hub or a folder. The adapter, r 8 on q and v, is random too.
    Raises McGurkError for an unknown name, an unreachable hub or a model that does not fit into memory.
    """
    source = source_of(name)
    _need("torchvision")
    try:
        config, family = _described(source)
        processor = _processor(source, family)
        dtype = dtype or _dtype()
        config = getattr(config, "thinker_config", config)
        where = device or place(_needed(name, config, family, False))
        if where == "auto":
            raise McGurkError(NO_ROOM.format(name=name))
        with torch.device(where):
            torch.manual_seed(0)
            made = getattr(transformers, family.model)._from_config(
                config, dtype=dtype, attn_implementation=attentions(PROBE, family)
            )
    except (OSError, ValueError) as error:
        raise _not_loaded(name, error) from error
    except torch.OutOfMemoryError as error:
        raise McGurkError(NO_ROOM.format(name=name)) from error
    note = "All weights are random: only the costs mean something."
    return Pretrained(str(name), made, processor, family, adapter=made_up(made), notes=(note,))


def _described(source: str) -> tuple:
    """(configuration, Family) of a checkpoint."""
    config = AutoConfig.from_pretrained(source, local_files_only=is_offline())
    return config, family_of(config)


def _processor(source: str, family: Family):
    return getattr(transformers, family.processor).from_pretrained(source, local_files_only=is_offline())


def _not_loaded(name: str, error: Exception) -> McGurkError:
    reason = str(error).splitlines()[0]
    return McGurkError(f"{name} could not be loaded ({reason}): check the name and the connection.")


def source_of(name: str) -> str:
    """Hub id or folder behind a name. Raises McGurkError for a name that is neither."""
    if name.lower() in RELEASES:
        return RELEASES[name.lower()].hub
    if Path(name).is_dir() or name.count("/") == 1:
        return name
    raise McGurkError(f"There is no model {name!r}: {', '.join(RELEASES)}, a hub id (owner/name) or a folder.")


def _dtype() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _needed(name: str, config, family: Family, four_bit: bool) -> float:
    """GB of GPU memory; of a model that is no release, its weights and a fifth of them for the prompt."""
    for known, release in RELEASES.items():
        if name.lower() == known or name == release.hub:
            return release.gigabytes(four_bit)
    with torch.device("meta"):
        counted = getattr(transformers, family.model)._from_config(getattr(config, "thinker_config", config))
    return 1.2 * sum(weight.numel() for weight in counted.parameters()) * HALF / GB


def attentions(text: str, family: Family) -> dict[str, str]:
    """attn_implementation: `text` for the text layers; FlashAttention-2 for the towers where it is installed.

    With SDPA the vision tower of Qwen2.5-Omni calls it once a window, thousands of times a clip.
    """
    towers = "flash_attention_2" if is_flash_attn_2_available() else "sdpa"
    return {"": text, "text_config": text, **dict.fromkeys(family.towers, towers)}


def has_experts(config) -> bool:
    """Whether a configuration, of the whole model or of the thinker alone, is of a mixture of experts."""
    text = getattr(config, "thinker_config", config).get_text_config()
    return bool(getattr(text, "num_experts", 0))


def refuse_variant(source: str) -> None:
    """Raises McGurkError for checkpoints that look alike and do not answer questions."""
    for variant, reason in VARIANTS.items():
        if variant in Path(source).name.lower():
            raise McGurkError(f"{source} {reason}: choose the Instruct checkpoint.")


def quantised(four_bit: bool) -> dict:
    """Arguments of from_pretrained. The towers (little to gain, most to lose) and the last layer stay as they are."""
    if not four_bit:
        return {}
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(UNTOUCHED),
    )  # fmt: skip
    return {"quantization_config": config}


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise McGurkError(f"This model needs {package}: {NEEDED}.")
