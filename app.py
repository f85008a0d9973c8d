"""Starts the application. Knows which model and which port; nothing else lives here."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import Future
from threading import Thread

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported

from starlette.middleware import Middleware

from demo.clips import GALLERY, MAX_BYTES
from demo.pages.doors import Doors
from demo.pages.look import look
from demo.pages.site import PAGES, build
from demo.visitors.files import begin
from demo.visitors.memory import few_arenas
from models.omni import OmniModel
from models.zerogpu import declare

PORT = 7860
THREADS = 100  # requests in hand at a time, most of which wait: see turns.MOST and site.WAITING


def load(name: str) -> Future:
    """The future of the model of that name, so that the page is up while it loads.

    ZeroGPU takes the weights of what borrows its GPU when the application begins to serve: such a model loads first.
    """
    from models.registry import borrows, load_model

    future: Future = Future()

    def run() -> None:
        try:
            future.set_result(load_model(name))
        except BaseException as error:
            future.set_exception(error)

    if borrows(name):
        run()
    else:
        Thread(target=run, name="model", daemon=True).start()
    return future


def launch(model: OmniModel | Future, port: int, *, block: bool = True, host: str | None = None):
    """Serve the application and, if `block`, do not return until it is stopped."""
    return build(model).launch(
        server_name=host or os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),
        server_port=port,
        max_file_size=MAX_BYTES,
        max_threads=THREADS,
        state_session_capacity=PAGES,
        allowed_paths=[str(GALLERY)],
        app_kwargs={"middleware": [Middleware(Doors)]},
        enable_monitoring=False,
        prevent_thread_lock=not block,
        run_history=False,
        ssr_mode=False,  # needs node, and gains nothing on one page
        share=False,
        quiet=True,
        **look(),
    )


if __name__ == "__main__":
    few_arenas()
    begin()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # an ordinary end, at which files are removed
    port = int(os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or PORT)
    print(f"McGurk: http://127.0.0.1:{port}", flush=True)
    declare()
    launch(load(os.environ.get("MCGURK_MODEL") or "mini"), port)
