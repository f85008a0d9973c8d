"""Shipped tables: kept from runs as far as they got, read back, and known as outdated under other weights."""

import numpy as np
import pytest

from demo.bench import curves, interventions, layerwise, measured
from demo.bench.layerwise import AFTER, BEFORE, CHANGE, SHARE, SHIFT, Found
from demo.pages import methods_markup as markup
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError


@pytest.fixture
def heads(monkeypatch):
    """Heads that move by 1 before tuning and by layer + 1 after it."""
    grid = np.repeat(np.arange(1.0, 7.0)[:, None], 3, 1)
    monkeypatch.setattr(curves, "moved", lambda model, *_: {BASE: np.ones_like(grid), ALIGNED: grid})


def test_shards_of_interventions_make_one_table_that_is_shipped(labelled, tmp_path):
    run = str(tmp_path / "run")
    for shard in ((1, 2), (2, 2)):
        config = interventions.Config(str(labelled), run, "fake", ("aligned", "swap"), 8, methods=("cut",), shard=shard)
        *_, (done, total, _) = interventions.run(config, FakeModel())
        assert done == total == 8
    assert [path.name for path in (tmp_path / "run").glob("samples*")] == ["samples.jsonl"]
    card = tmp_path / "README.md"
    card.write_text("# A card\n\n<!-- interventions -->\n\nstale\n\n<!-- end of interventions -->\n\n## Limits\n")
    folder = measured.keep(run, tmp_path / "measured")
    told = card.read_text()
    assert "stale" not in told and "| cut | base |" in told and told.endswith("## Limits\n")
    assert "16 questions in all" in told and "sound swapped: Plain answers before tuning: 50 % right" in told
    table, drawn = measured.read_folder(folder)
    assert drawn is None and table.questions == 16
    assert table.about["questions"] == 8 and table.about["clips"] == labelled.name
    assert set(table.about["adapters"]) == {BASE, ALIGNED}
    page = markup.shipped_methods(table)
    assert "16 questions in all" in page and "Cut a line of sight" in page and page.count("<tr") == 3


def test_a_run_of_curves_that_was_stopped_goes_on_and_is_shipped(labelled, tmp_path, heads):
    config = curves.Config(str(labelled), "fake", 3, out=str(tmp_path / "run"))
    started = curves.run(config, FakeModel())
    for _ in range(3):
        next(started)
    started.close()
    with pytest.raises(McGurkError, match="holds a run with seed"):
        list(curves.run(curves.Config(str(labelled), "fake", 3, seed=1, out=config.out), FakeModel()))
    (first, total, _), *_, (done, _, last) = curves.run(config, FakeModel())
    assert (first, total, done) == (2, 6, 6)
    assert {len(values) for values in last.values.values()} == {3}  # three clips a question, none asked twice
    table, drawn = measured.read_folder(measured.keep(config.out, tmp_path / "measured"))
    assert table is None
    assert sorted((p.layer, round(p.mean, 3)) for p in drawn.points if p.way == layerwise.CUT) == sorted(
        (p.layer, round(p.mean, 3)) for p in last.points() if p.way == layerwise.CUT
    )
    change = drawn.grids["see", CHANGE, "picture"]
    assert change.mean[:, 0].tolist() == [0, 1, 2, 3, 4, 5] and change.n == 3
    assert change.sure[:, 0].tolist() == [False] + [True] * 5
    assert "exit after" in markup.shipped_curves(drawn, outdated=True) and markup.OUTDATED in markup.shipped_curves(
        drawn, True
    )


def test_the_same_caption_before_and_after_the_media_gives_an_attention_shift(labelled, heads):
    *_, (_, _, found) = curves.run(curves.Config(str(labelled), "fake", 2), FakeModel())
    points = {(p.way, p.kind, p.layer): p for p in found.points() if (p.ask, p.adapter) == ("see", BASE)}
    assert 0 <= points[SHIFT, "", None].mean <= 2
    for place in (BEFORE, AFTER):
        shares = [points[SHARE, place, layer].mean for layer in range(FakeModel.layers)]
        assert all(0 < share < 0.5 for share in shares)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(McGurkError, match="no run of interventions or curves"):
        measured.keep(tmp_path)
    assert measured.read_folder(tmp_path) == (None, None)
    assert "bench keep" in markup.shipped_methods(None) and "bench keep" in markup.shipped_curves(None)
    assert measured.folder_of("owner/model").name == "measured" and "/owner_model/" in str(
        measured.folder_of("owner/model")
    )


def test_other_weights_make_numbers_outdated():
    about = {"adapters": {BASE: "aa", ALIGNED: "bb"}}
    assert not measured.outdated(about, {BASE: "aa", ALIGNED: "bb"})
    assert measured.outdated(about, {BASE: "aa", ALIGNED: "cc"})
    assert not measured.outdated({}, {BASE: "aa"})


def test_a_clip_that_could_not_be_asked_adds_nothing():
    assert not Found.of([{"key": "k", "ask": "see", "skipped": "broken"}]).values


def test_the_card_of_mini_shows_what_is_shipped():
    card = (measured.folder_of("mini").parent / "README.md").read_text(encoding="utf-8")
    assert measured.MARK.search(card) and measured.filled(card, measured.folder_of("mini")) == card
