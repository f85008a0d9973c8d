"""A run: what it asks, what it keeps, that it goes on where it stopped, and that shards make the same tables."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from demo.bench.runs import store
from demo.bench.runs.running import Config, plan, run
from demo.bench.runs.series import shard_of
from models.fake import FakeModel
from models.omni import McGurkError
from tests.serving import stand_in_gallery

QUICK = ("aligned", "swap", "no_sound", "match")
TABLES = ("table.csv", "measures.csv", "layers.csv", "effects.csv", "samples.jsonl")


def samples(config: Config) -> list[dict]:
    return [json.loads(line) for line in (Path(config.out) / "samples.jsonl").read_text().splitlines()]


def bytes_of(folder: str) -> dict[str, bytes]:
    return {name: (Path(folder) / name).read_bytes() for name in TABLES}


def test_a_run_keeps_every_sample_with_what_was_asked_and_answered(config):
    made = config(conditions=QUICK)
    last = list(run(made))[-1]
    kept = samples(made)
    assert (last.done, last.total, len(kept)) == (16, 16, 16)
    swap = next(s for s in kept if (s["condition"], s["ask"]) == ("swap", "hear"))
    assert swap["label"] != swap["swapped_in"] == swap["heard"] == swap["truth"]
    assert swap["conflict"] == {"sound": "swap"}
    assert {swap["label"], swap["swapped_in"]} < set(swap["options"])
    assert len(swap["options"]) == 9 and swap["options"][-1] == "none of the above"
    base, aligned = swap["answers"]["base"], swap["answers"]["aligned"]
    assert (base["followed"], base["correct"]) == ("picture", False)
    assert (aligned["followed"], aligned["correct"]) == ("sound", True)
    assert len(aligned["probabilities"]) == 9 and sum(aligned["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert sum(aligned["shares"].values()) == pytest.approx(1, abs=1e-2)
    assert len(aligned["receipt"]) == 16 and swap["receipt"]["tokens"]["video"] == 392


def test_the_table_says_what_the_fake_model_does(config):
    made = config(conditions=("aligned", "swap", "no_sound", "no_picture"), questions=12)
    list(run(made))
    with open(Path(made.out) / "table.csv", newline="") as opened:
        rows = {(r["condition"], r["question"], r["adapter"]): r for r in csv.DictReader(opened)}
    assert rows["swap", "hear", "base"]["accuracy"] == "0.0000"
    assert rows["swap", "hear", "base"]["followed_picture"] == "1.0000"
    assert rows["swap", "hear", "aligned"]["accuracy"] == "1.0000"
    assert rows["swap", "hear", "aligned"]["n"] == "6"
    assert rows["swap", "hear", "aligned"]["low"] == "0.6097"  # Wilson, 6 of 6
    assert rows["swap", "hear", "base"]["mcnemar_p"] == "0.0312"  # 2 / 2^6
    assert rows["asked_missing", "hear", "aligned"]["accuracy"] == "1.0000"
    assert rows["asked_missing", "hear", "base"]["accuracy"] == "0.0000"
    assert rows["other_missing", "see", "aligned"]["followed_abstained"] == "0.0000"


def test_a_run_that_is_stopped_goes_on_and_gives_the_same_bytes(config, tmp_path):
    whole, broken = config(conditions=QUICK), config(conditions=QUICK, out=str(tmp_path / "broken"))
    list(run(whole))
    going = run(broken)
    for progress in going:
        if progress.done == 5:
            going.close()
    path = Path(broken.out) / "samples.jsonl"
    assert len(samples(broken)) == 5 and not (Path(broken.out) / "table.csv").exists()
    path.write_bytes(path.read_bytes()[:-40])  # a kill in the middle of a line

    class Counting(FakeModel):
        asked = 0

        def answer(self, *given, **how):
            Counting.asked += 1
            return super().answer(*given, **how)

    first = next(iter(run(broken)))
    assert first.done == 4
    list(run(broken, Counting()))
    assert Counting.asked == 12
    assert bytes_of(broken.out) == bytes_of(whole.out)


def test_videos_are_read_at_the_rate_and_size_that_the_model_is_used_to(tmp_path, media_file):
    class Used(FakeModel):
        def __init__(self, fps: float, pixels: int = 0):
            super().__init__()
            self.fps, self.pixels, self.given, self.sizes = fps, pixels, set(), set()

        def encode(self, stimulus):
            self.given.add((stimulus.fps, len(stimulus.frames)))
            self.sizes.add(stimulus.frames.shape[1:3])
            return super().encode(stimulus)

    clips = stand_in_gallery(tmp_path)  # of three seconds
    for fps in (2.0, 4.0):
        model, own = Used(fps), Config(str(clips), str(tmp_path / f"{fps}"), "fake", ("aligned",), 4, 0)
        list(run(own, model))
        assert model.given == {(fps, 3 * fps)}
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(media_file("large.mp4"), own / "large.mp4")
    (own / "clips.csv").write_text("file,seen,heard\nlarge.mp4,dog,dog\n")
    for pixels, size in ((0, (252, 448)), (504**2, (439, 781))):
        model = Used(2.0, pixels)
        list(run(Config(str(own), str(tmp_path / f"{pixels}"), "fake", ("aligned",), 4, 0), model))
        assert model.sizes == {size}


def test_a_finished_run_loads_no_model(config):
    made = config(conditions=("aligned",))
    list(run(made))

    class Never(FakeModel):
        def encode(self, stimulus):
            raise AssertionError("asked again")

    assert list(run(made, Never()))[-1].tables is not None


def test_shards_in_two_processes_make_the_same_tables_as_one(config, tmp_path):
    whole, shared = config(conditions=QUICK), str(tmp_path / "shared")
    list(run(whole))
    command = [
        sys.executable, "-m", "demo", "bench", "--model", "fake", "--clips", whole.clips, "--out", shared,
        "--questions", "4", "--conditions", ",".join(QUICK),
    ]  # fmt: skip
    ranks = [{"RANK": str(rank), "WORLD_SIZE": "2"} for rank in range(2)]  # as accelerate launch sets them
    running = [subprocess.Popen(command, env=os.environ | rank, stdout=subprocess.PIPE) for rank in ranks]
    printed = [process.communicate(timeout=120)[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert any("sound swapped" in said for said in printed)
    assert bytes_of(shared) == bytes_of(whole.out)
    assert not list(Path(shared).glob("samples-*"))


def test_an_unfinished_shard_writes_no_tables(config):
    first = list(run(config(conditions=QUICK, shard=(1, 2))))[-1]
    assert first.tables is None and first.done < first.total
    second = list(run(config(conditions=QUICK, shard=(2, 2))))[-1]
    assert second.tables is not None and second.done == second.total == 16


def test_the_same_stimulus_is_encoded_once_for_both_questions(config):
    class Counting(FakeModel):
        encoded = 0

        def encode(self, stimulus):
            Counting.encoded += 1
            return super().encode(stimulus)

    list(run(config(conditions=("aligned", "swap")), Counting()))
    assert Counting.encoded == 4  # 8 questions


def test_a_model_behind_a_server_has_one_adapter_and_nothing_to_look_into(config):
    class Server(FakeModel):
        adapters, can_look_inside = ("base",), False

        def answer(self, *given, **how):
            for adapter, answer in super().answer(*given, **how):
                yield adapter, replace(answer, options={})

    made = config(conditions=("aligned", "swap", "drop_video_25"))
    last = list(run(made, Server()))[-1]
    assert {(row.condition, row.adapter) for row in last.tables.rows} == {("aligned", "base"), ("swap", "base")}
    assert all(row.mcnemar is None for row in last.tables.rows)
    assert "none of its tokens can be hidden" in last.skipped[0][1]
    assert last.tables.shares == last.tables.effects == ()


def test_a_folder_with_another_run_is_refused_and_more_questions_are_not(config):
    list(run(config(conditions=("aligned",))))
    with pytest.raises(McGurkError, match="seed = 0, not 1"):
        list(run(config(conditions=("aligned",), seed=1)))
    more = list(run(config(conditions=("aligned", "swap"), questions=6)))
    assert (more[0].done, more[-1].done) == (4, 12)


def test_two_writers_of_one_folder_are_refused(config):
    made = config(conditions=("aligned",))
    going = run(made)
    next(going)
    with pytest.raises(McGurkError, match="Another run"):
        list(run(made))
    going.close()


def test_a_bad_clip_is_listed_and_the_rest_is_asked(config, labelled, tmp_path):
    folder = _copy(labelled, tmp_path / "bad")
    (folder / "dog-0.wav").write_bytes(b"no sound")
    made = config(clips=str(folder), conditions=("aligned",), questions=24)
    last = list(run(made))[-1]
    assert [clip for clip, _ in last.skipped] == ["dog-0.png + dog-0.wav"] or "dog-0.wav" in last.skipped[0][0]
    assert {row.n for row in last.tables.rows} == {11}
    assert "dog-0.wav" in (Path(made.out) / "report.html").read_text()


def test_a_missing_file_is_left_out_and_replaced(config, labelled, tmp_path):
    folder = _copy(labelled, tmp_path / "lost")
    (folder / "dog-0.png").unlink()
    last = list(run(config(clips=str(folder), conditions=("aligned",), questions=24)))[-1]
    assert last.skipped == (("dog-0.png", "the file is missing"),)
    assert {row.n for row in last.tables.rows} == {12}


def test_a_run_with_nothing_left_says_so(config, labelled, tmp_path):
    folder = _copy(labelled, tmp_path / "empty")
    for path in folder.glob("*.wav"):
        path.write_bytes(b"no sound")
    with pytest.raises(McGurkError, match="Nothing was left to ask"):
        list(run(config(clips=str(folder), conditions=("aligned",))))


def test_a_full_disk_is_one_sentence(config, monkeypatch):
    def full(self, sample):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.Store, "append", full)
    with pytest.raises(McGurkError, match="No space left"):
        list(run(config(conditions=("aligned",))))


def test_held_out_concepts_make_a_pool_of_their_own(config, monkeypatch):
    from models import registry

    entry = replace(registry.MODELS["fake"], held_out=lambda: frozenset({"dog", "rain"}))
    monkeypatch.setitem(registry.MODELS, "fake", entry)
    material, cases = plan(config(conditions=("swap",), questions=8, held_out_questions=6))
    held_out = [case for case in cases if case.pool == "held out"]
    assert len(held_out) == 6 and len(cases) == 14
    assert {case.item.label for case in held_out} | {case.other.label for case in held_out} == {"dog", "rain"}
    assert all(case.item.label not in ("dog", "rain") for case in cases if case.pool == "trained")
    turns = [material.item("dog", turn, 0).recording for turn in range(3)]
    assert "dog take 2" in turns  # of the training split
    assert "cello take 2" not in [material.item("cello", turn, 0).recording for turn in range(3)]


@pytest.mark.parametrize("text, expected", [("1/2", (1, 2)), ("2/2", (2, 2)), ("", (1, 1))])
def test_shards_are_written_i_of_n(text, expected, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert shard_of(text) == expected


def _copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to
