"""Gemma 4's language model: sliding and full layers, layers that share keys, an embedding for every layer.

Knows the library's names. Does not know prompts, adapters or questions.

Attention is recorded in the full layers alone: a sliding layer sees the last few hundred positions, most of them text,
so what it gives to a frame says where the frame stands and not what the model looks at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.masking_utils import create_masks_for_generate
from transformers.models.gemma4.modeling_gemma4 import get_block_sequence_ids_for_mask

from models.pretrained.decoding import Decoder, Encoded, Fed, filled
from models.pretrained.layout import Media

FULL, SLIDING = "full_attention", "sliding_attention"
VIDEO_TYPE = 2  # the library's mark of a video token


class GemmaDecoder(Decoder):
    """Positions are 1 x T."""

    def __init__(self, model):
        super().__init__(model)
        ends = [at for at, kind in enumerate(self.config.layer_types) if kind == FULL]
        starts = [0, *(at + 1 for at in ends)]
        every, blocks, self.count = self.attention_layers, self.blocks, len(self.blocks)
        self.groups = [tuple(every[start : end + 1]) for start, end in zip(starts, ends, strict=False)]
        self.attention_layers, self.blocks = [every[at] for at in ends], [blocks[at] for at in ends]
        self.has_layer_inputs = bool(getattr(self.config, "hidden_size_per_layer_input", 0))

    @property
    def notes(self) -> tuple[str, ...]:
        """See Decoder.notes."""
        return (
            f"Attention is that of the {len(self.attention_layers)} of {self.count} layers that see the whole prompt; "
            f"the others see the last {self.config.sliding_window} positions, and are steered with the next of these.",
        )

    def encode(self, media: Media) -> tuple:
        """(video tokens N x hidden or None, audio tokens M x hidden or None)."""
        dtype = self.language_model.norm.weight.dtype
        given = {
            name: tensor.to(self.device, dtype if tensor.is_floating_point() else None)
            for name, tensor in media.inputs.items()
        }
        vision = sound = None
        if "pixel_values_videos" in given:
            names = ("pixel_values_videos", "video_position_ids", "num_frames_per_video")
            seen = self.model.model.get_video_features(**{name: given[name] for name in names}, return_dict=True)
            vision = torch.cat(tuple(seen.pooler_output))
        if "input_features" in given:
            mask = given["input_features_mask"].bool()
            heard = self.model.model.get_audio_features(given["input_features"], mask, return_dict=True)
            sound = heard.pooler_output[heard.attention_mask.bool()]
        return vision, sound

    def feed(self, ids: np.ndarray, head: int, encoded: Encoded) -> Fed:
        """See Decoder.feed."""
        embeddings, more = self.embed(torch.as_tensor(ids)[None].to(self.device), encoded.features)
        return Fed(embeddings, torch.arange(len(ids), device=self.device)[None], more)

    def embed(self, ids: Tensor, features: tuple) -> tuple[Tensor, dict]:
        """See Decoder.embed."""
        config = self.model.config
        seen, heard = ids == config.video_token_id, ids == config.audio_token_id
        embeddings, more = self.words(ids.masked_fill(seen | heard, self.config.pad_token_id))
        vision, sound = features
        embeddings = filled(embeddings, ((seen, vision, "video"), (heard, sound, "audio")))
        return embeddings, {**more, "types": seen.long() * VIDEO_TYPE}

    def place(self, ids: Tensor, media: Media) -> Tensor:
        """See Decoder.place."""
        return torch.arange(ids.shape[1])[None]

    def packed(self, rows: Sequence[dict], seen: Tensor, positions: Tensor) -> dict:
        """See Decoder.packed."""
        more = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        steps, types = positions[0], more.pop("types")
        near = (steps[:, :, None] - steps[:, None] < self.config.sliding_window)[:, None]
        both = {FULL: seen, SLIDING: seen & near}
        if self.config.use_bidirectional_attention == "vision":
            block = get_block_sequence_ids_for_mask(types, types.device)
            frame = ((block[:, :, None] == block[:, None]) & (block >= 0)[:, None])[:, None]
            both = {kind: mask | frame for kind, mask in both.items()}
        return {**more, "attention_mask": both}

    def logits(self, hidden: Tensor) -> Tensor:
        """With the library's soft cap."""
        logits, cap = super().logits(hidden), self.config.final_logit_softcapping
        return logits if cap is None else (logits / cap).tanh() * cap

    def words(self, ids: Tensor) -> tuple[Tensor, dict]:
        """With the embedding that each layer adds."""
        layers = {"per_layer_inputs": self.language_model.get_per_layer_inputs(ids)} if self.has_layer_inputs else {}
        return self.language_model.embed_tokens(ids), layers

    def axes(self, positions: Tensor, rows: int) -> Tensor:
        return positions.long().expand(rows, -1)

    def masked(self, seen: Tensor, steps: Tensor, prompt: int) -> dict[str, Tensor]:
        """By kind of layer; what is near is told by position: options stand side by side."""
        keys = torch.cat([torch.arange(prompt, device=steps.device, dtype=steps.dtype), steps])
        near = steps[:, None] - keys < self.config.sliding_window
        return {FULL: seen, SLIDING: seen & near}

    def cache(self) -> DynamicCache:
        """Sliding layers keep all keys too, so that the cache can be cut back after the options; masks do the rest."""
        return DynamicCache()

    def part(self, fed: Fed, begin: int, end: int) -> Fed:
        """See Decoder.part. What frames see of themselves is told from the first position on."""
        part = super().part(fed, begin, end)
        part.more["types"] = fed.more["types"][:, :end]
        return part

    def _with_prompt(self, fed: Fed, rows: int, cache: DynamicCache) -> dict:
        """Embeddings by layer; in models without encoders, frames that see themselves in both directions."""
        more = {name: value.expand(rows, *value.shape[1:]) for name, value in fed.more.items()}
        types = more.pop("types")
        if self.config.use_bidirectional_attention == "vision" and bool(types.any()):
            embeddings, positions = fed.embeddings.expand(rows, -1, -1), fed.positions.expand(rows, -1)
            # as the model's own forward does it; its create_masks_for_generate() leaves the full layers causal
            more["attention_mask"] = create_masks_for_generate(
                config=self.config, inputs_embeds=embeddings, attention_mask=None, past_key_values=cache,
                position_ids=positions, block_sequence_ids=get_block_sequence_ids_for_mask(types, embeddings.device),
            )  # fmt: skip
        return more
