"""A stand-in for the service from which ZeroGPU Spaces borrow, and a process that takes itself for such a Space.

Knows the addresses that the `spaces` package calls. There is no GPU: what the package does to reach one is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

WITHOUT_GPU = """
import torch
if torch.version.cuda is None:  # a build without CUDA lacks what the package replaces
    torch.version.cuda, torch._C._cuda_init = "13.0", None
    torch.cuda._is_in_bad_fork = torch.cuda.is_initialized
import spaces.zero.torch as at
from spaces.zero.wrappers import torch as reached
reached.init = lambda card: None
reached.move = lambda callback=None: None
"""


@dataclass
class Lender:
    """What was asked for and lent. most: loans until the quota is used up, but for `left` seconds."""

    seconds: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    most: int = 1_000
    left: int = 0
    address: str = ""


@contextmanager
def lending() -> Iterator[Lender]:
    """The service, for as long as the context lasts."""
    lender = Lender()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            parts = urlsplit(self.path)
            lender.calls.append(parts.path)
            body = b"{}"
            status = 200
            if parts.path == "/schedule":
                lender.seconds.append(int(parse_qs(parts.query)["durationSeconds"][0]))
                status = 200 if len(lender.seconds) <= lender.most else 429
                lent = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "token"}
                body = json.dumps(lent if status == 200 else {"left": lender.left, "wait": 600}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lender.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield lender
    finally:
        server.shutdown()
        server.server_close()


def on_space(lender: Lender, home: Path, script: str) -> list:
    """What a script prints, each line read as JSON, run in a process that takes itself for a ZeroGPU Space."""
    group = home / "cgroup"
    group.write_text("1:devices:/somewhere\n")
    environment = os.environ | {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": lender.address,
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(group),
        "ZEROGPU_OFFLOAD_DIR": str(home / "offload"),
        "HOME": str(home),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(home / "gradio"),
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_GPU + script], env=environment, capture_output=True, text=True, timeout=300,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(done.stderr[-4000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "[", '"'))]
