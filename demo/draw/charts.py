"""Charts of a comparison: attention by layer and kind of token, and curves under an intervention.

Knows plotly figures that read on light and dark pages and on a phone: as the plain values that plotly's script draws,
because to make a checked plotly.graph_objects.Figure of one takes a tenth of a second. Does not know models or how
shares come about.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from demo.draw.colours import BY_KIND, FAINT, INK, NEUTRAL, SIGHT, SOUND, TEXT, rgba
from demo.maps import SINK
from models.omni import ALIGNED, BASE, Kind

TITLES = {BASE: "Before tuning", ALIGNED: "After tuning"}
Chart = dict[str, Any]  # "data": traces, "layout": axes, letters, sizes; what plotly.graph_objects.Figure takes
NO_TEMPLATE = {"data": {"scatter": [{"type": "scatter"}]}}  # plotly's own "none"
TOP, BOTTOM = 34, 8  # pixels around a chart; above it stands its legend
FONT = {"family": "system-ui, sans-serif", "size": 14, "color": INK}
PANELS: dict[str, tuple[str, ...]] = {  # title of a panel -> kinds of token that are summed in it
    "Picture": (Kind.VIDEO,),
    "Sound": (Kind.AUDIO,),
    "Injected text": (Kind.INJECTED,),
    "Question": (Kind.QUESTION,),
    "System text": (Kind.SYSTEM,),
    "First token": (SINK,),  # draws attention whatever it holds; apart, or it would drown the system text
}
PANEL_HEIGHT = 170  # pixels
CURVE_HEIGHT = 330  # pixels
BY_ROLE = {"seen": SIGHT, "heard": SOUND, "read": TEXT}

# The grey of the letters is a compromise between light and dark pages. A page that adds this style does better.
CSS = """
.js-plotly-plot :is(.infolayer, .cartesianlayer, .xaxislayer-above, .yaxislayer-above) text {
  fill: var(--body-text-color) !important;
}
"""


def layer_shares(shares: Mapping[str, Mapping[str, np.ndarray]], *, per_token: bool = False) -> Chart:
    """Attention by layer, a panel for each kind of token: base dashed, aligned solid.

    shares: adapter -> {kind: layers values}, one of the two tables of demo.maps.shares. per_token: the values are per
    token. Each panel has a scale of its own, from 0: attention on sound would be invisible beside that on text.
    """
    present = {kind for by_kind in shares.values() for kind in by_kind}
    panels = {title: kinds for title, kinds in PANELS.items() if present & set(kinds)}
    lines, axes, notes = [], {}, []
    for at, (title, kinds) in enumerate(panels.items()):
        suffix = str(at + 1) if at else ""
        for adapter, by_kind in shares.items():
            values = np.sum([by_kind[kind] for kind in kinds if kind in by_kind], axis=0)
            lines.append(
                {
                    "type": "scatter",
                    "x": list(range(len(values))),
                    "y": values.tolist(),
                    "name": TITLES.get(adapter, adapter),
                    "legendgroup": adapter,
                    "showlegend": False,
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "mode": "lines",
                    "line": {"color": BY_KIND[kinds[0]], "width": 3, "dash": "dot" if adapter == BASE else "solid"},
                    "hovertemplate": f"layer %{{x}}: %{{y:.{2 if per_token else 1}%}}",
                }
            )
        axes |= _panel(at, len(panels), suffix)
        where = {"xref": f"x{suffix} domain", "yref": f"y{suffix} domain", "x": 0, "y": 1.0}
        looks = {"xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": FONT}
        notes.append({"text": title} | where | looks)
    # the legend is grey, since the lines of an adapter have one colour in each panel
    lines += [_in_legend(adapter) | {"legendgroup": adapter} for adapter in shares]
    rows = (len(panels) + 1) // 2
    return _dressed(lines, axes | {"annotations": notes}, max(1, rows) * PANEL_HEIGHT + 60)


def curve(
    xs: Sequence[float],
    lines: Mapping[str, Mapping[str, Sequence[float | None]]],
    plain: Mapping[str, Mapping[str, float]],
    roles: Mapping[str, str],
    label: str,
) -> Chart:
    """Probability of some options along an axis: base dotted, aligned solid, faint where it lies with nothing done.

    lines: adapter -> {option: a value for each of xs, None where it is not known}. plain: adapter -> {option: value}.
    roles: option -> "seen", "heard", "read", or another word that has no colour. label: of the axis.
    """
    drawn = []
    for adapter, by_option in lines.items():
        for option, values in by_option.items():
            role = roles[option]
            colour = _colour(role)
            dash = "dot" if adapter == BASE else "solid"
            drawn.append(
                {
                    "type": "scatter", "x": list(xs), "y": list(values), "mode": "lines+markers",
                    "name": f"{TITLES.get(adapter, adapter)}: {role}", "marker": {"size": 5}, "showlegend": False,
                    "line": {"color": colour, "width": 3, "dash": dash},
                    "hovertemplate": f"%{{x:.3~g}}: %{{y:.0%}} {_safe(option)} ({role})",
                }
            )  # fmt: skip
            if option in plain.get(adapter, {}):
                drawn.append(
                    {
                        "type": "scatter", "x": [xs[0], xs[-1]], "y": [plain[adapter][option]] * 2, "mode": "lines",
                        "line": {"color": rgba(colour, 0.35), "width": 1, "dash": dash},
                        "showlegend": False, "hoverinfo": "skip",
                    }
                )  # fmt: skip
    drawn += map(_in_legend, lines)
    for role in dict.fromkeys(roles.values()):
        mark = {"color": _colour(role), "size": 11, "symbol": "square"}
        drawn.append({"type": "scatter", "x": [None], "y": [None], "mode": "markers", "marker": mark, "name": role})
    ticks = {"tickfont": {"size": 12}, "gridcolor": FAINT, "zeroline": False}
    across = {"title": {"text": _safe(label), "font": {"size": 13}}} | ticks
    up = {"range": [-0.02, 1.02], "tickformat": ".0%", "nticks": 5} | ticks
    return _dressed(drawn, {"xaxis": across, "yaxis": up}, CURVE_HEIGHT)


def _colour(role: str) -> str:
    """Of "seen", "heard + read" the first that has one."""
    return next((BY_ROLE[word] for word in role.split(" + ") if word in BY_ROLE), NEUTRAL)


def _in_legend(adapter: str) -> dict:
    """A trace that only gives an adapter its place in the legend."""
    line = {"color": NEUTRAL, "width": 3, "dash": "dot" if adapter == BASE else "solid"}
    name = TITLES.get(adapter, adapter)
    return {"type": "scatter", "x": [None], "y": [None], "mode": "lines", "line": line, "name": name}


def _panel(at: int, count: int, suffix: str) -> dict:
    """Layout of the axes of panel `at`, two beside each other."""
    row, column = divmod(at, 2)
    rows = (count + 1) // 2
    bottom = 1 - (row + 1) / rows
    lines = {"tickfont": {"size": 12}, "gridcolor": FAINT, "zeroline": False, "fixedrange": True}
    across = [0.0, 0.42] if column == 0 else [0.58, 1.0]
    return {
        f"xaxis{suffix}": lines
        | {"domain": across, "anchor": f"y{suffix}", "title": {"text": "layer", "standoff": 2, "font": {"size": 12}}},
        f"yaxis{suffix}": lines
        | {
            "domain": [bottom + 0.2 / rows, bottom + 0.88 / rows],
            "anchor": f"x{suffix}",
            "tickformat": ".2~%",
            "rangemode": "tozero",
            "nticks": 4,
        },
    }


def _dressed(traces: list[dict], layout: dict, height: int) -> Chart:
    """Clear ground, mid-grey letters, no zooming (a finger on a phone must scroll the page), no tool bar.

    layout: the chart's own part of it.
    """
    bare = "rgba(0,0,0,0)"
    general = {
        "template": NO_TEMPLATE,
        "height": height,
        "paper_bgcolor": bare,
        "plot_bgcolor": bare,
        "font": FONT,
        "margin": {"l": 8, "r": 8, "t": TOP, "b": BOTTOM},
        "barmode": "overlay",
        "dragmode": False,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "yref": "paper", "bgcolor": bare},
        "modebar": {
            "remove": ["zoom", "pan", "select", "lasso", "zoomin", "zoomout", "autoscale", "resetscale", "toimage"]
        },
        "hoverlabel": {"font": {"size": 14}},
    }
    still = {"fixedrange": True, "automargin": True}
    layout = {"xaxis": {}, "yaxis": {}} | layout
    axes = {name: value | still for name, value in layout.items() if "axis" in name}
    return {"data": traces, "layout": general | layout | axes}


def _safe(text: str) -> str:
    """Text that plotly, which knows a few tags, shows as it was written."""
    return html.escape(text, quote=False)
