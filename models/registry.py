"""The models that can be asked for by name: what each is, what it needs, and how it is loaded.

Knows names, memory and loaders. Does not import a model before it is asked for.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models import plugins
from models.omni import ALIGNED, BASE, McGurkError, OmniModel
from models.pretrained.families import RELEASES, why_not
from models.pretrained.family import Release
from models.zerogpu import Borrower, is_here

GB = 1000**3  # bytes
log = logging.getLogger(__name__)
MINI_WEIGHTS = Path(__file__).parent / "mini" / "weights"


@dataclass(frozen=True)
class Entry:
    """One model of the registry."""

    name: str
    description: str  # one line
    memory: float  # GB it needs while it answers
    needs: str  # hardware, packages or files, in words
    load: Callable[[], OmniModel]  # imports what it needs when called
    obstacle: Callable[[], str]  # "" or one sentence: why it can't run here
    held_out: Callable[[], frozenset[str]] = frozenset  # plain names of concepts it was never trained on
    borrows: bool = True  # on ZeroGPU, a GPU for each answer, as far as can be told without loading it


def available_memory() -> float:
    """GB of memory that programs can still take; infinite where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}["MemAvailable"]
        return kilobytes * 1024 / GB
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GB
    except (AttributeError, OSError, ValueError):
        return float("inf")


def lacks_memory(gigabytes: float) -> str:
    """One sentence if fewer than `gigabytes` are free, else ""."""
    free = available_memory()
    return "" if free >= gigabytes else f"It needs {gigabytes:.1f} GB of memory and {free:.1f} GB are free."


def _load_mini() -> OmniModel:
    """On ZeroGPU on its CPU, whatever torch believes there: a GPU is not worth asking for."""
    from models.mini.backend import Mini

    return Mini(device="cpu" if is_here() else None)


def _mini_obstacle() -> str:
    for adapter in (BASE, ALIGNED):
        if not (MINI_WEIGHTS / adapter).is_dir():
            return f"Its {adapter} adapter is missing: train it with `python -m models.tune {adapter}`."
    return lacks_memory(MODELS["mini"].memory)


def _mini_held_out() -> frozenset[str]:
    from models.teaching.naming import HELD_OUT

    return HELD_OUT


def _load_fake() -> OmniModel:
    from models.fake import FakeModel

    return FakeModel()


def _load_pretrained(name: str) -> OmniModel:
    """MCGURK_ADAPTER: folder or hub id of the aligned LoRA; MCGURK_FOUR_BIT=1: weights in four bits."""
    from models.pretrained.loading import load

    return load(name, adapter=os.environ.get("MCGURK_ADAPTER") or None, four_bit=_four_bit())


def _four_bit() -> bool:
    return os.environ.get("MCGURK_FOUR_BIT", "") not in ("", "0")


def _pretrained(name: str, release: Release) -> Entry:
    """A released model, with the aligned LoRA that MCGURK_ADAPTER names."""
    about = f"{release.hub}{', ' + release.note if release.note else ''}; aligned with MCGURK_ADAPTER"
    memory = release.gigabytes(_four_bit())
    needs = f"a GPU with {memory:.0f} GB"
    return Entry(name, about, memory, needs, lambda: _load_pretrained(name), lambda: why_not(name, _four_bit()))


def _load_server() -> OmniModel:
    from models.served.backend import ServerModel

    given = os.environ.get("MCGURK_SERVER_PROCESSOR", "")
    try:
        processor = json.loads(given) if given else None
    except ValueError as error:
        raise McGurkError(f'MCGURK_SERVER_PROCESSOR is no JSON ({error}): write {{"fps": 2}}, or leave it.') from error
    model = ServerModel(
        os.environ["MCGURK_SERVER"], os.environ.get("MCGURK_SERVER_MODEL") or None, processor=processor,
        system=os.environ.get("MCGURK_SERVER_SYSTEM"),
    )  # fmt: skip
    for sentence in model.test_senses():
        log.warning("%s: %s", model.name, sentence)
    return model


def _server_obstacle() -> str:
    if os.environ.get("MCGURK_SERVER"):
        return ""
    return "Say where it is: MCGURK_SERVER=http://host:8000/v1 (and MCGURK_SERVER_MODEL, MCGURK_API_KEY if needed)."


MODELS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "mini",
            "EfficientNet-Lite2 + YAMNet + SmolLM2-135M, base and aligned: the embedded model",
            1.5,
            "two CPU cores",
            _load_mini,
            _mini_obstacle,
            _mini_held_out,
            borrows=False,
        ),
        *(_pretrained(name, release) for name, release in RELEASES.items()),
        Entry(
            "server",
            "whatever omni model an OpenAI-compatible server serves: asked, never looked into",
            0.1,
            "its address in MCGURK_SERVER",
            _load_server,
            _server_obstacle,
            borrows=False,
        ),
        Entry(
            "fake",
            "no weights: reads the labels instead of the clip, for tests and scripts",
            0.1,
            "nothing",
            _load_fake,
            lambda: "",
            borrows=False,
        ),
    )
}


def _plugin(name: str, path: str) -> Entry:
    """A model that another package brings: see docs/own-model.md."""
    return Entry(name, f"a plug-in, {path}", 0.0, "what its package says", lambda: plugins.load(path), lambda: "")


def entries() -> list[Entry]:
    """What can be asked for by name: the models here, then those that installed packages announce."""
    found = [_plugin(name, path) for name, path in plugins.announced().items() if name not in MODELS]
    return [*MODELS.values(), *found]


def entry(name: str) -> Entry:
    """The registry's entry; a plug-in for package.module:factory or a name that a package announces; for a folder or a
    hub id (owner/name), a model of a known family loaded from there.

    Raises McGurkError for any other name.
    """
    if name in MODELS:
        return MODELS[name]
    if path := plugins.announced().get(name) or (name if plugins.is_path(name) else ""):
        return _plugin(name, path)
    if Path(name).is_dir() or name.count("/") == 1:
        return Entry(name, "a model of your own", 0.0, "a GPU", lambda: _load_pretrained(name), lambda: "")
    raise McGurkError(
        f"There is no model {name!r}: choose one of {', '.join(MODELS)}, or give a folder, a hub id (owner/name) or "
        "package.module:factory."
    )


def borrows(name: str) -> bool:
    """Whether a model borrows a GPU for each answer here. Such a one is loaded before anything is served."""
    try:
        return is_here() and entry(name).borrows
    except McGurkError:  # there is no such model: loading it says so
        return False


def load_model(name: str) -> OmniModel:
    """Load a model; on a ZeroGPU Space one that needs a GPU borrows it for each answer.

    Raises McGurkError for an unknown name or a model that can't run here.
    """
    found = entry(name)
    if obstacle := found.obstacle():
        raise McGurkError(f"The model {name!r} can't run here. {obstacle}")
    model = found.load()
    return Borrower(model) if borrows(name) and model.borrows else model
