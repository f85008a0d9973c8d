"""A model behind any OpenAI-compatible server (vLLM or SGLang, hosted APIs): asked, never looked into.

Knows the chat-completions protocol: video, audio and text parts, log-probabilities, faults worth a second try. Does not
know which model answers there, and gets no attention from it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import imageio_ffmpeg
import numpy as np
import soundfile

from models import hearing, wording
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

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504}  # a busy or failing server may recover; 400 or 401 will not
ATTEMPTS = 4
FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0  # s; doubled after every attempt, with up to half as much again at random
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 10.0, 120.0  # s
LARGEST_REPLY = 4 * 1024**2  # bytes; an answer is a few kB
TOP_LOGPROBS = 20  # the most that OpenAI, vLLM and SGLang return
FRAME_LIMIT = 32  # pictures sent where a server takes no video
FORMATS = ("video_url", "frames")
KEY_VARIABLE = "MCGURK_API_KEY"


@dataclass(frozen=True, eq=False)
class Parts:
    """A stimulus as content parts of one user message, encoded once."""

    stimulus: Stimulus
    media: tuple[dict, ...]
    frames: int
    notes: tuple[str, ...]


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
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise McGurkError(f"{address!r} is no server address: give one such as http://localhost:8000/v1.")
        if video not in FORMATS:
            raise McGurkError(f"A server takes video as {' or '.join(FORMATS)}, not as {video!r}.")
        self.address, self.video, self.attempts, self._wait = address.rstrip("/"), video, max(1, attempts), wait
        key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            follow_redirects=False,  # a key must not travel to another address
        )
        self._where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self.model = model or self._first_model()
        self.name = f"{self.model} at {self._where}"
        self.system = trained_system(self.model) if system is None else system
        self.processor, self.notes = processor or {}, ()
        self._logprobs = True  # until the server says that it has none
        self._all_frames = True  # until the server says that it can't be told

    def test_senses(self) -> tuple[str, ...]:
        """Ask about two made clips and keep what is missing for every receipt; see models/hearing.py."""
        self.notes = ()
        self.notes = hearing.test(self)
        return self.notes

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def encode(self, stimulus: Stimulus) -> Parts:
        """Picture and sound as the server takes them: mp4 or pictures, and wav."""
        media, notes, frames, fps = [], [], 0, stimulus.fps
        if stimulus.frames is not None and len(stimulus.frames):
            if self.video == "video_url":
                media.append(_part("video_url", _mp4(stimulus.frames, stimulus.fps), "video/mp4"))
                frames = len(stimulus.frames)
                notes.append(f"The picture was sent as one mp4 (h264) of {frames} frames at {fps:g} a second.")
            else:
                chosen = np.unique(np.linspace(0, len(stimulus.frames) - 1, FRAME_LIMIT).round().astype(int))
                media += [_part("image_url", _jpeg(stimulus.frames[i]), "image/jpeg") for i in chosen]
                frames = len(chosen)
                notes.append(f"The picture was sent as {frames} JPEG images, without their times.")
                if frames < len(stimulus.frames):
                    notes.append(f"{frames} of {len(stimulus.frames)} frames were sent, evenly spread.")
        if stimulus.waveform is not None and len(stimulus.waveform):
            data = base64.b64encode(_wav(stimulus.waveform)).decode()
            media.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
            notes.append("The sound was sent as a WAV part of its own, beside the picture and not inside it.")
        return Parts(stimulus, tuple(media), frames, tuple(notes))

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
        text, tops, usage = _read_reply(reply, self._where)
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
                reply = self._request("POST", "/chat/completions", body | extra)
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

    def _first_model(self) -> str:
        listed = self._request("GET", "/models")
        try:
            return str(listed["data"][0]["id"])
        except (KeyError, IndexError, TypeError) as error:
            raise McGurkError(f"The server at {self._where} lists no model: name one.") from error

    def _request(self, method: str, path: str, body: dict | None = None) -> dict:
        """One request, tried again with growing pauses while there is hope. Raises McGurkError with the reason."""
        problem, asked = "", None
        for attempt in range(self.attempts):
            if attempt:
                self._wait(self._pause(attempt, asked))
            asked = None
            try:
                status, headers, content = self._send(method, path, body)
            except httpx.TimeoutException:
                problem = "it did not answer in time"
                continue
            except httpx.TransportError as error:
                problem = f"the connection failed ({type(error).__name__})"
                continue
            if status in RETRIED:
                problem, asked = f"it answered {status} ({_reason(content)})", headers.get("retry-after")
                continue
            if status >= 300:
                raise RefusedError(f"The server at {self._where} refused ({status}): {_reason(content)}")
            try:
                reply = json.loads(content)
            except ValueError:
                problem = "its answer was not JSON"
                continue
            if isinstance(reply, dict):
                return reply
            problem = "its answer was not an object"
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        raise McGurkError(f"The server at {self._where} was asked {times}: {problem}. Try again later or ask another.")

    def _send(self, method: str, path: str, body: dict | None) -> tuple[int, httpx.Headers, bytes]:
        with self._client.stream(method, self.address + path, json=body) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LARGEST_REPLY:
                    raise McGurkError(f"The server at {self._where} sends more than an answer: is this a chat server?")
            return response.status_code, response.headers, bytes(content)

    @staticmethod
    def _pause(attempt: int, asked: str | None) -> float:
        """Seconds before another attempt: what the server asked for, or twice as long as before."""
        pause = FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(1.0, 1.5)
        if asked and asked.strip().isdigit():
            pause = max(pause, float(asked))
        return min(pause, LONGEST_WAIT)

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
            versions={"server": self.address, "httpx": httpx.__version__},
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


class RefusedError(McGurkError):
    """The server understood and said no: asking again the same way is of no use."""


def option_shares(tops: Sequence[tuple[str, float]], options: Sequence[str]) -> dict[str, float]:
    """Probability of each option, from (token, log-probability) pairs of the first generated token.

    A token speaks for the options that begin with it (leading spaces and case aside); one that fits several is shared
    among them. {} if no token fits any.
    """
    weights = dict.fromkeys(options, 0.0)
    for token, logprob in tops:
        start = token.strip().lower()
        fitting = [option for option in options if start and option.lower().startswith(start)]
        for option in fitting:
            weights[option] += math.exp(min(logprob, 0.0)) / len(fitting)
    total = sum(weights.values())
    return {option: weight / total for option, weight in weights.items()} if total > 0 else {}


def _read_reply(reply: dict, where: str) -> tuple[str, list[tuple[str, float]], dict]:
    """(text, the first token's candidates, usage). Raises McGurkError when there is no answer in it."""
    try:
        choice = reply["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise McGurkError(f"The server at {where} sent no answer ({_reason(json.dumps(reply).encode())}).") from error
    if not isinstance(text, str):
        raise McGurkError(f"The server at {where} sent an answer without text: does the model write text?")
    usage = reply.get("usage") if isinstance(reply.get("usage"), dict) else {}
    return text.strip(), _first_candidates(choice.get("logprobs")), usage


def _first_candidates(logprobs) -> list[tuple[str, float]]:
    """(token, log-probability) of the first token that says anything."""
    try:
        for step in logprobs["content"]:
            if step["token"].strip():
                return [(str(top["token"]), float(top["logprob"])) for top in step["top_logprobs"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return []


def _reason(content: bytes) -> str:
    """The server's own words, one line."""
    text = content.decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
        error = said.get("error", said.get("message", said)) if isinstance(said, dict) else said
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        pass
    text = " ".join(text.split())
    return text[:200] or "no reason given"


def _part(kind: str, data: bytes, mime: str) -> dict:
    return {"type": kind, kind: {"url": f"data:{mime};base64,{base64.b64encode(data).decode()}"}}


def _wav(waveform: np.ndarray) -> bytes:
    with io.BytesIO() as buffer:
        soundfile.write(buffer, waveform, SAMPLE_RATE, format="WAV", subtype="PCM_16")
        return buffer.getvalue()


def _jpeg(frame: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _mp4(frames: np.ndarray, fps: float) -> bytes:
    """Frames at their true rate as h264; one row or column is repeated where a side is odd."""
    frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    height, width = frames.shape[1:3]
    with tempfile.TemporaryDirectory(prefix="mcgurk-") as scratch:
        out = Path(scratch) / "video.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "rawvideo"]
        command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "pipe:0", "-c:v", "libx264"]
        command += ["-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(out)]
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, timeout=120)
        if done.returncode:
            raise McGurkError(f"The frames could not be packed for the server: {done.stderr.decode()[-200:]}")
        return out.read_bytes()
