"""What a chat server's reply says: the text, and the options' shares from its first token's log-probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from models.omni import McGurkError
from models.served.connection import reason_in


def option_shares(tops: Sequence[tuple[str, float]], options: Sequence[str]) -> dict[str, float]:
    """Probability of each option, from (token, log-probability) pairs of the first generated token.

    A token speaks for the options that begin with it (leading spaces and case aside); one that fits several is shared
    among them. {} if no token fits any.
    """
    weights = dict.fromkeys(options, 0.0)
    for token, logprob in tops:
        start = token.strip().lower()
        fitting = [option for option in options if start and option.lower().startswith(start)]
        for option in fitting:
            weights[option] += math.exp(min(logprob, 0.0)) / len(fitting)
    total = sum(weights.values())
    return {option: weight / total for option, weight in weights.items()} if total > 0 else {}


def read_reply(reply: dict, where: str) -> tuple[str, list[tuple[str, float]], dict]:
    """(text, the first token's candidates, usage). Raises McGurkError when there is no answer in it."""
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise McGurkError(f"The server at {where} sent no answer ({reason_in(json.dumps(reply).encode())}).") from error
    if not isinstance(text, str):
        raise McGurkError(f"The server at {where} sent an answer without text: does the model write text?")
    usage = reply.get("usage") if isinstance(reply.get("usage"), dict) else {}
    return text.strip(), _first_candidates(choice.get("logprobs")), usage


def _first_candidates(logprobs) -> list[tuple[str, float]]:
    """(token, log-probability) of the first token that says anything."""
    try:
        for step in logprobs["content"]:
            if step["token"].strip():
                return [(str(top["token"]), float(top["logprob"])) for top in step["top_logprobs"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return []
