"""A model behind any OpenAI-compatible server (vLLM or SGLang, hosted APIs): asked, never looked into.

Knows the chat-completions protocol. Does not know which model answers there, and gets no attention from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence

import httpx

from models import wording
from models.interventions import Intervention
from models.omni import (
    BASE,
    SAMPLE_RATE,
    Answer,
    McGurkError,
    OmniModel,
    Receipt,
    Stimulus,
    longest_answer,
    never,
    unless,
)
from models.pretrained.families import FAMILIES
from models.served import hearing
from models.served.connection import ANSWER_TIMEOUT, ATTEMPTS, Connection, RefusedError
from models.served.parts import FORMATS, Parts, pack
from models.served.replies import option_shares, read_reply

TOP_LOGPROBS = 20  # the most that OpenAI, vLLM and SGLang return
KEY_VARIABLE = "MCGURK_API_KEY"


class ServerModel(OmniModel):
    """One model of an OpenAI-compatible server.

    address: up to and including "/v1". model: its name there; None: the first one listed. video: "video_url" (one mp4;
    vLLM, SGLang) or "frames" (pictures; OpenAI). key: None reads MCGURK_API_KEY; it is sent to `address` only.
    system: prompt that is sent unless a question brings its own; None: what the model was trained with, where known, so
    that it is asked here as it is asked when it runs locally. processor: mm_processor_kwargs of vLLM.
    """

    adapters, can_look_inside = (BASE,), False

    def __init__(
        self,
        address: str,
        model: str | None = None,
        *,
        key: str | None = None,
        video: str = "video_url",
        system: str | None = None,
        processor: dict | None = None,
        timeout: float = ANSWER_TIMEOUT,
        attempts: int = ATTEMPTS,
        wait: Callable[[float], None] = time.sleep,
    ):
        if video not in FORMATS:
            raise McGurkError(f"A server takes video as {' or '.join(FORMATS)}, not as {video!r}.")
        key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        self.video, self.connection = video, Connection(address, key, timeout, attempts, wait)
        self.model, served = self._listed(model)
        self.name = f"{self.model} at {self.connection.where}"
        self.system = trained_system(served) if system is None else system
        self.processor, self.notes = processor or {}, ()
        self._logprobs = True  # until the server says that it has none
        self._all_frames = True  # until the server says that it can't be told

    def test_senses(self) -> tuple[str, ...]:
        """Ask about two made clips and keep what is missing for every receipt; see hearing.py."""
        self.notes = ()
        self.notes = hearing.test(self)
        return self.notes

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    def encode(self, stimulus: Stimulus) -> Parts:
        """Picture and sound as the server takes them: mp4 or pictures, and wav."""
        return pack(stimulus, self.video)

    def answer(
        self,
        encoded: Parts,
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
        """See OmniModel.answer. `attention` gives none; steering is refused: nobody can look or reach inside."""
        for adapter in adapters or self.adapters:
            if adapter not in self.adapters:
                raise McGurkError(f"There is no adapter {adapter!r}: {self.name} is one model, asked as it is.")
        if steering:
            raise McGurkError(f"{self.name} answers from a server: its attention cannot be steered.")
        unless(stop)
        started, max_new_tokens = time.perf_counter(), longest_answer(options, max_new_tokens)
        stimulus, system = encoded.stimulus, self.system if system is None else system
        user = wording.join(question, stimulus.text, stimulus.text_position)
        reply, notes = self._ask(encoded, user, max_new_tokens, system, bool(options))
        text, tops, usage = read_reply(reply, self.connection.where)
        shares = option_shares(tops, options) if options and tops else {}
        if options and not shares:
            notes += ("The server gave no log-probabilities of the options.",)
        elif options:
            notes += ("Option probabilities are read from the first token's log-probabilities.",)
        receipt = self._receipt(encoded, user, max_new_tokens, system, usage, encoded.notes + notes)
        yield BASE, Answer(text, shares, None, receipt, time.perf_counter() - started)

    def _ask(self, encoded: Parts, user: str, most: int, system: str | None, scored: bool):
        """(reply, notes). What a server refuses that it need not know is left out from then on."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": [*encoded.media, {"type": "text", "text": user}]})
        body = {"model": self.model, "messages": messages, "max_tokens": most, "temperature": 0, "seed": 0}
        is_video = bool(encoded.frames) and self.video == "video_url"
        while True:
            extra: dict = {"mm_processor_kwargs": self.processor} if self.processor else {}
            if is_video and self._all_frames:
                extra["media_io_kwargs"] = {"video": {"num_frames": encoded.frames}}  # vLLM would read 32 at most
            if scored and self._logprobs:
                extra |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
            try:
                reply = self.connection.request("POST", "/chat/completions", body | extra)
                break
            except RefusedError as error:
                if "logprob" in str(error).lower() and scored and self._logprobs:
                    self._logprobs = False
                elif is_video and self._all_frames and _names_extra(str(error)):
                    self._all_frames = False
                else:
                    raise
        told = () if self._all_frames or not is_video else ("The server can't be told to read every frame.",)
        return reply, told

    def _listed(self, model: str | None) -> tuple[str, str]:
        """(name, what is served under it) of the model of that name, or of the first; vLLM lists what it is a name for.

        A server that lists no models is asked for `model` all the same.
        """
        try:
            listed = {str(one["id"]): str(one.get("root") or one["id"]) for one in self._models()}
        except (RefusedError, KeyError, AttributeError, TypeError):
            listed = {}
        if not model and not listed:
            raise McGurkError(f"The server at {self.connection.where} lists no model: name one.")
        name = model or next(iter(listed))
        return name, listed.get(name, name)

    def _models(self) -> list:
        return self.connection.request("GET", "/models")["data"]

    def _receipt(self, encoded, user, most, system, usage, notes) -> Receipt:
        stimulus, media = encoded.stimulus, []
        for part in encoded.media:
            sent = json.dumps(part).encode()
            digest = hashlib.sha256(sent).hexdigest()[:12]
            media.append(f"<{part['type']} {len(sent)} bytes {digest}>")
        return Receipt(
            model=self.name,
            adapter=BASE,
            adapter_sha256="",
            tokens={"prompt": int(usage["prompt_tokens"])} if isinstance(usage.get("prompt_tokens"), int) else {},
            frames=encoded.frames,
            fps=float(stimulus.fps) if encoded.frames else 0.0,
            frame_size=tuple(stimulus.frames.shape[1:3]) if encoded.frames else (0, 0),
            audio_seconds=0.0 if stimulus.waveform is None else round(len(stimulus.waveform) / SAMPLE_RATE, 3),
            prompt=(f"[system] {system}\n" if system else "") + "[user] " + "".join(media) + user,
            decoding=f"greedy, at most {most} tokens",
            seed=0,
            versions={"server": self.connection.address, "httpx": httpx.__version__},
            notes=("What the server does with picture and sound cannot be seen from here.", *self.notes, *notes),
        )


def trained_system(model: str) -> str:
    """System prompt that a served model was trained with, by its name; "" where none is known."""
    for family in FAMILIES:
        if family.name.lower() in model.lower():
            return family.system
    return ""


def _names_extra(reason: str) -> bool:
    """Whether a refusal is about a field that the protocol does not have."""
    return any(word in reason.lower() for word in ("media_io_kwargs", "extra", "unknown", "unrecognized", "unexpected"))
