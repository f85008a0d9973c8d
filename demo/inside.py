"""What the last answers looked at, drawn for one view: frames, sound, words, shares by layer, and the film to keep.

Knows which maps belong together and share a scale. Does not know pages, components or how a session is kept.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo import maps
from demo.draw import charts, film, frames, sound, words
from demo.session import Asked
from demo.visitors.state import ALL_HEADS, LAST_LAYERS
from models.interventions.intervention import KIND_OF, MODALITIES
from models.omni import ALIGNED, BASE, Attention, Kind, McGurkError, OmniModel, TokenMap, without_generated

JPEG_QUALITY = 82
THUMBNAIL = 72  # pixels, width of a frame among words
TITLES = {BASE: "Before", ALIGNED: "After"}
BLIND = "This model answers from a server that lets nobody look inside: it has no attention to show."


@dataclass(frozen=True)
class View:
    """How attention is looked at."""

    layer: int = LAST_LAYERS  # one layer, or LAST_LAYERS: the mean over the last third
    head: int = ALL_HEADS  # one head, or ALL_HEADS: their mean
    kind: str = maps.RAW  # one of maps.VIEWS
    sink: bool = False  # whether the first token's share stays in
    step: int = 0  # which token of the answer; 0: its first, which follows the prompt

    def at(self, attention: Attention) -> dict[str, Any]:
        """`how` for one adapter's answer, which may have fewer tokens: its last is taken then."""
        return self.how | {"rows": max(0, min(self.step, attention.steps - 1))}

    @property
    def how(self) -> dict[str, Any]:
        """Arguments for the functions of demo.maps, but for the reference."""
        return {
            "layers": None if self.layer == LAST_LAYERS else (self.layer, self.layer + 1),
            "head": None if self.head == ALL_HEADS else self.head,
            "view": self.kind,
            "sink": self.sink,
        }


@dataclass(frozen=True, eq=False)
class FramesSeen:
    """The frames a model was given with its attention on them."""

    times: tuple[float, ...]  # s, of each step
    jpegs: dict[str, tuple[bytes, ...]]  # adapter -> one picture a step
    size: tuple[int, int]  # of each picture, width and height in pixels
    patches: tuple[int, int]  # rows and columns of tokens on each


def check(view: View, model: OmniModel) -> None:
    """Raise McGurkError if the model has no such layer or head, or cannot be looked into."""
    if not model.can_look_inside:
        raise McGurkError(BLIND)
    if not (view.layer == LAST_LAYERS or 0 <= view.layer < model.layers):
        raise McGurkError(f"There is no layer {view.layer}: {model.name} has layers 0 to {model.layers - 1}.")
    if not (view.head == ALL_HEADS or 0 <= view.head < model.heads):
        raise McGurkError(f"There is no head {view.head}: {model.name} has heads 0 to {model.heads - 1}.")


def seen(asked: Asked, view: View) -> FramesSeen | None:
    """Attention on the frames, all adapters on one scale; None without a picture."""
    stimulus = asked.comparison.stimulus
    heats = video_maps(asked, view)
    if stimulus.frames is None or not heats or not next(iter(heats.values())).size:
        return None
    tokens = next(iter(_attentions(asked).values())).tokens
    places = np.clip(np.round(tokens.frame_times * stimulus.fps).astype(int), 0, len(stimulus.frames) - 1)
    scale = frames.common_scale(*heats.values())
    jpegs = {}
    for adapter, heat in heats.items():
        painted = frames.overlay(stimulus.frames[places], heat, scale=scale, steps=np.arange(len(places)))
        jpegs[adapter] = tuple(_jpeg(one) for one in painted)
    height, width = stimulus.frames.shape[1:3]
    return FramesSeen(tuple(float(t) for t in tokens.frame_times), jpegs, (width, height), tokens.grid[1:])


def prompts(asked: Asked) -> dict[str, TokenMap]:
    """Adapter -> the prompt that it was given, without its answer; an alternative's has another system prompt.

    Raises McGurkError where nobody has answered or nobody can look inside.
    """
    found = {adapter: without_generated(attention.tokens) for adapter, attention in _attentions(asked).items()}
    if not found:
        raise McGurkError("There is no answer to look into yet: ask first.")
    return found


def prompt(asked: Asked) -> TokenMap:
    """The prompt as whoever answered first was given it: what is picked is picked in this one. Raises McGurkError."""
    return next(iter(prompts(asked).values()))


def heard(asked: Asked, view: View) -> sound.SoundPicture | None:
    """The spectrogram with a lane of attention for each adapter on one scale; None for a clip of no length."""
    stimulus = asked.comparison.stimulus
    lanes = {TITLES.get(adapter, adapter): lane for adapter, lane in _lanes(asked, view).items()}
    if stimulus.duration <= 0:
        return None
    bands = {}
    for adapter, attention in _attentions(asked).items():
        reference = _reference(asked, view, adapter)
        bands[TITLES.get(adapter, adapter)] = np.nan_to_num(
            maps.band_map(attention, reference=reference, **view.at(attention))
        )
    number = "{:.1f} ×" if view.kind == maps.RELATIVE else "{:.1%}"
    return sound.sound_picture(stimulus.waveform, lanes, seconds=stimulus.duration, number=number, bands=bands)


def read(asked: Asked, view: View) -> dict[str, list[words.Shade]]:
    """Adapter -> the prompt's words with their shades, all adapters on one scale."""
    weighed = {}
    for adapter, attention in _attentions(asked).items():
        reference = _reference(asked, view, adapter)
        weight = maps.weights(attention, reference=reference, signed=view.kind != maps.RAW, **view.at(attention))
        weighed[adapter] = _doublings(weight) if view.kind == maps.RELATIVE else weight
    attentions = _attentions(asked)
    scale = max(
        (words.word_scale(attentions[adapter].tokens, weight) for adapter, weight in weighed.items()), default=1.0
    )
    shares = view.kind == maps.RAW
    return {
        adapter: words.shaded(attentions[adapter].tokens, weight, scale=scale, shares=shares)
        for adapter, weight in weighed.items()
    }


@dataclass(frozen=True, eq=False)
class Strip:
    """What stands in the words for a stretch of picture or sound: its steps and what each of them gets."""

    shares: dict[str, tuple[float, ...]]  # adapter -> weight of each step, 0..1 of the heaviest of all adapters
    spans: tuple[tuple[float, float], ...]  # s
    jpegs: tuple[bytes, ...] = ()  # small pictures, one a step


def strips(asked: Asked, view: View) -> dict[Kind, Strip]:
    """Kind of media -> how it is collapsed; kinds that are not there are left out."""
    stimulus, found = asked.comparison.stimulus, {}
    heats = video_maps(asked, view)
    if heats and stimulus.frames is not None:
        times = next(iter(_attentions(asked).values())).tokens.frame_times
        places = np.clip(np.round(times * stimulus.fps).astype(int), 0, len(stimulus.frames) - 1)
        small = tuple(_jpeg(frames.thumbnail(frame, THUMBNAIL)) for frame in stimulus.frames[places])
        ends = [*times[1:], max(stimulus.duration, times[-1])]
        summed = {adapter: heat.sum((1, 2)) for adapter, heat in heats.items()}
        found[Kind.VIDEO] = Strip(_scaled(summed), tuple(zip(times.tolist(), map(float, ends), strict=True)), small)
    lanes = _lanes(asked, view)
    if lanes:
        spans = tuple((float(a), float(b)) for a, b in next(iter(lanes.values()))[1])
        found[Kind.AUDIO] = Strip(_scaled({adapter: weights for adapter, (weights, _) in lanes.items()}), spans)
    return found


def by_layer(asked: Asked, per_token: bool = False, sink: bool = False) -> charts.Chart:
    """A chart: attention share of each kind of token by layer, before and after."""
    table = "per_token" if per_token else "raw"
    tables = {adapter: maps.shares(attention, sink)[table] for adapter, attention in _attentions(asked).items()}
    return charts.layer_shares(tables, per_token=per_token)


def strengths(asked: Asked) -> dict[str, list[float]]:
    """ "picture", "sound", "text" -> their share of attention in each layer, of the adapter that answered last."""
    attentions = list(_attentions(asked).values())
    if not attentions:
        return {}
    raw = maps.shares(attentions[-1])["raw"]
    return {name: raw[kind].tolist() for name, kind in KIND_OF.items() if kind in raw and name in MODALITIES}


def written(asked: Asked) -> dict[str, tuple[str, ...]]:
    """Adapter -> those tokens of its answer whose maps are known, in order."""
    found = {}
    for adapter, attention in _attentions(asked).items():
        places = attention.tokens.positions(Kind.GENERATED)[: attention.steps]
        found[adapter] = tuple(attention.tokens.pieces[at] for at in places)
    return found


def write_film(asked: Asked, view: View, out: Path) -> Path:
    """The overlays of all adapters side by side with the sound, as an mp4. Raises McGurkError without a picture."""
    stimulus = asked.comparison.stimulus
    heats = video_maps(asked, view)
    if stimulus.frames is None or not heats:
        raise McGurkError("There is no picture with attention on it to make a film of: keep the picture and ask.")
    tokens = next(iter(_attentions(asked).values())).tokens
    steps = frames.step_of_frames(len(stimulus.frames), stimulus.fps, tokens.frame_times)
    titled = {charts.TITLES.get(adapter, adapter): heat for adapter, heat in heats.items()}
    return film.overlay_video(stimulus.frames, stimulus.fps, stimulus.waveform, titled, out, steps=steps)


def to_values(asked: Asked, view: View) -> dict[str, Any]:
    """Adapter -> its maps as plain lists: video, frame_times, audio, spans, words."""
    found = {}
    for adapter, attention in _attentions(asked).items():
        how = view.at(attention) | {"reference": _reference(asked, view, adapter)}
        weights, spans = maps.audio_map(attention, **how)
        spoken = words.words(attention.tokens, maps.weights(attention, **how))
        media = (Kind.VIDEO, Kind.AUDIO)
        found[adapter] = {
            "video": _listed(maps.video_map(attention, **how)),
            "frame_times": _listed(attention.tokens.frame_times),
            "audio": _listed(weights),
            "spans": _listed(spans),
            "words": [[word.text, *_listed(np.array([word.weight]))] for word in spoken if word.kind not in media],
        }
    return found


def video_maps(asked: Asked, view: View) -> dict[str, np.ndarray]:
    """Adapter -> times x rows x columns."""
    return {
        adapter: np.nan_to_num(
            maps.video_map(attention, reference=_reference(asked, view, adapter), **view.at(attention))
        )
        for adapter, attention in _attentions(asked).items()
        if len(attention.tokens.positions(Kind.VIDEO))
    }


def _lanes(asked: Asked, view: View) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Adapter -> (weight of each stretch of sound, the stretches); {} without a sound."""
    found = {}
    for adapter, attention in _attentions(asked).items():
        weights, spans = maps.audio_map(attention, reference=_reference(asked, view, adapter), **view.at(attention))
        if len(spans):
            found[adapter] = np.nan_to_num(weights), spans
    return found


def _scaled(weights: dict[str, np.ndarray]) -> dict[str, tuple[float, ...]]:
    """0..1 of the heaviest of all adapters."""
    top = max((float(one.max(initial=0.0)) for one in weights.values()), default=0.0) or 1e-9
    return {adapter: tuple(np.clip(one / top, 0, 1).round(3).tolist()) for adapter, one in weights.items()}


def _attentions(asked: Asked) -> dict[str, Attention]:
    """Adapter -> attention. Raises McGurkError where there is none to show."""
    answers = asked.comparison.answers if asked.comparison else {}
    found = {adapter: answer.attention for adapter, answer in answers.items() if answer.attention is not None}
    if answers and not found:
        raise McGurkError(BLIND)
    return found


def _reference(asked: Asked, view: View, adapter: str) -> Attention | None:
    return asked.references.get(view.kind, {}).get(adapter)


def _doublings(ratios: np.ndarray) -> np.ndarray:
    """Ratios as doublings, so that half as much is shaded as strongly as twice as much."""
    return np.log2(np.clip(ratios, 2.0**-10, 2.0**10))


def _listed(values: np.ndarray) -> list:
    """Nested lists of rounded numbers; None where there is none, as JSON has no nan."""
    return np.where(np.isfinite(values), np.round(values, 7), None).tolist()


def _jpeg(picture: np.ndarray) -> bytes:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "jpeg", quality=JPEG_QUALITY)
    return written.getvalue()
