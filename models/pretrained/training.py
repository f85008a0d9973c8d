"""Alignment tuning of a large model: `python -m models.tune aligned --model qwen2.5-omni-7b --data CLIPS`.

The recipe of "Some Modalities are More Equal Than Others" (arXiv 2511.22826): a LoRA of rank 8 on q and v of the
language model, learning rate 1e-4, batch 4 x accumulation 4, paired visual and audio questions; on this project's
course of conflicts. Frames a second and their size are the family's (Layout.recipe). Does not know what a lesson says,
how an answer is run, or what a family's model is made of.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import Tensor, nn

from models.adapters import LAYERS, save_adapter
from models.habits import Habits, save_habits
from models.omni import ALIGNED, McGurkError
from models.pretrained.clips import read_shelf
from models.pretrained.decoding import Decoder
from models.pretrained.layout import Media
from models.pretrained.lessons import IGNORED, PackedLessons, collate
from models.pretrained.loading import load_parts
from models.teaching.curriculum import Course
from models.teaching.trainer import EXACT, AdapterTrainer, arguments_for

RANK, RATE, ACCUMULATE = 8, 1e-4, 4
STEPS = 300  # of 16 clips with two questions each
READERS = 2  # processes that read and resize while the GPU works
QUESTIONS = 2  # per clip: what is seen, what is heard
TARGETS = ("q_proj", "v_proj")  # of the text layers


class Answering(nn.Module):
    """A tuned model that returns the loss of the answers; logits are computed only where something is learnt."""

    def __init__(self, tuned: PeftModel, decoder: Decoder):
        super().__init__()
        self.tuned, self.decoder = tuned, decoder

    def forward(
        self, input_ids: Tensor, positions: Tensor, attention_mask: Tensor, labels: Tensor, media: list[Media]
    ) -> dict[str, Tensor]:
        """input_ids, labels: B x T; positions: axes x B x T; attention_mask: bool, B x 1 x T x T."""
        decoder = self.decoder
        with torch.no_grad():
            rows = [decoder.embed(ids[None], decoder.encode(one)) for ids, one in zip(input_ids, media, strict=True)]
            more = decoder.packed([row for _, row in rows], attention_mask, positions)
        hidden = decoder.language_model(
            inputs_embeds=torch.cat([embeddings for embeddings, _ in rows]),
            position_ids=positions if len(positions) > 1 else positions[0], use_cache=False, **more,
        ).last_hidden_state  # fmt: skip
        targets = labels[:, 1:]
        learnt = targets != IGNORED
        logits = decoder.logits(hidden[:, :-1][learnt])
        return {"loss": nn.functional.cross_entropy(logits, targets[learnt])}


class LargeTrainer(AdapterTrainer):
    """AdapterTrainer of a model that computes its own loss."""

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        outputs = model(**inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]


def write(model: Answering, folder: Path, habits: Habits) -> None:
    """Save the adapter: exact float32 for resuming, bfloat16 in PEFT's format for use, with how it was fed."""
    folder.mkdir(parents=True, exist_ok=True)
    trained = {n: p.detach().contiguous() for n, p in model.named_parameters() if p.requires_grad}
    save_file(trained, folder / EXACT)
    save_adapter(model.tuned, ALIGNED, folder / ALIGNED)
    save_habits(habits, folder / ALIGNED)


def prepare(model: nn.Module, decoder: Decoder, rank: int = RANK) -> Answering:
    """The model with a fresh float32 LoRA on q and v, its layers recomputed in the backward pass."""
    # full names: a pattern is rewritten for mixture-of-experts models and then fits the towers too
    targets = [
        name for name, _ in model.named_modules() if name.startswith(LAYERS) and name.rpartition(".")[2] in TARGETS
    ]
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets)
    tuned = get_peft_model(model.requires_grad_(False), config, adapter_name=ALIGNED)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    decoder.language_model.gradient_checkpointing_enable({"use_reentrant": False})
    return Answering(tuned, decoder)


def train(options: argparse.Namespace) -> None:
    """Train the aligned adapter of options.model and write it to options.runs / "aligned"."""
    if options.course != ALIGNED:
        raise McGurkError(f"{options.model} comes trained: only its aligned adapter can be trained here.")
    torch.manual_seed(options.seed)
    shelf = read_shelf(options.data)
    _refuse_several_cards()
    model, processor, family = load_parts(options.model, device=_device())
    layout_class, decoder_class = family.parts()
    habits, decoder = layout_class.recipe(options.fps, options.side), decoder_class(model)
    layout = layout_class(processor, model.config, family, habits)
    learner = prepare(model, decoder, options.rank or RANK)
    course = Course(
        ALIGNED, shelf.catalogue, options.seed, 0.0, branches=QUESTIONS, group=options.batch, reasoned=False
    )
    accumulate = options.accumulate or ACCUMULATE
    processes = int(os.environ.get("WORLD_SIZE", 1))
    length = options.steps * options.batch * accumulate * processes
    lessons = PackedLessons(shelf, course, layout, decoder.place, habits.fps, length)
    gpu = torch.cuda.is_available()
    arguments = arguments_for(
        options,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=accumulate,
        warmup_steps=min(options.steps // 10, 40),
        bf16=gpu,
        logging_steps=1 if options.steps < 50 else 10,
        dataloader_num_workers=READERS if gpu else 0,
        ddp_find_unused_parameters=False,
    )
    LargeTrainer(
        model=learner, args=arguments, train_dataset=lessons, data_collator=collate,
        write=lambda model, folder: write(model, folder, habits),
    ).finish(options.restart)  # fmt: skip


def _refuse_several_cards() -> None:
    """The Trainer would put copies on all cards and cut the positions, axes x batch x T, across their axes."""
    if torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise McGurkError(
            f"There are {torch.cuda.device_count()} GPUs: `accelerate launch -m models.tune ...` uses them all, "
            "or set CUDA_VISIBLE_DEVICES=0 to use one."
        )


def _device() -> str:
    """Each process of `accelerate launch` has a GPU of its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
