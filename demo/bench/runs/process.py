"""What a process of this machine holds: memory, open files, threads, disk; and how long it computed.

Linux says it under /proc; elsewhere nan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from demo.bench.runs.timing import resident
from demo.visitors.files import size_of

LISTENS = "0A"  # the state of a listening socket in /proc/net/tcp


@dataclass(frozen=True)
class Look:
    """One look at a process: MB resident, open files, threads, MB of its files on disk, s of processor time so far.

    The time is that of all its threads and of the processes that it started and that have ended.
    """

    resident: float
    files: float
    threads: float
    disk: float
    worked: float


NOTHING = Look(*[float("nan")] * 5)


def look(pid: int | None, folder: Path | None = None) -> Look:
    """How a process stands now. folder: where its files lie; None: its disk is nan."""
    disk = float("nan") if folder is None else size_of(folder) / 1e6
    if pid is None:
        return replace(NOTHING, disk=disk)
    return Look(resident(pid), _count(f"/proc/{pid}/fd"), _count(f"/proc/{pid}/task"), disk, _worked(pid))


def listening(port: int) -> int | None:
    """The process that listens on a TCP port of this machine; None if that can't be seen."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for cells in map(str.split, lines):
            if cells[3] == LISTENS and int(cells[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{cells[9]}]")
    for folder in Path("/proc").glob("[0-9]*/fd") if sockets else ():
        try:
            links = list(folder.iterdir())
        except OSError:  # another user's, or gone meanwhile
            continue
        if any(_points_to(link) in sockets for link in links):
            return int(folder.parent.name)
    return None


def _points_to(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile, which says nothing of the others
        return ""


def _count(folder: str) -> float:
    try:
        return len(os.listdir(folder))
    except OSError:
        return float("nan")


def _worked(pid: int) -> float:
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return float("nan")
    ticks = said.rpartition(")")[2].split()[11:15]  # user and system, its own and of ended children: see proc(5)
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
