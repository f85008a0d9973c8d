"""What the cards say was measured, with the weights that are shipped."""

import csv
import json
from pathlib import Path

import pytest

from demo.bench import card
from demo.bench.store import write_json
from models.mini import checkpoint
from models.omni import ALIGNED, BASE, McGurkError

WRONG = {BASE: {"adapter_sha256": "0", "correct": True, "choice_correct": True, "followed": "picture"}}
KEPT = sorted(path.stem for path in card.MEASURED.glob("*.csv"))


def rows(name: str) -> list[dict[str, str]]:
    with open(card.MEASURED / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tables_are_about_the_weights_that_are_shipped():
    assert {row["adapter"]: row["sha256"] for row in rows("weights")} == {
        adapter: checkpoint.checksum(adapter) for adapter in (BASE, ALIGNED)
    }


@pytest.mark.parametrize("path", card.CARDS, ids=lambda path: path.parent.name)
def test_a_card_shows_the_tables_that_are_kept(path):
    text = path.read_text("utf-8")
    assert card.filled(text) == text
    for name, pool in card.MARK.findall(text):
        assert name in KEPT and card.table(card.MEASURED / f"{name}.csv", pool).count("\n") >= 2


def test_real_clips_are_measured_and_every_free_answer_is_listed():
    free = [row for row in rows("real_answers") if row["condition"] == "free"]
    assert len({(row["clip"], row["question"], row["adapter"]) for row in free}) == len(free) == 4 * 34
    found = {(row["question"], row["adapter"]): row for row in rows("real") if row["condition"] == "free"}
    for (asked, adapter), row in found.items():
        told = [line for line in free if (line["question"], line["adapter"]) == (asked, adapter)]
        assert int(row["right"]) == sum(line["verdict"].startswith("right") for line in told)


def test_a_run_with_other_adapters_is_not_kept(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    sample = json.dumps({"key": "a", "pool": "trained", "condition": "swap", "ask": "see", "answers": WRONG})
    (run / "samples.jsonl").write_text(sample + "\n", "utf-8")
    write_json(run / "config.json", {"settings": {}, "skipped": []})
    (run / "table.csv").write_text("pool\n", "utf-8")
    with pytest.raises(McGurkError):
        card.keep("quality", run, tmp_path / "kept")
    with pytest.raises(McGurkError, match="no name"):
        card.keep("../quality", run, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


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


def test_what_a_guess_and_the_encoder_alone_get_right_stands_beside_made_questions(tmp_path, monkeypatch):
    run, kept = tmp_path / "run", tmp_path / "kept"
    run.mkdir()
    hashes = {adapter: {"adapter_sha256": checkpoint.checksum(adapter)} for adapter in (BASE, ALIGNED)}
    (run / "samples.jsonl").write_text(json.dumps({"key": "a", "answers": hashes}) + "\n", "utf-8")
    (run / "table.csv").write_text(
        "pool,condition,title,question,adapter,n,right,low,high\n"
        "trained,count,how many?,hear,base,8,2,0.0715,0.5907\n"
        "trained,count,how many?,hear,aligned,8,4,0.2152,0.7848\n"
    )
    (run / "measures.csv").write_text(
        "pool,measure,detail,adapter,value,low,high,n\n"
        "trained,chance,how many?,,0.25,,,8\n"
        "trained,encoder alone,how many?,,0.75,0.4093,0.9285,8\n"
        'trained,encoder alone,"how many?, hear",,0.5,0.2152,0.7848,8\n'
    )
    monkeypatch.setattr(card, "CARDS", ())
    card.keep("few", run, kept)
    assert len((kept / "few_beside.csv").read_text().splitlines()) == 3
    shown = "| how many? | 25 | 75.0 (41–93, n 8) | 25.0 (7–59, n 8) | 50.0 (22–78, n 8) |"
    assert shown in card.table(kept / "few.csv", "trained")
