"""A stimulus as a chat server takes it: content parts of one user message."""

from __future__ import annotations

import base64
import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

from models.omni import SAMPLE_RATE, McGurkError, Stimulus

FRAME_LIMIT = 32  # pictures sent where a server takes no video
FORMATS = ("video_url", "frames")


@dataclass(frozen=True, eq=False)
class Parts:
    """A stimulus as content parts of one user message, encoded once."""

    stimulus: Stimulus
    media: tuple[dict, ...]
    frames: int
    notes: tuple[str, ...]


def pack(stimulus: Stimulus, video: str) -> Parts:
    """Picture, as one mp4 ("video_url") or as pictures ("frames"), and sound, as wav."""
    media, notes, frames, fps = [], [], 0, stimulus.fps
    if stimulus.frames is not None and len(stimulus.frames):
        if video == "video_url":
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
