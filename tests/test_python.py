"""What the README shows a notebook runs, and raw rows come back from their file as they went in."""

import re
from pathlib import Path

import numpy as np
import pytest

from models import registry, rows
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError, Stimulus

ROOT = Path(__file__).parent.parent


def shown() -> str:
    """The notebook's lines."""
    text = (ROOT / "README.md").read_text()
    return re.search(r"## From Python\n.*?```python\n(.*?)```", text, re.S)[1]


def run_shown(tmp_path, monkeypatch) -> dict:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(compile(shown(), "README.md", "exec"), found)
    return found


def check_shown(found: dict, folder: Path) -> None:
    assert found["heat"].ndim == 3 and found["heat"].sum() > 0
    assert len(found["weights"]) == len(found["spans"]) > 0
    for adapter in (BASE, ALIGNED):
        kept, answer = rows.load_rows(folder / f"{adapter}.safetensors"), found["answers"][adapter]
        assert (kept.rows == answer.attention.rows).all() and kept.tokens.kinds == answer.attention.tokens.kinds


def test_the_notebook_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(registry, "load_model", lambda name: {"mini": FakeModel}[name]())
    check_shown(run_shown(tmp_path, monkeypatch), tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert len([line for line in shown().splitlines() if line.strip()]) <= 11


@pytest.mark.mini
def test_the_notebook_of_the_readme_runs_with_the_embedded_model(mini, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "load_model", lambda name: {"mini": mini}[name])
    check_shown(run_shown(tmp_path, monkeypatch), tmp_path)


def test_rows_come_back_as_they_were(tmp_path):
    frames, tone = np.zeros((3, 20, 20, 3), np.uint8), np.zeros(24_000, np.float32)
    for stimulus in (Stimulus(frames, 2.0, tone, text="<b>é"), Stimulus(None, 1.0, None)):
        attention = FakeModel().ask(stimulus, "What do you see?")[BASE].attention.reduced()
        rows.save_rows(attention, tmp_path / "kept.safetensors")
        again = rows.load_rows(tmp_path / "kept.safetensors")
        assert again.rows.dtype == np.float16 and (again.rows == attention.rows).all()
        assert again.counts == attention.counts and again.tokens.grid == attention.tokens.grid
        assert (again.tokens.kinds, again.tokens.pieces) == (attention.tokens.kinds, attention.tokens.pieces)
        for name in rows.ARRAYS:
            np.testing.assert_array_equal(getattr(again.tokens, name), getattr(attention.tokens, name))


def test_another_file_is_refused(tmp_path):
    (tmp_path / "rows.safetensors").write_bytes(b"not one")
    for path in (tmp_path / "rows.safetensors", tmp_path / "absent"):
        with pytest.raises(McGurkError, match="holds no attention rows"):
            rows.load_rows(path)
