"""Tables, the page and the comparison of runs, from samples as they are written."""

import csv
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from demo.bench.cases.asking import packed
from demo.bench.results import inside, page, report, tables
from demo.bench.runs.running import run
from demo.cli import main
from models.omni import McGurkError

NASTY = "<script>alert(1)</script>"


def sample(condition="swap", ask="hear", *, right=True, followed="sound", text="rain", index=0, **more) -> dict:
    answer = {"text": text, "correct": right, "followed": followed, "choice": text, "choice_correct": right}
    base = answer | {"correct": False, "followed": "picture", "choice_correct": False, "text": "cello"}
    return {
        "key": f"trained/{index}/{condition}/{ask}", "pool": "trained", "condition": condition, "ask": ask,
        "clip": "cello", "other": "rain", "label": "cello", "truth": "rain", "options": ["cello", "rain", "dog"],
        "perceived": {"picture": "cello", "sound": "rain"}, "answers": {"base": base, "aligned": answer},
    } | more  # fmt: skip


def test_rows_count_right_answers_and_whom_they_followed():
    many = [sample(right=n < 3, followed="sound" if n < 3 else "text", index=n) for n in range(4)]
    base, aligned = tables.rows(many)
    assert (aligned.n, aligned.right, aligned.accuracy, aligned.choice_right) == (4, 3, 0.75, 3)
    assert (aligned.followed["sound"], aligned.followed["text"]) == (3, 1)
    assert (base.right, base.followed["picture"]) == (0, 4)
    assert (base.mcnemar.first_only, base.mcnemar.second_only, base.mcnemar.p) == (0, 3, 0.25)


def test_skipped_samples_do_not_count():
    skipped = {"key": "k", "pool": "trained", "condition": "swap", "ask": "hear", "clip": "x", "skipped": "broken"}
    assert tables.rows([sample(), skipped])[0].n == 1


def measure(samples: list[dict], name: str, adapter: str = "aligned", detail: str = "") -> float:
    return next(
        m.value for m in tables.all_measures(samples) if (m.name, m.adapter) == (name, adapter) and detail in m.detail
    )


def test_text_preference_is_taken_from_contradicting_captions():
    said = ["text"] * 3 + ["both"] + ["abstained"]
    many = [sample("caption", followed=whom, index=n) for n, whom in enumerate(said)]
    assert measure(many, "text preference ratio", detail="misleading caption, hear") == 0.75


def test_modality_importance_compares_subsets():
    # asked about the sound: the label is named with picture and sound and with the sound, not with the picture alone
    many = [
        sample("aligned", text="cello"),
        sample("no_picture", text="cello"),
        sample("no_sound", text="none of the above"),
    ]
    assert measure(many, "modality importance", detail="sound, hear") == 1.0
    assert measure(many, "modality importance", detail="picture, hear") == -0.5


def test_gain_leakage_and_the_language_model_alone():
    options = ["a", "b", "c", "d", "none of the above"]
    blind = [sample("blind", right=n < 2, index=n, options=options) for n in range(4)]
    many = [*blind, *[sample("aligned", index=n) for n in range(4)]]
    assert measure(many, "blind baseline", detail="hear") == 0.5
    assert measure(many, "multimodal gain") == 0.5
    assert measure(many, "leakage") == 0.25  # a guess among four is right in a quarter of the cases
    assert measure(many, "language model alone") == 0.5


def test_perception_is_set_beside_the_answer():
    many = [sample(index=0), sample(right=False, text="dog", index=1), sample(index=2, perceived={"sound": "dog"})]
    assert measure(many, "encoder alone", detail="hear") == pytest.approx(2 / 3)
    assert measure(many, "answer parts from encoder") == pytest.approx(2 / 3)
    assert measure(many, "recognised, yet not said") == 0.5


def test_matching_is_scored_as_yes_or_no():
    many = [
        sample("match", "match", text="yes", truth="yes"), sample("match", "match", text="No.", truth="no", index=1),
        sample("match", "match", text="I see a dog and I hear a dog: yes", truth="no", index=2),
    ]  # fmt: skip
    assert measure(many, "yes or no: accuracy") == pytest.approx(2 / 3)
    assert measure(many, "yes or no: precision") == 0.5
    assert measure(many, "yes or no: yes-rate") == pytest.approx(2 / 3)


def watched(ask: str, video: float, index: int) -> dict:
    heads = np.full((2, 1, 2), 0.1)
    heads[1, 0, 0] = video
    made = sample("swap", ask, index=index)
    for answer in made["answers"].values():
        answer |= {
            "heads": packed(heads),
            "heads_shape": [2, 1, 2],
            "layers": {"video": [0.1, video]},
            "tokens": {"video": 4},
        }
    return made


def test_effects_compare_visual_with_audio_questions_per_layer_and_head():
    # visual 2, 3, 4, audio 3, 5, 7 (eighths, exact in float16): d = -2 / √2.5
    many = [watched("see", v / 8, n) for n, v in enumerate((2, 3, 4))]
    many += [watched("hear", v / 8, n) for n, v in enumerate((3, 5, 7))]
    effect = next(e for e in inside.effects(many) if (e.adapter, e.kind) == ("aligned", "video"))
    assert effect.heads[1, 0] == pytest.approx(-2 / 2.5**0.5)
    assert np.isnan(effect.heads[0, 0])  # the same in every answer
    assert effect.largest == pytest.approx(2 / 2.5**0.5)
    shares = next(s for s in inside.layer_shares(many) if (s.adapter, s.ask) == ("aligned", "see"))
    assert shares.raw == pytest.approx((0.1, 3 / 8)) and shares.per_token == pytest.approx((0.025, 3 / 32))


def test_the_page_is_self_contained_and_escapes_every_text(config):
    list(run(config(conditions=("aligned", "swap", "caption", "match"))))
    out = Path(config().out)
    text = (out / "report.html").read_text()
    assert "<svg" in text and "Cohen" in text and "MMA-Bench" in text
    assert not re.search(r"(?:src|href)\s*=|url\(|@import|<script", text)
    found, settings = report.read_run(out)
    bad = report.Tables(NASTY, found.rows, found.measures, found.shares, found.effects, (), ((NASTY, NASTY),))
    hostile = page.html([bad], [settings | {"model": NASTY}])
    assert NASTY not in hostile and "&lt;script&gt;" in hostile


def test_tables_have_one_header_and_guard_spreadsheets():
    text = report.as_csv(("a", "b"), [("=SUM(A1)", float("nan")), ("-0.5", 0.25)])
    assert list(csv.reader(StringIO(text))) == [["a", "b"], ["'=SUM(A1)", ""], ["-0.5", "0.2500"]]


def test_runs_are_compared_beside_each_other(config, tmp_path, capsys):
    first, second = config(conditions=("aligned",)), config(conditions=("swap",), out=str(tmp_path / "second"))
    list(run(first)), list(run(second))
    assert main(["bench", "report", first.out, second.out, "--out", str(tmp_path / "both")]) == 0
    printed = capsys.readouterr().out
    assert "## run" in printed and "## second" in printed
    with open(tmp_path / "both" / "table.csv", newline="") as opened:
        assert {line["run"] for line in csv.DictReader(opened)} == {"run", "second"}
    assert "second: concepts: trained" in (tmp_path / "both" / "report.html").read_text()


def test_a_report_of_one_run_gives_the_files_of_the_run(config):
    made = config(conditions=("aligned", "swap"))
    list(run(made))
    before = (Path(made.out) / "table.csv").read_bytes()
    assert main(["bench", "report", made.out]) == 0
    assert (Path(made.out) / "table.csv").read_bytes() == before


def test_a_folder_without_samples_is_refused(tmp_path):
    with pytest.raises(McGurkError, match="no run"):
        report.read_run(tmp_path)
    (tmp_path / "samples.jsonl").write_text("not json\n")
    with pytest.raises(McGurkError, match="Line 1"):
        report.read_run(tmp_path)
