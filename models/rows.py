"""Raw attention rows as a file that other programs read: safetensors, with what each position is.

Knows the file. Does not know what is drawn from it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.omni import Attention, Kind, McGurkError, TokenMap

ARRAYS = ("video", "audio", "frame_times", "sinks")  # of a TokenMap


def save_rows(attention: Attention, path: str | Path) -> None:
    """Write rows (float16, layers x heads x R x T) and the TokenMap of the T positions.

    Tensors: rows, video, audio, frame_times, sinks; as JSON in the metadata: kinds, pieces, grid, audio_window, counts.
    """
    tokens = attention.tokens
    told = {"kinds": tokens.kinds, "pieces": tokens.pieces, "grid": [int(n) for n in tokens.grid],
            "audio_window": tokens.audio_window, "counts": attention.counts}  # fmt: skip
    arrays = {name: np.ascontiguousarray(getattr(tokens, name)) for name in ARRAYS}
    arrays["rows"] = np.ascontiguousarray(attention.rows)
    save_file(arrays, str(path), metadata={name: json.dumps(value) for name, value in told.items()})


def load_rows(path: str | Path) -> Attention:
    """What save_rows wrote. Raises McGurkError for any other file."""
    try:
        with safe_open(str(path), "np") as file:
            arrays = {name: file.get_tensor(name) for name in (*ARRAYS, "rows")}
            told = {name: json.loads(value) for name, value in file.metadata().items()}
        tokens = TokenMap(
            tuple(Kind(kind) for kind in told["kinds"]), tuple(told["pieces"]), *(arrays[name] for name in ARRAYS[:2]),
            tuple(told["grid"]), arrays["frame_times"], arrays["sinks"], told["audio_window"],
        )  # fmt: skip
        return Attention(arrays["rows"], tokens, tuple(told["counts"]))
    except (OSError, SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise McGurkError(f"{path} holds no attention rows: it must be written by models.rows.save_rows.") from error
