"""Loads a Qwen-Omni thinker from the hub or a folder, in bfloat16 or four bits, with or without an aligned adapter.

Knows names, packages and where weights may go. Does not know how a question is answered.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
import transformers
from transformers import AutoConfig

from models.adapters import read_adapter
from models.omni import McGurkError
from models.probe import PROBE
from models.qwen_omni.backend import QwenOmni
from models.qwen_omni.family import NEEDED, RELEASES, family_of
from models.weights import is_offline


def load(
    name: str = "qwen2.5-omni-7b",
    *,
    adapter: str | Path | None = None,
    four_bit: bool = False,
    device: str | None = None,
    pixels: tuple[int, int] | None = None,
    dtype: torch.dtype | None = None,
) -> QwenOmni:
    """Load a Qwen-Omni by release name, hub id or folder.

    adapter: folder or hub id of the aligned LoRA. device: None spreads the weights over what there is (accelerate).
    Raises McGurkError for an unknown name, a missing package, an unreachable hub or an adapter that does not fit.
    """
    tune = None if adapter is None else read_adapter(adapter)  # refuse it before the large download
    thinker, processor, family = load_parts(name, four_bit=four_bit, device=device, dtype=dtype)
    return QwenOmni(str(name), thinker, processor, family, adapter=tune, pixels=pixels)


def load_parts(name: str, *, four_bit: bool = False, device: str | None = None, dtype: torch.dtype | None = None,
               attention: str = PROBE):  # fmt: skip
    """(thinker, processor, Family); see `load`."""
    source = source_of(name)
    _need("torchvision")
    if four_bit:
        _need("bitsandbytes")
    try:
        family = family_of(AutoConfig.from_pretrained(source, local_files_only=is_offline()).model_type)
        processor = getattr(transformers, family.processor).from_pretrained(source, local_files_only=is_offline())
        thinker = getattr(transformers, family.thinker).from_pretrained(
            source, dtype=dtype or _dtype(), attn_implementation=attention, device_map=device or "auto",
            local_files_only=is_offline(), **_quantised(four_bit),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise McGurkError(f"{name} could not be loaded ({reason}): check the name and the connection.") from error
    except torch.OutOfMemoryError as error:
        raise McGurkError(f"{name} does not fit into this GPU's memory: try a smaller one, or four bits.") from error
    return thinker, processor, family


def source_of(name: str) -> str:
    """Hub id or folder behind a name. Raises McGurkError for a name that is neither."""
    if name.lower() in RELEASES:
        return RELEASES[name.lower()].hub
    if Path(name).is_dir() or name.count("/") == 1:
        return name
    raise McGurkError(f"There is no model {name!r}: {', '.join(RELEASES)}, a hub id (owner/name) or a folder.")


def _dtype() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _quantised(four_bit: bool) -> dict:
    if not four_bit:
        return {}
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=["lm_head", "visual", "audio_tower"],  # the towers lose most and hold little
    )  # fmt: skip
    return {"quantization_config": config}


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise McGurkError(f"Qwen-Omni needs {package}: {NEEDED}.")
