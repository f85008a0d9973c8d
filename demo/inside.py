"""What the last answers looked at, drawn for one view: frames, sound, words, shares by layer, and the film to keep.

Knows which maps belong together and share a scale. Does not know pages, components or how a session is kept.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demo import maps
from demo.compare import to_json
from demo.draw import charts, film, frames, sound, words
from demo.session import Asked
from demo.state import ALL_HEADS, LAST_LAYERS
from models.omni import ALIGNED, BASE, Attention, Kind, McGurkError, OmniModel

JPEG_QUALITY = 82
TITLES = {BASE: "Before", ALIGNED: "After"}
BLIND = "This model answers from a server that lets nobody look inside: it has no attention to show."


@dataclass(frozen=True)
class View:
    """How attention is looked at."""

    layer: int = LAST_LAYERS  # one layer, or LAST_LAYERS: the mean over the last third
    head: int = ALL_HEADS  # one head, or ALL_HEADS: their mean
    kind: str = maps.RAW  # one of maps.VIEWS
    sink: bool = False  # whether the first token's share stays in

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
    return FramesSeen(tuple(float(t) for t in tokens.frame_times), jpegs)


def heard(asked: Asked, view: View) -> sound.SoundPicture | None:
    """The spectrogram with a lane of attention for each adapter on one scale; None for a clip of no length."""
    stimulus = asked.comparison.stimulus
    lanes = {}
    for adapter, attention in _attentions(asked).items():
        weights, spans = maps.audio_map(attention, reference=_reference(asked, view, adapter), **view.how)
        if len(spans):
            lanes[TITLES.get(adapter, adapter)] = np.nan_to_num(weights), spans
    if stimulus.duration <= 0:
        return None
    number = "{:.1f} ×" if view.kind == maps.RELATIVE else "{:.1%}"
    return sound.sound_picture(stimulus.waveform, lanes, seconds=stimulus.duration, number=number)


def read(asked: Asked, view: View) -> dict[str, list[tuple[str, float | None]]]:
    """Adapter -> the prompt's words with their shades, all adapters on one scale."""
    weighed = {}
    for adapter, attention in _attentions(asked).items():
        reference = _reference(asked, view, adapter)
        weight = maps.weights(attention, reference=reference, signed=view.kind != maps.RAW, **view.how)
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


def by_layer(asked: Asked, per_token: bool = False, sink: bool = False):
    """A plotly figure: attention share of each kind of token by layer, before and after."""
    table = "per_token" if per_token else "raw"
    tables = {adapter: maps.shares(attention, sink)[table] for adapter, attention in _attentions(asked).items()}
    return charts.layer_shares(tables, per_token=per_token)


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


def to_json_text(asked: Asked) -> str:
    """Everything about the last comparison as JSON, and the state that leads to it."""
    written = to_json(asked.comparison) | {"conflict": asdict(asked.situation.state.conflict)}
    return json.dumps(written, indent=2, ensure_ascii=False)


def to_values(asked: Asked, view: View) -> dict[str, Any]:
    """Adapter -> its maps as plain lists: video, frame_times, audio, spans, words."""
    found = {}
    for adapter, attention in _attentions(asked).items():
        how = view.how | {"reference": _reference(asked, view, adapter)}
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
        adapter: np.nan_to_num(maps.video_map(attention, reference=_reference(asked, view, adapter), **view.how))
        for adapter, attention in _attentions(asked).items()
        if len(attention.tokens.positions(Kind.VIDEO))
    }


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
