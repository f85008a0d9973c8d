"""What cards say was measured: what is kept of a run, with which weights, and the marked places that show it."""

import csv
import json
from pathlib import Path

import pytest

from demo.bench.results import card, layerwise, measured
from demo.bench.results.layerwise import CHANGE
from demo.bench.runs import curves, interventions
from demo.bench.runs.running import run as run_bench
from demo.bench.runs.store import write_json
from demo.pages import methods_markup as markup
from models.fake import FakeModel
from models.mini import checkpoint
from models.omni import ALIGNED, BASE, McGurkError

WRONG = {BASE: {"adapter_sha256": "0", "correct": True, "choice_correct": True, "followed": "picture"}}
SHIPPED = measured.folder_of("mini")
CARDS = (card.README, SHIPPED.parent / "README.md")
KEPT = sorted(path.stem for path in SHIPPED.glob("*.csv"))


def rows(name: str) -> list[dict[str, str]]:
    with open(SHIPPED / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tables_are_about_the_weights_that_are_shipped():
    assert {row["adapter"]: row["sha256"] for row in rows("weights")} == {
        adapter: checkpoint.checksum(adapter) for adapter in (BASE, ALIGNED)
    }


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.name)
def test_a_card_shows_the_tables_that_are_kept(path):
    text = path.read_text("utf-8")
    assert card.filled(text, SHIPPED) == text
    for name, pool in card.MARK.findall(text):
        if pool:
            assert name in KEPT and card.table(SHIPPED / f"{name}.csv", pool).count("\n") >= 2
        else:
            assert name in card.WHOLE


def test_real_clips_are_measured_and_every_free_answer_is_listed():
    free = [row for row in rows("real_answers") if row["condition"] == "free"]
    assert len({(row["clip"], row["question"], row["adapter"]) for row in free}) == len(free) == 4 * 34
    found = {(row["question"], row["adapter"]): row for row in rows("real") if row["condition"] == "free"}
    for (asked, adapter), row in found.items():
        told = [line for line in free if (line["question"], line["adapter"]) == (asked, adapter)]
        assert int(row["right"]) == sum(line["verdict"].startswith("right") for line in told)


def made_run(folder: Path, answers: dict) -> Path:
    """A finished run of mini with one sample."""
    folder.mkdir()
    sample = {"key": "a", "pool": "trained", "condition": "swap", "ask": "see", "answers": answers}
    (folder / "samples.jsonl").write_text(json.dumps(sample) + "\n", "utf-8")
    write_json(folder / "config.json", {"settings": {"model": "mini", "clips": "made"}, "skipped": []})
    (folder / "table.csv").write_text(
        "pool,condition,title,question,adapter,n,right,low,high\n"
        "trained,count,how many?,hear,base,8,2,0.0715,0.5907\n"
        "trained,count,how many?,hear,aligned,8,4,0.2152,0.7848\n"
    )
    return folder


def shipped() -> dict:
    return {adapter: {"adapter_sha256": checkpoint.checksum(adapter)} for adapter in (BASE, ALIGNED)}


def test_only_a_finished_run_with_the_shipped_adapters_is_kept_under_a_name(tmp_path, config):
    kept = tmp_path / "kept"
    with pytest.raises(McGurkError, match="other adapters"):
        card.keep(made_run(tmp_path / "other", WRONG), kept)
    mixed = made_run(tmp_path / "mixed", shipped())
    with (mixed / "samples.jsonl").open("a") as lines:
        lines.write(json.dumps({"key": "b", "answers": WRONG}) + "\n")
    with pytest.raises(McGurkError, match="other adapters"):
        card.keep(mixed, kept)
    with pytest.raises(McGurkError, match="no name"):
        card.keep(made_run(tmp_path / "a-b", shipped()), kept)
    stopped = config(questions=4)
    next(going := run_bench(stopped, FakeModel())), next(going)
    going.close()
    with pytest.raises(McGurkError, match="no tables yet"):
        card.keep(stopped.out, kept)
    with pytest.raises(McGurkError, match="no run in"):
        card.keep(tmp_path, kept)
    assert not kept.exists()


def test_a_marked_place_is_filled_and_the_rest_is_left_alone(tmp_path):
    (tmp_path / "few.csv").write_text(
        "pool,condition,title,question,adapter,n,right,low,high,followed_abstained\n"
        "own clips,swap,sound swapped,see,base,4,1,0.0456,0.6994,0\n"
        "own clips,asked_missing,missing,see,aligned,10,9,0.6,1,0.5\n"
    )
    text = "before\n<!-- measured: few, own clips -->\nold\n<!-- end -->\nafter"
    filled = card.filled(text, Path(tmp_path))
    assert filled.startswith("before\n<!--") and filled.endswith("<!-- end -->\nafter") and "old" not in filled
    assert "| sound swapped | 25.0 (5–70, n 4) | – | – | – |" in filled
    assert "| missing | – | 50.0 (24–76, n 10) | – | – |" in filled
    assert card.filled(filled, Path(tmp_path)) == filled


def test_what_a_guess_and_the_encoder_alone_get_right_stands_beside_made_questions(tmp_path):
    run, kept = made_run(tmp_path / "few", shipped()), tmp_path / "model" / "kept"
    (run / "measures.csv").write_text(
        "pool,measure,detail,adapter,value,low,high,n\n"
        "trained,chance,how many?,,0.25,,,8\n"
        "trained,encoder alone,how many?,,0.75,0.4093,0.9285,8\n"
        'trained,encoder alone,"how many?, hear",,0.5,0.2152,0.7848,8\n'
    )
    kept.parent.mkdir()
    (kept.parent / "README.md").write_text("<!-- measured: few, trained -->\n<!-- end -->\n")
    assert card.keep(run, kept) == kept
    assert len((kept / "few_beside.csv").read_text().splitlines()) == 3
    shown = "| how many? | 25 | 75.0 (41–93, n 8) | 25.0 (7–59, n 8) | 50.0 (22–78, n 8) |"
    assert shown in card.table(kept / "few.csv", "trained")
    assert shown in (kept.parent / "README.md").read_text()


def test_shards_of_interventions_make_one_table_that_is_shipped(labelled, tmp_path):
    run = str(tmp_path / "run")
    for shard in ((1, 2), (2, 2)):
        config = interventions.Config(str(labelled), run, "fake", ("aligned", "swap"), 8, methods=("cut",), shard=shard)
        *_, (done, total, _) = interventions.run(config, FakeModel())
        assert done == total == 8
    assert [path.name for path in (tmp_path / "run").glob("samples*")] == ["samples.jsonl"]
    told_in = tmp_path / "README.md"
    told_in.write_text("# A card\n\n<!-- measured: interventions -->\n\nstale\n\n<!-- end -->\n\n## Limits\n")
    folder = card.keep(run, tmp_path / "measured")
    told = told_in.read_text()
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
    told_in = tmp_path / "README.md"
    told_in.write_text("<!-- measured: curves -->\n<!-- end -->\n\n<!-- measured: interventions -->\n<!-- end -->\n")
    table, drawn = measured.read_folder(card.keep(config.out, tmp_path / "measured"))
    assert table is None
    told = told_in.read_text()
    assert "3 clips a question" in told and "| see | base | seen |" in told and "| agreement, share |" in told
    assert "bench interventions --clips" in told and "bench curves --clips" not in told
    assert sorted((p.layer, round(p.mean, 3)) for p in drawn.points if p.way == layerwise.CUT) == sorted(
        (p.layer, round(p.mean, 3)) for p in last.points() if p.way == layerwise.CUT
    )
    change = drawn.grids["see", CHANGE, "picture"]
    assert change.mean[:, 0].tolist() == [0, 1, 2, 3, 4, 5] and change.n == 3
    assert change.sure[:, 0].tolist() == [False] + [True] * 5
    shown = markup.shipped_curves(drawn, outdated=True)
    assert "<h4>Without the picture, asked what is seen <small>n 3</small></h4>" in shown
    assert shown.count('<ul class="legend">') >= 1 and "what is heard, after tuning" in shown
    assert "is gone above this layer" in shown and markup.OUTDATED in shown
