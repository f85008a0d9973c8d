"""Interventions: what changes if the model cannot look there, or looks harder?

Turns a Steering (factors by kind, blocked positions, layers) into a bias on attention scores. Does not
run anything; models/probe.py applies it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.omni import Kind, McGurkError, Steering, TokenMap

KNOCKED_OUT = -1e4  # added to a score: its weight is 0 in every dtype in use, and a row is never all -inf


def bias_for(steering: Steering | None, tokens: TokenMap, layers: list[nn.Module]) -> Callable | None:
    """A function for probe.steering, or None where there is nothing to change.

    A factor g on the attention *weights* of a token is log(g) on its score (before renormalising). A
    position may always look at itself. Raises McGurkError for a negative factor or an unknown position.
    """
    if not steering:
        return None
    columns = torch.zeros(len(tokens))
    for kind, gain in steering.gains.items():
        if not 0.0 <= gain <= 100.0:
            raise McGurkError(f"The factor for {kind} is {gain}: give a number from 0 (knock out) to 100.")
        at = torch.from_numpy(tokens.positions(Kind(kind)))
        columns[at] = KNOCKED_OUT if gain == 0.0 else math.log(gain)
    for position in steering.blocked:
        if not 0 <= position < len(tokens):
            raise McGurkError(f"Position {position} is not in the prompt: it has {len(tokens)} positions.")
        columns[position] = KNOCKED_OUT
    first, last = steering.layers or (0, len(layers))
    steered = {id(module) for module in layers[first:last]}

    rows: dict[int, Tensor] = {}  # of the present number of keys: layers that share a row share a mask

    def bias(module: nn.Module, keys: int, device: torch.device) -> Tensor | None:
        if id(module) not in steered:
            return None
        if keys not in rows:
            rows.clear()
            rows[keys] = nn.functional.pad(columns[:keys], (0, max(0, keys - len(columns)))).to(device)
        return rows[keys]

    return bias
