"""What each intervention costs: an answer under it on a prompt without words, for `python -m models.speed`.

Knows a decoder and a prompt of ids. Does not know clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from models.interventions.catalogue import INTERVENTIONS
from models.interventions.intervention import PICTURE, REMOVED, SOUND, Intervention
from models.interventions.reading import Reader
from models.interventions.streams import begin, likely
from models.omni import Kind, TokenMap
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
