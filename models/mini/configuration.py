"""Configuration of `mini`: the numbers that shape it. Does not know any weights."""

from __future__ import annotations

from transformers import LlamaConfig, PretrainedConfig


class MiniConfig(PretrainedConfig):
    """SmolLM2 with two frozen encoders and two soft-word projectors.

    residual_scale: factor on the learned residual of a soft word.
    residual_width: hidden units of the residual.
    max_frames: frames the processor keeps of a clip; each becomes 7 x 7 tokens.
    video_token_id, audio_token_id: placeholders in input_ids, above the vocabulary of the language model.
    """

    model_type = "mcgurk_mini"
    sub_configs = {"text_config": LlamaConfig}  # noqa: RUF012 (the library reads it as a class attribute)

    def __init__(self, text_config=None, residual_scale=0.1, residual_width=256, max_frames=8, **kwargs):
        self.text_config = LlamaConfig(**text_config) if isinstance(text_config, dict) else text_config or LlamaConfig()
        self.residual_scale = residual_scale
        self.residual_width = residual_width
        self.max_frames = max_frames
        self.video_token_id = self.text_config.vocab_size
        self.audio_token_id = self.text_config.vocab_size + 1
        super().__init__(**kwargs)
