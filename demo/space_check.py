"""What would fail on a Hugging Face Space, found before anything is sent there, each with how to mend it.

Knows a Space's rules: what its README.md must say, which packages it installs together, which files a push may hold,
which settings a model needs. Does not know how anything is uploaded. Changes nothing; only resolve() asks the net.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
from packaging.requirements import InvalidRequirement, Requirement

from demo.space import HUB, PYTHON, PYTHONS, built_with
from models import registry
from models.omni import McGurkError
from models.pretrained.families import RELEASES
from models.weights import is_offline

PROJECT = Path(__file__).parent.parent
SHORTEST = 60  # characters of a short_description, at most
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
LARGEST = 10 * 2**20  # bytes of a file that git may push as it is
PORTS = (80, 443, 8080)  # which a Space can reach
LOOKED_AT = 8_000  # bytes in which git looks for a zero to tell what is binary
NEEDS_GPU = "torchvision"  # what requirements-gpu.txt adds, without which no large model loads
SECONDS = 900  # that pip may take


@dataclass(frozen=True)
class Finding:
    """fails: on every Space; otherwise only on some way there, or only inconvenient."""

    fails: bool
    what: str
    mend: str


def check(folder: Path = PROJECT, settings: Mapping[str, str] = os.environ) -> list[Finding]:
    """Everything that can be told without the net. settings: the variables and secrets that the Space will have."""
    about = _about(folder)
    rules = (_metadata(folder, about), _packages(folder, about), _binaries(folder), _settings(folder, about, settings))
    return [finding for rule in rules for finding in rule]


def _about(folder: Path) -> dict:
    """The front matter of README.md; empty without one."""
    try:
        return huggingface_hub.metadata_load(folder / "README.md") or {}
    except (OSError, ValueError):
        return {}


def _metadata(folder: Path, about: dict) -> Iterator[Finding]:
    if not about:
        yield Finding(True, "README.md does not begin with the block that makes a Space.", "Take this project's.")
        return
    if about.get("sdk") != "gradio":
        yield Finding(True, f"sdk is {about.get('sdk')!r}.", "Write `sdk: gradio`.")
    if not (folder / str(about.get("app_file", "app.py"))).is_file():
        yield Finding(True, f"app_file {about.get('app_file')} is not there.", "Write `app_file: app.py`.")
    python = str(about.get("python_version", "3.10"))
    if python not in PYTHONS:
        yield Finding(True, f"ZeroGPU has no Python {python}.", f'Write `python_version: "{PYTHONS[1]}"`.')
    elif not python.startswith(PYTHON):
        yield Finding(True, f"The pinned packages need more than Python {python}.", f'Write "{PYTHONS[1]}".')
    if len(said := str(about.get("short_description", ""))) > SHORTEST:
        yield Finding(True, f"short_description has {len(said)} characters.", f"Keep it to {SHORTEST}.")
    for side in ("colorFrom", "colorTo"):
        if about.get(side) not in COLOURS:
            yield Finding(True, f"{side} is {about.get(side)!r}.", f"Choose one of {', '.join(COLOURS)}.")


def _packages(folder: Path, about: dict) -> Iterator[Finding]:
    pins, lines = {}, _lines(folder / "requirements.txt")
    for line in lines:
        if line.startswith("-") or line.startswith("."):
            yield Finding(
                True, f"requirements.txt says `{line}`: a Space gets that one file and no other.",
                "Write the lines of the other file into it.",
            )  # fmt: skip
            continue
        try:
            asked = Requirement(line)
            pins[asked.name.lower()] = asked
        except InvalidRequirement as error:
            yield Finding(True, f"requirements.txt has a line that is no package ({error}).", "Mend the line.")
    gradio = str(about.get("sdk_version", ""))
    if about and "gradio" in pins and not pins["gradio"].specifier.contains(gradio, prereleases=True):
        pinned = str(pins["gradio"].specifier).lstrip("=")
        yield Finding(
            True, f"README.md asks for gradio {gradio or 'of any version'}, requirements.txt for {pinned}: pip can't.",
            f"Write `sdk_version: {pinned}`.",
        )  # fmt: skip
    for other in map(Requirement, built_with(gradio or "0")):
        mine = pins.get(other.name.lower())
        exact = [part.version for part in mine.specifier if part.operator == "=="] if mine else []
        if other.name != "gradio" and exact and not other.specifier.contains(exact[0]):
            yield Finding(
                True, f"requirements.txt pins {mine}, and a Space installs {other} with it: pip finds no solution.",
                f"Pin a version that {other} allows.",
            )  # fmt: skip


def _lines(path: Path) -> list[str]:
    """The lines of a requirements file without comments; [] where there is none."""
    if not path.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _binaries(folder: Path) -> Iterator[Finding]:
    raw = [path for path in _tracked(folder) if _is_raw(folder / path)]
    kinds = Counter(Path(path).suffix or Path(path).name for path in raw)
    if not raw:
        return
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    patterns = ",".join(f"*{kind}" if kind.startswith(".") else kind for kind in kinds)
    yield Finding(
        HUB.partition("//")[2] in _git(folder, "remote", "-v"),
        f"git would push {len(raw)} files as they are that a Space takes from its large storage only ({told}).",
        "Send everything with `hf upload OWNER/NAME . --repo-type space`, or push a branch on which "
        f"`git lfs migrate import --include '{patterns}'` has moved them.",
    )


def _tracked(folder: Path) -> list[str]:
    """Files of the checkout that no filter of .gitattributes sends to the large storage."""
    files = [path for path in _git(folder, "ls-files", "-z").split("\0") if path]
    filters = _git(folder, "check-attr", "-z", "--stdin", "filter", given="\0".join(files)).split("\0")
    stored = {path for path, value in zip(filters[::3], filters[2::3], strict=False) if value == "lfs"}
    return [path for path in files if path not in stored]


def _is_raw(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return b"\0" in file.read(LOOKED_AT) or path.stat().st_size > LARGEST


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    """What git prints; "" where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], input=given, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def _settings(folder: Path, about: dict, settings: Mapping[str, str]) -> Iterator[Finding]:
    name = settings.get("MCGURK_MODEL") or "mini"
    try:
        registry.entry(name)
    except McGurkError as error:
        yield Finding(True, f"MCGURK_MODEL: {error}", "Set it to a name of `python -m demo models`, or leave it.")
        return
    if settings.get("MCGURK_OFFLINE", "") not in ("", "0"):
        yield Finding(True, "MCGURK_OFFLINE is set, and a new Space has no weights.", "Leave it.")
    if name == "server":
        yield from _server(settings)
    elif name.lower() in RELEASES or Path(name).is_dir() or name.count("/") == 1:
        yield from _large(folder, about, name, settings)


def _server(settings: Mapping[str, str]) -> Iterator[Finding]:
    address = settings.get("MCGURK_SERVER", "")
    if not address:
        yield Finding(True, "MCGURK_SERVER is missing.", "Set the variable to http://host:8080/v1, or what it is.")
        return
    parts = urlsplit(address)
    if _is_private(parts.hostname or ""):
        yield Finding(True, f"A Space can't reach {parts.hostname}.", "Give the server an address on the internet.")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    if port not in PORTS:
        yield Finding(True, f"A Space can't reach port {port}.", f"Serve at {', '.join(map(str, PORTS))}.")
    if not settings.get("MCGURK_API_KEY"):
        yield Finding(False, "There is no MCGURK_API_KEY: anybody may ask the server.", "Set it as a secret.")


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:  # a name
        return "." not in host or host.endswith((".local", ".internal"))


def _large(folder: Path, about: dict, name: str, settings: Mapping[str, str]) -> Iterator[Finding]:
    if not any(line.startswith(NEEDS_GPU) for line in _lines(folder / "requirements.txt")):
        missing = " and ".join(f"`{line}`" for line in _lines(folder / "requirements-gpu.txt") if line[0] != "-")
        yield Finding(True, f"{name} needs {NEEDS_GPU}.", f"Add {missing or NEEDS_GPU} to requirements.txt.")
    hub = RELEASES[name.lower()].hub if name.lower() in RELEASES else name
    if Path(name).is_dir():
        yield Finding(True, f"MCGURK_MODEL is a folder of this machine, {name}.", "Upload it, and give its hub id.")
    elif hub not in str(about.get("preload_from_hub", "")):
        yield Finding(
            False, f"{hub} is fetched anew at every start.",
            f"Write `preload_from_hub: [{hub}]` into the block of README.md.",
        )  # fmt: skip
    if "startup_duration_timeout" not in about:
        yield Finding(False, "A start may take 30 minutes.", "Write `startup_duration_timeout: 1h`.")
    adapter, token = settings.get("MCGURK_ADAPTER", ""), settings.get("HF_TOKEN")
    if adapter and not re.fullmatch(r"[\w.-]+/[\w.-]+", adapter):
        yield Finding(True, f"MCGURK_ADAPTER is a path of this machine, {adapter}.", "Upload it, and give its hub id.")
    elif not token:
        yield Finding(
            False, f"There is no HF_TOKEN: {' and '.join(filter(None, (hub, adapter)))} must be open to everybody.",
            "If not, set the secret HF_TOKEN to a token that may read.",
        )  # fmt: skip


def resolve(folder: Path = PROJECT) -> list[Finding]:
    """Ask pip whether it can install, for the Python of a Space, all that the Space installs at once; nothing is.

    Raises McGurkError where no package index can be reached.
    """
    if is_offline():
        raise McGurkError("MCGURK_OFFLINE is set: pip can't be asked.")
    found = _pip("--no-deps", "pip")  # anything that is surely there
    if found.returncode:
        raise McGurkError("No package index can be reached, so pip can't be asked.")
    done = _pip("-r", str(folder / "requirements.txt"), *added(folder))
    if not done.returncode:
        return []
    said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
    return [Finding(True, f"pip can't install it for Python {PYTHON}: {' '.join(said)[:600]}", "Change the pins.")]


def added(folder: Path = PROJECT) -> list[str]:
    """What a Space made of this folder installs beside requirements.txt."""
    return built_with(str(_about(folder).get("sdk_version", "")))


def _pip(*asked: str) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as nowhere:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--disable-pip-version-check", "--python-version", PYTHON, "--only-binary=:all:"]
        command += ["--target", nowhere, *asked]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise McGurkError(f"pip found no answer within {SECONDS} s: try again.") from error
