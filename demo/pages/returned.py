"""What the named endpoints take and give, as types from which their description is written.

Knows names and types. Does not know how any of it is computed.
"""

from typing import Any, Literal, TypedDict

import gradio as gr

from demo import conflicts, questions
from demo.visitors import state

Sound = Literal[conflicts.SOUNDS]
Picture = Literal[conflicts.PICTURES]
Text = Literal[conflicts.TEXTS]
Position = Literal[conflicts.POSITIONS]
Question = Literal[questions.KINDS]
View = Literal[state.VIEWS]
Followed = Literal["picture", "sound", "text", "both", "abstained", "other", "untold"]
Perceived = dict[str, list[tuple[str, float]]]  # "picture", "sound" -> (name, score), best first


class Composed(TypedDict):
    """What compose returns."""

    video: gr.FileData  # an mp4, as a visitor sees it
    seen: str | None  # what is true of the picture; None: nothing, or nobody told
    heard: str | None
    read: str | None  # what the text claims
    untold: list[str]  # the senses of which nobody told: "picture", "sound"
    perceived: Perceived  # names to offer for what is there, by the encoders alone
    notices: list[str]  # what was trimmed, missing or left aside


class Answered(TypedDict):
    """One adapter's answer."""

    answer: str
    options: dict[str, float]  # probability of each, summing to 1
    followed: Followed
    attention_share: dict[str, Any] | None  # raw and per token, by kind of token, a number a layer
    perceived: Perceived
    receipt: dict[str, Any]  # what the model really received
    seconds: float


class Asked(TypedDict):
    """What ask returns."""

    base: Answered
    aligned: Answered
    question: dict[str, Any]  # kind, text, options, prompt
    stimulus: dict[str, Any]  # seen, heard, read, untold, text, frames, sizes, lengths
    receipt: dict[str, Any]  # what both adapters received alike
    perceived: Perceived  # as in Composed, of what was played
    seconds: float


class Does(TypedDict):
    """An intervention."""

    id: str
    word: str  # as in links
    values: dict[str, Any]  # of its controls, what differs from the default
    does: str  # a sentence
    paper: str
    fails: str  # where


class Intervened(Does):
    """What intervene returns."""

    base: Answered
    aligned: Answered
    seconds: float


class Swept(Does):
    """What sweep returns."""

    stopped: bool  # whether points are missing
    axis: str
    label: str
    x: list[float]
    points: dict[str, list[dict[str, float]]]  # adapter -> probability of each option at each x
    plain: dict[str, dict[str, float]]  # the same with nothing done


class Looked(TypedDict):
    """One adapter's attention."""

    video: list[list[list[float]]]  # times x rows x columns
    frame_times: list[float]  # s
    audio: list[float]
    spans: list[tuple[float, float]]  # s, start and end of each value of audio
    words: list[tuple[str, float]]


class Attended(TypedDict, total=False):
    """What attention returns."""

    base: Looked
    aligned: Looked
    film: gr.FileData  # an mp4 with both overlays, where it was asked for
