"""The families of models that transformers loads, and their released checkpoints by name.

Knows which family a checkpoint belongs to, and what a model must take in. Imports no model.
"""

from __future__ import annotations

from models import gemma, qwen_omni
from models.omni import McGurkError
from models.pretrained.family import Family, Release

FAMILIES: tuple[Family, ...] = (*qwen_omni.FAMILIES, *gemma.FAMILIES)
RELEASES: dict[str, Release] = {**qwen_omni.RELEASES, **gemma.RELEASES}
NEEDED = ("video", "audio", "text")  # what a model must take in


def family_of(config) -> Family:
    """The Family of a loaded config.json. Raises McGurkError for a model without a sense or a family here."""
    name = (getattr(config, "architectures", None) or [config.model_type])[0]
    taken = modalities(name)
    if taken and (lacking := [sense for sense in NEEDED if sense not in taken]):
        raise McGurkError(f"{name} takes {', '.join(taken)} and no {' and no '.join(lacking)}: choose an omni model.")
    if getattr(config, "audio_config", NEEDED) is None:
        raise McGurkError(f"This {name} has no ears (audio_config is empty): choose a size that takes sound.")
    for family in FAMILIES:
        if config.model_type in family.model_types:
            return family
    known = " and ".join(family.name for family in FAMILIES)
    raise McGurkError(f"{name} is neither {known}: bring it in as a plug-in (docs/own-model.md).")


def modalities(architecture: str) -> tuple[str, ...]:
    """What a class of transformers takes in, as the library says; () for a class that it does not have."""
    import transformers

    found = getattr(getattr(transformers, architecture, None), "input_modalities", ())
    return (found,) if isinstance(found, str) else tuple(found)


def why_not(name: str, four_bit: bool = False) -> str:
    """One sentence: why a release cannot run here; "" if it can, as far as can be told without loading it."""
    return RELEASES[name].why_not(name, four_bit)
