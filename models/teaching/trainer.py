"""What every training here has in common: adapters are saved instead of models, and a run goes on where it was cut off.

Knows the transformers Trainer and its checkpoints. Does not know what is learnt, or by which model.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

EXACT = "trained.safetensors"  # in a checkpoint: what is learnt, in float32


class AdapterTrainer(Trainer):
    """Trainer that saves adapters, not the frozen model, resumes from them, and logs to log.jsonl among them.

    write: puts what is learnt into a folder, as EXACT among others.
    """

    def __init__(self, *args, write: Callable[[nn.Module, Path], None], **kwargs):
        super().__init__(*args, **kwargs)
        self.write, self.runs = write, Path(self.args.output_dir)
        self.add_callback(LogFile(self.runs / "log.jsonl"))

    def finish(self, restart: bool = False) -> None:
        """Train to the end, on from the last whole checkpoint or from the start, and write what was learnt."""
        self.runs.mkdir(parents=True, exist_ok=True)
        resume = None if restart else whole_checkpoint(self.runs)
        self.train(resume_from_checkpoint=resume and str(resume))
        if self.is_world_process_zero():
            self._save()
            print(f"Written to {self.runs}", file=sys.stderr)

    def _save(self, output_dir: str | None = None, state_dict=None) -> None:
        if self.is_world_process_zero():  # of several processes one writes: they share the folder
            self.write(self.accelerator.unwrap_model(self.model), Path(output_dir or self.runs))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model=None) -> None:
        state = load_file(Path(resume_from_checkpoint) / EXACT)
        (model or self.model).load_state_dict(state, strict=False)


def arguments_for(options: argparse.Namespace, **more) -> TrainingArguments:
    """How every course is trained; more: what differs from model to model."""
    return TrainingArguments(
        output_dir=str(options.runs), max_steps=options.steps, learning_rate=options.rate, seed=options.seed,
        save_steps=options.save_steps, save_total_limit=1, lr_scheduler_type="cosine", max_grad_norm=1.0,
        train_sampling_strategy="sequential", use_cpu=not torch.cuda.is_available(), remove_unused_columns=False,
        report_to=[], **more,
    )  # fmt: skip


class LogFile(TrainerCallback):
    """One JSON line per logging step."""

    def __init__(self, path: Path):
        self.path = path

    def on_log(self, args, state, control, logs=None, **kwargs):
        if not state.is_world_process_zero:
            return
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def whole_checkpoint(runs: Path) -> Path | None:
    """The newest checkpoint of a run that was written to its end; None if there is none.

    The Trainer writes its state last, so that a checkpoint without one was cut off by a kill. It is removed, and what
    the log says of later steps, which will be made again, is taken out.
    """
    found, step, first = None, 0, os.environ.get("RANK", "0") == "0"  # of several processes
    for folder in sorted(runs.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2])):
        try:
            step = int(json.loads((folder / "trainer_state.json").read_text("utf-8"))["global_step"])
            found = folder
        except (OSError, ValueError, KeyError):
            if first:
                shutil.rmtree(folder, ignore_errors=True)
    log = runs / "log.jsonl"
    if first and log.is_file():
        lines = [line for line in log.read_text("utf-8").splitlines(keepends=True) if _logged(line, step)]
        unfinished = log.with_name(f".{log.name}")
        unfinished.write_text("".join(lines), "utf-8")
        os.replace(unfinished, log)
    return found


def _logged(line: str, step: int) -> bool:
    """Whether a line of the log is whole, and about a step no later than `step`."""
    try:
        return line.endswith("\n") and json.loads(line)["step"] <= step
    except (ValueError, KeyError):
        return False
