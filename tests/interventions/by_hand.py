"""Attention with the scores and values that a test chooses: keys are unit vectors, so a query is its scores."""

import numpy as np
import torch
from torch import nn

from models.interventions.reading import Reader
from models.omni import Kind, TokenMap
from models.probe import probed_attention, recording, steering

LETTERS = {
    "b": Kind.SYSTEM, "v": Kind.VIDEO, "a": Kind.AUDIO, "c": Kind.INJECTED, "q": Kind.QUESTION, "t": Kind.MARKER,
}  # fmt: skip


def token_map(letters: str) -> TokenMap:
    """b: system, v: picture, a: sound, c: injected text, q: question, t: marker."""
    n = len(letters)
    kinds = tuple(LETTERS[letter] for letter in letters)
    at = np.full((n, 3), -1)
    at[[kind is Kind.VIDEO for kind in kinds]] = 0
    return TokenMap(kinds, tuple(letters), at, np.full((n, 2), np.nan), (0, 0, 0), np.zeros(0), np.arange(n) == 0)


class ByHand(Reader):
    """One layer, or several, of attention over a prompt of letters."""

    def __init__(self, letters: str, layers: int = 1, heads: int = 1):
        self.model, self.tokens, self.heads = "by hand", token_map(letters), heads
        self.attention = [nn.Module() for _ in range(layers)]
        self.blocks = self.attention

    def less(self, without, stand_in="removed"):
        raise NotImplementedError

    read = read_many = shares = less

    def weights(self, asks, scores: list[list[float]], layer: int = 0) -> torch.Tensor:
        """Weights of every row: rows x keys, of scores that may be given for the last rows only."""
        return self.outputs(asks, scores, np.eye(len(scores[0])), layer)

    def outputs(self, asks, scores: list[list[float]], values, layer: int = 0) -> torch.Tensor:
        """What each row reads: rows x width."""
        query = torch.tensor(scores, dtype=torch.float32).expand(1, self.heads, -1, -1)
        key = torch.eye(query.shape[-1]).expand(1, self.heads, -1, -1)
        value = torch.as_tensor(np.array(values, np.float32)).expand(1, self.heads, -1, -1)
        module = self.attention[layer]
        with steering(asks), recording(self.attention) as recorder:
            read, _ = probed_attention(module, query, key, value, None, scaling=1.0)
        self.recorded = recorder.passes[layer][0][0]
        return read[0, :, 0] if self.heads == 1 else read[0]
