"""Drawings of "Look inside" as HTML: frames, sound, words, the tokens of an answer, and what is picked in them.

Knows markup; every text goes through html.escape. Does not know components, or how attention is computed or drawn.
What can be picked holds its part of a pick (demo.probing.regions) as data-pick; `mark` says of which prompt.
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
PICK = "Click what they shall no longer look at: patches or a frame, moments or all of the sound, words or the text."
BARS = 60  # of a strip of sound, at most: the heaviest of neighbours stands for them


def frames(seen: FramesSeen | None, at: int, mark: str = "") -> str:
    """Two stacks of frames, of which one each is shown; the slider and the player's clock choose which."""
    if seen is None:
        return '<p class="hint tall">There is no picture to look at.</p>'
    patches = _patches(seen)
    figures = "".join(
        f"<figure><figcaption>{title} <span>{seen.times[at]:.1f} s</span>{_whole('frame', 'this whole frame')}"
        '</figcaption><div class="screen">'
        + "".join(
            f'<img class="{"on" if n == at else ""}" src="{data_uri("jpeg", jpeg)}" '
            f'alt="{title}: attention on the frame at {time:.1f} s">'
            for n, (jpeg, time) in enumerate(zip(jpegs, seen.times, strict=True))
        )
        + f"{patches}</div></figure>"
        for title, jpegs in ((escape(answers.TITLES.get(name, name)), given) for name, given in seen.jpegs.items())
    )
    times = ",".join(f"{time:.3f}" for time in seen.times)
    return f'<div class="pair film" data-times="{times}" data-at="{at}" data-prompt="{escape(mark)}">{figures}</div>'


def sound(picture: SoundPicture | None, moments: Sequence[tuple[float, float]] = (), mark: str = "") -> str:
    """The picture of the sound with a playhead over it. moments: stretches that can be picked, s."""
    if picture is None:
        return '<p class="hint tall">There is no sound to look at.</p>'
    written = io.BytesIO()
    # no pixel is lost; as small as a png that takes twice as long
    Image.fromarray(picture.image).save(written, "webp", lossless=True, quality=0, method=0, exact=True)
    left, top, right, bottom = picture.plot
    return (
        f"{_whole('sound', 'the whole sound') if moments else ''}"
        f'<div class="spectrogram" data-seconds="{picture.seconds:.3f}" data-prompt="{escape(mark)}" '
        f'data-left="{left:.5f}" data-right="{right:.5f}">'
        f'<img src="{data_uri("webp", written.getvalue())}" alt="Spectrogram, and below it the attention on each '
        f'moment of the sound before and after tuning"><i class="playhead" style="left:{left:.2%};top:{top:.2%};'
        f'height:{bottom - top:.2%}"></i>{_moments(picture, moments)}</div>'
    )


def words(shades: Sequence[Shade], adapter: str, strips: Mapping[Kind, Strip], mark: str = "") -> str:
    """The prompt's words with their shades; a stretch of picture or sound is collapsed into a strip.

    mark: "" where nothing can be picked.
    """
    if not shades:
        return EMPTY
    said = "".join(
        _strip(shade, adapter, strips) if shade.kind in MEDIA else _word(shade, bool(mark)) for shade in shades
    )
    title = escape(answers.TITLES.get(adapter, adapter))
    where = f' data-prompt="{escape(mark)}"' if mark else ""
    added = mark and any(shade.kind is Kind.INJECTED for shade in shades)
    whole = _whole("text", "the whole injected text") if added else ""
    return f'<section class="shaded"><h3>{title}{whole}</h3><div class="text"{where}>{said}</div></section>'


def scissors() -> str:
    """The button that turns clicks on the drawings into picks."""
    return (
        '<button type="button" id="scissors" aria-pressed="false" title="Choose patches, moments and words that nobody '
        'can look at any more">Cut what I click</button>'
    )


def dock() -> str:
    """What is picked so far, and what is to be done with it."""
    choices = "".join(
        f'<label><input type="radio" name="dock-frames" value="{value}"{checked}>{said}</label>'
        for value, said, checked in (("all", "in all frames", " checked"), ("this", "in this frame", ""))
    )
    return (
        f'<div class="dock" role="group" aria-label="What is cut"><output data-none="{escape(PICK)}">{escape(PICK)}'
        f'</output><span class="which" role="radiogroup" aria-label="A patch is picked">{choices}</span>'
        '<button type="button" data-do="cut" class="go" disabled>Cut it: both answer again</button>'
        '<button type="button" data-do="clear" disabled>Clear</button></div>'
    )


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


def _patches(seen: FramesSeen) -> str:
    """A grid over a frame, of which each cell can be picked."""
    (width, height), (rows, columns) = seen.size, seen.patches
    cells = "".join(
        f'<button type="button" data-pick="patch~{row}.{column}" title="row {row + 1}, column {column + 1}"></button>'
        for row in range(rows)
        for column in range(columns)
    )
    wide = " wide" if 9 * width >= 16 * height else ""  # than the screen that it lies on
    style = f"--columns:{columns};--rows:{rows};aspect-ratio:{width}/{height}"
    return f'<div class="patches{wide}" data-columns="{columns}" style="{style}">{cells}</div>'


def _moments(picture: SoundPicture, moments: Sequence[tuple[float, float]]) -> str:
    """Stretches over the picture of a sound, of which each can be picked."""
    left, top, right, bottom = picture.plot
    cells = "".join(
        f'<button type="button" data-pick="sound~{start:.3f}-{end:.3f}" title="{start:.1f} to {end:.1f} s" '
        f'style="left:{start / picture.seconds:.3%};width:{(end - start) / picture.seconds:.3%}"></button>'
        for start, end in moments
    )
    place = f"left:{left:.3%};top:{top:.3%};width:{right - left:.3%};height:{bottom - top:.3%}"
    return f'<div class="moments" style="{place}">{cells}</div>' if cells else ""


def _whole(what: str, said: str) -> str:
    """The button that picks everything of its kind at once."""
    return f'<button type="button" class="whole" data-whole="{what}">{said}</button>'


def _word(shade: Shade, pickable: bool) -> str:
    first, last = shade.ends
    pick = f' data-pick="words~{first}-{last}"' if pickable and shade.text.strip() else ""
    if pick and shade.kind is Kind.INJECTED:
        pick += " data-injected"
    if shade.strength is None:
        return f"<span{pick}>{escape(shade.text)}</span>"
    less = " less" if shade.strength < 0 else ""
    return f'<span class="word{less}"{pick} style="--v:{abs(shade.strength):.3f}">{escape(shade.text)}</span>'


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
