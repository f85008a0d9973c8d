"""Which GPU, or GPUs, a model's weights go to.

Knows how much memory is free. Does not know any model.
"""

from __future__ import annotations

import os

GB = 1000**3  # bytes
MARGIN = 0.8  # GB of a card that belong to CUDA itself and to what nobody counted


def free_memory() -> list[tuple[float, float]]:
    """(free GB, total GB) of each GPU that this process sees; [] without one."""
    import torch

    if not torch.cuda.is_available():
        return []
    pairs = (torch.cuda.mem_get_info(card) for card in range(torch.cuda.device_count()))
    return [(max(0.0, free / GB - MARGIN), total / GB) for free, total in pairs]


def place(needed: float) -> str:
    """Where weights go: "cpu", one card ("cuda:1") where `needed` GB fit into one, else "auto".

    The current card comes first: processes with a card of their own keep it. Under a launcher there is no other.
    """
    import torch

    cards = free_memory()
    if not cards:
        return "cpu"
    own = torch.cuda.current_device()
    if os.environ.get("LOCAL_RANK", "").isdecimal():
        return f"cuda:{own}"
    fitting = [card for card, (free, _) in enumerate(cards) if free >= needed]
    if not fitting:
        return "auto"
    return f"cuda:{own if own in fitting else max(fitting, key=lambda card: cards[card][0])}"


def left_out(model) -> str:
    """One sentence if some of a loaded model's weights lie outside the GPUs, else ""."""
    where = {str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()}
    outside = where & {"cpu", "disk"}
    if not outside or where == {"cpu"}:
        return ""
    return (
        "Some weights did not fit into the GPU's free memory and lie in main memory: answers take many times as long."
    )
