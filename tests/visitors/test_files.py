"""Every file has an owner and an end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.bench.runs.visiting import Front, Visitor
from demo.pages import site
from demo.session import EVERYBODY, Lab
from demo.visitors import files
from demo.visitors.files import Files, size_of
from models.fake import FakeModel
from tests.serving import served, stand_in_gallery, use_gallery

ROOT = Path(__file__).parents[2]


def written(kept: Files, visitor: str, name: str, size: int = 100) -> Path:
    path = kept.path(visitor, name)
    path.write_bytes(bytes(size))
    return path


def files_below(folder: Path) -> list[Path]:
    """All files below a folder that others may empty meanwhile (rglob fails then)."""
    return [Path(inside) / name for inside, _, names in os.walk(folder) for name in names]


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
        code = "import time; from demo.visitors.files import begin; print(begin(), flush=True); time.sleep(60)"
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
        "import os; from demo.visitors.files import begin; "
        f"open(begin() / 'a', 'w').close(); print(os.environ[{files.ROOT!r}])"
    )
    environment = os.environ | {files.ROOT: str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    folder = Path(said.stdout.decode().strip())
    assert folder.parent == tmp_path and not folder.exists()


KILLED_AT_WORK = """
import os, subprocess, sys, tempfile
from demo.visitors.files import begin
begin()
mine = tempfile.TemporaryDirectory()
subprocess.run([sys.executable, "-c", "import tempfile; tempfile.mkstemp()"], check=True)
print(mine.name, flush=True)
os.kill(os.getpid(), 9)
"""


def test_temporary_files_go_with_the_process_that_was_killed(tmp_path):
    command, environment = [sys.executable, "-c", KILLED_AT_WORK], os.environ | {files.ROOT: str(tmp_path)}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    scratch = Path(said.stdout.decode().strip()).parent
    assert said.returncode == -signal.SIGKILL and scratch.is_relative_to(tmp_path)
    assert len(list(scratch.iterdir())) == 2  # its own, and that of a process it had started
    files.clear(tmp_path)
    assert not list(tmp_path.glob(f"{files.RUN}*"))


def test_every_file_of_the_application_has_an_owner_and_an_end(tmp_path, tmp_path_factory, media_file, monkeypatch):
    """Requests of every kind; then each file belongs to a visitor, or to Gradio's list of what it will delete."""
    use_gallery(stand_in_gallery(tmp_path_factory.mktemp("gallery")), monkeypatch)
    built = []
    monkeypatch.setattr("app.build", lambda model: built.append(site.build(model)) or built[-1])
    labs = []
    monkeypatch.setattr(site, "Lab", lambda *given: labs.append(Lab(*given)) or labs[-1])
    with served(FakeModel(), tmp_path, monkeypatch) as address:
        front = Front.read(address.rstrip("/"))
        for n in range(4):
            with Visitor(front) as visitor:
                own = {"clip": "dog", "sound": "swap", "other": ("cat", "rain", "cello")[n % 3], "ask": "see"}
                reply = visitor.touch("go", values=own)
                assert reply.answer("aligned") == "dog" and visitor.fetch(reply.shown["heard"]["path"]) > 16_000
                for kind in ("mp4", "csv", "json"):
                    assert not visitor.touch(f"export-{kind}").error
                file = visitor.upload(media_file("plain.mp4"))
                assert visitor.call("ask", question="hear", clip_file=file).value
                assert visitor.call("compose", clip_file=file, picture="black").value
                for sound in ("own", "silence", "noise"):
                    assert visitor.call("ask", question="hear", clip="rain", sound=sound).value
                assert visitor.call("compose", clip="dog", shift=n / 10).value
                visitor.touch("go", values=own | {"clip": "cat"}, leave=lambda _: "hang up")
        blocks, lab = built[0], labs[0]
        pages, under_way = blocks.state_holder.session_data, blocks._queue.event_ids_to_events
        until = time.monotonic() + 20
        while (sum(page.is_closed for page in pages.values()) < 4 or under_way) and time.monotonic() < until:
            time.sleep(0.1)
        site.forget_closed(blocks, 3600)
        assert sum(page.is_closed for page in pages.values()) == 4  # they may come back
        site.forget_closed(blocks, 0)
        assert not any(page.is_closed for page in pages.values())
        assert {*blocks.state_holder.time_last_used} <= {*pages}
        queue, idle = blocks._queue, {}
        behind = lambda: {*queue.pending_messages_per_session, *queue.pending_event_ids_session} - {*pages}  # noqa: E731
        for wait in (60, 0):
            assert behind()  # of visitors who are gone; whether messages are among it is a matter of luck
            site.forget_unread(blocks, idle, wait)
        assert not behind() and not idle
        films = lab.files.folder
        until = time.monotonic() + 10
        while any(path.suffix == ".csv" for path in files_below(films)) and time.monotonic() < until:
            time.sleep(0.1)
        shared = lab.files.of(EVERYBODY)
        left = [path for path in files_below(films) if path.parent != shared]
        assert left and {path.suffix for path in left} == {".mp4"}  # of calls without a page: those that leave take all
        assert len(left) == 8  # a film for each that was asked for, none for a question
        others = {path for path in files_below(tmp_path) if not path.is_relative_to(films)}
        listed = {Path(file) for kept in blocks.temp_file_sets for file in kept}
        assert others <= listed, f"nobody owns {sorted(others - listed)[:3]}"
        lab.files.keep = 0.0
        time.sleep(0.01)
        lab.tidy()
        assert size_of(films) == 0
    assert not files_below(tmp_path)  # Gradio deletes what it listed when it ends
