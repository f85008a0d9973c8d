"""What the picture and sound tokens of a large model say in each layer, read out with its own last norm and matrix.

Knows a decoder's blocks, norm and output matrix. Does not know how a page shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.lens import NAME, WORD, Said, places_of, scores
from models.omni import Kind, never, unless

if TYPE_CHECKING:
    from models.pretrained.decoding import Decoder
    from models.pretrained.reading import PromptReader

SENSES = (Kind.VIDEO, Kind.AUDIO)
MOST = 1024  # media tokens that are read out as words of the whole vocabulary: about as much work as reading the prompt
ROWS = 128  # of them at once: 80 MB of logits at 150,000 words


def read_out(reader: PromptReader, names: Sequence[str], stop: Callable[[], bool] = never) -> Said:
    """See OmniModel.lens. The adapter must be in use while it reads."""
    decoder, tokens = reader.omni.decoder, reader.tokens
    places = places_of(tokens)
    unless(stop)
    with states_at(decoder, places) as caught:
        reader.read()
    norm, head, tokenizer = decoder.language_model.norm, decoder.lm_head, reader.omni.layout.tokenizer
    ids = [tokenizer.encode(f" {name.lower()}", add_special_tokens=False) for name in names]
    named = torch.stack([head.weight[torch.tensor(one, device=head.weight.device)].float().mean(0) for one in ids])
    media = {kind: [n for n, at in enumerate(places[:-1]) if tokens.kinds[at] is kind] for kind in SENSES}
    source = WORD if len(places) <= MOST else NAME
    shares, words = [], {kind: [] for kind, there in media.items() if there}
    for state in caught:
        unless(stop)
        normed = norm(state.to(head.weight.device))
        shares.append(next(scores(normed.float()[None], named)).softmax(-1).cpu())
        for kind in words:
            there = media[kind]
            if source is WORD:
                words[kind].append(_likeliest(head, normed[there], tokenizer))
            else:
                words[kind].append(tuple(names[n] for n in shares[-1][there].argmax(-1).tolist()))
    best = {kind: tuple(layers) for kind, layers in words.items()}
    return Said(tuple(names), tokens, places, torch.stack(shares).numpy(), best, source=source)


@contextmanager
def states_at(decoder: Decoder, places: np.ndarray) -> Iterator[list[Tensor]]:
    """The states at these positions of the prompt (P x hidden) after each block of a prefill that is run inside."""
    caught: list[Tensor] = []

    def keep(_block, _given, output) -> None:
        state = output[0] if isinstance(output, tuple) else output
        caught.append(state[0, torch.as_tensor(places, device=state.device)].detach())

    hooks = [block.register_forward_hook(keep) for block in decoder.blocks]
    try:
        yield caught
    finally:
        for hook in hooks:
            hook.remove()


def _likeliest(head, normed: Tensor, tokenizer) -> tuple[str, ...]:
    """The word of the vocabulary that each state would be continued with."""
    ids = [one for part in normed.split(ROWS) for one in head(part).argmax(-1).tolist()]
    return tuple(tokenizer.decode([one]).strip() or "·" for one in ids)
