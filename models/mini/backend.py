"""`mini` as an OmniModel: encodes once, answers with either adapter, records what it attended to.

Knows how a question is run on the assembled model. Does not know where weights come from or how it was
trained.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from models.content import digest
from models.interventions import Intervention
from models.interventions.streams import Streams, begin, described, likely
from models.interventions.sweeping import swept
from models.lens import Said
from models.mini import checkpoint, nothing, proposed
from models.mini.encoders import FRAME_SIZE
from models.mini.lens import read_out
from models.mini.modelling import HEARD_NAMES, SEEN_NAMES
from models.mini.perceived import named
from models.mini.prefixes import Prefixes
from models.mini.processing import END, Prompt, reply
from models.mini.reading import Encoded, MiniReader, earlier
from models.omni import (
    ALIGNED,
    BASE,
    SAMPLE_RATE,
    Answer,
    Attention,
    Kind,
    McGurkError,
    OmniModel,
    Receipt,
    Stimulus,
    TokenMap,
    never,
    unless,
)
from models.pieces import spelled
from models.probe import PROBE, Recorder, paused, recording
from models.versions import versions

REMEMBERED = 32  # encoded pictures and sounds kept, a few hundred kB each


def fast_dtype(device: str | None = None) -> torch.dtype:
    """bfloat16 where the device (None: a GPU if there is one) computes it natively, float32 elsewhere."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.bfloat16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


class Mini(OmniModel):
    """The embedded audio-visual model. Thread-safe: one answer at a time."""

    name = "mini"
    adapters = (BASE, ALIGNED)

    def __init__(self, folder: Path = checkpoint.TRAINED, dtype: torch.dtype | None = None, device: str | None = None):
        self.dtype = dtype or fast_dtype(device)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.tuned = checkpoint.load_tuned(folder, self.dtype, PROBE).to(self.device)
        self.inner = self.tuned.get_base_model()
        for name, parameter in self.tuned.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.to(self.dtype)
        self.processor = checkpoint.load_processor()
        self.text_layers = [layer.self_attn for layer in self.inner.language_model.model.layers]
        self.layers, self.heads = len(self.text_layers), self.inner.config.text_config.num_attention_heads
        self.nothings = nothing.load(folder)
        self.checksums = {name: checkpoint.checksum(name, folder) for name in self.adapters}
        self._lock = threading.RLock()  # an intervention may have to encode what stands in for a modality
        self._pictures: OrderedDict = OrderedDict()
        self._sounds: OrderedDict = OrderedDict()
        self.prefixes = Prefixes(self.inner.config.text_config, self._read_on)
        self._refuse_inert()

    @torch.inference_mode()
    def encode(self, stimulus: Stimulus) -> Encoded:
        """Run EfficientNet on at most 8 frames and YAMNet on the sound, or recall them."""
        pixels, times = self.processor.pixels(stimulus)
        waveform = stimulus.waveform if stimulus.waveform is not None and len(stimulus.waveform) else None
        picture, (vision, seen, visible) = self._recall(self._pictures, pixels, self._see)
        sounding, (sound, heard, audible) = self._recall(self._sounds, waveform, self._hear)
        patches = 0 if sound is None else len(sound) // 6
        perceived, offered = {"picture": seen, "sound": heard}, {"picture": visible, "sound": audible}
        return Encoded(stimulus, vision, sound, times, patches, perceived, offered, (picture, sounding))

    def _recall(self, shelf: OrderedDict, media: np.ndarray | None, encode: Callable):
        """Digest of the media, and what `encode` makes of them, now or earlier."""
        if media is None:
            return b"", (None, [], [])
        key = digest(media)
        with self._lock:
            return key, _kept(shelf, key, lambda: encode(media), REMEMBERED)

    def _see(self, pixels: np.ndarray) -> tuple[Tensor, list, list]:
        features = self.inner.vision(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(self.device))
        share = self.inner.vision_distribution(features).flatten(0, 2).mean(0)
        said = self.inner.word_chances(features)
        return self.inner.project_vision(features).to(self.dtype), named(share, SEEN_NAMES), proposed.seen(share, said)

    def _hear(self, waveform: np.ndarray) -> tuple[Tensor, list, list]:
        patches = self.processor.patches(Stimulus(None, 1.0, waveform))
        features = self.inner.sound(torch.from_numpy(patches).to(self.device))
        share = self.inner.sound_distribution(features).flatten(0, 2).mean(0)
        return self.inner.project_sound(features).to(self.dtype), named(share, HEARD_NAMES), proposed.heard(share)

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
        max_new_tokens: int = 24,
        system: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Iterator[tuple[str, Answer]]:
        """See OmniModel.answer. Greedy; an option's score is the log-probability of its whole text and the end."""
        if steering and steering.rewrites:
            how = {"attention": attention, "max_new_tokens": max_new_tokens, "system": system, "stop": stop}
            yield from steering.answered(self, encoded, question, options, adapters or self.adapters, **how)
            return
        prompt = self._prompt(encoded, question, system, room=max_new_tokens)
        for adapter in adapters or self.adapters:
            if adapter not in self.adapters:
                raise McGurkError(f"There is no adapter {adapter!r}: {' or '.join(self.adapters)}.")
            started = time.perf_counter()
            unless(stop)
            with self._lock, self._using(adapter):
                reader = MiniReader(self, adapter, encoded, prompt, question, system, stop)
                text, scores, recorder, written, plan = self._run(reader, options, attention, steering, max_new_tokens)
                done = {} if plan is None else described(steering, plan)
            yield (
                adapter,
                Answer(
                    text,
                    scores,
                    self._attention(recorder, prompt, written),
                    self._receipt(adapter, encoded, prompt, max_new_tokens, done),
                    time.perf_counter() - started,
                    encoded.perceived,
                ),
            )

    def _prompt(self, encoded: Encoded, question: str, system: str | None = None, room: int = 0) -> Prompt:
        """room: tokens that must fit behind it. Raises McGurkError for a prompt that is too long to be read."""
        given = encoded.stimulus
        prompt = self.processor.prompt(
            question, encoded.frame_times, encoded.patches, text=given.text, text_position=given.text_position,
            system=system,
        )  # fmt: skip
        longest = self.inner.config.text_config.max_position_embeddings - room
        if len(prompt.ids) > longest:
            raise McGurkError(
                f"The prompt has {len(prompt.ids)} tokens and {self.name} reads {longest}: shorten the text."
            )
        return prompt

    def _using(self, adapter: str):
        stack = ExitStack()
        if adapter == BASE:
            stack.enter_context(self.tuned.disable_adapter())
        return stack

    def _run(self, reader: MiniReader, options, attention, intervention, max_new_tokens):
        """Prefill, write greedily, then score the options in one pass, after the reasons that the answer gave."""
        with ExitStack() as stack:
            recorder = stack.enter_context(recording(self.text_layers)) if attention else None
            cache, logits, plan = begin(intervention, reader)
            prompted = cache.get_seq_length()
            written = self._write(cache, likely(cache, logits[0]), max_new_tokens, reader.stop)
            with paused():
                if answered := cache.get_seq_length() - prompted:
                    cache.crop(-answered)
                if reasons := self._reasons(written, options):
                    words = torch.tensor(reasons, device=self.device)[None]
                    logits = self._forward(cache, inputs_embeds=self.inner.get_input_embeddings()(words))[:, -1]
                [scores] = self._score(cache, logits, options)
        text = self.processor.tokenizer.decode(written, skip_special_tokens=True).strip()
        return text, scores, recorder, written, plan

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
    def opened(self, encoded: Encoded, question: str, adapter: str, stop=never) -> Iterator[MiniReader]:
        """See OmniModel.opened."""
        unless(stop)
        with torch.inference_mode(), self._lock, self._using(adapter):
            yield MiniReader(self, adapter, encoded, self._prompt(encoded, question), question, stop=stop)

    def _read_on(self, cache: DynamicCache, prompt: Prompt, begin: int, end: int, encoded: Encoded) -> Tensor:
        """Last hidden states after the prompt's positions begin..end, which the cache has read then."""
        return self._hidden(cache, inputs_embeds=self._embed(prompt, begin, end, encoded))

    def _embed(self, prompt: Prompt, begin: int, end: int, encoded: Encoded) -> Tensor:
        """1 x (end - begin) x hidden: the prompt's positions begin..end, media in their places."""
        given = []
        for kind, media in ((Kind.VIDEO, encoded.vision), (Kind.AUDIO, encoded.sound)):
            there = (begin <= (places := prompt.tokens.positions(kind))) & (places < end)
            given.append(media[torch.from_numpy(there).to(media.device)] if there.any() else None)
        return self.inner.embed(torch.from_numpy(prompt.ids[begin:end])[None].to(self.device), *given)

    def _forward(self, cache: DynamicCache, keep: int = 1, **inputs) -> Tensor:
        """Logits (rows x keep x vocabulary, float32) of the last `keep` positions."""
        if isinstance(cache, Streams):
            return cache.forward(lambda own, shorter, _: self._forward(own, keep, **earlier(inputs, shorter)))
        hidden = self._hidden(cache, **inputs)[:, -keep:]
        flat = hidden.reshape(-1, hidden.shape[-1])  # or torch copies all of the head's weights
        return self.inner.language_model.lm_head(flat).float().unflatten(0, hidden.shape[:2])

    def _hidden(self, cache: DynamicCache, **inputs) -> Tensor:
        """Last hidden states, rows x positions x hidden."""
        return self.inner.language_model.model(past_key_values=cache, use_cache=True, **inputs).last_hidden_state

    def _score(self, cache: DynamicCache, first: Tensor, options: Sequence[str]) -> list[dict[str, float]]:
        """For each row, probability of each option's full text, all in one pass: each sees the prompt and itself only.

        first: rows x vocabulary logits after the prompt.
        """
        options = list(dict.fromkeys(options))
        if not options:
            return [{} for _ in first]
        prompt = cache.get_seq_length()
        texts = [self.processor.encode(reply(o)) for o in options]
        owner = torch.tensor([n for n, text in enumerate(texts) for _ in text])
        own = (owner[:, None] == owner[None]) & torch.ones(len(owner), len(owner), dtype=torch.bool).tril()
        mask = torch.cat([torch.ones(len(owner), prompt, dtype=torch.bool), own], 1)[None, None].to(self.device)
        positions = torch.tensor([prompt + i for text in texts for i in range(len(text))], device=self.device)[None]
        ids = torch.tensor([i for text in texts for i in text], device=self.device).expand(len(first), -1)
        logits = self._forward(
            cache, keep=ids.shape[1], inputs_embeds=self.inner.get_input_embeddings()(ids), attention_mask=mask,
            position_ids=positions,
        ).log_softmax(-1)  # fmt: skip
        cache.crop(-len(owner))
        start, scores = first.log_softmax(-1), []
        at = 0
        for text in texts:
            following = logits[:, torch.arange(at, at + len(text) - 1), torch.tensor(text[1:])]
            scores.append(start[:, text[0]] + following.sum(-1))
            at += len(text)
        return [dict(zip(options, row, strict=True)) for row in torch.stack(scores, 1).softmax(-1).tolist()]

    def _reasons(self, written: list[int], options: Sequence[str]) -> list[int]:
        """The tokens of an answer before the option it ends with, as in "I see a cello and I hear rain: no"."""
        decode = self.processor.tokenizer.decode
        for option in sorted(options, key=len, reverse=True):
            if not decode(written).rstrip(".").endswith(f": {option}"):
                continue
            return next(written[:n] for n in range(len(written), 0, -1) if decode(written[:n]).endswith(":"))
        return []

    def _write(
        self, cache: DynamicCache, logits: Tensor, max_new_tokens: int, stop: Callable[[], bool] = never
    ) -> list[int]:
        end, written = self.processor.tokenizer.convert_tokens_to_ids(END), []
        while True:
            unless(stop)
            token = int(logits.argmax())
            if token == end:
                return written
            written.append(token)
            if len(written) == max_new_tokens:
                return written
            ids = torch.tensor([[token]], device=self.device)
            logits = likely(cache, self._forward(cache, inputs_embeds=self.inner.get_input_embeddings()(ids))[0, -1])

    def _attention(self, recorder: Recorder | None, prompt: Prompt, written: list[int]) -> Attention | None:
        if recorder is None:
            return None
        rows = recorder.rows()
        extra = rows.shape[-1] - len(prompt.ids)
        ids = np.concatenate([prompt.ids, written[:extra]]).astype(np.int64)
        pieces = spelled(self.processor.tokenizer, written[:extra])
        kinds = [*prompt.tokens.kinds, *[Kind.GENERATED] * extra]
        tokens = self.processor.token_map(ids, kinds, [*prompt.tokens.pieces, *pieces], prompt.tokens.frame_times)
        return Attention(rows, tokens)

    def _receipt(self, adapter: str, encoded: Encoded, prompt: Prompt, max_new_tokens: int, done: dict) -> Receipt:
        stimulus = encoded.stimulus
        frames = len(encoded.frame_times)
        span = float(encoded.frame_times[1] - encoded.frame_times[0]) if frames > 1 else 0.0
        return Receipt(
            model=self.name,
            adapter=adapter,
            adapter_sha256=self.checksums[adapter],
            tokens=prompt.tokens.counts(),
            frames=frames,
            fps=round(1 / span, 3) if span else stimulus.fps if frames else 0.0,
            frame_size=(FRAME_SIZE, FRAME_SIZE) if frames else (0, 0),
            audio_seconds=0.0 if stimulus.waveform is None else round(len(stimulus.waveform) / SAMPLE_RATE, 3),
            prompt=prompt.text,
            decoding=f"greedy, at most {max_new_tokens} tokens",
            seed=0,
            versions=versions(self.dtype, self.device),
            intervention=done,
        )

    @torch.inference_mode()
    def gist(self, encoded: Encoded) -> dict[str, np.ndarray]:
        """See OmniModel.gist."""
        tokens = {"picture": encoded.vision, "sound": encoded.sound}
        return {sense: t.float().mean(0).cpu().numpy() for sense, t in tokens.items() if t is not None}

    @torch.inference_mode()
    def hidden_states(self, encoded: Encoded, question: str, adapter: str) -> tuple[np.ndarray, TokenMap]:
        """(float32 states after each layer, the last normed, layers x T x hidden; TokenMap) of a prompt of T tokens."""
        prompt = self._prompt(encoded, question)
        ids = torch.from_numpy(prompt.ids)[None].to(self.device)
        with self._lock, self._using(adapter):
            embeddings = self.inner.embed(ids, encoded.vision, encoded.sound)
            output = self.inner.language_model.model(
                inputs_embeds=embeddings, use_cache=False, output_hidden_states=True
            )
        return torch.cat(output.hidden_states[1:]).float().cpu().numpy(), prompt.tokens

    def lens(self, encoded: Encoded, question: str, names: Sequence[str], adapter: str, stop=never) -> Said:
        """See OmniModel.lens."""
        return read_out(self, encoded, question, names, adapter, stop)

    @torch.inference_mode()
    def _refuse_inert(self) -> None:
        """Raise McGurkError if the aligned adapter leaves the logits as they are."""
        ids = torch.tensor([self.processor.tokenizer.encode("What do you hear?")], device=self.device)
        logits = []
        for adapter in self.adapters:
            with self._using(adapter):
                logits.append(self.inner.language_model(ids).logits.float())
        self.logit_difference = float((logits[0] - logits[1]).abs().max())
        if self.logit_difference == 0.0:
            raise McGurkError(
                "The aligned adapter changes nothing: train it again with `python -m models.tune aligned`."
            )


def _kept(shelf: OrderedDict, key, make: Callable, most: int):
    """The shelf's value of a key, made if it is not there; the least recently used beyond `most` is dropped."""
    if key not in shelf:
        shelf[key] = make()
    shelf.move_to_end(key)
    while len(shelf) > most:
        shelf.popitem(last=False)
    return shelf[key]
