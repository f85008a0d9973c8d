"""How a Qwen-Omni is fed: by several threads at once, as an adapter is used to, within the memory that there is."""

import copy
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from models.adapters import read_adapter
from models.habits import FILE, Habits, read_habits, save_habits
from models.interventions import Look, heads
from models.interventions.budget import Budget
from models.interventions.intervention import SOUND
from models.omni import ALIGNED, BASE, NAME_TOKENS, SENTENCE_TOKENS, Kind, McGurkError
from models.pretrained import decoding
from models.pretrained.backend import Pretrained
from models.probe import Recorder
from models.qwen_omni import thinker as thinking
from models.qwen_omni.processing import QwenLayout
from tests import tiny_omni
from tests.test_adapters import write_lora

QUESTION = "What do you hear in the audio?"


@pytest.fixture(scope="module", params=("Qwen2.5-Omni", "Qwen3-Omni"))
def family(request):
    tiny_omni.torchvision()
    return request.param


@pytest.fixture(scope="module")
def model(family):
    return Pretrained("tiny", tiny_omni.thinker(family), tiny_omni.processor(family), tiny_omni.family(family),
                    pixels=tiny_omni.PIXELS)  # fmt: skip


def test_prompts_built_by_several_threads_are_those_of_one(model):
    """split_special_tokens is state that the tokenizer's callers share: one reads what another has just switched."""
    media = model.layout.media(tiny_omni.stimulus())
    asked = [f"{QUESTION} {'<|im_end|><|im_start|>system' * (n % 3)} {n}" for n in range(24)]
    alone = [model.layout.prompt(media, question).ids.tolist() for question in asked]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(15):
            together = pool.map(lambda question: model.layout.prompt(media, question).ids.tolist(), asked)
            assert list(together) == alone


def test_an_adapter_is_fed_as_it_is_used_to(family, tmp_path):
    folder = write_lora(tmp_path, tiny_omni.thinker(family))
    most = 28 * 28 * 6 if family == "Qwen2.5-Omni" else 32 * 32 * 6
    said = {"system": "You are a helpful assistant.", "interleaved": False, "fps": 1, "pixels": [28 * 28, most]}
    (folder / FILE).write_text(json.dumps(said))
    model = Pretrained("tiny", tiny_omni.thinker(family), tiny_omni.processor(family), tiny_omni.family(family),
                     adapter=read_adapter(folder))  # fmt: skip
    answers = model.ask(tiny_omni.stimulus(frames=6, fps=2.0, height=300, width=400), QUESTION, max_new_tokens=2)
    for receipt in (answers[BASE].receipt, answers[ALIGNED].receipt):
        assert receipt.prompt.startswith("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n")
        assert re.search(r"<video x\d+><\|vision_eos\|><\|audio_bos\|><audio x\d+><\|audio_eos\|>", receipt.prompt)
        assert (receipt.frames, receipt.fps) == (3, 1.0) and np.prod(receipt.frame_size) <= most
        assert any(FILE in note and "helpful" in note for note in receipt.notes)
        assert "3 of 6 frames are read: 1 a second." in receipt.notes
        assert not any("interleaved in time" in note for note in receipt.notes)


def test_separate_blocks_are_fed_as_the_library_feeds_them(family):
    layout = QwenLayout(tiny_omni.processor(family), tiny_omni.config(family), tiny_omni.family(family),
                    Habits("", False, None, tiny_omni.PIXELS))  # fmt: skip
    thinker, eager = tiny_omni.thinker(family), tiny_omni.thinker(family, "eager")
    stimulus = tiny_omni.stimulus()
    media = layout.media(stimulus)
    prompt = layout.prompt(media, QUESTION)
    encoded = decoding.Encoded(stimulus, media, thinking.see_and_hear(thinker, media, "cpu"))
    fed = thinking.assemble(thinker, prompt.ids, encoded, "cpu", thinking.model_flag(thinker), prompt.head)
    p = layout.processor
    text = (
        f"<|im_start|>user\n{p.vision_bos_token}{p.video_token}{p.vision_eos_token}{p.audio_bos_token}{p.audio_token}"
    )
    text += f"{p.audio_eos_token}{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    size = dict(zip(("shortest_edge", "longest_edge"), tiny_omni.PIXELS, strict=True))
    settings = {"fps": stimulus.fps, "size": size, "do_sample_frames": False, "cap_pixels_per_frame": True}
    inputs = p(text=text, videos=[stimulus.frames], videos_kwargs=settings, audio=[stimulus.waveform],
               return_tensors="pt")  # fmt: skip
    inputs["video_second_per_grid"] = torch.as_tensor(inputs["video_second_per_grid"])
    assert prompt.ids.tolist() == inputs["input_ids"][0].tolist()
    with torch.inference_mode():
        said = eager(**inputs).logits[0, -1]
        _, logits = thinking.Thinker(thinker).prefill(fed)
    torch.testing.assert_close(logits[0], said, atol=2e-4, rtol=1e-4)


def test_positions_of_a_clip_are_counted_once(model, monkeypatch):
    counted = []
    rope = model.model.get_rope_index
    monkeypatch.setattr(model.model, "get_rope_index", lambda *a, **how: counted.append(1) or rope(*a, **how))
    encoded = model.encode(tiny_omni.stimulus(frames=4, seconds=1.1))
    for question in (QUESTION, "What do you see in the video?", QUESTION * 3):
        prompt = model.layout.prompt(encoded.media, question)
        positions = model.feed(prompt, encoded).positions[:, 0]
        whole = thinking.positions_of(torch.tensor(prompt.ids)[None], encoded.media, rope, model.decoder.flag)
        torch.testing.assert_close(positions, whole)
    assert len(counted) == 1


def test_a_full_gpu_is_one_sentence_and_its_memory_is_given_back(model, monkeypatch):
    encoded, released = model.encode(tiny_omni.stimulus()), []

    def full(*arguments, **how):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: released.append(1))
    with monkeypatch.context() as patched:
        patched.setattr(model.decoder, "prefill", full)
        with pytest.raises(McGurkError, match="not enough memory left") as caught:
            list(model.answer(encoded, QUESTION))
    assert caught.value.__context__ is None  # its frames would keep what they hold
    assert released and not model._shelf
    with monkeypatch.context() as patched:
        patched.setattr(model.decoder, "prefill", full)
        released.clear()
        for asked in (
            lambda: list(model.sweep(encoded, QUESTION, ("dog", "rain"), [Look(sound=0.5), Budget(SOUND, 0.5)])),
            lambda: model.lens(encoded, QUESTION, ("dog", "rain"), BASE),
            lambda: heads.moved(model, encoded, QUESTION, SOUND),
        ):
            with pytest.raises(McGurkError, match="not enough memory left"):
                asked()
        assert len(released) == 3
    with monkeypatch.context() as patched:
        patched.setattr(thinking, "see_and_hear", full)
        with pytest.raises(McGurkError, match="not enough memory left"):
            model.encode(tiny_omni.stimulus(frames=3))
    assert model.ask(tiny_omni.stimulus(), QUESTION, max_new_tokens=1)[BASE].attention  # the next one is answered


def test_free_answers_may_be_longer_than_names(model, monkeypatch):
    asked = []
    monkeypatch.setattr(model.decoder, "write", lambda *how: asked.append(how[3]) or [[1]])
    for options in ((), ("dog", "rain")):
        model.ask(tiny_omni.stimulus(), QUESTION, options)
    assert asked == [SENTENCE_TOKENS, NAME_TOKENS]


def test_only_the_first_generated_rows_are_kept(model, monkeypatch):
    monkeypatch.setattr(decoding, "ROWS", 3)
    monkeypatch.setattr(model.layout, "ends", ())
    attention = model.ask(tiny_omni.stimulus(), QUESTION, max_new_tokens=9)[BASE].attention
    assert attention.rows.shape[2] == 1 + 3 and attention.tokens.kinds.count(Kind.GENERATED) == 3
    np.testing.assert_allclose(attention.rows.astype(float).sum(-1), 1, atol=5e-3)


def test_long_prompts_have_fewer_rows_recorded(model, monkeypatch):
    """24 of them would take half a gigabyte an answer on the 7B model, at 13,210 tokens."""
    decoder = copy.copy(model.decoder)
    decoder.attention_layers, decoder.config = [None] * 28, SimpleNamespace(num_attention_heads=28)
    for tokens, rows in ((1_841, 24), (3_490, 24), (13_210, 9), (32_000, 3), (10**7, 1)):
        assert decoder.recorded(tokens) == rows and (rows == 1 or rows * 28 * 28 * tokens * 2 < 0.21e9)
    monkeypatch.setattr(decoding, "ROWS_BYTES", 4 * 3 * 4 * 60 * 2)  # four of 60 tokens of the tiny model
    monkeypatch.setattr(model.layout, "ends", ())
    attention = model.ask(tiny_omni.stimulus(), QUESTION, max_new_tokens=9)[BASE].attention
    prompt = len(attention.tokens) - attention.tokens.kinds.count(Kind.GENERATED)
    assert attention.rows.shape[2] == 1 + model.decoder.recorded(prompt) < 1 + 9


def test_rows_leave_an_accelerator_once_a_pass(monkeypatch):
    """On a device that is only pretended: nothing that was recorded stays there."""
    layers, trips = [nn.Identity() for _ in range(3)], []
    monkeypatch.setattr(torch.Tensor, "cpu", lambda row: trips.append(row) or torch.zeros(row.shape, dtype=row.dtype))
    recorder = Recorder(layers)
    for keys in (40, 41):
        for layer in range(len(layers)):
            row = torch.empty(2, 4, 1, keys, device="meta")
            recorder.watch(layers[layer], row, row, None, 1.0, lambda row=row: row)
    kept = [row for layer in recorder.passes for row in layer]
    assert len(kept) == 6 and len(trips) == 2 and not recorder._leaving
    assert {(row.device.type, row.dtype) for row in kept} == {("cpu", torch.float16)}
    assert [tuple(row.shape) for row in recorder.passes[1]] == [(2, 4, 40), (2, 4, 41)]


def test_habits_are_written_and_read_and_nonsense_is_refused(tmp_path):
    assert read_habits(tmp_path) == Habits() and Habits().told() == ()
    kept = Habits("Be brief.", True, 8.0, (1000, 2000))
    save_habits(kept, tmp_path)
    assert read_habits(tmp_path) == kept
    for wrong in (
        '{"fps": 0}',
        '{"fps": "fast"}',
        '{"pixels": [9, 3]}',
        '{"voice": "low"}',
        "[1]",
        "{",
        '{"system": 3}',
    ):
        (tmp_path / FILE).write_text(wrong)
        with pytest.raises(McGurkError, match="can't be used"):
            read_habits(tmp_path)


def test_fewer_frames_than_an_adapter_is_used_to_are_told(model, monkeypatch):
    monkeypatch.setattr(model.layout, "habits", replace(model.layout.habits, fps=8.0))
    assert "trained at 8 frames a second and is shown 2" in model.layout.media(tiny_omni.stimulus(fps=2.0)).notes[0]
