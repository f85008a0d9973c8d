"""Every method beside the plain answer: what is counted, what is refused, and that a stopped run goes on."""

import math

import numpy as np
import pytest

from demo.bench import curves, layerwise, measures
from demo.bench.interventions import Config, read, run
from demo.bench.methods import ASKED_MISSING, OTHER_MISSING, PLAIN, group, markdown
from models.fake import FakeModel
from models.interventions import Look
from models.omni import BASE, McGurkError


def finish(config, model):
    for _ in run(config, model):
        pass
    return read(config.out)


def test_methods_are_counted_against_plain_answers(labelled, tmp_path):
    """The fake base believes the picture: with the picture cut off it hears, with the sound cut off nothing changes."""
    config = Config(str(labelled), str(tmp_path / "run"), "fake", ("swap", "no_sound"), 8, methods=("cut", "look"))
    rows = {(row.condition, row.method, row.adapter): row for row in finish(config, FakeModel())}
    plain, cut = rows["swap", PLAIN, BASE], rows["swap", "cut", BASE]
    assert (plain.n, plain.right, cut.right) == (8, 4, 8)  # base sees and never hears
    assert (cut.mended, cut.broken, cut.p) == (4, 0, measures.mcnemar([False] * 4, [True] * 4).p)
    assert rows["swap", "look", BASE].right == plain.right and rows["swap", PLAIN, BASE].p == 1.0
    assert rows[OTHER_MISSING, PLAIN, BASE].n == 4  # asked what is seen, without a sound
    assert (tmp_path / "run" / "interventions.csv").read_text().count("\n") == len(rows) + 1
    assert "| cut | base |" in markdown(list(rows.values()))


class Refusing(FakeModel):
    """A model that can't look harder, and that counts how often it is asked."""

    asked = 0

    def answer(self, *given, steering=None, **how):
        self.asked += 1
        if isinstance(steering, Look):
            raise McGurkError("There is no picture here to work on: choose what is there.")
        yield from super().answer(*given, steering=steering, **how)


def test_a_refusal_counts_as_the_plain_answer_and_a_stopped_run_goes_on(labelled, tmp_path):
    config = Config(str(labelled), str(tmp_path / "run"), "fake", ("aligned",), 6, methods=("look",))
    model = Refusing()
    started = run(config, model)
    for _ in range(3):
        next(started)
    started.close()
    assert model.asked == 4  # two questions, plainly and harder
    rows = finish(config, model)
    assert model.asked == 12
    assert {(row.method, row.refused, row.right) for row in rows} == {(PLAIN, 0, 6), ("look", 6, 6)}
    with pytest.raises(McGurkError, match="holds a run with seed"):
        finish(Config(str(labelled), config.out, "fake", ("aligned",), 6, seed=2, methods=("look",)), model)


def test_what_does_not_exist_is_named(labelled, tmp_path):
    with pytest.raises(McGurkError, match="no intervention 'dream'"):
        Config(str(labelled), str(tmp_path), methods=("dream",))
    with pytest.raises(McGurkError, match="no run of interventions"):
        read(tmp_path)
    assert group({"condition": "no_sound", "ask": "hear"}) == ASKED_MISSING


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
    heads = found.grids()["see", BASE, "picture"]
    assert (heads.mean == grid).all() and (heads.half == 0).all() and heads.n == 3
    change = found.grids()["see", layerwise.CHANGE, "picture"]
    assert (change.mean == 0).all() and not change.sure.any()
    assert "| see | base | seen |" in layerwise.markdown(found)
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
    assert layerwise.interval([0.5]) == pytest.approx((0.5, math.nan, math.nan), nan_ok=True)
    assert layerwise.interval([0.0, 1.0])[2] == pytest.approx(0.5 + measures.Z_95 * 0.5)
