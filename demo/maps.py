"""Attention rows turned into what can be drawn: weights of positions, of places, of moments, and shares by kind.

Knows TokenMaps and three ways to look at attention (raw, against another question, against a neutral prompt). Does
not know models, pixels or colours.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.omni import KINDS, Attention, Kind, McGurkError, TokenMap

RAW, DIFFERENCE, RELATIVE = "raw", "difference", "relative"
VIEWS = (RAW, DIFFERENCE, RELATIVE)
NEUTRAL_PROMPT = "Describe this."  # what the relative view divides by
ROWS = ("last", "generated", "all")  # last position of the prompt; positions of the answer; both; or a row's number
SINK = "sink"  # the share of the positions that draw attention whatever they hold
MIN_REFERENCE = 1e-6  # smallest share that is divided by, below what float16 rows resolve


def default_layers(attention: Attention) -> tuple[int, int]:
    """(first, last + 1) of the last third of the layers, where the maps of `mini` point best."""
    return attention.layers - max(1, attention.layers // 3), attention.layers


def weights(
    attention: Attention,
    *,
    layers: tuple[int, int] | None = None,
    head: int | None = None,
    rows: str | int = "last",
    sink: bool = False,
    view: str = RAW,
    reference: Attention | None = None,
    signed: bool = False,
) -> np.ndarray:
    """Weight of each of the T positions, float64.

    layers: (first, last + 1), averaged; None: the last third. head: one head; None: the mean of all.
    rows: "last" (what the model looks at when it starts to answer), "generated" or "all" (their mean), or the number of
    one: n is where it looked when it wrote the answer's token n; a reference is held against as it starts to answer.
    sink: False sets the sinks to 0 and gives the rest as shares of what is left; True leaves shares of everything.
    view: "raw" sums to 1. "difference" subtracts the weights in `reference` (the same stimulus, another question);
    what fell is 0 unless `signed`. "relative" divides by the weights in `reference` (a neutral prompt); positions
    that the reference lacks are nan. In a difference, positions that the reference lacks keep their weight.

    Raises McGurkError for layers, heads, rows or views that do not exist and for a missing or foreign reference.
    """
    how = {"layers": layers, "head": head, "rows": rows, "sink": sink}
    here = _mean_row(attention, **how)
    if view not in VIEWS:
        raise McGurkError(f"There is no view {view!r}: choose {', '.join(VIEWS)}.")
    if view == RAW:
        return here
    if reference is None:
        raise McGurkError(f"The {view} view needs the attention of a second question: ask that first.")
    if attention.tokens.grid != reference.tokens.grid:
        raise McGurkError("The two attention maps belong to different pictures: ask both about the same clip.")
    begun = how | {"rows": "last"} if isinstance(rows, int) else how
    there = matched(attention.tokens, reference.tokens, _mean_row(reference, **begun))
    if view == RELATIVE:
        return here / np.maximum(there, MIN_REFERENCE)
    change = here - np.nan_to_num(there)
    return change if signed else np.maximum(change, 0.0)


def video_map(attention: Attention, **how) -> np.ndarray:
    """Weight of each place, float64, times x rows x columns; (0, 0, 0) without a picture. `how`: see weights()."""
    tokens = attention.tokens
    video = tokens.positions(Kind.VIDEO)
    places = np.zeros(tokens.grid)
    np.add.at(places, tuple(tokens.video[video].T), weights(attention, **how)[video])
    return places


def audio_map(attention: Attention, **how) -> tuple[np.ndarray, np.ndarray]:
    """Weight of each stretch of sound, and the stretches in order: (float64 n, float64 n x 2 start and end in s).

    Tokens of the same stretch (frequency bands) are summed, in the relative view averaged. Neighbours that an encoder
    computes from the same window of sound can't be told apart by what they hold: a value is the mean over the stretches
    whose middles lie within half a window (TokenMap.audio_window) of its own. `how`: see weights().
    """
    tokens = attention.tokens
    audio = tokens.positions(Kind.AUDIO)
    if not len(audio):
        return np.zeros(0), np.zeros((0, 2))
    spans, place = np.unique(tokens.audio[audio], axis=0, return_inverse=True)
    summed = np.bincount(place.ravel(), weights(attention, **how)[audio], len(spans))
    found = summed / np.bincount(place.ravel()) if how.get("view") == RELATIVE else summed
    return _over_window(found, spans, tokens.audio_window), spans


def band_map(attention: Attention, **how) -> np.ndarray:
    """Weight of each frequency band at each stretch of sound, float64 bands x n, the lowest band first.

    An encoder with bands gives each stretch as many tokens, in the order of their frequencies; (0, n) without any.
    Smoothed over an encoder's window as in audio_map(). `how`: see weights().
    """
    tokens = attention.tokens
    audio = tokens.positions(Kind.AUDIO)
    if not len(audio):
        return np.zeros((0, 0))
    spans, counts = np.unique(tokens.audio[audio], axis=0, return_counts=True)
    if counts[0] < 2 or (counts != counts[0]).any():
        return np.zeros((0, len(spans)))
    bands = weights(attention, **how)[audio].reshape(len(spans), counts[0]).T
    return np.stack([_over_window(band, spans, tokens.audio_window) for band in bands])


def shares(attention: Attention, sinks: bool = False) -> dict[str, dict[str, np.ndarray]]:
    """Attention by kind of token, mean over heads and rows: {"raw" | "per_token": {kind: float64, layers}}.

    raw: share of all attention, summing to 1 over the kinds of a layer. per_token: the same divided by the number of
    tokens. sinks: False gives positions that draw attention whatever they hold an entry of their own, "sink";
    True counts them with their kinds.
    """
    tokens = attention.tokens
    row = np.average(attention.rows.mean(1, dtype=np.float64), axis=1, weights=attention.weights)  # layers x T
    names = np.array([kind.value for kind in tokens.kinds], dtype=object)
    if not sinks:
        names[tokens.sinks] = SINK
    order = [name for name in (*(kind.value for kind in KINDS), SINK) if (names == name).any()]
    raw = {name: row[:, names == name].sum(1) for name in order}
    return {"raw": raw, "per_token": {name: share / (names == name).sum() for name, share in raw.items()}}


def matched(tokens: TokenMap, other: TokenMap, values: np.ndarray) -> np.ndarray:
    """The other prompt's values at this prompt's positions, float64; nan where the other has no such position."""
    known = dict(zip(_identities(other), values, strict=True))
    return np.array([known.get(identity, np.nan) for identity in _identities(tokens)])


def _over_window(values: np.ndarray, spans: np.ndarray, window: float) -> np.ndarray:
    """Running mean of n values over the stretches (n x 2, s) whose middles lie within half a window (s)."""
    middles = spans.mean(1)
    near = np.abs(middles[:, None] - middles) <= window / 2
    return near @ values / near.sum(1)


def _mean_row(attention: Attention, *, layers: tuple[int, int] | None, head: int | None, rows: str | int, sink: bool):
    """One row of T weights: the mean over the layers, heads and rows that are asked for."""
    first, last = layers or default_layers(attention)
    if not 0 <= first < last <= attention.layers:
        raise McGurkError(f"There are no layers {first} to {last - 1}: choose from 0 to {attention.layers - 1}.")
    if head is not None and not 0 <= head < attention.heads:
        raise McGurkError(f"There is no head {head}: choose from 0 to {attention.heads - 1}, or all.")
    if isinstance(rows, int) and not 0 <= rows < attention.rows.shape[2]:
        raise McGurkError(f"There is no row {rows}: choose from 0 to {attention.rows.shape[2] - 1}.")
    if not isinstance(rows, int) and rows not in ROWS:
        raise McGurkError(f"There are no rows {rows!r}: choose {', '.join(ROWS)}.")
    one_row = attention.rows.shape[2] == 1  # nothing was generated
    named = {"last": slice(0, 1), "generated": slice(0 if one_row else 1, None), "all": slice(None)}
    which = slice(rows, rows + 1) if isinstance(rows, int) else named[rows]
    heads = slice(None) if head is None else slice(head, head + 1)
    mean = attention.rows[first:last, heads, which].mean((0, 1), dtype=np.float64)
    row = np.average(mean, axis=0, weights=attention.weights[which])
    if sink:
        return row
    row = np.where(attention.tokens.sinks, 0.0, row)
    return row / max(row.sum(), MIN_REFERENCE)


def _identities(tokens: TokenMap) -> list[tuple]:
    """What makes a position the same in two prompts: kind, text, place, moment, and which of several it is."""
    seen: Counter = Counter()
    identities = []
    places, moments = tokens.video.tolist(), np.nan_to_num(tokens.audio, nan=-1).round(3).tolist()
    for kind, piece, place, moment in zip(tokens.kinds, tokens.pieces, places, moments, strict=True):
        identity = (kind, piece, *place, *moment)
        identities.append((*identity, seen[identity]))
        seen[identity] += 1
    return identities
