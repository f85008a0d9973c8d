"""The hearing test tells who gets the picture and the sound; what a server is sent beside them, and what it refuses."""

import numpy as np
import pytest

from models.fake import FakeModel
from models.omni import BASE, McGurkError, Stimulus
from models.pretrained.families import FAMILIES
from models.served import hearing
from models.served.backend import ServerModel, trained_system
from tests.served.test_backend import QUESTION, chat, model, pauses, stimulus  # noqa: F401  fixtures


class Listener(FakeModel):
    """Looks at the pixels and the samples that it really got; `lost`: what is dropped on the way."""

    def __init__(self, *lost: str):
        super().__init__()
        self.lost = lost

    def answer(self, encoded, question, options=(), **how):
        red = encoded.frames[..., 0].mean() > encoded.frames[..., 2].mean() or "picture" in self.lost
        loud = np.abs(encoded.waveform).max() > 0.1 and "sound" not in self.lost
        text = f"{'Red' if red else 'Blue'} and {'a beep' if loud else 'silence'}."
        assert text[:-1].lower() in question.lower()
        for adapter, answer in super().answer(encoded, question, **how):
            object.__setattr__(answer, "text", text)
            yield adapter, answer


def test_whoever_gets_both_passes():
    assert hearing.test(Listener()) == ()


@pytest.mark.parametrize("lost", ("sound", "picture"))
def test_what_is_dropped_on_the_way_is_named(lost):
    (said,) = hearing.test(Listener(lost))
    assert f"does not seem to get the {lost} (" in said and said.startswith("HEARING TEST FAILED")
    (both,) = hearing.test(Listener("sound", "picture"))
    assert "the picture and the sound" in both


def test_a_test_that_cannot_be_made_is_no_pass(monkeypatch):
    def refuse(*_, **__):
        raise McGurkError("busy")
        yield

    monkeypatch.setattr(FakeModel, "answer", refuse)
    assert hearing.test(FakeModel()) == ("Whether it hears could not be tested: busy",)


def test_a_served_model_that_gets_no_sound_says_so_on_every_receipt(model, chat, stimulus):  # noqa: F811
    assert "HEARING TEST FAILED" in model.test_senses()[0]  # it says "rain" to everything
    assert len(chat.seen) == 2 and "a beep" in chat.seen[0][2]["messages"][-1]["content"][-1]["text"]
    notes = model.ask(stimulus, QUESTION)[BASE].receipt.notes
    assert any("HEARING TEST FAILED" in note for note in notes)
    assert any("one mp4 (h264) of 6 frames at 2 a second" in note for note in notes)
    assert any("WAV part of its own" in note for note in notes)


def test_every_frame_is_asked_for_until_a_server_refuses_to_be_told(model, chat, stimulus):  # noqa: F811
    model.ask(stimulus, QUESTION)
    assert chat.seen[-1][2]["media_io_kwargs"] == {"video": {"num_frames": 6}}
    model.ask(Stimulus(None, 1.0, stimulus.waveform), QUESTION)
    assert "media_io_kwargs" not in chat.seen[-1][2]
    chat.faults = ["extra"]
    notes = model.ask(stimulus, QUESTION)[BASE].receipt.notes
    assert "media_io_kwargs" in chat.seen[-2][2] and "media_io_kwargs" not in chat.seen[-1][2]
    assert "The server can't be told to read every frame." in notes
    count = len(chat.seen)
    model.ask(stimulus, QUESTION)
    assert len(chat.seen) == count + 1 and "media_io_kwargs" not in chat.seen[-1][2]


def test_a_served_model_gets_the_prompt_it_gets_at_home(chat, stimulus):  # noqa: F811
    served = ServerModel(chat.address, "Qwen/Qwen2.5-Omni-7B", processor={"fps": 2})
    receipt = served.ask(stimulus, QUESTION)[BASE].receipt
    body = chat.seen[-1][2]
    assert body["messages"][0] == {"role": "system", "content": FAMILIES[0].system}
    assert body["mm_processor_kwargs"] == {"fps": 2} and receipt.prompt.startswith("[system] You are Qwen")
    served.ask(stimulus, QUESTION, system="Be brief.")
    assert chat.seen[-1][2]["messages"][0]["content"] == "Be brief."
    chat.models = [{"id": "other", "root": "somebody/omni"}, {"id": "omni", "root": "/weights/Qwen2.5-Omni-3B"}]
    assert ServerModel(chat.address, "omni").system == FAMILIES[0].system  # known by what is served under that name
    assert ServerModel(chat.address).model == "other" and ServerModel(chat.address).system == ""
    chat.lists = 404
    assert ServerModel(chat.address, "Qwen2.5-Omni").system == FAMILIES[0].system
    with pytest.raises(McGurkError, match="lists no model: name one"):
        ServerModel(chat.address)
    own = ServerModel(chat.address, "somebody/omni", system="You are a helpful assistant.")
    own.ask(stimulus, QUESTION)
    assert chat.seen[-1][2]["messages"][0]["content"] == "You are a helpful assistant."
    assert trained_system("somebody/omni") == trained_system("Qwen/Qwen3-Omni-30B-A3B-Instruct") == ""
