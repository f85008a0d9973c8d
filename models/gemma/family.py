"""Gemma 4: class names and sizes of the released checkpoints that see and hear.

Knows facts about released checkpoints. Does not load or run anything.
"""

from __future__ import annotations

from models.pretrained.family import Family, Release

PARTS = "models.gemma.processing:GemmaLayout", "models.gemma.decoder:GemmaDecoder"
FAMILIES = (
    Family("Gemma 4", "Gemma4ForConditionalGeneration", "Gemma4Processor", ("gemma4",), "", *PARTS, ("vision_config",)),
    Family(
        "Gemma 4 without encoders", "Gemma4UnifiedForConditionalGeneration", "Gemma4UnifiedProcessor",
        ("gemma4_unified",), "", *PARTS, (),
    ),
)  # fmt: skip
CLIP = 32 * 78 + 250  # prompt tokens of ten seconds: 32 frames of 70 tokens with their times, and the sound

RELEASES = {
    "gemma-4-e2b-it": Release(
        "google/gemma-4-E2B-it", 5.1, 1.9, 7, 8, 12 * 512 + 3 * 1024, 512, 1536, 2 * 6144, CLIP,
    ),
    "gemma-4-e4b-it": Release(
        "google/gemma-4-E4B-it", 8.0, 3.9, 7, 8, 20 * 1024 + 4 * 2048, 1024, 2560, 10240, CLIP,
    ),
    "gemma-4-12b-it": Release(
        "google/gemma-4-12B-it", 12.0, 10.9, 8, 16, 40 * 4096 + 8 * 1024, 2048, 3840, 15360, CLIP,
        note="no encoders: patches and sound go straight into the language model",
    ),
}  # fmt: skip
