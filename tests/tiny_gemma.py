"""Tiny, random Gemma 4 models, with encoders and without, and their real processors, for tests without a GPU."""

import json
from functools import cache

import torch

from models.probe import PROBE
from tests.tiny_omni import CORPUS, torchvision

WINDOW = 16  # positions that a sliding layer sees
KINDS = ["sliding_attention", "sliding_attention", "full_attention"] * 2
CONTROL = {
    "image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>",
    "boa_token": "<|audio>", "eoa_token": "<audio|>", "turn": "<|turn>", "turn_end": "<turn|>", "video": "<|video|>",
}  # fmt: skip


@cache
def tokenizer():
    """A byte-level BPE of a few hundred tokens with Gemma's control tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = Qwen2Tokenizer()._tokenizer.pre_tokenizer
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=["<pad>", "<eos>", "<bos>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    trained.train_from_iterator([CORPUS] * 4, trainer)
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    return Qwen2Tokenizer(
        vocab=trained.get_vocab(), merges=merges, eos_token="<eos>", bos_token="<bos>", pad_token="<pad>",
        extra_special_tokens=CONTROL,
    )  # fmt: skip


def processor(family: str):
    """The real processor of "Gemma 4" or "Gemma 4 without encoders" around the tiny tokenizer."""
    torchvision()
    if family == "Gemma 4":
        from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor as Sound
        from transformers.models.gemma4.image_processing_gemma4 import Gemma4ImageProcessor as Image
        from transformers.models.gemma4.processing_gemma4 import Gemma4Processor as Made
        from transformers.models.gemma4.video_processing_gemma4 import Gemma4VideoProcessor as Video

        return Made(Sound(feature_size=16), Image(), tokenizer(), Video())
    from transformers.models.gemma4_unified.feature_extraction_gemma4_unified import (
        Gemma4UnifiedAudioFeatureExtractor as Sound,
    )
    from transformers.models.gemma4_unified.image_processing_gemma4_unified import Gemma4UnifiedImageProcessor as Image
    from transformers.models.gemma4_unified.processing_gemma4_unified import Gemma4UnifiedProcessor as Made
    from transformers.models.gemma4_unified.video_processing_gemma4_unified import Gemma4UnifiedVideoProcessor as Video

    return Made(Sound(), Image(), tokenizer(), Video())


def _ids(made) -> dict[str, int]:
    t = made.tokenizer
    of = t.convert_tokens_to_ids
    return {
        "boi_token_id": of("<|image>"), "eoi_token_id": of("<image|>"), "image_token_id": of("<|image|>"),
        "video_token_id": of("<|video|>"), "boa_token_id": of("<|audio>"), "eoa_token_index": of("<audio|>"),
        "audio_token_id": of("<|audio|>"),
    }  # fmt: skip


def config(family: str):
    """Grouped keys, two full layers of six; with encoders, the last three layers share keys."""
    from transformers.models.gemma4.configuration_gemma4 import Gemma4Config
    from transformers.models.gemma4_unified.configuration_gemma4_unified import Gemma4UnifiedConfig

    made = processor(family)
    text = dict(
        vocab_size=len(made.tokenizer) + 4, hidden_size=32, intermediate_size=64, num_hidden_layers=6,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, global_head_dim=16, layer_types=KINDS,
        sliding_window=WINDOW, max_position_embeddings=4096, initializer_range=0.3, final_logit_softcapping=30.0,
        pad_token_id=0, bos_token_id=2, eos_token_id=1,
    )  # fmt: skip
    if family == "Gemma 4":
        text |= dict(num_kv_shared_layers=3, hidden_size_per_layer_input=8, use_double_wide_mlp=True,
                     vocab_size_per_layer_input=text["vocab_size"])  # fmt: skip
        audio = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, output_proj_dims=24,
                     subsampling_conv_channels=[16, 4], initializer_range=0.1)  # fmt: skip
        vision = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                      num_key_value_heads=2, head_dim=8, position_embedding_size=512,
                      initializer_range=0.1)  # fmt: skip
        return Gemma4Config(text_config=text, audio_config=audio, vision_config=vision, **_ids(made))
    text |= dict(attention_k_eq_v=True, num_global_key_value_heads=1)
    vision = dict(mm_embed_dim=32, mm_posemb_size=64, output_proj_dims=32, initializer_range=0.1)
    return Gemma4UnifiedConfig(text_config=text, audio_config={}, vision_config=vision, **_ids(made))


def model(family: str, attention: str = PROBE):
    """The same random float32 model every time."""
    from transformers import Gemma4ForConditionalGeneration, Gemma4UnifiedForConditionalGeneration

    kind = Gemma4ForConditionalGeneration if family == "Gemma 4" else Gemma4UnifiedForConditionalGeneration
    torch.manual_seed(7)
    made = kind._from_config(config(family), attn_implementation={"": attention, "text_config": attention}).float()
    return made.eval()
