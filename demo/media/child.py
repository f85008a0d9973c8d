"""The process in which files of strangers are decoded: `python -m demo.media.child REQUEST` with the file as input.

Knows requests and how answers are packed. Has no file to open, no network, and bounded time and memory.

Standard input is the file, opened for reading. REQUEST is JSON: "do" names a function of demo.media.operations, the
rest are its arguments. What it returns is written as one line of JSON; film and sound write to standard output
themselves. A refusal is one sentence on standard error and exit status 3; "{name}" in it stands for the file's name.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from demo.media.limits import FILM_BYTES, HEAD, confine, cpu_seconds, is_picture
from models.omni import McGurkError

REFUSED = 3  # exit status
SCALER = b"[swscaler "  # begins what libav says of its own scaling, such as that of a full-range picture


def main() -> None:
    """Do what the request says, and end the process."""
    request = json.loads(sys.argv[1])
    says = os.dup(2)  # a refusal; 2 itself goes to a pipe that only tells whether a library complained
    complaints, full = os.pipe()
    for end in (complaints, full):
        os.set_blocking(end, False)
    os.dup2(full, 2)
    os.close(full)
    file = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115  lives as long as the process
    out = open(1, "wb", closefd=False)  # noqa: SIM115
    picture = is_picture(file.read(HEAD))
    file.seek(0)
    operation = _imported(request.pop("do"), picture)  # with all that it needs: no file can be opened after this
    confine(cpu_seconds(os.fstat(0).st_size), complaints + 1, FILM_BYTES)
    try:
        operation(file, out, lambda: _drained(complaints), **request)
        out.flush()
    except McGurkError as error:
        os.write(says, str(error).encode())
        os._exit(REFUSED)
    except MemoryError:
        os.write(says, b"Reading {name} needs more memory than it may have: try a smaller file.")
        os._exit(REFUSED)
    except Exception:  # a library that gave up in a way of its own: the parent writes it into its log
        os.write(says, traceback.format_exc()[-2000:].encode())
        os._exit(1)
    os._exit(0)  # the libraries have nothing to tidy up that the system does not


def _imported(do: str, picture: bool):
    if picture:
        from demo.media import stills as operations
    else:
        from demo.media import recordings as operations
    return getattr(operations, do)


def _drained(complaints: int) -> list[str]:
    """What libraries complained of since the last call, by line; the scaler's words are not about the file."""
    said = b""
    try:
        while more := os.read(complaints, 1 << 16):
            said += more
    except BlockingIOError:
        pass
    return [line.decode("utf-8", "replace") for line in said.splitlines() if line and not line.startswith(SCALER)]


if __name__ == "__main__":
    main()
