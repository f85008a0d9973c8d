"""A learned nothing: what stands in for a sense, and that learning it changes nothing else."""

import numpy as np
import pytest
import torch

from models.interventions import Guidance
from models.interventions.intervention import LEARNED, PICTURE, SOUND, TEXT
from models.mini import checkpoint, nothing
from models.mini.reading import Encoded
from models.omni import BASE, McGurkError, Stimulus
from tests.test_mini import tiny

NOTHINGS = {PICTURE: torch.randn(49, 24), SOUND: torch.randn(6, 24)}


def encoded(frames: int, patches: int) -> Encoded:
    vision = torch.randn(49 * frames, 24) if frames else None
    sound = torch.randn(6 * patches, 24) if patches else None
    return Encoded(Stimulus(None, 1.0, None), vision, sound, np.zeros(frames), patches, {}, {}, (b"seen", b"heard"))


def test_a_nothing_stands_for_every_frame_and_every_patch_and_is_no_clip_that_was_read():
    given = encoded(2, 3)
    blind = nothing.in_place(given, {PICTURE}, NOTHINGS)
    assert torch.equal(blind.vision, torch.cat([NOTHINGS[PICTURE]] * 2)) and blind.sound is given.sound
    assert blind.media == (b"nothing", b"heard")
    neither = nothing.in_place(given, {PICTURE, SOUND}, NOTHINGS)
    assert torch.equal(neither.sound, torch.cat([NOTHINGS[SOUND]] * 3)) and neither.media == (b"nothing", b"nothing")
    assert given.media == (b"seen", b"heard")


@pytest.mark.parametrize(
    "given, without, nothings, said",
    [
        (encoded(0, 1), PICTURE, NOTHINGS, "There is no picture here"),
        (encoded(1, 0), SOUND, NOTHINGS, "There is no sound here"),
        (encoded(1, 1), TEXT, NOTHINGS, "no learned nothing for a text"),
        (encoded(1, 1), SOUND, None, "has not learnt what nothing"),
    ],
)
def test_what_can_not_be_done_is_said(given, without, nothings, said):
    with pytest.raises(McGurkError, match=said):
        nothing.in_place(given, {without}, nothings)


def lesson() -> dict:
    """Two rows of a frame and a patch, a question and an answer of two tokens."""
    row = [5, *[49152] * 49, *[49153] * 6, 7, 8, 9, 10]
    ids = torch.tensor([row, row])
    labels = torch.full_like(ids, -100)
    labels[:, -2:] = ids[:, -2:]
    return {
        "input_ids": ids, "labels": labels, "position_ids": torch.arange(len(row)).expand(2, -1),
        "attention_mask": torch.ones(len(row), len(row), dtype=torch.bool).tril()[None, None].expand(2, -1, -1, -1),
        "vision_features": torch.randn(2, 7, 7, 1280), "sound_features": torch.randn(2, 3, 2, 1024),
        "media": [{"frames": 1, "patches": 1}] * 2,
    }  # fmt: skip


def test_a_row_loses_its_own_sense_and_only_the_nothing_learns():
    model, inputs, gone = tiny().requires_grad_(False), lesson(), [PICTURE, SOUND]
    plain = model(**inputs).loss
    same = {
        PICTURE: model.project_vision(inputs["vision_features"][:1]),
        SOUND: model.project_sound(inputs["sound_features"][1:]),
    }
    assert torch.equal(nothing.loss(model, inputs, gone, None), plain)
    assert torch.equal(nothing.loss(model, inputs, gone, same), plain)  # what was there in place of what was there
    learning = {sense: value.clone().requires_grad_() for sense, value in NOTHINGS.items()}
    found = nothing.loss(model, inputs, gone, learning)
    for row, seen in ((0, False), (1, True)):  # the frame of row 0 gave way
        others = inputs["vision_features"].clone()
        others[row] = torch.randn(7, 7, 1280)
        again = nothing.loss(model, inputs | {"vision_features": others}, gone, learning)
        assert torch.equal(again, found) is not seen
    found.backward()
    assert all(value.grad.abs().max() > 0 for value in learning.values())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.mini
def test_mini_has_learnt_what_nothing_looks_and_sounds_like(mini):
    shipped = nothing.load(checkpoint.TRAINED)
    hidden = mini.inner.config.text_config.hidden_size
    assert {sense: value.shape for sense, value in shipped.items()} == {PICTURE: (49, hidden), SOUND: (6, hidden)}
    first = nothing.at_first(mini.inner)
    assert all((shipped[sense].float() - first[sense].float()).abs().max() > 0.01 for sense in shipped)
    rng = np.random.default_rng(0)
    stimulus = Stimulus(rng.integers(0, 256, (2, 64, 64, 3), np.uint8), 2.0, rng.normal(0, 0.1, 16_000))
    encoded = mini.encode(stimulus)
    found = {}
    for stand_in in ("removed", "blank", LEARNED):
        how = {"adapters": (BASE,), "attention": False, "steering": Guidance(sound=1.0, stand_in=stand_in)}
        [(_, answer)] = mini.answer(encoded, "What do you hear?", ("rain", "dog"), max_new_tokens=1, **how)
        found[stand_in] = answer.options["rain"]
    assert len(set(found.values())) == 3
    assert answer.receipt.intervention["notes"] == ["As many learned tokens stand in its place."]
