"""What differs between Qwen2.5-Omni and Qwen3-Omni and any other family of models."""

from models.qwen_omni.family import FAMILIES, RELEASES

__all__ = ["FAMILIES", "RELEASES"]
