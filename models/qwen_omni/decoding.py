"""The thinker's language model, run by hand: one prefill, all options in one pass, greedy writing, several adapters.

Knows embeddings, positions and the key-value cache. Does not know processors, prompts or what a position is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from models.interventions.streams import Streams, likely
from models.omni import never, unless
from models.probe import paused

ROWS = 24  # generated positions whose attention is recorded: 21 MB each on the 7B model at 13,210 tokens


@dataclass(frozen=True, eq=False)
class Fed:
    """A prompt as the language model takes it."""

    embeddings: Tensor  # 1 x T x hidden, media in their places
    positions: Tensor  # 3 x 1 x T: time, row, column
    visual: Tensor | None = None  # bool, 1 x T: video positions
    deepstack: tuple[Tensor, ...] = ()  # Qwen3-Omni: N x hidden to add at video positions after the first layers

    def __len__(self) -> int:
        return self.embeddings.shape[1]

    @property
    def next_position(self) -> float:
        """Where the first generated token stands, in all three axes."""
        return self.positions.max().item() + 1

    def part(self, begin: int, end: int) -> Fed:
        """The positions begin..end of the prompt."""
        visual, deepstack = self.visual, self.deepstack
        if visual is not None:
            skipped, there = int(visual[:, :begin].sum()), int(visual[:, begin:end].sum())
            visual, deepstack = visual[:, begin:end], tuple(d[skipped : skipped + there] for d in deepstack)
        return Fed(self.embeddings[:, begin:end], self.positions[..., begin:end], visual, deepstack)


class Decoder:
    """Runs a thinker's text side on prompts whose media are encoded already."""

    def __init__(self, thinker: nn.Module):
        self.language_model, self.lm_head = thinker.model.language_model, thinker.lm_head
        self.config = thinker.config.text_config
        self.attention_layers = [layer.self_attn for layer in self.language_model.layers]

    @property
    def device(self) -> torch.device:
        return self.language_model.embed_tokens.weight.device

    def prefill(self, fed: Fed, rows: int = 1, cache: DynamicCache | None = None) -> tuple[DynamicCache, Tensor]:
        """(cache, rows x vocabulary logits after the prompt), the prompt repeated in `rows` rows of one batch.

        cache: what was read before, in as many rows; None: nothing.
        """
        cache = DynamicCache(config=self.config) if cache is None else cache
        visual = None if fed.visual is None else fed.visual.expand(rows, -1)
        deep = {"visual_pos_masks": visual, "deepstack_visual_embeds": [d.repeat(rows, 1) for d in fed.deepstack]}
        embeddings, positions = fed.embeddings.expand(rows, -1, -1), fed.positions.expand(-1, rows, -1)
        logits = self._forward(cache, embeddings, positions, **(deep if fed.deepstack else {}))
        return cache, logits[:, -1]

    def _forward(self, cache: DynamicCache, embeddings: Tensor, positions: Tensor, keep: int = 1, **more) -> Tensor:
        """Logits (rows x keep x vocabulary, float32) of the last `keep` positions."""
        if isinstance(cache, Streams):

            def run(own: DynamicCache, shorter: int, earlier: float) -> Tensor:
                mask = more.get("attention_mask")
                given = more if mask is None else more | {"attention_mask": mask[..., shorter:]}
                return self._forward(own, embeddings, positions - earlier, keep, **given)

            return cache.forward(run)
        hidden = self.language_model(
            inputs_embeds=embeddings, position_ids=positions, past_key_values=cache, use_cache=True, **more
        ).last_hidden_state
        return self.lm_head(hidden[:, -keep:].contiguous()).float()  # else its weights are copied for every row

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
            logits = self._forward(
                cache, self.language_model.embed_tokens(ids[None].expand(rows, -1)), self._axes(steps, rows), len(ids),
                attention_mask=mask.expand(rows, -1, -1, -1),
            ).log_softmax(-1)  # fmt: skip
        cache.crop(-len(ids))
        begin, scores, at = first.log_softmax(-1), [], 0
        for text in texts:
            following = logits[:, torch.arange(at, at + len(text) - 1), torch.tensor(list(text[1:]), dtype=torch.long)]
            scores.append(begin[:, text[0]] + following.sum(-1))
            at += len(text)
        return torch.stack(scores, 1)

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
        done = [False] * len(written)
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
            at = self._axes(torch.tensor([start + step], device=logits.device), len(tokens))
            embeddings = self.language_model.embed_tokens(torch.tensor(tokens, device=logits.device)[:, None])
            with paused() if step >= ROWS else nullcontext():
                logits = likely(cache, self._forward(cache, embeddings, at)[:, -1])

    def _axes(self, positions: Tensor, rows: int) -> Tensor:
        """Text positions: the same in all three axes."""
        return positions.expand(3, rows, -1)
