"""The shelf as HTML: thumbnails, a clip's line, the window of its trim, the invitation for a phone.

Knows markup; every text goes through html.escape. Does not know components or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode, urlsplit

import segno

from demo.draw import strip
from demo.pages.markup import data_uri
from demo.visitors.invitations import SECONDS
from demo.visitors.shelf import OwnClip

SOUND_COLOUR = "%23e69f00"
ARRIVING = '<p class="hint" role="status"></p>'  # the script says there what is on its way
MAX_ADDRESS = 300  # characters of the page's own address
LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1", "0.0.0.0")


def pictures(clips: Sequence[OwnClip]) -> str:
    """A style sheet that gives own clips their thumbnails wherever they are chosen: they come first in each picker."""
    rules = "".join(
        f":is(#clip, #mine).thumbs label:nth-of-type({at})::before{{{_picture(clip)}}}"
        for at, clip in enumerate(clips, 1)
    )
    return f"<style>{rules}</style>"


def about(clip: OwnClip | None) -> str:
    """A clip's name and length, and what there is to know of it."""
    if clip is None:
        return '<p class="hint">Upload, record or paste a clip: it lands here, and only you see it.</p>'
    length = f"{clip.seconds:.1f} s"
    if clip.is_long:
        length = f"{clip.start:.1f} to {clip.start + clip.seconds:.1f} s of {clip.duration:.0f} s"
    notices = "".join(f" <span>{escape(notice)}</span>" for notice in clip.notices)
    looking = "" if clip.perceived is not None else " <span>The model is looking and listening.</span>"
    return f'<p class="about"><b>{escape(clip.name)}</b> {length}{notices}{looking}</p>'


def window(clip: OwnClip | None) -> str:
    """Frames and outline of the whole clip, and the window that counts."""
    if clip is None:
        return '<p class="hint">A clip of more than ten seconds can be trimmed here.</p>'
    left, width = clip.start / clip.duration, min(1.0, clip.seconds / clip.duration)
    whole = "" if clip.is_long else '<p class="hint">All of it counts: there is nothing to trim.</p>'
    film = f'<img alt="Frames of the clip" src="{data_uri("jpeg", clip.frames)}">' if clip.frames else ""
    return (
        f'<div class="strip" data-duration="{clip.duration:.2f}" data-seconds="{clip.seconds:.2f}">'
        f'{film}{strip.outline(clip.peaks)}<i style="left:{left:.2%};width:{width:.2%}"></i></div>{whole}'
    )


def invitation(code: str, page: str) -> str:
    """How a phone adds to the shelf: a link as a QR code, the code in letters, and how long it is good."""
    if not code:
        return (
            '<p class="hint">A code of ten minutes lets a phone put clips on this shelf: it can add, '
            "and neither see nor change what is here.</p>"
        )
    address = _address(page, code)
    drawn = (
        segno.make(address, error="m").svg_inline(scale=3, border=2, dark="#10161d", light="#ffffff") if address else ""
    )
    host = urlsplit(address).hostname or ""
    unreachable = (
        f"<p><b>{escape(host)} is this computer only:</b> open this page by an address that the phone can reach.</p>"
        if host in LOCAL
        else ""
    )
    spelled = f"{code[:4]} {code[4:]}"
    return (
        f'<div class="invitation"><span role="img" aria-label="QR code of the link">{drawn}</span><div>'
        f"<p>Scan this with the phone, or open <code>{escape(address)}</code></p>{unreachable}"
        f'<p>Code <b id="code">{escape(spelled)}</b>, good for {SECONDS / 60:.0f} minutes.</p></div></div>'
    )


def _address(page: str, code: str) -> str:
    """The page on which a phone adds, given this page's address; "" for what is no web address."""
    try:
        parts = urlsplit(page[:MAX_ADDRESS])
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/add?{urlencode({'code': code})}"


def _picture(clip: OwnClip) -> str:
    if clip.thumbnail:
        return f"background-image:url({data_uri('jpeg', clip.thumbnail)})"
    drawn = strip.outline(clip.peaks, SOUND_COLOUR).replace('"', "'").replace("<", "%3C").replace(">", "%3E")
    return f'background:var(--hear-tint) url("data:image/svg+xml,{drawn}") center/90% 80% no-repeat' if drawn else ""
