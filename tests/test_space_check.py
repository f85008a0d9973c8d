"""What is found before anything is sent to a Space, on small made projects with one fault each, and on this one."""

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import uv
from packaging.requirements import Requirement

from demo import space_check
from demo.cli import main
from demo.space import PYTHON, space_page
from demo.space_check import PROJECT, check, resolve
from models.omni import McGurkError
from models.weights import is_offline

README = """---
title: Test
emoji: 👂
colorFrom: blue
colorTo: yellow
sdk: gradio
sdk_version: 6.31.0
app_file: app.py
python_version: "3.12.12"
short_description: A test
---
# Test
"""
PINS = "torch==2.13.0\ngradio==6.31.0\npydantic==2.12.5\n"
GONE = {"asynchat", "asyncore", "distutils", "imp", "smtpd"}  # from the standard library, in 3.12
GPU = "torchvision==0.28.0\nbitsandbytes==0.50.2\n"


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder that would make a Space, in a git checkout of its own."""
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "requirements.txt").write_text(PINS)
    (tmp_path / "requirements-gpu.txt").write_text("-r requirements.txt\n" + GPU)
    (tmp_path / "app.py").write_text("print('here')\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def fatal(folder: Path, **settings: str) -> list[str]:
    return [f"{finding.what} {finding.mend}" for finding in check(folder, settings) if finding.fails]


def minded(folder: Path, **settings: str) -> list[str]:
    return [f"{finding.what} {finding.mend}" for finding in check(folder, settings) if not finding.fails]


def test_this_project_would_make_a_space():
    assert fatal(PROJECT) == []
    assert check(PROJECT, {})[0].what.startswith("git would push") if (PROJECT / ".git").exists() else True


def test_a_small_project_has_nothing_to_mend(project):
    assert check(project, {}) == []


@pytest.mark.parametrize(
    ("said", "instead", "found"),
    [
        ("---\ntitle", "title", "does not begin with the block that makes a Space"),
        ("sdk: gradio", "sdk: streamlit", "sdk is 'streamlit'"),
        ("app_file: app.py", "app_file: main.py", "app_file main.py is not there"),
        ('"3.12.12"', '"3.11"', "ZeroGPU has no Python 3.11"),
        ('"3.12.12"', '"3.10.13"', "need more than Python 3.10.13"),
        ('python_version: "3.12.12"\n', "", "ZeroGPU has no Python 3.10"),
        ("A test", "A" * 61, "short_description has 61 characters"),
        ("colorTo: yellow", "colorTo: orange", "colorTo is 'orange'"),
        ("sdk_version: 6.31.0", "sdk_version: 6.30.0", "asks for gradio 6.30.0, requirements.txt for 6.31.0"),
    ],
)
def test_what_the_readme_says_wrong_is_named(project, said, instead, found):
    (project / "README.md").write_text(README.replace(said, instead))
    named = fatal(project)
    assert len(named) == 1 and found in named[0]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("-r requirements-gpu.txt", "a Space gets that one file and no other"),
        ("./mine", "a Space gets that one file and no other"),
        ("torch==2.14.0", "pins torch==2.14.0, and a Space installs torch<=2.13.0"),
        ("uvicorn==0.13.0", "installs uvicorn>=0.14.0"),
        ("what is this", "a line that is no package"),
    ],
)
def test_packages_that_a_space_cannot_install_are_named(project, line, found):
    name = line.partition("==")[0]
    kept = [pin for pin in PINS.splitlines() if not pin.startswith(name + "==")]
    (project / "requirements.txt").write_text("\n".join([*kept, line]))
    named = fatal(project)
    assert len(named) == 1 and found in named[0]


def test_binaries_are_minded_and_fail_where_a_push_goes_to_a_space(project):
    (project / "clip.mp4").write_bytes(b"\0" * 100)
    (project / "notes.md").write_text("no binary")
    (project / "long.csv").write_text("1,2\n" * 3_000_000)
    (project / "unknown.mp4").write_bytes(b"\0")  # not in the checkout
    git(project, "add", "clip.mp4", "notes.md", "long.csv")
    assert fatal(project) == []
    (named,) = minded(project)
    assert "2 files" in named and "1 .mp4" in named and "1 .csv" in named and "hf upload" in named
    git(project, "remote", "add", "space", "https://huggingface.co/spaces/somebody/test")
    assert "--include '*.mp4,*.csv'" in fatal(project)[0].replace("*.csv,*.mp4", "*.mp4,*.csv")
    (project / ".gitattributes").write_text("*.mp4 filter=lfs diff=lfs merge=lfs -text\n*.csv filter=lfs\n")
    assert check(project, {}) == []


def test_a_folder_without_git_has_no_push_to_fear(project):
    shutil.rmtree(project / ".git")
    (project / "clip.mp4").write_bytes(b"\0" * 100)
    assert check(project, {}) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"MCGURK_MODEL": "gpt"}, "There is no model 'gpt'"),
        ({"MCGURK_OFFLINE": "1"}, "a new Space has no weights"),
        ({"MCGURK_MODEL": "server"}, "MCGURK_SERVER is missing"),
        ({"MCGURK_MODEL": "server", "MCGURK_SERVER": "http://localhost/v1"}, "can't reach localhost"),
        ({"MCGURK_MODEL": "server", "MCGURK_SERVER": "http://192.168.1.3/v1"}, "can't reach 192.168.1.3"),
        ({"MCGURK_MODEL": "server", "MCGURK_SERVER": "http://[::1]/v1"}, "can't reach ::1"),
        ({"MCGURK_MODEL": "server", "MCGURK_SERVER": "https://example.org:8000/v1"}, "can't reach port 8000"),
        ({"MCGURK_MODEL": "qwen2.5-omni-7b"}, "Add `torchvision==0.28.0` and `bitsandbytes==0.50.2`"),
    ],
)
def test_settings_that_a_model_lacks_are_named(project, settings, found):
    named = fatal(project, **settings)
    assert len(named) == 1 and found in named[0]


def test_a_large_model_wants_its_packages_its_weights_and_time(project, tmp_path_factory):
    (project / "requirements.txt").write_text(PINS + GPU)
    settings = {"MCGURK_MODEL": "qwen2.5-omni-7b", "MCGURK_ADAPTER": "somebody/aligned"}
    assert fatal(project, **settings) == []
    named = " ".join(minded(project, **settings))
    assert "preload_from_hub: [Qwen/Qwen2.5-Omni-7B]" in named and "startup_duration_timeout: 1h" in named
    assert "Qwen/Qwen2.5-Omni-7B and somebody/aligned must be open to everybody" in named
    more = "preload_from_hub:\n  - Qwen/Qwen2.5-Omni-7B\nstartup_duration_timeout: 1h\nsdk: gradio"
    (project / "README.md").write_text(README.replace("sdk: gradio", more))
    assert check(project, settings | {"HF_TOKEN": "secret"}) == []
    here = str(tmp_path_factory.mktemp("adapter"))
    assert "a path of this machine" in fatal(project, **settings | {"MCGURK_ADAPTER": here})[0]
    assert "a folder of this machine" in fatal(project, **settings | {"MCGURK_MODEL": here})[0]


def test_a_public_server_needs_no_more_than_a_key(project):
    settings = {"MCGURK_MODEL": "server", "MCGURK_SERVER": "https://example.org/v1"}
    assert fatal(project, **settings) == [] and "MCGURK_API_KEY" in minded(project, **settings)[0]
    assert check(project, settings | {"MCGURK_API_KEY": "secret"}) == []


def test_the_command_says_what_fails_and_how_to_mend_it(project, capsys):
    assert main(["space-check", str(project)]) == 0
    assert capsys.readouterr().out == "Nothing here fails on a Space.\n"
    (project / "requirements.txt").write_text(PINS.replace("2.13.0", "2.14.0") + "-e .\n")
    assert main(["space-check", str(project)]) == 2
    told = capsys.readouterr()
    assert told.out.count("fails: ") == 2 and "Pin a version that torch<=2.13.0 allows." in told.out
    assert told.err == "2 things would fail on a Space: see above.\n"


def test_only_a_space_has_a_page(monkeypatch):
    for said, page in (("", ""), ("no id", ""), ("a/b", "https://huggingface.co/spaces/a/b")):
        monkeypatch.setenv("SPACE_ID", said)
        assert space_page() == page


def test_the_code_is_code_of_the_python_that_a_space_has():
    """What can be told without that Python: its grammar and names, and no module that it has left out."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E9,F", "--target-version"]
    done = subprocess.run([*ruff, "py" + PYTHON.replace(".", ""), "."], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    for part in ("app.py", "assets", "demo", "docs", "models"):
        for path in sorted((PROJECT / part).rglob("*.py")) or [PROJECT / part]:
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.partition(".")[0] for name in names} & GONE, path


def complaints(version: str, *paths: Path) -> Counter:
    """What the type checker finds in these, each with how often, for a version of Python."""
    command = [sys.executable, "-m", "mypy", "--python-version", version, "--ignore-missing-imports",
               "--follow-imports=skip", "--no-incremental", "--no-error-summary", "--hide-error-context"]  # fmt: skip
    done = subprocess.run([*command, *map(str, paths)], cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    return Counter(done.stdout.splitlines())


def test_types_fit_the_python_that_a_space_has_as_they_fit_the_one_that_tests_run_with(tmp_path):
    """Both are asked alike: what only the other version has, or takes otherwise, is a complaint that this one lacks."""
    old = tmp_path / "old.py"
    old.write_text("import pkgutil\n\npkgutil.ImpImporter\n")
    code = [PROJECT / part for part in ("app.py", "assets", "demo", "docs", "models")]
    (only_there,) = complaints(PYTHON, *code, old) - complaints("3.11", *code, old)
    assert "old.py" in only_there and "ImpImporter" in only_there


def test_the_pinned_pydantic_is_the_one_that_a_space_takes_and_that_is_tested():
    extra = [Requirement(line) for line in requires("gradio") if 'extra == "mcp"' in line.replace("'", '"')]
    allowed = next(asked.specifier for asked in extra if asked.name == "pydantic")
    pinned = next(line for line in (PROJECT / "requirements.txt").read_text().splitlines() if "pydantic==" in line)
    assert allowed.contains(pinned.split()[0].partition("==")[2])
    assert version("pydantic") == pinned.split()[0].partition("==")[2]


def test_all_that_a_space_installs_at_once_fits_together(tmp_path):
    """As uv finds: it reads what packages say they need, where pip fetches gigabytes of them to find the same."""
    more, environment = tmp_path / "added.txt", dict(os.environ)
    more.write_text("\n".join(space_check.added()))
    if index := os.environ.get("PIP_INDEX_URL"):
        environment["UV_DEFAULT_INDEX"] = index
    if is_offline():
        pytest.skip("MCGURK_OFFLINE is set")
    command = [uv.find_uv_bin(), "pip", "compile", "--quiet", "--python-version", PYTHON, "--only-binary", ":all:"]
    command += [str(PROJECT / "requirements.txt"), str(more)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if "Failed to fetch" in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    assert {"torch", "gradio", "spaces", "peft"} <= {line.partition("==")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(("pin", "fits"), [("pluggy==1.6.0", True), ("pluggy==1.0.0", False)])
def test_pip_is_asked_for_what_is_pinned_and_what_a_space_adds(project, monkeypatch, pin, fits):
    monkeypatch.setattr(space_check, "added", lambda folder: ["pytest==9.2.0"])  # needs pluggy 1.5; both are small
    (project / "requirements.txt").write_text(f"{pin}\n")
    try:
        findings = resolve(project)
    except McGurkError as error:
        pytest.skip(str(error))
    assert [finding.fails and "pluggy" in finding.what for finding in findings] == ([] if fits else [True])


def test_without_the_net_pip_is_not_asked(project, monkeypatch):
    monkeypatch.setenv("MCGURK_OFFLINE", "1")
    with pytest.raises(McGurkError, match="pip can't be asked"):
        resolve(project)
