"""Charts as SVG: what a heat map's cells and the lines of curves are drawn as, in either scheme of the page."""

import re

import numpy as np

from demo.bench.results import svg
from demo.draw.colours import NEUTRAL, SIGHT, SOUND

CELL = re.compile(
    r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" .*? fill="(.*?)" fill-opacity="(.*?)".*?<title>(.*?)<'
)


def cells(drawn: str) -> dict[str, tuple]:
    return {tip: (float(x), float(y), float(width), fill, float(strength))
            for x, y, width, fill, strength, tip in CELL.findall(drawn)}  # fmt: skip


def test_layers_go_across_and_nothing_shines_where_there_is_nothing():
    values = np.array([[0.0, 1.0], [-2.0, np.nan], [0.5, 0.1]])  # 3 layers, 2 heads
    drawn = cells(svg.heat(values, "a map", 2.0))
    assert len(drawn) == 6
    (x, y, _, _, nothing), (_, _, _, more, half) = drawn["layer 0, head 0: 0.00"], drawn["layer 0, head 1: 1.00"]
    less, unknown = drawn["layer 1, head 0: -2.00"], drawn["layer 1, head 1: nan"]
    assert nothing == 0 and (more, half) == (SIGHT, 0.5) and less[3:] == (SOUND, 1.0) and unknown[3] == NEUTRAL
    assert less[0] > x and less[1] == y  # the next layer stands beside it


def test_what_may_be_nothing_is_small_and_sides_have_their_colours():
    values, half = np.array([[0.4, -0.4]]), np.array([[0.1, 0.5]])
    (sure, unsure) = cells(svg.heat(values, "a map", 0.4, half, above=SOUND, below=NEUTRAL)).values()
    assert sure[3] == SOUND and unsure[3] == NEUTRAL and unsure[2] < sure[2] / 2


def test_lines_have_their_names_on_hover():
    nan = [float("nan")] * 2
    drawn = svg.curves({"seen <b>, before": svg.Curve([0, 1], [0.2, 0.4], nan, nan, SIGHT, dashed=True)}, "a chart")
    assert "<title>seen &lt;b&gt;, before</title></polyline>" in drawn and "stroke-dasharray" in drawn
