"""Drawings of "Look inside" as HTML: frames, sound, words, the tokens of an answer.

Knows markup; every text goes through html.escape. Does not know components, or how attention is computed or drawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image

from demo.draw.sound import SoundPicture
from demo.draw.words import Shade
from demo.inside import FramesSeen, Strip
from demo.pages import answers
from demo.pages.markup import data_uri
from models.omni import Kind

EMPTY = '<p class="hint tall">Attention appears here with the next answer.</p>'
MEDIA = {Kind.VIDEO: "see", Kind.AUDIO: "hear"}
BARS = 60  # of a strip of sound, at most: the heaviest of neighbours stands for them


def frames(seen: FramesSeen | None, at: int) -> str:
    """Two stacks of frames, of which one each is shown; the slider and the player's clock choose which."""
    if seen is None:
        return '<p class="hint tall">There is no picture to look at.</p>'
    figures = "".join(
        f"<figure><figcaption>{title} <span>{seen.times[at]:.1f} s</span></figcaption>"
        + "".join(
            f'<img class="{"on" if n == at else ""}" src="{data_uri("jpeg", jpeg)}" '
            f'alt="{title}: attention on the frame at {time:.1f} s">'
            for n, (jpeg, time) in enumerate(zip(jpegs, seen.times, strict=True))
        )
        + "</figure>"
        for title, jpegs in ((escape(answers.TITLES.get(name, name)), given) for name, given in seen.jpegs.items())
    )
    times = ",".join(f"{time:.3f}" for time in seen.times)
    return f'<div class="pair film" data-times="{times}">{figures}</div>'


def sound(picture: SoundPicture | None) -> str:
    """The picture of the sound with a playhead over it."""
    if picture is None:
        return '<p class="hint tall">There is no sound to look at.</p>'
    written = io.BytesIO()
    Image.fromarray(picture.image).save(written, "png", compress_level=3)
    left, top, right, bottom = picture.plot
    return (
        f'<div class="spectrogram" data-seconds="{picture.seconds:.3f}" '
        f'data-left="{left:.5f}" data-right="{right:.5f}">'
        f'<img src="{data_uri("png", written.getvalue())}" alt="Spectrogram, and below it the attention on each moment '
        f'of the sound before and after tuning"><i class="playhead" style="left:{left:.2%};top:{top:.2%};'
        f'height:{bottom - top:.2%}"></i></div>'
    )


def words(shades: Sequence[Shade], adapter: str, strips: Mapping[Kind, Strip]) -> str:
    """The prompt's words with their shades; a stretch of picture or sound is collapsed into a strip."""
    if not shades:
        return EMPTY
    said = "".join(
        _strip(shade, adapter, strips) if shade.kind in MEDIA else _word(shade, shade.strength) for shade in shades
    )
    title = escape(answers.TITLES.get(adapter, adapter))
    return f'<section class="shaded"><h3>{title}</h3><div class="text">{said}</div></section>'


def steps(written: Mapping[str, Sequence[str]], step: int) -> str:
    """The tokens of each answer as buttons: whose maps are shown is chosen by one."""
    lines = "".join(
        f'<div class="line"><span>{escape(answers.TITLES.get(adapter, adapter))}:</span>{_tokens(tokens, step)}</div>'
        for adapter, tokens in written.items()
        if tokens
    )
    return f'<div class="written">{lines}</div>' if lines else ""


def _tokens(tokens: Sequence[str], step: int) -> str:
    chosen = min(step, len(tokens) - 1)
    return "".join(
        f'<button type="button" data-step="{n}" aria-pressed="{"true" if n == chosen else "false"}" '
        f'title="Where it looked when it wrote this">{escape(token.strip()) or "␣"}</button>'
        for n, token in enumerate(tokens)
    )


def _word(shade: Shade, strength: float | None) -> str:
    if strength is None:
        return f"<span>{escape(shade.text)}</span>"
    less = " less" if strength < 0 else ""
    return f'<span class="word{less}" style="--v:{abs(strength):.3f}">{escape(shade.text)}</span>'


def _strip(shade: Shade, adapter: str, strips: Mapping[Kind, Strip]) -> str:
    strip = strips.get(shade.kind)
    said = escape(shade.text.strip(" []"))
    if strip is None or adapter not in strip.shares:
        return f'<span class="media {MEDIA[shade.kind]}"><b>{said}</b></span>'
    shares = strip.shares[adapter]
    if strip.jpegs:
        steps = "".join(
            f'<i class="step" title="{start:.1f} to {end:.1f} s"><img src="{data_uri("jpeg", jpeg)}" alt="">'
            f'<u style="--v:{share:.3f}"></u></i>'
            for jpeg, share, (start, end) in zip(strip.jpegs, shares, strip.spans, strict=True)
        )
    else:
        width = -(-len(shares) // BARS)
        steps = "".join(
            f'<u style="--v:{max(shares[at : at + width]):.3f}"></u>' for at in range(0, len(shares), width)
        )
        steps = f'<i class="bars">{steps}</i>'
    return f'<span class="media {MEDIA[shade.kind]}"><b>{said}</b>{steps}</span>'
