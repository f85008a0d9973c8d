"""The timing: every step of a visit is timed, against a real application, and printed with what is aimed at."""

import pytest

from demo.bench.runs import timing
from models.omni import McGurkError


def test_a_whole_measurement_with_the_fake_model(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 2)  # of films
    *said, report = timing.measure("fake", cases=1)
    assert said == ["the application", "the model", "clip 0 of 1", "clip 1 of 1"]
    assert [timed.step for timed in report.steps] == list(timing.TARGETS)
    assert all(0 <= timed.median <= timed.largest < timing.PATIENCE and timed.cases == 1 for timed in report.steps)
    assert 50 < report.memory < 24_000 and 50 < report.app_memory < 24_000
    printed = timing.markdown(report)
    assert "| application up |" in printed and "| 20 |" in printed and "1280 x 720" in printed


def test_an_application_that_cannot_start_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "ROOT", tmp_path)
    with pytest.raises(McGurkError, match="did not start"):
        next(iter([*timing.measure("fake", cases=1)]))


def test_too_small_a_gallery_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "gallery", tuple)
    with pytest.raises(McGurkError, match="0 clips, 2 are needed"):
        list(timing._films(2, tmp_path))
