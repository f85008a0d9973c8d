"""`mini` as a transformers model: encoders, soft-word projectors, SmolLM2.

Knows how features become tokens of the language model and how a forward pass runs. Does not know
how a prompt is written (processing.py), asked (backend.py) or trained (models/tune.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, LlamaForCausalLM, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from models.everyday import basic
from models.mini import evidence
from models.mini.configuration import MiniConfig
from models.mini.encoders import (
    AUDIOSET_CLASSES,
    IMAGENET_CLASSES,
    SOUND_FEATURES,
    VISION_FEATURES,
    EfficientNetLite2,
    YAMNet,
)
from models.mini.words import WORDS, WordHead

SEEN_NAMES = tuple(name.split(",")[0].strip().lower() for name in IMAGENET_CLASSES) + WORDS
HEARD_NAMES = tuple(name.split(",")[0].split("(")[0].strip().lower() for name in AUDIOSET_CLASSES)


class SoftWords(nn.Module):
    """A location's class distribution read as a blend of the class names' own embeddings.

    token = distribution x name embeddings + residual_scale x MLP(feature) + what marks the modality.
    """

    def __init__(self, features: int, width: int, hidden: int, scale: float):
        super().__init__()
        self.scale = scale
        self.residual = nn.Sequential(
            nn.LayerNorm(features), nn.Linear(features, width), nn.GELU(), nn.Linear(width, hidden)
        )
        self.modality = nn.Parameter(torch.zeros(hidden))

    def forward(self, distribution: Tensor, features: Tensor, names: Tensor, residual: bool = True) -> Tensor:
        """... x classes, ... x features, classes x hidden -> ... x hidden."""
        words = distribution.to(names.dtype) @ names + self.modality.to(names.dtype)
        if not residual:
            return words
        learned = self.residual(features.to(self.residual[1].weight.dtype))
        return words + self.scale * learned.to(words.dtype)


class MiniForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Audio-visual language model of 135M + 5M + 4M parameters."""

    config_class = MiniConfig
    base_model_prefix = "mini"
    _supports_sdpa = True
    _supports_attention_backend = True
    _no_split_modules = ("LlamaDecoderLayer",)
    _tied_weights_keys = {"language_model.lm_head.weight": "language_model.model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: MiniConfig):
        super().__init__(config)
        hidden = config.text_config.hidden_size
        self.vision, self.sound = EfficientNetLite2(), YAMNet()
        self.vision_projector = SoftWords(VISION_FEATURES, config.residual_width, hidden, config.residual_scale)
        self.sound_projector = SoftWords(SOUND_FEATURES, config.residual_width, hidden, config.residual_scale)
        self.language_model = LlamaForCausalLM._from_config(config.text_config)
        self.words = WordHead()
        self.register_buffer("vision_names", torch.zeros(len(SEEN_NAMES), hidden))
        self.register_buffer("sound_names", torch.zeros(len(HEARD_NAMES), hidden))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def name_embeddings(self, names: Sequence[str], tokenizer) -> Tensor:
        """Mean embedding of each name's tokens: N names -> N x hidden."""
        table = self.get_input_embeddings().weight
        ids = [tokenizer.encode(f" {name.lower()}", add_special_tokens=False) for name in names]
        return torch.stack([table[torch.tensor(i, device=table.device)].float().mean(0) for i in ids]).to(table.dtype)

    @torch.no_grad()
    def learn_names(self, tokenizer) -> None:
        """Fill the name tables from the language model's own embeddings, everyday words within narrow names."""
        self.vision_names.copy_(self.name_embeddings(list(map(spoken, SEEN_NAMES)), tokenizer))
        self.sound_names.copy_(self.name_embeddings(list(map(spoken, HEARD_NAMES)), tokenizer))

    def vision_distribution(self, features: Tensor, **changes) -> Tensor:
        """F x 7 x 7 x 1280 -> F x 7 x 7 x (1000 + W), shares of ImageNet's classes and of everyday words."""
        features = features.to(self.vision.classifier.weight.dtype)
        return evidence.seen_words(self.vision.logits(features).float(), self.words(features).float(), **changes)

    def word_chances(self, features: Tensor) -> Tensor:
        """F x 7 x 7 x 1280 -> W, how likely a caption says each everyday word, by the frames' pooled features."""
        logits = self.words(features.to(self.words.weight.dtype)).float()
        return logits.mean((1, 2)).sigmoid().mean(0)

    def sound_distribution(self, features: Tensor, **changes) -> Tensor:
        """P x 3 x 2 x 1024 -> P x 3 x 2 x 521, shares of AudioSet's classes."""
        features = features.to(self.sound.classifier.weight.dtype)
        return evidence.heard_words(self.sound.logits(features).float(), **changes)

    def project_vision(self, features: Tensor, names: Tensor | None = None, residual: bool = True, **changes) -> Tensor:
        """F x 7 x 7 x 1280 -> (F * 49) x hidden. changes: of the distribution, in training (see evidence.py)."""
        names = self.vision_names if names is None else names
        shares = self.vision_distribution(features, **changes)
        return self.vision_projector(shares, features, names, residual).flatten(0, -2)

    def project_sound(self, features: Tensor, names: Tensor | None = None, residual: bool = True, **changes) -> Tensor:
        """P x 3 x 2 x 1024 -> (P * 6) x hidden, time before band. changes: as above."""
        names = self.sound_names if names is None else names
        shares = self.sound_distribution(features, **changes)
        return self.sound_projector(shares, features, names, residual).flatten(0, -2)

    def embed(self, input_ids: Tensor, vision: Tensor | None = None, sound: Tensor | None = None) -> Tensor:
        """Token embeddings with media tokens, in order of occurrence, put in the placeholders' places."""
        is_video = input_ids == self.config.video_token_id
        is_audio = input_ids == self.config.audio_token_id
        embeddings = self.get_input_embeddings()(input_ids.masked_fill(is_video | is_audio, 0))
        for where, tokens, kind in ((is_video, vision, "video"), (is_audio, sound, "audio")):
            given = 0 if tokens is None else len(tokens)
            if int(where.sum()) != given:
                raise ValueError(f"{int(where.sum())} {kind} placeholders in input_ids, but {given} {kind} tokens")
            if given:
                embeddings = embeddings.masked_scatter(where[..., None], tokens.to(embeddings.dtype))
        return embeddings

    def forward(
        self,
        input_ids: Tensor | None = None,
        vision_features: Tensor | None = None,
        sound_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        media: Sequence[dict] | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values=None,
        logits_to_keep: int | Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """One pass; the loss is the mean cross-entropy of `labels` (B x T, -100 ignored, not shifted).

        vision_features: F x 7 x 7 x 1280 of all frames in the batch, in order of their placeholders;
        sound_features: P x 3 x 2 x 1024 likewise. media: per sample, how its features are to be read
        where that differs (shuffled names): {"frames", "patches", "vision_names", "sound_names",
        "residual", "seen" and "heard" (changes of the distributions)}.
        """
        if inputs_embeds is None:
            inputs_embeds = self.embed(input_ids, *self._project(vision_features, sound_features, media))
        output = self.language_model.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )
        hidden, loss = output.last_hidden_state, None
        if labels is not None:
            targets = labels[:, 1:]
            wanted = targets != -100
            logits = self.language_model.lm_head(hidden[:, :-1][wanted])  # only where something is to be learnt
            loss = nn.functional.cross_entropy(logits.float(), targets[wanted])
        else:
            keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            logits = self.language_model.lm_head(hidden[:, keep])
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=output.past_key_values)

    def _project(self, vision, sound, media) -> tuple[Tensor | None, Tensor | None]:
        if media is None:
            return (
                None if vision is None else self.project_vision(vision),
                None if sound is None else self.project_sound(sound),
            )
        frames, patches, seen, heard = 0, 0, [], []
        for sample in media:
            if n := sample["frames"]:
                part = vision[frames : frames + n]
                given = sample.get("vision_names"), sample.get("residual", True)
                seen.append(self.project_vision(part, *given, **sample.get("seen", {})))
            if m := sample["patches"]:
                part = sound[patches : patches + m]
                given = sample.get("sound_names"), sample.get("residual", True)
                heard.append(self.project_sound(part, *given, **sample.get("heard", {})))
            frames, patches = frames + n, patches + m
        return (torch.cat(seen) if seen else None, torch.cat(heard) if heard else None)


def spoken(name: str) -> str:
    """A class name as its soft word blends it: with the everyday word of a narrow thing, "beagle dog", "bark dog"."""
    said = [word for word in basic(name)[:1] if word not in name]
    return " ".join([name, *said])
