"""A release measured with random weights: from a folder with a configuration and a processor alone, tiny here."""

import numpy as np
import pytest
import torch

from models import speed
from models.interventions import INTERVENTIONS
from models.omni import ALIGNED, BASE, McGurkError
from models.pretrained import loading, visit
from tests import tiny_gemma, tiny_omni

CLIP = visit.Shown(2, 2.0, 112, 84)


@pytest.fixture(scope="module", params=("Qwen2.5-Omni", "Qwen3-Omni", "Gemma 4", "Gemma 4 without encoders"))
def folder(request, tmp_path_factory):
    """config.json and the processor's files of a release, and no weights."""
    name, made = request.param, tmp_path_factory.mktemp("release")
    tiny = tiny_gemma if name.startswith("Gemma") else tiny_omni
    processor, config = tiny.processor(name), tiny.config(name)
    config.architectures = [tiny_omni.family(name).model]
    config.save_pretrained(made)
    processor.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def model(folder):
    return loading.load_random(str(folder), device="cpu", dtype=torch.float32)


def test_both_answers_are_there_and_differ_inside(model):
    answers = visit.Visit(model).answered(CLIP.stimulus())
    assert set(answers) == {BASE, ALIGNED}
    rows = [answers[name].attention.rows.astype(np.float32) for name in (BASE, ALIGNED)]
    for row in rows:
        assert np.isfinite(row).all()
        np.testing.assert_allclose(row[:, :, 0].sum(-1), 1.0, atol=1e-2)
    assert np.abs(rows[0][:, :, 0] - rows[1][:, :, 0]).max() > 0
    assert any("random" in note for note in answers[BASE].receipt.notes)


def test_every_step_is_timed_and_says_how_long_the_prompt_is(model):
    rows = list(visit.Visit(model, repeats=1).answers(CLIP))
    assert len({row.step for row in rows}) == len(rows) == 5
    expected = len(model.layout.prompt(model.encode(CLIP.stimulus()).media, visit.QUESTION).ids)
    assert all(row.tokens == expected and row.seconds > 0 and not row.failed for row in rows)


def test_a_clip_that_is_new_is_encoded_every_time(model, monkeypatch):
    encoded = []
    monkeypatch.setattr(model, "_encode", lambda given, real=model._encode: encoded.append(given) or real(given))
    seen = visit.Visit(model, repeats=2)
    assert len(list(seen.answers(CLIP))) == 5
    fresh, kept = 2 * 3, 2  # two steps of three runs; the clip itself, forgotten meanwhile
    assert len(encoded) == fresh + kept


def test_an_intervention_is_timed_and_what_fails_is_told(model):
    chosen = {id: INTERVENTIONS[id] for id in ("listen", "sinks")}
    seen = visit.Visit(model, repeats=1)
    assert [row.step.rsplit(" ", 1)[1] for row in seen.steered(CLIP, 1, chosen)] == list(chosen)

    def refuse(given):
        raise McGurkError("There is no memory left.")

    row = seen._row(CLIP, 3, "step", refuse)
    assert row.failed and "There is no memory left." in visit.line(row)


def test_the_command_prints_a_table(model, monkeypatch, capsys):
    monkeypatch.setattr(loading, "load_random", lambda name: model)
    monkeypatch.setattr(visit.Visit, "rows", lambda self: self.answers(CLIP))
    speed.main(["--random", "it", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("it, random weights") and sum("2 s of 112 x 84" in line for line in lines) == 5


def test_a_name_that_nobody_knows_is_refused():
    with pytest.raises(McGurkError, match="There is no model"):
        loading.load_random("qwen9")
