"""A language model run by hand: one prefill, all options in one pass, greedy writing, several adapters.

Knows embeddings, positions and the key-value cache. Does not know processors, prompts or what a position is; how media
become embeddings, and what else a prompt needs, is its family's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from models.interventions.streams import Streams, likely
from models.omni import McGurkError, Stimulus, never, unless
from models.pretrained.layout import Media
from models.probe import paused

ROWS = 24  # generated positions whose attention is recorded, at most
ROWS_BYTES = 200 * 1000**2  # of them, at most, but at least one: they are 21 MB each on the 7B model at 13,210 tokens


@dataclass(frozen=True, eq=False)
class Encoded:
    """A stimulus as the language model will meet it. features: what the encoders made of it, as its family has it."""

    stimulus: Stimulus
    media: Media
    features: tuple
    known: dict = field(default_factory=dict)  # what a family works out once a clip


@dataclass(frozen=True, eq=False)
class Fed:
    """A prompt as the language model takes it."""

    embeddings: Tensor  # 1 x T x hidden, media in their places
    positions: Tensor  # ... x 1 x T
    more: dict = field(default_factory=dict)  # what else the family's prefill needs

    def __len__(self) -> int:
        return self.embeddings.shape[1]

    @property
    def next_position(self) -> float:
        """Where the first generated token stands."""
        return self.positions.max().item() + 1


class Decoder(ABC):
    """Runs a model's text side on prompts whose media are encoded already.

    attention_layers: those whose attention is recorded, in order. groups: with each of them the layers that are steered
    with it. blocks: the whole layers that they are in.
    """

    def __init__(self, model: nn.Module):
        self.model, self.language_model, self.lm_head = model, model.model.language_model, model.lm_head
        self.config = model.config.text_config
        self.blocks = list(self.language_model.layers)
        self.attention_layers = [block.self_attn for block in self.blocks]
        self.groups: list = self.attention_layers

    @property
    def device(self) -> torch.device:
        return self.language_model.embed_tokens.weight.device

    @property
    def notes(self) -> tuple[str, ...]:
        """What a receipt says about how this model is read."""
        return ()

    @abstractmethod
    def encode(self, media: Media) -> tuple:
        """Run the encoders: Encoded.features."""

    @abstractmethod
    def feed(self, ids: np.ndarray, head: int, encoded: Encoded) -> Fed:
        """Put what the encoders made in its places. head: number of ids up to and including the media."""

    @abstractmethod
    def embed(self, ids: Tensor, features: tuple) -> tuple[Tensor, dict]:
        """(embeddings, 1 x T x hidden, with what the encoders made in its places; what else goes with them) of ids."""

    @abstractmethod
    def place(self, ids: Tensor, media: Media) -> Tensor:
        """Positions, axes x T, of 1 x T ids up to and including the media. On the CPU, and in any process."""

    @abstractmethod
    def packed(self, rows: Sequence[dict], seen: Tensor, positions: Tensor) -> dict:
        """Arguments of the language model for rows that hold several questions each.

        rows: what embed() says of each beside embeddings. seen: bool, B x 1 x T x T; positions: axes x B x T.
        """

    def versions(self, media: Media) -> dict[str, str]:
        """What a receipt says about the parts in use."""
        return {"towers": str(getattr(self.model.config.vision_config, "_attn_implementation", None))}

    def part(self, fed: Fed, begin: int, end: int) -> Fed:
        """The positions begin..end of a prompt."""
        more = {name: value[:, begin:end] for name, value in fed.more.items()}
        return Fed(fed.embeddings[:, begin:end], fed.positions[..., begin:end], more)

    def prefill(self, fed: Fed, rows: int = 1, cache: DynamicCache | None = None) -> tuple[DynamicCache, Tensor]:
        """(cache, rows x vocabulary logits after the prompt), the prompt repeated in `rows` rows of one batch.

        cache: what was read before, in as many rows; None: nothing.
        """
        cache = self.cache() if cache is None else cache
        embeddings = fed.embeddings.expand(rows, -1, -1)
        positions = fed.positions.expand(*fed.positions.shape[:-2], rows, -1)
        logits = self._forward(cache, embeddings, positions, **self._with_prompt(fed, rows, cache))
        return cache, logits[:, -1]

    def cache(self) -> DynamicCache:
        """An empty one."""
        return DynamicCache(config=self.config)

    def _with_prompt(self, fed: Fed, rows: int, cache: DynamicCache) -> dict:
        """Further arguments of the prefill."""
        return {}

    def _forward(self, cache: DynamicCache, embeddings: Tensor, positions: Tensor, keep: int = 1, **more) -> Tensor:
        """Logits (rows x keep x vocabulary, float32) of the last `keep` positions."""
        if isinstance(cache, Streams):

            def run(own: DynamicCache, shorter: int, earlier: float) -> Tensor:
                mask = more.get("attention_mask")
                given = more if mask is None else more | {"attention_mask": shortened(mask, shorter)}
                return self._forward(own, embeddings, positions - earlier, keep, **given)

            return cache.forward(run)
        hidden = self.language_model(
            inputs_embeds=embeddings, position_ids=positions, past_key_values=cache, use_cache=True, **more
        ).last_hidden_state
        return self.logits(hidden[:, -keep:].contiguous())  # else the last layer's weights are copied for every row

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 logits of last hidden states."""
        return self.lm_head(hidden).float()

    def words(self, ids: Tensor) -> tuple[Tensor, dict]:
        """(embeddings of text, further arguments that go with them) of rows x n ids."""
        return self.language_model.embed_tokens(ids), {}

    def axes(self, positions: Tensor, rows: int) -> Tensor:
        """n positions of text as the language model takes them."""
        return positions.expand(rows, -1)

    def masked(self, seen: Tensor, steps: Tensor, prompt: int):
        """attention_mask of options behind a prompt. seen: bool, rows x 1 x n x (prompt + n); steps: n positions."""
        return seen

    def score(self, cache: DynamicCache, first: Tensor, texts: Sequence[Sequence[int]], start: float) -> Tensor:
        """rows x options: log-probability of each option's full text after the prompt, all options in one pass.

        first: rows x vocabulary logits after the prompt. start: position of the first token after it. Each option
        sees the prompt and itself only. The cache is left as it was.
        """
        rows, prompt, device = len(first), cache.get_seq_length(), first.device
        owner = torch.tensor([n for n, text in enumerate(texts) for _ in text])
        own = (owner[:, None] == owner[None]) & torch.ones(len(owner), len(owner), dtype=torch.bool).tril()
        mask = torch.cat([torch.ones(len(owner), prompt, dtype=torch.bool), own], 1)[None, None].to(device)
        ids = torch.tensor([i for text in texts for i in text], device=device)
        steps = torch.tensor([float(i) for text in texts for i in range(len(text))], device=device) + start
        with paused():
            embeddings, more = self.words(ids[None].expand(rows, -1))
            seen = self.masked(mask.expand(rows, -1, -1, -1), steps, prompt)
            logits = self._forward(
                cache, embeddings, self.axes(steps, rows), len(ids), attention_mask=seen, **more
            ).log_softmax(-1)
        cache.crop(-len(ids))
        begin, scores, at = first.log_softmax(-1), [], 0
        for text in texts:
            following = logits[:, torch.arange(at, at + len(text) - 1), torch.tensor(list(text[1:]), dtype=torch.long)]
            scores.append(begin[:, text[0]] + following.sum(-1))
            at += len(text)
        return torch.stack(scores, 1)

    def recorded(self, prompt: int) -> int:
        """How many generated positions behind a prompt of so many tokens have their attention recorded."""
        row = len(self.attention_layers) * self.config.num_attention_heads * prompt * 2  # bytes, float16
        return max(1, min(ROWS, ROWS_BYTES // row))

    def write(
        self,
        cache: DynamicCache,
        logits: Tensor,
        start: float,
        most: int,
        ends: Collection[int],
        stop: Callable[[], bool] = never,
    ) -> list[list[int]]:
        """Greedy continuation of each row until one of `ends` or `most` tokens; a row that ended waits for others.

        Raises Stopped between two tokens once `stop` is true.
        """
        written: list[list[int]] = [[] for _ in logits]
        done, recorded = [False] * len(written), self.recorded(cache.get_seq_length())
        for step in count():
            unless(stop)
            tokens = logits.argmax(-1).tolist()
            for row, token in enumerate(tokens):
                done[row] = done[row] or token in ends
                if not done[row]:
                    written[row].append(token)
                    done[row] = len(written[row]) == most
            if all(done):
                return written
            at = self.axes(torch.tensor([start + step], device=logits.device), len(tokens))
            embeddings, more = self.words(torch.tensor(tokens, device=logits.device)[:, None])
            with paused() if step >= recorded else nullcontext():
                logits = likely(cache, self._forward(cache, embeddings, at, **more)[:, -1])


def continued(positions: Tensor, more: int) -> Tensor:
    """Axes x T positions with those of `more` tokens of text after them: one by one from the last, which may not be the
    highest (a clip can end in sound that stops before the picture does)."""
    return torch.cat([positions, positions[:, -1:] + torch.arange(1, more + 1, dtype=positions.dtype)], 1)


def filled(embeddings: Tensor, places: Sequence[tuple[Tensor, Tensor | None, str]]) -> Tensor:
    """Embeddings with the encoders' tokens where they belong. places: (bool 1 x T, N x hidden or None, what they are).

    Raises McGurkError where there are more places than tokens, or fewer.
    """
    for where, tokens, kind in places:
        given = 0 if tokens is None else len(tokens)
        if int(where.sum()) != given:
            raise McGurkError(
                f"There are {int(where.sum())} places for {given} {kind} tokens: the processor does not fit the model."
            )
        if given:
            embeddings = embeddings.masked_scatter(where[..., None], tokens.to(embeddings.device, embeddings.dtype))
    return embeddings


def shortened(mask, less: int):
    """An attention_mask, or one for each kind of layer, without its first `less` keys."""
    if isinstance(mask, dict):
        return {kind: shortened(one, less) for kind, one in mask.items()}
    return mask[..., less:]
