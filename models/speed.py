"""What looking inside costs: `python -m models.speed` measures time and peak memory with the probe and without.

Random weights of the released Qwen2.5-Omni-7B sizes on a GPU, tiny ones on a CPU: cost does not depend on what weights
say. `--random NAME` measures the whole answers of any release (models/pretrained/visit.py). Knows shapes and clocks.
Does not know clips, questions or pages.
"""

from __future__ import annotations

import argparse
import copy
import gc
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerForConditionalGeneration

from models.adapters import BARE, mixed
from models.interventions import costs
from models.omni import ALIGNED
from models.pretrained import visit
from models.pretrained.decoding import Encoded
from models.pretrained.layout import Media
from models.probe import PROBE, recording
from models.qwen_omni.thinker import Thinker, assemble, model_flag, see_and_hear

GIB = 1024**3
WRITTEN = 16  # tokens after the prompt
REPEATS = 5  # the median of these is shown, after one run that does not count
SECONDS, SIDE = 10, 504  # of the clip; pixels
LONG_TEXT = 10_000  # tokens
LEADING = 2  # tokens before the media
PROBE_LIMIT = 1.2  # times the seconds of plain SDPA, tiny model on a CPU
SPECIAL = dict(audio_token_index=3, image_token_index=4, video_token_index=5, vision_start_token_id=6,
               vision_end_token_id=7, audio_start_token_id=8, audio_end_token_id=9)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """A model and the clip it is shown."""

    name: str
    config: Qwen2_5OmniThinkerConfig
    seconds: int
    side: int
    text: int  # tokens of the long-text row


@dataclass(frozen=True)
class Cost:
    """Median seconds and peak GiB (weights included; nan where the device does not count it) of one way to answer."""

    seconds: float
    peak: float
    failed: str = ""


def full_size() -> Size:
    """Qwen2.5-Omni-7B as released (28 layers, 28 heads on 4, hidden 3584; vision tower 1280 wide)."""
    config = Qwen2_5OmniThinkerConfig(
        text_config={"vocab_size": 152_064},
        vision_config={"hidden_size": 1280, "out_hidden_size": 3584},
        audio_config={"output_dim": 3584},
        **SPECIAL,
    )
    config.text_config.rope_parameters = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    return Size("Qwen2.5-Omni-7B, random weights", config, SECONDS, SIDE, LONG_TEXT)


def tiny_size() -> Size:
    """The same architecture, small enough for a CPU in a minute."""
    text = dict(vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=8,
                num_key_value_heads=2)  # fmt: skip
    vision = dict(depth=2, hidden_size=64, intermediate_size=64, num_heads=4, out_hidden_size=128)
    audio = dict(d_model=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64, output_dim=128)
    config = Qwen2_5OmniThinkerConfig(text_config=text, vision_config=vision, audio_config=audio, **SPECIAL)
    config.text_config.rope_parameters = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    return Size("tiny Qwen2.5-Omni, random weights", config, 4, 168, 1_000)


def build(size: Size, device: torch.device, attention: str):
    """A thinker with random weights, made on the device itself; bfloat16 on a GPU."""
    config = copy.deepcopy(size.config)  # a model keeps its configuration, and with it how it attends
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16 if device.type == "cuda" else torch.float32)
    try:
        with device:
            torch.manual_seed(0)
            thinker = Qwen2_5OmniThinkerForConditionalGeneration._from_config(config, attn_implementation=attention)
    finally:
        torch.set_default_dtype(default)
    return thinker.eval().requires_grad_(False)


def media(size: Size, fps: float) -> Media:
    """Random patches and mel frames of a square clip, interleaved two seconds at a time as the processor does it."""
    config, rng = size.config, torch.Generator().manual_seed(1)
    patches = size.side // config.vision_config.patch_size
    times = round(size.seconds * fps / config.vision_config.temporal_patch_size)
    grid = torch.tensor([[times, patches, patches]])
    width = 3 * config.vision_config.temporal_patch_size * config.vision_config.patch_size**2
    mel = torch.randn(1, config.audio_config.num_mel_bins, size.seconds * 100, generator=rng)
    chunk, each = 2.0, (patches // config.vision_config.spatial_merge_size) ** 2
    step = config.vision_config.temporal_patch_size / fps
    ids = [config.vision_start_token_id, config.audio_start_token_id]
    for start in np.arange(0, size.seconds, chunk):
        shown = sum(start <= t * step < start + chunk for t in range(times))
        heard = round(min(chunk, size.seconds - start) * config.position_id_per_seconds)
        ids += [config.video_token_id] * (shown * each) + [config.audio_token_id] * heard
    ids += [config.audio_end_token_id, config.vision_end_token_id]
    inputs = {
        "pixel_values_videos": torch.randn(times * patches**2, width, generator=rng), "video_grid_thw": grid,
        "input_features": mel, "feature_attention_mask": torch.ones(1, mel.shape[-1], dtype=torch.long),
        "video_second_per_grid": torch.tensor([step]),
    }  # fmt: skip
    return Media(tuple(ids), inputs, round(size.seconds * fps), fps, interleaved=True)


def prompt_ids(of: Media, text: int) -> np.ndarray:
    """Media and `text` further tokens."""
    return np.array([*(10 + np.arange(LEADING)), *of.ids, *(12 + np.arange(text) % 400)], np.int64)


class Bench:
    """One size on one device; measures one way to answer after the other."""

    def __init__(self, size: Size, device: torch.device, repeats: int = REPEATS):
        self.size, self.device, self.repeats = size, device, repeats

    @torch.inference_mode()
    def rows(self) -> list[tuple[str, str, Cost]]:
        """(clip, way, Cost) for each, printed as they come."""
        found = []
        clips = [(f"{self.size.seconds} s at {fps:g} fps", fps, 40) for fps in (2.0, 8.0)]
        clips.append((f"{self.size.seconds} s at 2 fps + {self.size.text:,} text tokens", 2.0, self.size.text))
        ways: dict[str, list] = {"SDPA": ["sdpa", self._plain], "probe": [PROBE, self._probed]}
        ways |= {"two answers": [PROBE, self._two], "eager, output_attentions": ["eager", self._eager]}
        for way, (attention, answer) in ways.items():
            thinker = build(self.size, self.device, attention)
            if way == "two answers":
                thinker = self._with_lora(thinker)
            for clip, fps, text in clips:
                shown = media(self.size, fps)
                ids = prompt_ids(shown, text)
                cost = self.measure(lambda t=thinker, s=shown, i=ids, a=answer: a(t, s, i))
                found.append((f"{clip} ({len(ids):,} tokens)", way, cost))
                print(f"  measured: {clip}, {way}: {cost.seconds:.3f} s {cost.failed}", file=sys.stderr)
            del thinker
            self._clear()
        return found + self._steered_rows(*clips[0])

    def _steered_rows(self, clip: str, fps: float, text: int) -> list[tuple[str, str, Cost]]:
        """The shortest clip again, under every intervention."""
        thinker, shown, found = build(self.size, self.device, PROBE), media(self.size, fps), []
        ids, layers = prompt_ids(shown, text), self.size.config.text_config.num_hidden_layers
        feed = lambda given, written: self._fed(thinker, given, written)  # noqa: E731
        for way, steering in costs.timed(layers).items():
            answer = lambda s=steering: costs.answered(s, costs.BareReader(thinker, shown, ids, feed), WRITTEN)  # noqa: E731
            found.append((f"{clip} ({len(ids):,} tokens)", way, self.measure(answer)))
            print(f"  measured: {clip}, {way}: {found[-1][2].seconds:.3f} s {found[-1][2].failed}", file=sys.stderr)
        return found

    def measure(self, answer: Callable[[], object]) -> Cost:
        """Median seconds and peak GiB of `answer`, encoders included."""
        self._clear()
        taken = []
        try:
            for _ in range(self.repeats + 1):
                self._wait()
                started = time.perf_counter()
                answer()
                self._wait()
                taken.append(time.perf_counter() - started)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if "memory" not in str(error).lower():
                raise
            return Cost(float("nan"), float("nan"), "out of memory")
        peak = torch.cuda.max_memory_allocated() / GIB if self.device.type == "cuda" else float("nan")
        return Cost(statistics.median(taken[1:]), peak)

    def _clear(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def _fed(self, thinker, shown: Media, ids: np.ndarray):
        encoded = Encoded(None, shown, see_and_hear(thinker, shown, self.device))
        return assemble(thinker, ids, encoded, self.device, model_flag(thinker), LEADING + len(shown.ids))

    def _plain(self, thinker, shown: Media, ids: np.ndarray, rows: int = 1):
        decoder, fed = Thinker(thinker), self._fed(thinker, shown, ids)
        cache, logits = decoder.prefill(fed, rows)
        return decoder.write(cache, logits, fed.next_position, WRITTEN, ())

    def _probed(self, thinker, shown: Media, ids: np.ndarray, rows: int = 1):
        with recording(Thinker(thinker).attention_layers) as recorder:
            self._plain(thinker, shown, ids, rows)
        return [recorder.rows(row) for row in range(rows)]

    def _two(self, tuned, shown: Media, ids: np.ndarray):
        """Base and aligned as one batch, both with their rows; picture and sound encoded once."""
        with mixed(tuned, [BARE, ALIGNED]):
            return self._probed(tuned.get_base_model(), shown, ids, rows=2)

    def _eager(self, thinker, shown: Media, ids: np.ndarray):
        """The usual way: the library's own forward returns every layer's T x T weights."""
        fed, cache, kept = self._fed(thinker, shown, ids), DynamicCache(config=thinker.config.text_config), []
        language, embeddings, positions = thinker.model.language_model, fed.embeddings, fed.positions
        at = fed.next_position
        for _ in range(WRITTEN):
            said = language(
                inputs_embeds=embeddings, position_ids=positions, past_key_values=cache, use_cache=True,
                output_attentions=True,
            )  # fmt: skip
            kept.append(torch.stack([layer[:, :, -1].cpu() for layer in said.attentions]))
            token = thinker.lm_head(said.last_hidden_state[:, -1:]).argmax(-1)
            embeddings, positions = language.embed_tokens(token), torch.full((3, 1, 1), at, device=self.device)
            at += 1
        return kept

    def _with_lora(self, thinker):
        targets = [
            n for n, m in thinker.named_modules() if "language_model.layers" in n and n.endswith(("q_proj", "v_proj"))
        ]
        config = LoraConfig(r=8, lora_alpha=16, target_modules=targets, init_lora_weights=False)
        tuned = get_peft_model(thinker, config, adapter_name=ALIGNED).eval()
        for name, parameter in tuned.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(thinker.lm_head.weight.dtype)
        return tuned


def table(rows: list[tuple[str, str, Cost]]) -> str:
    """Markdown; ratios against SDPA, two answers also against one with the probe."""
    lines = ["| clip | way | s | against SDPA | peak GiB | against SDPA |", "|---|---|---|---|---|---|"]
    plain = {clip: cost for clip, way, cost in rows if way == "SDPA"}
    probed = {clip: cost for clip, way, cost in rows if way == "probe"}
    for clip, way, cost in sorted(rows, key=lambda row: list(plain).index(row[0])):
        if cost.failed:
            lines.append(f"| {clip} | {way} | {cost.failed} | | | |")
            continue
        times, sizes = cost.seconds / plain[clip].seconds, cost.peak / plain[clip].peak
        more = f" ({cost.seconds / probed[clip].seconds:.2f} x one answer)" if way == "two answers" else ""
        lines.append(
            f"| {clip} | {way} | {cost.seconds:.3f} | {times:.2f}{more} | {_number(cost.peak)} | {_number(sizes)} |"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return "not counted" if value != value else f"{value:.2f}"


def machine(device: torch.device) -> str:
    """Where this was measured, one line."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
    return f"{name}; {versions}, Python {platform.python_version()}"


@torch.inference_mode()
def probe_cost(repeats: int = 30) -> float:
    """Seconds with the probe over seconds with plain SDPA: a small Llama, 512 tokens and 8 more, on this CPU."""
    shape = dict(vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=6, num_attention_heads=8,
                 num_key_value_heads=2, pad_token_id=0)  # fmt: skip
    ids = torch.arange(512)[None] % 500 + 1
    models = {
        way: LlamaForCausalLM._from_config(LlamaConfig(**shape), attn_implementation=way).eval()
        for way in ("sdpa", PROBE)
    }
    taken: dict[str, list[float]] = {way: [] for way in models}
    for _ in range(repeats + 2):
        for way, model in models.items():  # in turns, so that a busy machine slows both alike
            started = time.perf_counter()
            with ExitStack() as stack:
                if way == PROBE:
                    stack.enter_context(recording([layer.self_attn for layer in model.model.layers]))
                model.generate(ids, max_new_tokens=8, do_sample=False, attention_mask=torch.ones_like(ids))
            taken[way].append(time.perf_counter() - started)
    return statistics.median(taken[PROBE][2:]) / statistics.median(taken["sdpa"][2:])


def measure_release(name: str, device: torch.device, repeats: int) -> None:
    """Print what a visit costs on a release with random weights, line by line, so that what is measured stays."""
    from models.pretrained.loading import load_random

    model = load_random(name)
    print(f"{name}, random weights; {visit.WRITTEN} tokens an answer\n{machine(device)}\n\n{visit.HEAD}", flush=True)
    for row in visit.Visit(model, repeats).rows():
        print(visit.line(row), flush=True)


def measure_sweeps(name: str, device: torch.device) -> None:
    """Print what curves over all layers of a registered model cost, line by line."""
    from models import registry  # imports what the model needs

    print(f"{name}: curves over all layers, all adapters\n{machine(device)}\n")
    print("| curve | answers | s | s of processor time |\n|---|---:|---:|---:|")
    for what, count, seconds, worked in costs.sweeps(registry.load_model(name)):
        print(f"| {what} | {count} | {seconds:.1f} | {worked:.1f} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--probe", action="store_true", help=f"only check that the probe costs at most {PROBE_LIMIT} x")
    parser.add_argument("--tiny", action="store_true", help="the tiny model, also where there is a GPU")
    parser.add_argument("--random", metavar="NAME", help="a release's size (name, hub id or folder), random weights: "
                        "both answers, every intervention, memory")  # fmt: skip
    parser.add_argument("--sweeps", metavar="NAME", help="only curves over all layers of a model such as mini")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    if options.probe:
        ratio = probe_cost()
        print(f"The probe costs {ratio:.3f} x the seconds of plain SDPA (at most {PROBE_LIMIT})")
        print(machine(torch.device("cpu")))
        sys.exit(0 if ratio <= PROBE_LIMIT else 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.sweeps:
        measure_sweeps(options.sweeps, device)
        return
    if options.random:
        measure_release(options.random, device, options.repeats)
        return
    size = full_size() if device.type == "cuda" and not options.tiny else tiny_size()
    found = Bench(size, device, options.repeats).rows()
    print(f"{size.name}; prefill and {WRITTEN} tokens, encoders included\n{machine(device)}\n\n{table(found)}")


if __name__ == "__main__":
    main()
