"""Puts decoded sound on the clock: every sample at its time, gaps silent, in one rate and layout.

Knows resampling and channels. Does not know containers or clips.
"""

from __future__ import annotations

import av
import numpy as np

from models.omni import SAMPLE_RATE

SLACK = 0.05  # s; time stamps that are off by less are jitter
CANCELLED = 0.1  # a mix with less of its channels' mean power than this (-10 dB) cancels itself out
AUDIBLE = 1e-7  # mean power (-70 dBFS): below, there is nothing to cancel
LAYOUTS = ("mono", "stereo", "5.1", "5.1(side)", "7.1")  # what players know; others are mixed to stereo
MAX_RATE = 48000  # Hz
SIDES = {"FL": "left", "FR": "right", "FC": "centre"}


class Timeline:
    """Sound of one layout and rate that is put together from pieces, each at its time.

    seconds: how much may come. layout: of libav, None: that of the first frame.
    """

    def __init__(self, seconds: float, rate: int, layout: str | None = None):
        self.rate, self.layout, self.limit = rate, layout, round(seconds * rate)
        self.names: tuple[str, ...] = ()
        self.pieces: list[tuple[int, np.ndarray]] = []
        self.gaps = 0
        self._resampler: av.AudioResampler | None = None
        self._form: tuple | None = None
        self._at = 0.0  # samples of `rate`; where the next piece goes
        self._expected = 0.0  # s

    def add(self, time: float, frame: av.AudioFrame) -> None:
        """Put a decoded frame at `time` in seconds."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self.layout is None:
            self.layout = frame.layout.name
        if self._resampler is None or form != self._form or abs(time - self._expected) > SLACK:
            self.gaps += self._resampler is not None
            self._flush()
            self._resampler = av.AudioResampler(format="flt", layout=self.layout, rate=self.rate)
            self._form, self._at, self._expected = form, time * self.rate, time
        self._expected += frame.samples / frame.sample_rate
        frame.pts = None
        self._keep(self._resampler.resample(frame))

    def finish(self, seconds: float) -> np.ndarray:
        """float32, channels x samples, up to the last piece or `seconds`, whatever is earlier; silent in gaps."""
        self._flush()
        end = max((at + piece.shape[1] for at, piece in self.pieces), default=0)
        end = min(end, self.limit, round(seconds * self.rate))
        channels = self.pieces[0][1].shape[0] if self.pieces else 1
        out = np.zeros((channels, max(0, end)), np.float32)
        for at, piece in self.pieces:
            piece, at = piece[:, max(0, -at) :], max(0, at)
            piece = piece[:, : max(0, end - at)]
            out[:, at : at + piece.shape[1]] = piece
        self.pieces.clear()
        np.nan_to_num(out, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        return np.clip(out, -1.0, 1.0, out=out)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
        self._resampler = None

    def _keep(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            # interleaved: of eight channels and more in planes of their own PyAV 18.1 reads one too many, and crashes
            samples = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T
            self.names = tuple(channel.name for channel in frame.layout.channels)
            if self._at < self.limit:
                self.pieces.append((round(self._at), samples))
            self._at += samples.shape[1]


class Heard:
    """What a model hears: 16 kHz mono, mixed from all channels unless they cancel each other."""

    def __init__(self, seconds: float):
        self.mix = Timeline(seconds, SAMPLE_RATE, "mono")
        self.channels = Timeline(seconds, SAMPLE_RATE)

    def add(self, time: float, frame: av.AudioFrame) -> None:
        """Put a decoded frame at `time` in seconds."""
        several = frame.layout.nb_channels > 1 or self.channels.layout is not None
        self.mix.add(time, frame)
        if several:
            self.channels.add(time, frame)

    def finish(self, seconds: float) -> tuple[np.ndarray, str]:
        """(float32 mono 16 kHz, name of the channel that is heard alone; "": the mix of all)."""
        mix = self.mix.finish(seconds)[0]
        apart = self.channels.finish(seconds)
        if len(apart) < 2 or not apart.size:
            return mix, ""
        powers = np.mean(np.square(apart), axis=1, dtype=np.float64)
        loudest = int(np.argmax(powers >= powers.max() / 2))  # the first of those that are about as loud
        sounding = powers[powers > powers.max() / 1000]
        if powers.max() < AUDIBLE or np.mean(np.square(mix), dtype=np.float64) >= CANCELLED * sounding.mean():
            return mix, ""
        name = self.channels.names[loudest] if loudest < len(self.channels.names) else ""
        return apart[loudest], SIDES.get(name, f"{loudest + 1}.")


def played_layout(frame: av.AudioFrame) -> tuple[str, int]:
    """(layout, rate in Hz) in which a player gets a sound: its own, as far as players know it."""
    return frame.layout.name if frame.layout.name in LAYOUTS else "stereo", min(frame.sample_rate, MAX_RATE)
