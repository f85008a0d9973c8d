"""Charts of a comparison: option bars, attention by layer and kind of token, and curves under an intervention.

Knows plotly figures that read on light and dark pages and on a phone. Does not know models or how shares come about.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from demo.draw.colours import BY_KIND, FAINT, INK, NEUTRAL, SIGHT, SOUND, TEXT, rgba
from demo.maps import SINK
from demo.vocabulary import plain
from models.omni import ALIGNED, BASE, Answer, Kind, Stimulus

TITLES = {BASE: "Before tuning", ALIGNED: "After tuning"}
LONGEST_LABEL = 24  # characters of an option above its bar; the whole one shows under the pointer
LINE, BAR, ROW_GAP = 18, 14, 6  # pixels: the name of an option, each bar below it, the room below that
PALE = 0.45  # opacity of base where it stands beside aligned
TOP, TOP_WITH_LEGEND, BOTTOM = 4, 34, 8  # pixels around a chart
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


def option_bars(answers: Mapping[str, Answer], stimulus: Stimulus) -> go.Figure:
    """The probability of each option under one adapter or several, in the order in which the options were offered.

    What is seen, heard and read wears its modality's colour and is named so beside the bar. With two adapters, base is
    pale and stands above aligned. An empty figure where there are no options.
    """
    options = list(next(iter(answers.values())).options) if answers else []
    figure = go.Figure()
    row = LINE + BAR * len(answers) + ROW_GAP  # pixels; y counts pixels downwards
    tops = np.arange(len(options)) * row
    for at, (adapter, answer) in enumerate(answers.items()):
        odds = [answer.options.get(option, 0.0) for option in options]
        figure.add_bar(
            orientation="h",
            y=(tops + LINE + BAR * (at + 0.5)).tolist(),
            x=odds,
            width=BAR - 2,
            name=TITLES.get(adapter, adapter),
            marker=_bar_looks(options, stimulus, PALE if len(answers) > 1 and adapter == BASE else 1.0),
            text=[f"{p:.0%}" for p in odds],
            textposition="outside",
            textfont={"size": 13},
            constraintext="none",
            cliponaxis=False,
            hovertext=[f"{_safe(option)}: {p:.1%}" for option, p in zip(options, odds, strict=True)],
            hoverinfo="text",
        )
    for top, option in zip(tops.tolist(), options, strict=True):  # above the bar: half a phone's width is enough then
        figure.add_annotation(
            text=_label(option, stimulus), x=0, y=top + LINE / 2, xanchor="left", yanchor="middle", xshift=-2,
            showarrow=False, align="left",
        )  # fmt: skip
    height = row * max(len(options), 1)
    figure.update_yaxes(range=[height, 0], visible=False)
    figure.update_xaxes(range=[0, 1.25], visible=False)
    legend = len(answers) > 1
    return _dressed(figure, height + (TOP_WITH_LEGEND if legend else TOP) + BOTTOM, legend=legend)


def layer_shares(shares: Mapping[str, Mapping[str, np.ndarray]], *, per_token: bool = False) -> go.Figure:
    """Attention by layer, a panel for each kind of token: base dashed, aligned solid.

    shares: adapter -> {kind: layers values}, one of the two tables of demo.maps.shares. per_token: the values are per
    token. Each panel has a scale of its own, from 0: attention on sound would be invisible beside that on text.
    """
    present = {kind for by_kind in shares.values() for kind in by_kind}
    panels = {title: kinds for title, kinds in PANELS.items() if present & set(kinds)}
    figure = go.Figure()
    for at, (title, kinds) in enumerate(panels.items()):
        suffix = str(at + 1) if at else ""
        for adapter, by_kind in shares.items():
            values = np.sum([by_kind[kind] for kind in kinds if kind in by_kind], axis=0)
            figure.add_scatter(
                x=np.arange(len(values)).tolist(),
                y=values.tolist(),
                name=TITLES.get(adapter, adapter),
                legendgroup=adapter,
                showlegend=False,
                xaxis=f"x{suffix}",
                yaxis=f"y{suffix}",
                mode="lines",
                line={"color": BY_KIND[kinds[0]], "width": 3, "dash": "dot" if adapter == BASE else "solid"},
                hovertemplate=f"layer %{{x}}: %{{y:.{2 if per_token else 1}%}}",
            )
        figure.update_layout(_panel(at, len(panels), suffix))
        figure.add_annotation(
            text=title, xref=f"x{suffix} domain", yref=f"y{suffix} domain", x=0, y=1.0, yanchor="bottom",
            showarrow=False, font=FONT | {"color": INK}, xanchor="left",
        )  # fmt: skip
    for adapter in shares:  # the legend is grey, since the lines of an adapter have one colour in each panel
        line = {"color": NEUTRAL, "width": 3, "dash": "dot" if adapter == BASE else "solid"}
        name = TITLES.get(adapter, adapter)
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=name, legendgroup=adapter)
    rows = (len(panels) + 1) // 2
    return _dressed(figure, max(1, rows) * PANEL_HEIGHT + 60, legend=True)


def curve(
    xs: Sequence[float],
    lines: Mapping[str, Mapping[str, Sequence[float | None]]],
    plain: Mapping[str, Mapping[str, float]],
    roles: Mapping[str, str],
    label: str,
) -> go.Figure:
    """Probability of some options along an axis: base dotted, aligned solid, faint where it lies with nothing done.

    lines: adapter -> {option: a value for each of xs, None where it is not known}. plain: adapter -> {option: value}.
    roles: option -> "seen", "heard", "read", or another word that has no colour. label: of the axis.
    """
    figure = go.Figure()
    for adapter, by_option in lines.items():
        for option, values in by_option.items():
            role = roles[option]
            colour = next((BY_ROLE[word] for word in role.split(" + ") if word in BY_ROLE), NEUTRAL)
            dash = "dot" if adapter == BASE else "solid"
            figure.add_scatter(
                x=list(xs), y=list(values), mode="lines+markers", name=f"{TITLES.get(adapter, adapter)}: {role}",
                line={"color": colour, "width": 3, "dash": dash}, marker={"size": 5}, showlegend=False,
                hovertemplate=f"%{{x:.3~g}}: %{{y:.0%}} {_safe(option)} ({role})",
            )  # fmt: skip
            if option in plain.get(adapter, {}):
                figure.add_scatter(
                    x=[xs[0], xs[-1]], y=[plain[adapter][option]] * 2, mode="lines", showlegend=False,
                    line={"color": rgba(colour, 0.35), "width": 1, "dash": dash}, hoverinfo="skip",
                )  # fmt: skip
    for adapter in lines:
        line = {"color": NEUTRAL, "width": 3, "dash": "dot" if adapter == BASE else "solid"}
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=TITLES.get(adapter, adapter))
    for role in dict.fromkeys(roles.values()):
        colour = next((BY_ROLE[word] for word in role.split(" + ") if word in BY_ROLE), NEUTRAL)
        mark = {"color": colour, "size": 11, "symbol": "square"}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=mark, name=role)
    ticks = {"tickfont": {"size": 12}, "gridcolor": FAINT, "zeroline": False}
    figure.update_xaxes(title={"text": _safe(label), "font": {"size": 13}}, **ticks)
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%", nticks=5, **ticks)
    return _dressed(figure, CURVE_HEIGHT, legend=True)


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


def _dressed(figure: go.Figure, height: int, *, legend: bool) -> go.Figure:
    """Clear ground, mid-grey letters, no zooming (a finger on a phone must scroll the page), no tool bar."""
    bare = "rgba(0,0,0,0)"
    figure.update_layout(
        template="none",
        height=height,
        paper_bgcolor=bare,
        plot_bgcolor=bare,
        font=FONT,
        margin={"l": 8, "r": 8, "t": TOP_WITH_LEGEND if legend else TOP, "b": BOTTOM},
        barmode="overlay",
        dragmode=False,
        showlegend=legend,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "yref": "paper", "bgcolor": bare},
        modebar={
            "remove": ["zoom", "pan", "select", "lasso", "zoomin", "zoomout", "autoscale", "resetscale", "toimage"]
        },
        hoverlabel={"font": {"size": 14}},
    )
    figure.update_xaxes(fixedrange=True, automargin=True)
    figure.update_yaxes(fixedrange=True, automargin=True)
    return figure


def _roles(option: str, stimulus: Stimulus) -> list[tuple[str, str]]:
    """(word, colour) for each modality whose truth an option is."""
    claims = (("seen", stimulus.seen, SIGHT), ("heard", stimulus.heard, SOUND), ("read", stimulus.read, TEXT))
    return [(word, colour) for word, label, colour in claims if label and plain(label) == plain(option)]


def _bar_looks(options: list[str], stimulus: Stimulus, opacity: float) -> dict:
    """Colour of each bar; an option that is true of two modalities is striped in the second's colour."""
    roles = [[colour for _, colour in _roles(option, stimulus)] or [NEUTRAL] for option in options]
    return {
        "color": [rgba(colours[0], opacity) for colours in roles],
        "pattern": {
            "shape": ["/" if len(colours) > 1 else "" for colours in roles],
            "fgcolor": [rgba(colours[-1], opacity) for colours in roles],
            "fgopacity": 1,
            "fillmode": "overlay",
            "size": 10,
            "solidity": 0.5,
        },
        "line": {"width": 0},
    }


def _label(option: str, stimulus: Stimulus) -> str:
    short = option if len(option) <= LONGEST_LABEL else option[: LONGEST_LABEL - 1].rstrip() + "…"
    roles = " + ".join(word for word, _ in _roles(option, stimulus))
    return f"{_safe(short)} <b>({roles})</b>" if roles else _safe(short)


def _safe(text: str) -> str:
    """Text that plotly, which knows a few tags, shows as it was written."""
    return html.escape(text, quote=False)
