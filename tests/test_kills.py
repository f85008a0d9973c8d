"""A few kills of each kind of work; `python -m tests.kills` does fifty."""

import json

import pytest

from models.teaching.trainer import whole_checkpoint
from tests import kills


@pytest.mark.parametrize("job", kills.JOBS)
def test_work_that_is_killed_loses_nothing_and_says_nothing_false(job, tmp_path):
    kills.harm(job, 1 if job == "application" else 2, 1, tmp_path)


def test_a_harm_that_is_done_is_seen(tmp_path):
    (tmp_path / "cache" / "toy0-abc").mkdir(parents=True)
    (tmp_path / "cache" / "toy0-abc" / "model.bin").write_bytes(b"half")
    with pytest.raises(AssertionError, match="not whole"):
        kills.check_set_up(tmp_path, [], 3)
    with pytest.raises(AssertionError, match="is gone"):
        kills.check_tune(tmp_path, ["done 4"], 3)
    with pytest.raises(AssertionError, match="finished film is gone"):
        kills.check_export(tmp_path, ["done 4"], 3)


def test_a_torn_checkpoint_is_removed_and_the_log_cut_back(tmp_path):
    for step, state in ((2, {"global_step": 2}), (9, {"global_step": 9}), (10, None), (12, "torn")):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(json.dumps(state)[: 5 if state == "torn" else None])
    lines = [json.dumps({"step": step, "loss": 1.0}) for step in (2, 9, 10, 11)]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + '\n{"step": 12, "lo')
    assert whole_checkpoint(tmp_path) == tmp_path / "checkpoint-9"
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-9"]
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [2, 9]
    assert whole_checkpoint(tmp_path / "checkpoint-2") is None
