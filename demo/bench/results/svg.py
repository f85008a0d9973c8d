"""Charts of the bench's report as SVG text: bars with intervals, stacked shares, a heat map, lines.

Knows geometry and the colours of the modalities. Does not know samples or files; every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from demo.draw.colours import NEUTRAL, SIGHT, SOUND, TEXT

LABEL, WIDTH, ROW = 250, 420, 16  # pixels: left of the bars, of the bars themselves, height of a bar
FONT = 'font-family="system-ui, sans-serif" font-size="11" fill="currentColor"'
GRID = "#8A909955"


@dataclass(frozen=True)
class Bar:
    """One bar: its share (0..1), its interval, its colour; faint bars stand for the state before tuning."""

    label: str
    value: float
    low: float
    high: float
    colour: str
    faint: bool = False


def bars(groups: Mapping[str, Sequence[Bar]], title: str) -> str:
    """Horizontal bars with 95 % whiskers in titled groups, on a scale from 0 to 100 %."""
    parts, y = [], 24
    for name, group in groups.items():
        parts.append(_text(LABEL - 8, y + ROW * len(group) / 2 + 4, name, "end"))
        for bar in group:
            opacity = 0.4 if bar.faint else 1.0
            parts.append(_rect(LABEL, y, WIDTH * bar.value, ROW - 3, bar.colour, opacity, _tip(bar)))
            middle = y + (ROW - 3) / 2
            parts.append(_line(LABEL + WIDTH * bar.low, middle, LABEL + WIDTH * bar.high, middle, "currentColor", 1.2))
            parts.append(_text(LABEL + WIDTH + 8, middle + 4, f"{100 * bar.value:.0f}  {bar.label}"))
            y += ROW
        y += 8
    return _svg(LABEL + WIDTH + 150, y, title, _scale(y) + "".join(parts))


def stacked(rows: Mapping[str, Mapping[str, float]], colours: Mapping[str, str], title: str) -> str:
    """One bar a row, made of shares that sum to 1."""
    parts, y = [], 24
    for name, shares in rows.items():
        parts.append(_text(LABEL - 8, y + ROW - 5, name, "end"))
        x = float(LABEL)
        for whom, share in shares.items():
            parts.append(_rect(x, y, WIDTH * share, ROW - 3, colours[whom], 1.0, f"{name}: {whom} {100 * share:.0f} %"))
            x += WIDTH * share
        y += ROW + 2
    return _svg(LABEL + WIDTH + 150, y + 26, title, "".join(parts) + _legend(colours, y + 12))


def heat(values: np.ndarray, title: str, largest: float, half: np.ndarray | None = None, *, above: str = SIGHT,
         below: str = SOUND) -> str:  # fmt: skip
    """Layers (across) x heads (down) of a signed quantity, the stronger the further from 0; grey: unknown.

    half: half of each value's interval; a value whose interval holds 0 is drawn small; nan: unknown. above, below: the
    colours of either side of 0.
    """
    cell, left, top = 14, 30, 8
    parts = []
    for layer, row in enumerate(values):
        for head, value in enumerate(row):
            tip, inset = f"layer {layer}, head {head}: {value:.2f}", 0
            if half is not None:
                tip += f" ± {half[layer, head]:.2f}" if math.isfinite(half[layer, head]) else ""
                inset = 4 if abs(value) <= half[layer, head] else 0
            side = cell - 1 - 2 * inset
            x, y = left + layer * cell + inset, top + head * cell + inset
            known = math.isfinite(value)
            strength = min(1.0, abs(value) / largest) if known and largest > 0 else 0.0 if known else 0.5
            colour = NEUTRAL if not known else above if value > 0 else below
            parts.append(_rect(x, y, side, side, colour, round(strength, 3), tip))
    height = top + values.shape[1] * cell
    for layer in range(0, len(values), 5):
        parts.append(_text(left + (layer + 0.5) * cell, height + 13, str(layer), "middle"))
    for head in (0, values.shape[1] - 1):
        parts.append(_text(left - 6, top + head * cell + 11, str(head), "end"))
    parts.append(_text(left, height + 28, "layers →   heads ↓"))
    return _svg(left + len(values) * cell + 10, height + 34, title, "".join(parts))


def lines(series: Mapping[str, tuple[Sequence[float], str, bool]], title: str) -> str:
    """Lines over layers: name -> (a value a layer, colour, faint). Nan breaks a line."""
    width, height, left, top = 420, 180, 44, 24
    known = [v for values, _, _ in series.values() for v in values if math.isfinite(v)]
    highest = max([*known, 1e-9])
    parts = [_text(left - 6, top + 8, f"{100 * highest:.2g} %", "end"), _text(left - 6, top + height, "0", "end")]
    parts.append(_line(left, top + height, left + width, top + height, GRID, 1))
    for place, (name, (values, colour, faint)) in enumerate(series.items()):
        step = width / max(1, len(values) - 1)
        points = " ".join(
            f"{left + step * n:.1f},{top + height * (1 - v / highest):.1f}"
            for n, v in enumerate(values)
            if math.isfinite(v)
        )
        dash = ' stroke-dasharray="4 3"' if faint else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        at = top + 12 + place * 14
        ends = f'x1="{left + width + 10}" y1="{at - 4}" x2="{left + width + 30}" y2="{at - 4}"'
        parts.append(f'<line {ends} stroke="{colour}"{dash}/>')
        parts.append(_text(left + width + 36, at, name))
    parts.append(_text(left, top + height + 14, "layers →"))
    return _svg(left + width + 190, max(top + height + 22, top + 14 * len(series) + 10), title, "".join(parts))


@dataclass(frozen=True)
class Curve:
    """Means over layers with their 95 % intervals (nan: none); dashed lines stand for the state before tuning."""

    layers: Sequence[int]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    colour: str
    dashed: bool = False


def curves(series: Mapping[str, Curve], title: str, level: Mapping[str, tuple[float, str]] | None = None,
           highest: float = 1.0) -> str:  # fmt: skip
    """Shares (0..highest) over layers with bands; names on hover alone. level: name -> (height, colour) of dots beside
    them."""
    width, height, left, top = 360, 170, 54, 14
    first = min(layer for curve in series.values() for layer in curve.layers)
    last = max(layer for curve in series.values() for layer in curve.layers)
    x = lambda layer: left + width * (layer - first) / max(1, last - first)  # noqa: E731
    y = lambda share: top + height * (1 - min(1.0, max(0.0, share / highest)))  # noqa: E731
    parts = []
    for share in (0, highest / 2, highest):
        parts.append(_line(left, y(share), left + width, y(share), GRID, 1))
        parts.append(_text(left - 6, y(share) + 4, f"{100 * share:g} %", "end"))
    for name, curve in series.items():
        known = [n for n in range(len(curve.layers)) if math.isfinite(curve.low[n])]
        around = [(curve.layers[n], curve.low[n]) for n in known]
        around += [(curve.layers[n], curve.high[n]) for n in reversed(known)]
        band = " ".join(f"{x(layer):.1f},{y(share):.1f}" for layer, share in around)
        parts.append(f'<polygon points="{band}" fill="{curve.colour}" fill-opacity="0.13"/>' if around else "")
        line = " ".join(f"{x(at):.1f},{y(mean):.1f}" for at, mean in zip(curve.layers, curve.mean, strict=True))
        dash = ' stroke-dasharray="4 3"' if curve.dashed else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{curve.colour}" stroke-width="1.8"{dash}>'
                     f"<title>{escape(name)}</title></polyline>")  # fmt: skip
    for name, (share, colour) in (level or {}).items():
        dot = f'<circle cx="{left + width + 10}" cy="{y(share):.1f}" r="3.5" fill="{colour}">'
        parts.append(f"{dot}<title>{escape(f'{name}: {100 * share:.0f} %')}</title></circle>")
    for layer in sorted({first, (first + last) // 2, last}):
        parts.append(_text(x(layer), top + height + 15, str(layer), "middle"))
    parts.append(_text(left + width + 16, top + height + 15, "layer"))
    return _svg(left + width + 52, top + height + 22, title, "".join(parts))


def above(share: float) -> float:
    """The next tenth of 1 above a share; a small one fills its drawing all the same."""
    return min(1.0, math.ceil(10 * share + 1e-9) / 10)


def _tip(bar: Bar) -> str:
    return f"{bar.label}: {100 * bar.value:.1f} % ({100 * bar.low:.1f} to {100 * bar.high:.1f})"


def _scale(height: float) -> str:
    marks = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LABEL + WIDTH * share
        marks.append(_line(x, 18, x, height - 6, GRID, 1) + _text(x, 14, f"{100 * share:.0f} %", "middle"))
    return "".join(marks)


def _legend(colours: Mapping[str, str], y: float) -> str:
    parts = []
    for place, (name, colour) in enumerate(colours.items()):
        x = LABEL + place * 85
        parts.append(_rect(x, y, 10, 10, colour, 1.0, name) + _text(x + 14, y + 9, name))
    return "".join(parts)


def _rect(x: float, y: float, width: float, height: float, colour: str, opacity: float, tip: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" '
        f'fill-opacity="{opacity:g}" stroke="{GRID}" stroke-width="0.5"><title>{escape(tip)}</title></rect>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width:g}"/>'


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT}>{escape(said)}</text>'


def _svg(width: float, height: float, title: str, inner: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'role="img" aria-label="{escape(title, quote=True)}">{inner}</svg>'
    )


FOLLOWED_COLOURS = {
    "picture": SIGHT,
    "sound": SOUND,
    "text": TEXT,
    "both": "#6B7FA0",
    "abstained": "#C9CDD2",
    "other": NEUTRAL,
}
