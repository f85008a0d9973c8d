"""The same prompt in front of a model, with more of the answer behind it: what a reading without a cache needs."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from models.mini.processing import Prompt
from models.mini.reading import MiniReader
from models.omni import Kind, Stimulus
from models.pretrained.decoding import Fed
from models.pretrained.reading import PromptReader
from tests import tiny_omni

QUESTION = "What do you hear in the audio?"
OPTIONS = ("rain", "dog", "cello")


def stimulus(text: str = "The caption says: violin.") -> Stimulus:
    """Noise to see and a tone to hear, with a caption, small enough for every model."""
    return tiny_omni.stimulus(frames=2, height=56, width=84, seconds=1.7, text=text)


@contextmanager
def opened(model, given: Stimulus, adapter: str):
    """A reader of the question, as the backend makes it."""
    encoded = model.encode(given)
    with torch.inference_mode(), model._lock:
        if hasattr(model, "decoder"):
            prompt = model.layout.prompt(encoded.media, QUESTION, text=given.text, text_position=given.text_position)
            with model._using([adapter]):
                yield PromptReader(model, encoded, prompt, model.feed(prompt, encoded), QUESTION)
        else:
            with model._using(adapter):
                yield MiniReader(model, adapter, encoded, model._prompt(encoded, QUESTION), QUESTION)


def longer(reader, written: list[int]):
    """A reader of the same prompt and what was written after it."""
    tokens = reader.tokens
    if not written:
        return reader
    if isinstance(reader, MiniReader):
        ids = np.concatenate([reader.prompt.ids, written]).astype(np.int64)
        kinds = [*tokens.kinds, *[Kind.GENERATED] * len(written)]
        pieces = [*tokens.pieces, *[""] * len(written)]
        longer_map = reader.mini.processor.token_map(ids, kinds, pieces, tokens.frame_times)
        prompt = Prompt(ids, longer_map, reader.prompt.text)
        return MiniReader(reader.mini, reader.adapter, reader.encoded, prompt, reader.question, reader.system)
    omni, fed = reader.omni, reader.fed
    more, layers = omni.decoder.words(torch.tensor([written]))
    positions = omni.decoder.axes(torch.arange(len(written)) + fed.next_position, 1).to(fed.positions.dtype)
    positions = positions.reshape(*fed.positions.shape[:-1], len(written))
    given = dict(fed.more)
    for name, fill in (
        ("visual", torch.zeros(1, len(written), dtype=torch.bool)),
        ("types", torch.zeros(1, len(written)).long()),
        *layers.items(),
    ):
        if name in given:
            given[name] = torch.cat([given[name], fill], 1)
    whole = Fed(torch.cat([fed.embeddings, more], 1), torch.cat([fed.positions, positions], -1), given)
    prompt = replace(reader.prompt, tokens=omni.layout.with_generated(tokens, written))
    return PromptReader(omni, reader.encoded, prompt, whole, reader.question, reader.system)


def step(reader, streams, token: int, count: int) -> torch.Tensor:
    """Logits after one more token, read with the cache."""
    if isinstance(reader, MiniReader):
        ids = torch.tensor([[token]])
        return reader.mini._forward(streams, inputs_embeds=reader.mini.inner.get_input_embeddings()(ids))[:, -1]
    decoder = reader.omni.decoder
    at = decoder.axes(torch.tensor([reader.next_position + count]), 1)
    embeddings, more = decoder.words(torch.tensor([[token]]))
    return decoder._forward(streams, embeddings, at, **more)[:, -1]
