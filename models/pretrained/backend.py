"""A model that transformers loads, as an OmniModel: encoders once, both answers from one set of weights, attention.

Knows how a question is run. Does not know where weights come from (loading.py) or how adapters are trained.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import peft
import torch
from torch import nn

from models.adapters import BARE, Adapter, attach, mixed
from models.content import digest
from models.habits import Habits
from models.interventions import Intervention
from models.interventions.streams import begin, described, likely
from models.interventions.sweeping import swept
from models.lens import Said
from models.omni import (
    ALIGNED,
    BASE,
    LETTERS,
    SAMPLE_RATE,
    Answer,
    Attention,
    Kind,
    McGurkError,
    OmniModel,
    Receipt,
    Stimulus,
    longest_answer,
    never,
    unless,
)
from models.pretrained.decoding import Encoded, Fed
from models.pretrained.family import GB, Family
from models.pretrained.layout import Prompt
from models.pretrained.lens import read_out
from models.pretrained.reading import PromptReader
from models.probe import recording
from models.versions import versions
from models.wording import SEE

REMEMBERED = 4  # encoded stimuli kept: 23 MB each for 10 s of 504 x 504 at 2 fps on the 7B model
BORDER_PULL = 10.0  # a border token is a sink when it draws this many times the mean video token's attention


class Pretrained(OmniModel):
    """Any model of a known family. Thread-safe: one answer at a time.

    model: loaded with attn_implementation=probe.PROBE. adapter: the aligned LoRA, if there is one; without it
    `adapters` is (BASE,) and `alternatives` offers what can be tried without training.
    batched: answer with both adapters as one batch of two (default on an accelerator, where decoding waits for memory).
    pixels: (least, most) pixels of a frame after resizing; None: as the adapter is used to. notes: for every receipt.
    """

    def __init__(self, name: str, model: nn.Module, processor, family: Family, *, adapter: Adapter | None = None,
                 batched: bool | None = None, pixels: tuple[int, int] | None = None,
                 notes: tuple[str, ...] = ()):  # fmt: skip
        self.name, self.family, self.model = name, family, model.eval().requires_grad_(False)
        habits = Habits() if adapter is None else adapter.habits
        self.habits = habits if pixels is None else replace(habits, pixels=pixels)
        self.fps, self.pixels = habits.fps or self.fps, (self.habits.pixels or (0, 0))[1]
        layout, decoder = family.parts()
        self.decoder = decoder(model)
        self.notes = notes + self.decoder.notes + habits.told()
        self.device, self.dtype = self.decoder.device, self.decoder.language_model.norm.weight.dtype
        self.layout = layout(processor, model.config, family, self.habits)
        self.layers, self.heads = len(self.decoder.attention_layers), model.config.text_config.num_attention_heads
        self.adapters, self.checksums = (BASE,), {BASE: ""}
        self.gigabytes = sum(weight.nbytes for weight in model.parameters()) / GB
        self.tuned: peft.PeftModel | None = None
        self.logit_difference = 0.0  # largest change of a logit that the adapter makes on one question
        self.batched = self.device.type != "cpu" if batched is None else batched
        self._lock = threading.RLock()  # an intervention may have to encode what stands in for a modality
        self._shelf: OrderedDict[bytes, tuple] = OrderedDict()
        if adapter is not None:
            self._attach(adapter)

    def lightened(self, stimulus: Stimulus) -> Stimulus:
        """See OmniModel.lightened."""
        frames = stimulus.frames
        if frames is None or not len(frames):
            return stimulus
        sized = self.layout.sized(frames)
        return replace(stimulus, frames=sized) if sized.nbytes < frames.nbytes else stimulus

    def expected_tokens(self, stimulus: Stimulus, question: str = "") -> int:
        """See OmniModel.expected_tokens."""
        return self.layout.expected(stimulus) + len(self.layout.system + stimulus.text + question) // LETTERS

    @torch.inference_mode()
    def encode(self, stimulus: Stimulus) -> Encoded:
        """Run the processor and the towers once, or recall what they made of the same frames and sound."""
        key = digest(stimulus.fps, stimulus.frames, stimulus.waveform)
        with self._lock:
            if key not in self._shelf:
                self._shelf[key] = self._within_memory(lambda: self._encode(stimulus))
            self._shelf.move_to_end(key)
            while len(self._shelf) > REMEMBERED:
                self._shelf.popitem(last=False)
            return Encoded(stimulus, *self._shelf[key])

    def _encode(self, stimulus: Stimulus) -> tuple:
        media = self.layout.media(stimulus)
        return media, self.decoder.encode(media), {}

    def _within_memory(self, work: Callable):
        """What `work` returns. Raises McGurkError where the GPU has not enough memory for it, and gives it back."""
        try:
            return work()
        except torch.OutOfMemoryError as error:
            told = self._full(error)
        raise told

    def _full(self, error: torch.OutOfMemoryError) -> McGurkError:
        """One sentence, once what the failed work held is given back."""
        traceback.clear_frames(error.__traceback__)  # their tensors
        self._shelf.clear()
        torch.cuda.empty_cache()
        return McGurkError(
            f"The GPU has not enough memory left for this with {self.name}: take a shorter clip, fewer frames or text."
        )

    @torch.inference_mode()
    def answer(
        self,
        encoded: Encoded,
        question: str,
        options: Sequence[str] = (),
        *,
        adapters: Sequence[str] | None = None,
        attention: bool = True,
        steering: Intervention | None = None,
        max_new_tokens: int | None = None,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, Answer]]:
        """See OmniModel.answer. Greedy; an option's score is the log-probability of its whole text and the end."""
        if steering and steering.rewrites:
            how = {"attention": attention, "max_new_tokens": max_new_tokens, "system": system, "stop": stop}
            yield from steering.answered(self, encoded, question, options, adapters or self.adapters, **how)
            return
        stimulus, max_new_tokens = encoded.stimulus, longest_answer(options, max_new_tokens)
        prompt = self.layout.prompt(
            encoded.media, question, text=stimulus.text, text_position=stimulus.text_position, system=system
        )
        self._check_length(prompt, max_new_tokens)
        asked = list(adapters or self.adapters)
        for adapter in asked:
            if adapter not in self.adapters:
                raise McGurkError(f"There is no adapter {adapter!r}: {self.name} has {' and '.join(self.adapters)}.")
        fed = self._within_memory(lambda: self.feed(prompt, encoded))
        together = self.batched and len(asked) > 1 and not steering  # each plans for itself what is done to it
        for names in [asked] if together else [[name] for name in asked]:
            unless(stop)
            started = time.perf_counter()
            # a reader of their own: what is measured of a prompt holds for those who were in use
            reader = PromptReader(self, encoded, prompt, fed, question, system, len(names))
            how = reader, options, attention, steering, max_new_tokens, stop
            with self._lock, self._using(names):
                texts, scores, attentions, plan = self._within_memory(lambda how=how: self._run(*how))
                done = {} if plan is None else described(steering, plan)
            seconds = time.perf_counter() - started
            for row, name in enumerate(names):
                receipt = self._receipt(name, encoded, prompt, max_new_tokens, system, done)
                yield name, Answer(texts[row], scores[row], attentions[row], receipt, seconds)

    def feed(self, prompt: Prompt, encoded: Encoded) -> Fed:
        """Embeddings with media in their places, and the library's own positions for them."""
        return self.decoder.feed(prompt.ids, prompt.head, encoded)

    @torch.inference_mode()
    def gist(self, encoded: Encoded) -> dict[str, np.ndarray]:
        """See OmniModel.gist."""
        prompt = self.layout.prompt(encoded.media, SEE[0])
        embeddings = self.feed(prompt, encoded).embeddings[0].float()
        places = {"picture": prompt.tokens.positions(Kind.VIDEO), "sound": prompt.tokens.positions(Kind.AUDIO)}
        return {sense: embeddings[at].mean(0).cpu().numpy() for sense, at in places.items() if len(at)}

    @torch.inference_mode()
    def lens(self, encoded: Encoded, question: str, names: Sequence[str], adapter: str, stop=never) -> Said:
        """See OmniModel.lens."""
        with self.opened(encoded, question, adapter, stop) as reader:
            return read_out(reader, names, stop)

    def _check_length(self, prompt: Prompt, room: int = 0) -> None:
        """Raise McGurkError for a prompt that is too long to be read with so many tokens behind it."""
        longest = self.model.config.text_config.max_position_embeddings - room
        if len(prompt.ids) > longest:
            raise McGurkError(
                f"The prompt has {len(prompt.ids)} tokens and {self.name} reads {longest}: "
                "shorten the clip or the text."
            )

    def _using(self, names: Sequence[str]):
        stack = ExitStack()
        if self.tuned is not None and len(names) > 1:
            stack.enter_context(mixed(self.tuned, [BARE if name == BASE else name for name in names]))
        elif self.tuned is not None and names[0] == BASE:
            stack.enter_context(self.tuned.disable_adapter())
        return stack

    def _run(self, reader: PromptReader, options, attention, intervention, most, stop):
        """Prefill, score the options in one pass, then write greedily; one row for each adapter."""
        decoder, prompt = self.decoder, reader.prompt
        with ExitStack() as stack:
            recorder = stack.enter_context(recording(decoder.attention_layers)) if attention else None
            cache, logits, plan = begin(intervention, reader)
            unless(stop)
            first = likely(cache, logits)
            scores = reader.shares(cache, logits, options) if options else [{}] * reader.rows
            written = decoder.write(cache, first, reader.next_position, most, self.layout.ends, stop)
        texts = [self.layout.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written]
        seen = [self._attention(recorder, row, prompt, ids) for row, ids in enumerate(written)]
        return texts, scores, seen, plan

    def sweep(
        self,
        encoded: Encoded,
        question: str,
        options: Sequence[str],
        interventions: Sequence[Intervention],
        *,
        adapters: Sequence[str] | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, int, dict[str, float]]]:
        """See OmniModel.sweep."""
        opened = lambda adapter: self.opened(encoded, question, adapter, stop)  # noqa: E731
        yield from swept(opened, adapters or self.adapters, options, interventions)

    @contextmanager
    def opened(self, encoded: Encoded, question: str, adapter: str, stop=never) -> Iterator[PromptReader]:
        """See OmniModel.opened."""
        unless(stop)
        given = encoded.stimulus
        prompt = self.layout.prompt(encoded.media, question, text=given.text, text_position=given.text_position)
        self._check_length(prompt)
        with torch.inference_mode(), self._lock, self._using([adapter]):
            try:
                yield PromptReader(self, encoded, prompt, self.feed(prompt, encoded), question)
            except torch.OutOfMemoryError as error:
                raise self._full(error) from None

    def _attention(self, recorder, row: int, prompt: Prompt, written: list[int]) -> Attention | None:
        if recorder is None:
            return None
        caught = recorder.rows(row)
        extra = min(len(written), caught.shape[2] - 1)  # a batch goes on until its last row has ended
        rows = caught[:, :, : extra + 1, : len(prompt.ids) + extra]
        tokens = self.layout.with_generated(prompt.tokens, written[:extra])
        return Attention(rows, replace(tokens, sinks=tokens.sinks | border_sinks(rows, tokens)))

    def _receipt(self, adapter: str, encoded: Encoded, prompt: Prompt, most: int, system: str | None,
                 done: dict) -> Receipt:  # fmt: skip
        stimulus, media = encoded.stimulus, encoded.media
        notes = self.notes + media.notes
        notes += ("Sound and picture are interleaved in time.",) if media.interleaved else ()
        notes += ("Answered under another system prompt than the model's own.",) if system is not None else ()
        notes += (
            (f"The adapter moves a logit by up to {self.logit_difference:.3g} on a test question.",)
            if adapter == ALIGNED
            else ()
        )
        return Receipt(
            model=self.name,
            adapter=adapter,
            adapter_sha256=self.checksums[adapter],
            tokens=prompt.tokens.counts(),
            frames=media.frames,
            fps=float(media.fps) if media.frames else 0.0,
            frame_size=media.frame_size,
            audio_seconds=0.0 if stimulus.waveform is None else round(len(stimulus.waveform) / SAMPLE_RATE, 3),
            prompt=prompt.text,
            decoding=f"greedy, at most {most} tokens",
            seed=0,
            versions=versions(self.dtype, self.device) | self.decoder.versions(media),
            notes=notes,
            intervention=done,
        )

    def _attach(self, adapter: Adapter) -> None:
        """Wrap the model, measure what the adapter changes. Raises McGurkError if that is nothing."""
        self.tuned = attach(self.model, adapter, ALIGNED)
        for name, parameter in self.tuned.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(self.dtype)
        ids = torch.tensor([self.layout.tokenizer.encode("What do you hear?")], device=self.device)
        logits = []
        with torch.inference_mode():
            for name in (BASE, ALIGNED):
                with self._using([name]):
                    hidden = self.decoder.language_model(input_ids=ids).last_hidden_state
                    logits.append(self.decoder.logits(hidden))
        self.logit_difference = float((logits[0] - logits[1]).abs().max())
        if not self.logit_difference > 0.0:
            raise McGurkError(f"The adapter {adapter.source} changes nothing in {self.name}: is it for another model?")
        self.adapters = (BASE, ALIGNED)
        self.checksums = {BASE: "", ALIGNED: adapter.sha256}


def border_sinks(rows: np.ndarray, tokens) -> np.ndarray:
    """bool, T: video tokens on the border of the frame that draw far more than the mean video token's attention.

    Large vision-language models park attention on background patches that say nothing (Kang et al., "See What You Are
    Told: Visual Attention Sink", ICLR 2025); an overlay of all of it shows little else.
    """
    sinks = np.zeros(len(tokens), bool)
    at = tokens.positions(Kind.VIDEO)
    if not len(at):
        return sinks
    pull = rows[:, :, 0, at].astype(np.float32).mean((0, 1))
    _, height, width = tokens.grid
    _, row, column = tokens.video[at].T
    border = (row == 0) | (row == height - 1) | (column == 0) | (column == width - 1)
    sinks[at] = border & (pull > BORDER_PULL * pull.mean())
    return sinks
