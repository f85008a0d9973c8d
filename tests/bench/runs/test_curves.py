"""Curves over clips: every layer and head, the caption before and after the media, where a modality stops mattering."""

import math

import numpy as np
import pytest

from demo.bench.results import layerwise, measures, svg
from demo.bench.results.layerwise import AFTER, BEFORE, SHARE, SHIFT, Found
from demo.bench.runs import curves
from demo.pages import methods_markup as markup
from models.fake import FakeModel
from models.omni import BASE, McGurkError


def test_curves_hold_every_layer_and_say_where_a_modality_stops_mattering(labelled, tmp_path, monkeypatch):
    grid = np.arange(18.0).reshape(6, 3)
    monkeypatch.setattr(curves, "moved", lambda model, *_: {name: grid for name in model.adapters})
    *_, (done, total, found) = curves.run(
        curves.Config(str(labelled), "fake", 3, out=str(tmp_path / "out")), FakeModel()
    )
    assert done == total == 6
    points = found.points()
    ways = {(p.way, p.kind): sorted({q.layer for q in points if (q.way, q.kind) == (p.way, p.kind)}) for p in points
            if p.layer is not None}  # fmt: skip
    apart = {(p.ask, p.adapter, p.way): p.mean for p in points}
    assert apart["see", BASE, layerwise.DISAGREEMENT] >= 0 and apart["hear", BASE, layerwise.INTERFERENCE] >= 0
    assert ways[layerwise.CUT, "picture"] == list(range(6)) and ways[layerwise.EXIT, "sound"] == list(range(-1, 6))
    [agreed] = [p for p in points if (p.ask, p.adapter, p.way) == ("see", BASE, layerwise.AGREEMENT)]
    assert (agreed.low, agreed.high) == measures.wilson(round(3 * agreed.mean), 3) and agreed.n == 3
    heads = found.grids()["see", BASE, "picture"]
    assert (heads.mean == grid).all() and (heads.half == 0).all() and heads.n == 3
    change = found.grids()["see", layerwise.CHANGE, "picture"]
    assert (change.mean == 0).all() and not change.sure.any()
    told = layerwise.markdown(points)
    assert "| see | base | seen |" in told
    assert f"| {agreed.mean:.2f} ({agreed.low:.2f}–{agreed.high:.2f}, n 3) |" in told
    assert (tmp_path / "out" / "heads.csv").read_text().count("\n") == 1 + 2 * 3 * 2 * 18


def test_an_exit_costs_nothing_from_the_layer_on_where_the_loss_stays_within_three_percent():
    def point(layer, mean):
        way = layerwise.NOTHING if layer is None else layerwise.EXIT
        return layerwise.Point("hear", BASE, way, "" if layer is None else "sound", "heard", layer, mean, 0, 1, 5)

    def curve(*means):
        """At a plain loss of 1: exits before all layers, after the first..."""
        return [point(None, math.exp(-1)), *(point(at - 1, math.exp(-loss)) for at, loss in enumerate(means))]

    key = ("hear", BASE, "sound", "heard")
    assert layerwise.last_that_matters(curve(3, 1.031, 1.029, 1.0))[key] == 1
    assert layerwise.last_that_matters(curve(1.0, 3, 1.0, 1.0))[key] == 1  # a lucky early layer is no exit
    assert layerwise.last_that_matters(curve(3, 2, 1.5))[key] is None
    sure = [point(None, 1.0), *(point(at, math.exp(-loss)) for at, loss in enumerate((0.5, 0.002, 0.001, 0.0)))]
    assert layerwise.last_that_matters(sure)[key] == 1  # 3 % of nothing is less than rounding
    assert layerwise.change(0.2, 0.8) == pytest.approx(-75)
    assert layerwise.interval([0.5]) == pytest.approx((0.5, math.nan, math.nan), nan_ok=True)
    assert layerwise.interval([0.0, 1.0])[2] == pytest.approx(0.5 + measures.Z_95 * 0.5)


def test_the_same_caption_before_and_after_the_media_gives_an_attention_shift(labelled, heads):
    *_, (_, _, found) = curves.run(curves.Config(str(labelled), "fake", 2), FakeModel())
    points = {(p.way, p.kind, p.layer): p for p in found.points() if (p.ask, p.adapter) == ("see", BASE)}
    assert 0 <= points[SHIFT, "", None].mean <= 2
    for place in (BEFORE, AFTER):
        shares = [points[SHARE, place, layer].mean for layer in range(FakeModel.layers)]
        assert all(0 < share < 0.5 for share in shares)
    page = markup.curves_html(found.points(), {})
    captions = page[page.index("The same caption") :]
    assert "100 %" not in captions and [svg.above(share) for share in (0.04, 0.1, 0.42, 1.0)] == [0.1, 0.2, 0.5, 1.0]


def test_a_clip_that_could_not_be_asked_adds_nothing():
    assert not Found.of([{"key": "k", "ask": "see", "skipped": "broken"}]).values


def test_a_model_that_nobody_can_reach_into_is_refused_before_anything_is_kept(labelled, tmp_path):
    class Served(FakeModel):
        can_look_inside = False

    config = curves.Config(str(labelled), "fake", 2, out=str(tmp_path / "run"))
    with pytest.raises(McGurkError, match="Nobody can reach into"):
        list(curves.run(config, Served()))
    assert (tmp_path / "run" / "samples.jsonl").read_text() == ""
