"""Every file has an owner and an end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo import files
from demo.files import Files, size_of

ROOT = Path(__file__).parent.parent


def written(kept: Files, visitor: str, name: str, size: int = 100) -> Path:
    path = kept.path(visitor, name)
    path.write_bytes(bytes(size))
    return path


def test_a_visitors_files_lie_apart_and_go_with_the_visitor(tmp_path):
    kept = Files(tmp_path)
    mine, yours = written(kept, "me", "a.mp4"), written(kept, "you", "a.mp4")
    assert mine != yours and mine.is_relative_to(tmp_path) and kept.path("../../etc", "a").is_relative_to(tmp_path)
    kept.forget("me")
    assert not mine.parent.exists() and yours.exists()
    kept.path("\udc80", "a")  # a name that is no text


def test_what_is_not_used_for_long_goes(tmp_path, monkeypatch):
    kept, now = Files(tmp_path, keep=100), [1000.0]
    monkeypatch.setattr(files.time, "monotonic", lambda: now[0])
    old = written(kept, "old", "a.mp4")
    now[0] += 60
    fresh = written(kept, "fresh", "a.mp4")
    now[0] += 60
    kept.sweep()
    assert not old.exists() and fresh.exists()
    now[0] += 60
    kept.sweep()
    assert size_of(tmp_path) == 0 and not list(tmp_path.iterdir())


def test_beyond_the_bytes_allowed_the_longest_unused_goes(tmp_path):
    kept = Files(tmp_path, most=250)
    paths = [written(kept, str(n), "a.mp4") for n in range(4)]
    kept.path("0", "b.mp4")
    kept.sweep()
    assert [path.exists() for path in paths] == [True, False, False, True]


def test_a_visitor_has_a_bounded_number_of_films(tmp_path):
    kept = Files(tmp_path)
    for n in range(files.PER_VISITOR + 5):
        path = written(kept, "me", f"{n}.mp4")
        os.utime(path, (n, n))
    assert len(list(path.parent.iterdir())) == files.PER_VISITOR and path.exists()


@pytest.fixture
def started(tmp_path):
    """Starts processes that begin() under tmp_path and then sleep; (process, its folder)."""
    running = []

    def start():
        code = "import time; from demo.files import begin; print(begin(), flush=True); time.sleep(60)"
        environment = os.environ | {files.ROOT: str(tmp_path)}
        process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        running.append(process)
        return process, Path(process.stdout.readline().decode().strip())

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_killed_process_left_is_removed_by_the_next(started, tmp_path):
    killed, left = started()
    (left / "film.mp4").write_bytes(b"x")
    alive, kept = started()
    (kept / "film.mp4").write_bytes(b"x")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert left.exists()
    _, newest = started()
    assert not left.exists() and (kept / "film.mp4").exists() and newest.exists() and alive.poll() is None


def test_a_process_that_ends_takes_its_files_with_it(started, tmp_path):
    code = (
        f"import os; from demo.files import begin; open(begin() / 'a', 'w').close(); print(os.environ[{files.ROOT!r}])"
    )
    environment = os.environ | {files.ROOT: str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    folder = Path(said.stdout.decode().strip())
    assert folder.parent == tmp_path and not folder.exists()
