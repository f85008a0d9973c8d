"""Alignment tuning of a Qwen-Omni: `python -m models.tune aligned --model qwen2.5-omni-7b --data CLIPS`.

The recipe of "Some Modalities are More Equal Than Others" (arXiv 2511.22826): a LoRA of rank 8 on q and v of the
language model, learning rate 1e-4, batch 4 x accumulation 4, 504 x 504 at 8 fps, paired visual and audio questions; on
this project's course of conflicts. Does not know what a lesson says or how an answer is run.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import TrainingArguments

from models.adapters import LAYERS, save_adapter
from models.curriculum import Course
from models.habits import Habits, save_habits
from models.omni import ALIGNED, McGurkError
from models.pretrained.layout import Media
from models.pretrained.loading import load_parts
from models.qwen_omni.clips import read_shelf
from models.qwen_omni.family import QwenFamily
from models.qwen_omni.lessons import IGNORED, QwenLessons, collate
from models.qwen_omni.processing import QwenLayout
from models.qwen_omni.thinker import model_flag, see_and_hear
from models.tune import AnswerTrainer, LogFile

RANK, RATE, ACCUMULATE = 8, 1e-4, 4
FPS, SIDE = 8.0, 504  # frames a second; pixels, side of a square frame of the same area
STEPS = 300  # of 16 clips with two questions each
READERS = 2  # processes that read and resize while the GPU works
QUESTIONS = 2  # per clip: what is seen, what is heard
LEAST_PIXELS = 128 * 28 * 28  # of a frame, as the processors have it
TARGETS = ("q_proj", "v_proj")  # of the text layers


class Answering(nn.Module):
    """A tuned thinker that returns the loss of the answers; logits are computed only where something is learnt."""

    def __init__(self, tuned: PeftModel):
        super().__init__()
        self.tuned = tuned

    def forward(
        self, input_ids: Tensor, positions: Tensor, attention_mask: Tensor, labels: Tensor, media: list[Media]
    ) -> dict[str, Tensor]:
        """input_ids, labels: B x T; positions: 3 x B x T; attention_mask: bool, B x 1 x T x T."""
        thinker = self.tuned.get_base_model()
        with torch.no_grad():
            embeddings, more = self._embed(thinker, input_ids, media)
        hidden = thinker.model.language_model(
            inputs_embeds=embeddings, position_ids=positions, attention_mask=attention_mask, use_cache=False, **more
        ).last_hidden_state
        targets = labels[:, 1:]
        learnt = targets != IGNORED
        logits = thinker.lm_head(hidden[:, :-1][learnt])
        return {"loss": nn.functional.cross_entropy(logits.float(), targets[learnt])}

    def _embed(self, thinker, ids: Tensor, media: list[Media]) -> tuple[Tensor, dict]:
        config, device = thinker.config, ids.device
        embeddings = thinker.get_input_embeddings()(ids)
        met = [see_and_hear(thinker, one, device) for one in media]
        for token, which in ((config.video_token_id, 0), (config.audio_token_id, 2)):
            tokens = [one[which] for one in met if one[which] is not None]
            if tokens:
                embeddings = embeddings.masked_scatter(
                    (ids == token)[..., None], torch.cat(tokens).to(embeddings.dtype)
                )
        levels = [one[1] for one in met if one[1]]
        if not levels:
            return embeddings, {}
        deep = [torch.cat(level) for level in zip(*levels, strict=True)]
        return embeddings, {"visual_pos_masks": ids == config.video_token_id, "deepstack_visual_embeds": deep}


class QwenTrainer(AnswerTrainer):
    """AnswerTrainer whose checkpoints hold the adapter alone."""

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        outputs = model(**inputs)
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def _save(self, output_dir: str | None = None, state_dict=None) -> None:
        write(self.accelerator.unwrap_model(self.model), Path(output_dir or self.args.output_dir))


def write(model: Answering, folder: Path) -> None:
    """Save the adapter: exact float32 for resuming, bfloat16 in PEFT's format for use."""
    folder.mkdir(parents=True, exist_ok=True)
    trained = {n: p.detach().contiguous() for n, p in model.named_parameters() if p.requires_grad}
    save_file(trained, folder / "trained.safetensors")
    save_adapter(model.tuned, ALIGNED, folder / ALIGNED)


def prepare(thinker: nn.Module, rank: int = RANK) -> Answering:
    """The thinker with a fresh float32 LoRA on q and v, its layers recomputed in the backward pass."""
    # full names: a pattern is rewritten for mixture-of-experts models and then fits the towers too
    targets = [
        name for name, _ in thinker.named_modules() if name.startswith(LAYERS) and name.rpartition(".")[2] in TARGETS
    ]
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets)
    tuned = get_peft_model(thinker.requires_grad_(False), config, adapter_name=ALIGNED)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    thinker.model.language_model.gradient_checkpointing_enable({"use_reentrant": False})
    return Answering(tuned)


def train(options: argparse.Namespace) -> None:
    """Train the aligned adapter of options.model and write it to options.runs / "aligned"."""
    if options.course != ALIGNED:
        raise McGurkError("A Qwen-Omni comes trained: only its aligned adapter can be trained here.")
    torch.manual_seed(options.seed)
    shelf = read_shelf(options.data)
    _refuse_several_cards()
    thinker, processor, family = load_parts(options.model, device=_device())
    if not isinstance(family, QwenFamily):
        raise McGurkError(f"{options.model} is a {family.name}: only a Qwen-Omni can be tuned here.")
    side = options.side or SIDE
    habits = Habits(None, True, options.fps or FPS, (min(LEAST_PIXELS, side * side // 2), side * side))
    layout = QwenLayout(processor, thinker.config, family, habits)
    model = prepare(thinker, options.rank or RANK)
    course = Course(
        ALIGNED, shelf.catalogue, options.seed, 0.0, branches=QUESTIONS, group=options.batch, reasoned=False
    )
    accumulate = options.accumulate or ACCUMULATE
    processes = int(os.environ.get("WORLD_SIZE", 1))
    length = options.steps * options.batch * accumulate * processes
    lessons = QwenLessons(shelf, course, layout, thinker.get_rope_index, model_flag(thinker), habits.fps, length)
    arguments = TrainingArguments(
        output_dir=str(options.runs),
        max_steps=options.steps,
        per_device_train_batch_size=options.batch,
        gradient_accumulation_steps=accumulate,
        learning_rate=options.rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(options.steps // 10, 40),
        max_grad_norm=1.0,
        bf16=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        train_sampling_strategy="sequential",
        logging_steps=1 if options.steps < 50 else 10,
        save_steps=options.save_steps,
        save_total_limit=1,
        report_to=[],
        seed=options.seed,
        remove_unused_columns=False,
        dataloader_num_workers=READERS if torch.cuda.is_available() else 0,
        ddp_find_unused_parameters=False,
    )
    trainer = QwenTrainer(
        model=model, args=arguments, train_dataset=lessons, data_collator=collate, adapter=ALIGNED,
        callbacks=[LogFile(options.runs / "log.jsonl")],
    )  # fmt: skip
    options.runs.mkdir(parents=True, exist_ok=True)
    trainer.train(resume_from_checkpoint=any(options.runs.glob("checkpoint-*")) and not options.restart)
    if trainer.is_world_process_zero():
        write(model, options.runs)
        save_habits(habits, options.runs / ALIGNED)
        print(f"Written to {options.runs / ALIGNED}", file=sys.stderr)


def _refuse_several_cards() -> None:
    """The Trainer would put copies on all cards and cut the positions, 3 x batch x T, across the three axes."""
    if torch.cuda.device_count() > 1 and "LOCAL_RANK" not in os.environ:
        raise McGurkError(
            f"There are {torch.cuda.device_count()} GPUs: `accelerate launch -m models.tune ...` uses them all, "
            "or set CUDA_VISIBLE_DEVICES=0 to use one."
        )


def _device() -> str:
    """Each process of `accelerate launch` has a GPU of its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
