"""Qwen2.5-Omni and Qwen3-Omni: `load("qwen2.5-omni-7b")` and what it returns.

Names and sizes are there at once; torch and transformers are imported with the first of the others.
"""

from importlib import import_module

from models.qwen_omni.family import RELEASES, Release, why_not

_LATER = {"QwenOmni": "backend", "load": "loading"}

__all__ = ["RELEASES", "QwenOmni", "Release", "load", "why_not"]


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
