"""Qwen2.5-Omni and Qwen3-Omni: `load("qwen2.5-omni-7b")` and what it returns."""

from models.qwen_omni.backend import ALTERNATIVE, GROUNDING, QwenOmni
from models.qwen_omni.family import RELEASES, Release
from models.qwen_omni.loading import load, why_not

__all__ = ["ALTERNATIVE", "GROUNDING", "RELEASES", "QwenOmni", "Release", "load", "why_not"]
