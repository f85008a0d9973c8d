"""Training: `python -m models.tune base|aligned --data FOLDER`, resumable, seeded, logged to a file.

Knows how a course becomes an adapter with peft and the transformers Trainer (so `accelerate launch` runs
it on several GPUs). Does not know what a lesson says (curriculum.py) or how a model is built (checkpoint.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import torch
from peft import set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from models.mini import checkpoint
from models.mini.features import compute
from models.mini.lessons import IGNORED, MiniLessons, catalogue, collate, wanted
from models.omni import ALIGNED, BASE, McGurkError
from models.probe import PROBE
from models.teaching.align import aligning
from models.teaching.curriculum import SHUFFLED, Course
from models.teaching.trainer import EXACT, AdapterTrainer, arguments_for

BATCH = 4  # packed sequences of four questions each, shared by all processes
RATES = {BASE: 6e-4, ALIGNED: 6e-4}  # peak learning rate of the LoRA
PROJECTOR_RATE = 1e-3
STEPS = {BASE: 640, ALIGNED: 1300}  # what the shipped weights had


class AnswerTrainer(AdapterTrainer):
    """AdapterTrainer of mini."""

    def __init__(self, *args, attention_loss: float = 0.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.attention_loss = attention_loss

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        """Cross-entropy of the answers, plus the attention alignment loss where it is switched on."""
        inner = self.accelerator.unwrap_model(model).get_base_model()
        asked = wanted(inputs, inner.config.video_token_id, inner.config.audio_token_id)
        inputs = {key: value for key, value in inputs.items() if key != "queries"}
        if not self.attention_loss:
            outputs = model(**inputs)
            return (outputs.loss, outputs) if return_outputs else outputs.loss
        layers = [layer.self_attn for layer in inner.language_model.model.layers]
        with aligning(layers, asked) as alignment:
            outputs = model(**inputs)
        loss = outputs.loss + self.attention_loss * alignment.value()
        return (loss, outputs) if return_outputs else loss


def write(model, adapter: str, folder: Path) -> None:
    """Save what was trained: exact float32 for resuming, bfloat16 for shipping. A file appears whole or not at all."""
    unfinished = folder / ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    trained = {n: p.detach().contiguous() for n, p in model.named_parameters() if p.requires_grad}
    save_file(trained, unfinished / EXACT)
    checkpoint.save_adapter(model, adapter, unfinished)
    state = checkpoint.projector_state(model.get_base_model())
    save_file({k: v.to(torch.bfloat16).contiguous() for k, v in state.items()}, unfinished / checkpoint.PROJECTOR)
    for path in [path for path in unfinished.rglob("*") if path.is_file()]:
        place = folder / path.relative_to(unfinished)
        place.parent.mkdir(exist_ok=True)
        os.replace(path, place)
    shutil.rmtree(unfinished)


def prepare(course: str, folder: Path, dtype: torch.dtype, attention: str = "sdpa", start: Path | None = None):
    """The model to train: base trains projectors and a LoRA; aligned a LoRA on top of the finished base.

    start: folder of an earlier adapter of the same course that the LoRA begins as; else it begins as nothing.
    """
    if course == ALIGNED:
        model = checkpoint.add_lora(checkpoint.load_base(folder, dtype, attention), ALIGNED)
    else:
        model = checkpoint.add_lora(checkpoint.assemble(dtype, attention), BASE)
        for projector in (model.get_base_model().vision_projector, model.get_base_model().sound_projector):
            projector.float().requires_grad_(True)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    if start is not None:
        state = load_file(start / course / checkpoint.ADAPTER)
        set_peft_model_state_dict(model, {k: v.float() for k, v in state.items()}, adapter_name=course)
        if course == BASE:
            checkpoint.load_projector(model.get_base_model(), start)
    return model


def parameter_groups(model, rate: float) -> list[dict]:
    """LoRA and projector parameters with their own learning rates."""
    lora = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" in n]
    projector = [p for n, p in model.named_parameters() if p.requires_grad and "lora_" not in n]
    groups = [{"params": lora, "lr": rate, "weight_decay": 0.0}]
    return groups + ([{"params": projector, "lr": PROJECTOR_RATE, "weight_decay": 0.01}] if projector else [])


@torch.inference_mode()
def examine(model, lessons: MiniLessons, batch: int = BATCH) -> dict[str, dict[str, float]]:
    """Exact match of greedy answers, by what was asked and under which condition (teacher-forced)."""
    hits: dict[str, list[bool]] = {}
    model.eval()
    for start in range(0, len(lessons), batch):
        items = [lessons[i] for i in range(start, min(start + batch, len(lessons)))]
        inputs = collate(items)
        labels = inputs.pop("labels")
        del inputs["queries"]
        device = next(model.parameters()).device
        inputs = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
        with torch.autocast(device.type, torch.bfloat16):
            guesses = model(**inputs).logits.argmax(-1).cpu()
        right = (guesses[:, :-1] == labels[:, 1:]) | (labels[:, 1:] == IGNORED)
        for row, item in enumerate(items):
            branches = torch.tensor(item["branches"])[1:]
            for n, key in enumerate(item["keys"], 1):
                hits.setdefault(key, []).append(bool(right[row, : len(branches)][branches == n].all()))
    return {key: {"right": sum(h) / len(h), "n": len(h)} for key, h in sorted(hits.items())}


def train(options: argparse.Namespace) -> None:
    """Train one course and write its adapter (and, for base, the projectors)."""
    torch.manual_seed(options.seed)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    share = options.batch // processes
    if not share:
        raise McGurkError(f"A batch of {options.batch} can't be shared by {processes} processes.")
    model = prepare(options.course, options.base, torch.bfloat16, PROBE if options.attention_loss else "sdpa",
                    options.warm)  # fmt: skip
    processor = checkpoint.load_processor()
    features = compute(options.data, options.captions)
    shelf, tops = catalogue(features, model.get_base_model(), "train")
    course = Course(options.course, shelf, options.seed, options.shuffled, group=options.batch)
    lessons = MiniLessons(features, course, model.get_base_model(), processor, options.steps * options.batch, tops)
    arguments = arguments_for(
        options, per_device_train_batch_size=share, warmup_steps=40, bf16=True, logging_steps=10,
        dataloader_num_workers=options.workers,
        ddp_backend="gloo" if processes > 1 and not torch.cuda.is_available() else None,
        ddp_find_unused_parameters=options.course == BASE,  # a batch may leave the projectors' residual out
    )  # fmt: skip
    optimizer = torch.optim.AdamW(parameter_groups(model, options.rate), betas=(0.9, 0.98))
    AnswerTrainer(
        model=model, args=arguments, train_dataset=lessons, data_collator=collate, optimizers=(optimizer, None),
        write=lambda model, folder: write(model, options.course, folder), attention_loss=options.attention_loss,
    ).finish(options.restart)  # fmt: skip


def exam(options: argparse.Namespace) -> None:
    """Print exact match on lessons made of the validation split, held-out concepts apart."""
    features = compute(options.data, options.captions)
    if options.course == ALIGNED:
        model = checkpoint.load_adapter(checkpoint.load_base(options.base), ALIGNED, options.runs).eval()
    else:
        model = checkpoint.load_base(options.runs)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    for held_out in (False, True):
        shelf, tops = catalogue(features, inner, "val", held_out)
        course = Course(options.subject or options.course, shelf, 1000 + options.seed, 0.0)
        lessons = MiniLessons(features, course, inner, checkpoint.load_processor(), options.exam, tops)
        print(json.dumps({"held_out": held_out, **examine(model, lessons)}, indent=1))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.tune", description=__doc__.splitlines()[0])
    parser.add_argument("course", choices=(BASE, ALIGNED))
    parser.add_argument("--model", default="mini", help="mini, or a large one: qwen2.5-omni-7b, a hub id, a folder")
    parser.add_argument("--data", type=Path, required=True, help="labelled folder with manifest.csv (or clips.csv)")
    parser.add_argument("--captions", type=Path, help="folder with captions.csv: captioned photographs to learn from")
    parser.add_argument("--warm", type=Path, metavar="FOLDER", help="an earlier adapter of this course to go on from")
    parser.add_argument("--base", type=Path, default=checkpoint.TRAINED, help="where the finished base is")
    parser.add_argument("--runs", type=Path, help="folder for checkpoints, log and result (default runs/COURSE)")
    parser.add_argument("--steps", type=int, help=f"batches to train (default {STEPS})")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rate", type=float, help="peak learning rate of the LoRA")
    parser.add_argument("--shuffled", type=float, default=SHUFFLED, help="share of lessons with shuffled names")
    parser.add_argument("--attention-loss", type=float, default=0.0, help="weight of the attention alignment loss")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-steps", type=int, default=100)
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--workers", type=int, default=0, help="processes that make the lessons, where a GPU is faster")
    parser.add_argument("--restart", action="store_true", help="ignore earlier checkpoints")
    parser.add_argument("--exam", type=int, default=0, metavar="N", help="do not train: examine the result on N clips")
    parser.add_argument("--subject", choices=(BASE, ALIGNED), help="with --exam: the course the clips come from")
    large = parser.add_argument_group("a large model only (defaults: the recipe in models/pretrained/training.py)")
    large.add_argument("--fps", type=float, help="frames a second")
    large.add_argument("--side", type=int, help="side in pixels of a square frame of the same area; Gemma has its own")
    large.add_argument("--rank", type=int, help="rank of the LoRA on q and v")
    large.add_argument("--accumulate", type=int, help="batches to a step")
    options = parser.parse_args(arguments)
    if options.model != "mini":
        return _for_large(options)
    options.runs = options.runs or Path("runs") / options.course
    options.steps = options.steps or STEPS[options.course]
    options.rate = options.rate or RATES[options.course]
    return options


def _for_large(options: argparse.Namespace) -> argparse.Namespace:
    from models.pretrained import training

    options.runs = options.runs or Path("runs") / f"{Path(options.model).name}-{options.course}"
    options.steps, options.rate = options.steps or training.STEPS, options.rate or training.RATE
    return options


def _train_any(options: argparse.Namespace) -> None:
    if options.model == "mini":
        return exam(options) if options.exam else train(options)
    from models.pretrained import training

    if options.exam:
        raise McGurkError("--exam is for mini: measure a large model with `python -m demo bench`.")
    training.train(options)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        _train_any(options)
    except McGurkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
