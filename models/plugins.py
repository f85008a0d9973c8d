"""Models that other people's packages bring: `package.module:factory`, or an entry point of the group mcgurk.models.

Knows how they are found and what they must be. Does not know any of them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib.metadata import entry_points

from models.omni import McGurkError, OmniModel

GROUP = "mcgurk.models"
_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_path(name: str) -> bool:
    """Whether a name is written package.module:factory."""
    return _PATH.fullmatch(name) is not None


def announced() -> dict[str, str]:
    """{name: package.module:factory} of what installed packages announce."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def load(path: str) -> OmniModel:
    """Call the factory behind package.module:factory, without arguments.

    Raises McGurkError when it isn't there, fails, or makes no OmniModel.
    """
    factory = _find(path)
    try:
        model = factory()
    except McGurkError:
        raise
    except Exception as error:
        raise McGurkError(f"{path} failed ({type(error).__name__}: {_line(error)}): ask whoever wrote it.") from error
    if not isinstance(model, OmniModel):
        raise McGurkError(f"{path} made a {type(model).__name__}: it must make a models.omni.OmniModel.")
    if missing := [name for name in ("name", "adapters") if not getattr(model, name, None)]:
        raise McGurkError(f"The model of {path} has no {' and no '.join(missing)}: see docs/own-model.md.")
    return model


def _find(path: str) -> Callable[[], OmniModel]:
    module, _, attribute = path.partition(":")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ImportError as error:
        raise McGurkError(f"{path} can't be imported ({_line(error)}): is its package installed here?") from error
    except AttributeError as error:
        raise McGurkError(f"{module} has no {attribute}: write the model as package.module:factory.") from error
    return found


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
