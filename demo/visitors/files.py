"""Every file that the application writes has an owner and an end.

Knows folders, ages and bytes. Does not know what is in a file.

The files of a running application lie in a folder of its own, which goes with it; what a killed one left is removed by
the next. Within it each visitor has a folder, which goes when the visitor leaves, when it was not used for long, or
when all of them together grow too large.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

ROOT = "GRADIO_TEMP_DIR"  # the variable that says where Gradio keeps uploads and what it serves
RUN, LOCK, SCRATCH = "run-", ".lock", "scratch"
KEEP = 4 * 3600.0  # s that a visitor's unused folder is kept
MOST = 1_000_000_000  # bytes of all visitors' folders
PER_VISITOR = 24  # files of one kind (one suffix) in a visitor's folder


def begin() -> Path:
    """Give this process a folder for all its files, remove what killed ones left, and return it.

    It lies under GRADIO_TEMP_DIR, or under `mcgurk` in the system's folder for temporary files, and is removed when the
    process ends. Temporary files of this process and of those it starts lie in it too.
    """
    root = Path(os.environ.get(ROOT) or Path(tempfile.gettempdir()) / "mcgurk")
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(str(root / LOCK)):  # or another one that starts would take the new folder for a dead one's
        clear(root)
        own = Path(tempfile.mkdtemp(dir=root, prefix=RUN))
        lock = FileLock(str(own / LOCK))
        lock.acquire()
    atexit.register(_end, own, lock)
    os.environ[ROOT] = str(own)
    scratch = own / SCRATCH
    scratch.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)  # or what a killed process worked on would stay for ever
    return own


def clear(root: Path) -> None:
    """Remove the folders of processes that are gone."""
    for folder in root.glob(f"{RUN}*"):
        lock = FileLock(str(folder / LOCK), timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _end(own: Path, lock: FileLock) -> None:
    shutil.rmtree(own, ignore_errors=True)
    lock.release()


class Files:
    """The visitors' folders under `folder`, which is made when there is something to put into it.

    keep: seconds that an unused folder stays. most: bytes of all folders. Safe among threads.
    """

    def __init__(self, folder: Path, keep: float = KEEP, most: int = MOST):
        self.folder, self.keep, self.most = folder, keep, most
        self._lock = threading.Lock()
        self._used: dict[Path, float] = {}  # folder -> when it was used last

    def path(self, visitor: str, name: str) -> Path:
        """Where a visitor's file goes; its folder exists and counts as used."""
        folder = self.of(visitor)
        with self._lock:
            self._used[folder] = time.monotonic()
            folder.mkdir(parents=True, exist_ok=True)
        _thin_out(folder, Path(name).suffix)
        return folder / name

    def of(self, visitor: str) -> Path:
        """A visitor's folder, whether it exists or not."""
        return self.folder / hashlib.sha256(visitor.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def forget(self, visitor: str) -> None:
        """Remove a visitor's files."""
        self._remove(self.of(visitor))

    def sweep(self) -> None:
        """Remove what was not used for long and, beyond the bytes allowed, what was used longest ago."""
        now = time.monotonic()
        with self._lock:
            by_age = sorted(self._used, key=self._used.get)
            old = [folder for folder in by_age if now - self._used[folder] > self.keep]
        total = {folder: size_of(folder) for folder in by_age if folder not in old}
        for folder in [*old, *total]:
            if folder in total and sum(total.values()) <= self.most:
                break
            total.pop(folder, None)
            self._remove(folder)

    def _remove(self, folder: Path) -> None:
        with self._lock:
            self._used.pop(folder, None)
            shutil.rmtree(folder, ignore_errors=True)


def linked(source: Path, out: Path) -> bool:
    """Make `out` a second name of a file; False where the system can't, or the file was swept away just now."""
    try:
        os.link(source, out)
    except FileExistsError:  # asked twice at a time
        return True
    except OSError:
        return False
    return True


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for inside, _, names in os.walk(folder):  # passes over folders that are removed meanwhile, where rglob fails
        for name in names:
            with suppress(OSError):  # removed meanwhile
                total += os.lstat(Path(inside) / name).st_size
    return total


def _thin_out(folder: Path, suffix: str) -> None:
    """Leave room for one more file of a kind by removing the oldest ones."""
    found = []
    for path in folder.glob(f"*{suffix}") if suffix else ():
        try:
            found.append((path.stat().st_mtime, path))
        except OSError:
            continue
    for _, path in sorted(found)[: max(0, len(found) + 1 - PER_VISITOR)]:
        path.unlink(missing_ok=True)
