"""What the world does to pictures and sounds before anybody asks: blur, darkness, small things, rooms, phones.

Knows arrays. Does not know labels, encoders or lessons.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.omni import SAMPLE_RATE

PHONE_BAND = (300.0, 3400.0)  # Hz, what a telephone or a cheap microphone lets through
UNDER = (3.0, 20.0)  # dB that a background sound lies below the sound that counts
NOISE_BELOW = (10.0, 30.0)  # dB


def crop(image: np.ndarray, rng: np.random.Generator, smallest: float = 0.65) -> np.ndarray:
    """uint8 H x W x 3 -> a part of it, each side at least `smallest` of the whole, mirrored half of the time."""
    height, width = image.shape[:2]
    h, w = (max(1, round(side * rng.uniform(smallest, 1.0))) for side in (height, width))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    part = image[y : y + h, x : x + w]
    return part[:, ::-1] if rng.random() < 0.5 else part


def paste(image: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """The picture small in a plain grey frame of `side` x `side` pixels, wholly inside it."""
    frame = np.full((side, side, 3), rng.integers(40, 216), np.uint8)
    small = int(side * rng.uniform(0.4, 0.75))
    y, x = rng.integers(0, side - small + 1, 2)
    frame[y : y + small, x : x + small] = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return frame


def roughen(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One or two of: out of focus, shaken, dark or glaring, grainy, badly coded, letterboxed. uint8 in and out."""
    ways = (_defocus, _shake, _expose, _grain, _code, _letterbox)
    for way in rng.choice(len(ways), int(rng.integers(1, 3)), replace=False):
        image = ways[way](image, rng)
    return image


def _defocus(image, rng):
    return cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) * rng.uniform(0.003, 0.012))


def _shake(image, rng):
    length = max(3, int(max(image.shape[:2]) * rng.uniform(0.01, 0.04)))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    middle, reach = (length - 1) / 2, np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    start, end = (tuple(round(float(middle + sign * r)) for r in reach) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _expose(image, rng):
    gain, gamma = rng.uniform(0.25, 1.4), rng.uniform(0.7, 1.6)
    return (np.clip((image / 255.0) ** gamma * gain, 0, 1) * 255).astype(np.uint8)


def _grain(image, rng):
    return np.clip(image + rng.standard_normal(image.shape) * rng.uniform(5, 25), 0, 255).astype(np.uint8)


def _code(image, rng):
    _, coded = cv2.imencode(".jpg", np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(8, 35))])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


def _letterbox(image, rng):
    height, width = image.shape[:2]
    share = rng.uniform(0.1, 0.35)
    tall, wide = (int(height * share), 0) if rng.random() < 0.6 else (0, int(width * share))
    return cv2.copyMakeBorder(image, tall, tall, wide, wide, cv2.BORDER_CONSTANT)


def noisy(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 waveform -> softer, with some white noise below it."""
    noise = rng.standard_normal(len(wave)).astype(np.float32)
    return (wave * rng.uniform(0.2, 0.9) + noise * _level(wave) * 10 ** (-rng.uniform(*NOISE_BELOW) / 20)).astype(
        np.float32
    )


def over(wave: np.ndarray, background: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The waveform with another one, repeated as needed, 3 to 20 dB under it."""
    background = np.resize(background, len(wave))
    gain = _level(wave) / max(_level(background), 1e-6) * 10 ** (-rng.uniform(*UNDER) / 20)
    return _bounded(wave + background * gain)


def recorded_far(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """In a room, through a phone's band, or clipped: one or two of them. float32 in and out, of the same length."""
    ways = (_room, _phone, _clip)
    for way in rng.choice(len(ways), int(rng.integers(1, 3)), replace=False):
        wave = ways[way](wave, rng)
    return _bounded(wave)


def _room(wave, rng):
    """Convolved with decaying noise, the simplest model of a room; 0.1 to 0.6 s to fall by 60 dB."""
    seconds = rng.uniform(0.1, 0.6)
    samples = int(seconds * SAMPLE_RATE)
    tail = rng.standard_normal(samples) * 10 ** (-3 * np.arange(samples) / samples)
    response = np.concatenate([[1.0], tail * rng.uniform(0.2, 0.8) / np.sqrt(np.sum(tail**2))])
    size = 1 << (len(wave) + len(response)).bit_length()
    return np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)].astype(np.float32)


def _phone(wave, rng):
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    spectrum[(hertz < PHONE_BAND[0]) | (hertz > PHONE_BAND[1])] *= 0.03
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


def _clip(wave, rng):
    bound = np.abs(wave).max() * rng.uniform(0.15, 0.6)
    return np.clip(wave, -bound, bound)


def _level(wave: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(wave)))) if len(wave) else 0.0


def _bounded(wave: np.ndarray) -> np.ndarray:
    return (wave / max(1.0, float(np.abs(wave).max(initial=0.0)))).astype(np.float32)
