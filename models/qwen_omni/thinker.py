"""A Qwen-Omni thinker: its towers, media in their places, positions in three axes.

Knows the library's names and its get_rope_index. Does not know prompts, adapters or questions.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from models.pretrained.decoding import Decoder, Encoded, Fed, continued, filled
from models.pretrained.layout import Media
from models.qwen_omni.processing import MODEL_FLAG, PROCESSOR_FLAG


class Thinker(Decoder):
    """Positions are 3 x 1 x T: time, row, column."""

    def __init__(self, model):
        super().__init__(model)
        self.flag = model_flag(model)

    def encode(self, media: Media) -> tuple:
        """See see_and_hear()."""
        return see_and_hear(self.model, media, self.device)

    def feed(self, ids: np.ndarray, head: int, encoded: Encoded) -> Fed:
        return assemble(self.model, ids, encoded, self.device, self.flag, head)

    def embed(self, ids: Tensor, features: tuple) -> tuple[Tensor, dict]:
        """See Decoder.embed."""
        return embedded(self.model, ids, features)

    def place(self, ids: Tensor, media: Media) -> Tensor:
        """See Decoder.place."""
        return positions_of(ids, media, self.model.get_rope_index, self.flag)

    def packed(self, rows: Sequence[dict], seen: Tensor, positions: Tensor) -> dict:
        """See Decoder.packed."""
        if not any(rows):
            return {"attention_mask": seen}
        none = torch.zeros(1, seen.shape[-1], dtype=torch.bool, device=seen.device)
        visual = torch.cat([row.get("visual", none) for row in rows])
        deep = [torch.cat(level) for level in zip(*(row["deepstack"] for row in rows if row), strict=True)]
        return {"attention_mask": seen, "visual_pos_masks": visual, "deepstack_visual_embeds": deep}

    def versions(self, media: Media) -> dict[str, str]:
        """With what the two sides call "interleaved", and whether it is."""
        return super().versions(media) | {"flags": f"{PROCESSOR_FLAG} = {self.flag} = {media.interleaved}"}

    def axes(self, positions: Tensor, rows: int) -> Tensor:
        """Text: the same in all three axes."""
        return positions.expand(3, rows, -1)

    def part(self, fed: Fed, begin: int, end: int) -> Fed:
        """See Decoder.part."""
        part = Fed(fed.embeddings[:, begin:end], fed.positions[..., begin:end])
        if fed.more:
            visual = fed.more["visual"]
            skipped, there = int(visual[:, :begin].sum()), int(visual[:, begin:end].sum())
            deep = tuple(level[skipped : skipped + there] for level in fed.more["deepstack"])
            part.more.update(visual=visual[:, begin:end], deepstack=deep)
        return part

    def _with_prompt(self, fed: Fed, rows: int, cache: DynamicCache) -> dict:
        """Qwen3-Omni: what is added at video positions after the first layers."""
        if not fed.more:
            return {}
        deep = [level.repeat(rows, 1) for level in fed.more["deepstack"]]
        return {"visual_pos_masks": fed.more["visual"].expand(rows, -1), "deepstack_visual_embeds": deep}


def see_and_hear(thinker, media: Media, device) -> tuple[Tensor | None, tuple[Tensor, ...], Tensor | None]:
    """Run the towers: (video tokens N x hidden, further ones to add after early layers, audio tokens M x hidden)."""
    vision, deep, sound = None, (), None
    given = {name: tensor.to(device) for name, tensor in media.inputs.items()}
    if "pixel_values_videos" in given:
        seen = thinker.get_video_features(given["pixel_values_videos"], given["video_grid_thw"], return_dict=True)
        vision = torch.cat(tuple(seen.pooler_output))
        deep = tuple(torch.cat(tuple(level)) for level in getattr(seen, "deepstack_features", None) or ())
    if "input_features" in given:
        mask = given["feature_attention_mask"]
        sound = thinker.get_audio_features(given["input_features"], mask, return_dict=True).last_hidden_state
    return vision, deep, sound


def assemble(thinker, ids: np.ndarray, encoded: Encoded, device, flag: str, head: int) -> Fed:
    """Put media tokens into the embeddings of `ids` and ask the library for their positions.

    head: number of ids up to and including the media; after them, positions go up one by one.
    """
    media, ids = encoded.media, torch.as_tensor(ids)[None].to(device)
    embeddings, more = embedded(thinker, ids, encoded.features)
    known, before = encoded.known, tuple(ids[0, : head - len(media.ids)].tolist())
    if before not in known:  # a loop over all tokens, in Python: once a clip
        known[before] = positions_of(ids[:, :head].cpu(), media, thinker.get_rope_index, flag)
    positions = continued(known[before], ids.shape[1] - head)[:, None].to(device)
    return Fed(embeddings, positions, more)


def embedded(thinker, ids: Tensor, features: tuple) -> tuple[Tensor, dict]:
    """Embeddings of 1 x T ids with what the towers made in its places; what Qwen3-Omni adds after its first layers."""
    vision, deepstack, sound = features
    seen, heard = (ids == i for i in (thinker.config.video_token_id, thinker.config.audio_token_id))
    embeddings = filled(thinker.get_input_embeddings()(ids), ((seen, vision, "video"), (heard, sound, "audio")))
    return embeddings, {"visual": seen, "deepstack": deepstack} if deepstack else {}


def positions_of(ids: Tensor, media: Media, rope, flag: str) -> Tensor:
    """3 x T: time, row and column of each of the 1 x T ids, from the library's own get_rope_index, on the CPU."""
    mask = media.inputs.get("feature_attention_mask")
    return rope(
        ids,
        video_grid_thw=media.inputs.get("video_grid_thw"),
        attention_mask=torch.ones_like(ids),
        audio_seqlens=None if mask is None else mask.sum(-1),
        second_per_grids=media.inputs.get("video_second_per_grid"),
        **{flag: media.interleaved},
    )[0][:, 0]


def model_flag(thinker) -> str:
    """What this version of the model calls "sound and picture are interleaved" (see processing.py)."""
    known = inspect.signature(thinker.get_rope_index).parameters
    return MODEL_FLAG if MODEL_FLAG in known else PROCESSOR_FLAG
