"""What interventions cost, for `python -m models.speed`: an answer under each on a prompt without words, and sweeps.

Knows a decoder and a prompt of ids, and any model that can be swept. Does not know clips.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from models.interventions import cut, exit
from models.interventions.catalogue import INTERVENTIONS
from models.interventions.intervention import LAST, PICTURE, REMOVED, SOUND, Intervention
from models.interventions.reading import Reader
from models.interventions.streams import begin, likely
from models.omni import SAMPLE_RATE, Kind, OmniModel, Stimulus, TokenMap
from models.pretrained.decoding import Fed
from models.pretrained.layout import Media
from models.probe import paused, steering
from models.qwen_omni.thinker import Thinker


class BareReader(Reader):
    """A prompt of media and ids in front of a thinker. feed(media, ids): what the language model takes."""

    model = "a thinker with random weights"

    def __init__(self, thinker, media: Media, ids: np.ndarray, feed: Callable[[Media, np.ndarray], Fed]):
        self.thinker, self.media, self.ids, self.feed = thinker, media, ids, feed
        self.decoder, self.fed = Thinker(thinker), feed(media, ids)
        self.attention, self.blocks = self.decoder.groups, self.decoder.blocks
        self.heads, self.tokens = thinker.config.text_config.num_attention_heads, token_map(thinker.config, ids)

    @property
    def next_position(self) -> float:
        return self.fed.next_position

    def less(self, without, stand_in=REMOVED) -> BareReader:
        config, given, lost = self.thinker.config, self.media, set()
        gone: set[int] = set()
        if PICTURE in without:
            gone |= {config.video_token_id, config.vision_start_token_id, config.vision_end_token_id}
            lost |= {"pixel_values_videos", "video_grid_thw", "video_second_per_grid"}
        if SOUND in without:
            gone |= {config.audio_token_id, config.audio_start_token_id, config.audio_end_token_id}
            lost |= {"input_features", "feature_attention_mask"}
        kept = tuple(i for i in given.ids if i not in gone)
        ids = self.ids[~np.isin(self.ids, list(gone))]
        inputs = {name: value for name, value in given.inputs.items() if name not in lost}
        given = replace(given, ids=kept, inputs=inputs, interleaved=False)
        return BareReader(self.thinker, given, ids, self.feed)

    def read(self, asks=None, split=None, touch=None):
        with steering(asks):
            if split is None:
                return self.decoder.prefill(self.fed)
            with paused():
                cache, _ = self.decoder.prefill(self.decoder.part(self.fed, 0, split))
            touch(cache)
            return self.decoder.prefill(self.decoder.part(self.fed, split, len(self.fed)), 1, cache)

    def read_many(self, asks):
        raise NotImplementedError("a sweep is not timed here")

    def shares(self, cache, logits, options):
        raise NotImplementedError("there are no options here")


def token_map(config, ids: np.ndarray) -> TokenMap:
    """Media by their ids; the words after them are the question, those before them system text."""
    kinds = {config.video_token_id: Kind.VIDEO, config.audio_token_id: Kind.AUDIO}
    last = int(np.flatnonzero(np.isin(ids, list(kinds)))[-1])
    named = tuple(kinds.get(i, Kind.QUESTION if at > last + 2 else Kind.SYSTEM) for at, i in enumerate(ids.tolist()))
    nowhere = np.full((len(ids), 3), -1), np.full((len(ids), 2), np.nan)
    return TokenMap(named, ("",) * len(ids), *nowhere, (0, 0, 0), np.zeros(0), np.arange(len(ids)) == 0)


def timed(layers: int) -> dict[str, Intervention]:
    """Those that are timed, with their defaults: all but the one that only asks twice, about another clip."""
    ways = {id: method.usual(SOUND, layers) for id, method in INTERVENTIONS.items() if not method.rewrites}
    return ways | {"sinks": replace(ways["sinks"], source="the first token alone")}  # random weights have none


def answered(way: Intervention, reader: BareReader, most: int) -> list[list[int]]:
    """Prefill and `most` tokens under an intervention."""
    cache, logits, _ = begin(way, reader)
    return reader.decoder.write(cache, likely(cache, logits), reader.next_position, most, ())


QUESTION, NAMES = "What do you hear?", ("dog", "rain", "cello", "cat", "river", "drum", "horse", "clock")
FRAMES, SIDE, CLIP_SECONDS = 8, 224, 8  # of the clip that is swept over; pixels; s


def sweeps(model: OmniModel) -> Iterator[tuple[str, int, float, float]]:
    """(what, answers, s, s of processor time) of curves over all layers of a loaded model, every adapter's answers."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), np.uint8)
    waveform = rng.standard_normal(CLIP_SECONDS * SAMPLE_RATE).astype(np.float32) / 10
    encoded = model.encode(Stimulus(frames, FRAMES / CLIP_SECONDS, waveform))
    list(model.sweep(encoded, QUESTION, NAMES, [None]))  # what the media are read for stays
    for kind in (PICTURE, SOUND):
        for what, ways in (
            (f"cut of the {kind} to the answer", cut.along(cut.Cut(kind, LAST), model.layers)),
            (f"cut of the {kind} to the question", cut.along(cut.Cut(kind, "question"), model.layers)),
            (f"exit of the {kind}", exit.along(kind, model.layers)),
        ):
            started, worked = time.perf_counter(), time.process_time()
            count = len(list(model.sweep(encoded, QUESTION, NAMES, ways)))
            yield what, count, time.perf_counter() - started, time.process_time() - worked
