"""With what an answer was computed: the versions on every receipt. Knows libraries. Does not know models."""

from __future__ import annotations

import platform

import peft
import torch
import transformers


def versions(dtype: torch.dtype, device: torch.device) -> dict[str, str]:
    """Of Python and the libraries that answer, with the numbers' type and where they lie."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "dtype": str(dtype).removeprefix("torch."),
        "device": str(device),
    }
