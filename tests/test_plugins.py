"""Models from elsewhere: found by path and by name, refused with a sentence; the example of docs/ as anybody's."""

import sys
from types import ModuleType

import numpy as np
import pytest

from demo import cli
from demo.compare import compare
from demo.questions import question
from docs.meter import Meter
from models import plugins, registry
from models.fake import FakeModel
from models.interventions import Look
from models.omni import BASE, McGurkError, Stimulus
from models.wording import ALTERNATIVE


@pytest.fixture
def elsewhere(monkeypatch):
    """A package that somebody installed: a module to put factories into."""
    module = ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    return module


def test_the_example_answers_from_what_it_is_given():
    model = registry.load_model("docs.meter:load")
    assert isinstance(model, Meter)
    tone = (0.4 * np.sin(np.arange(32_000) * 0.2)).astype(np.float32)
    bright = np.full((4, 30, 40, 3), 230, np.uint8)
    for frames, sound, asked, said in (
        (bright, tone, "What do you hear?", "loud"),
        (bright, tone * 0.01, "What do you hear?", "quiet"),
        (bright, None, "What do you see?", "bright"),
        (bright // 8, tone, "What do you see?", "dark"),
        (None, None, "What do you hear?", "quiet"),
    ):
        options = ("loud", "quiet", "bright", "dark")
        answer = model.ask(Stimulus(frames, 2.0, sound), asked, options)[BASE]
        assert answer.text == said == max(answer.options, key=answer.options.get)
        assert sum(answer.options.values()) == pytest.approx(1) and answer.attention is None
        assert (answer.receipt.frames, answer.receipt.audio_seconds) == (
            0 if frames is None else 4, 0.0 if sound is None else 2.0,
        )  # fmt: skip
    with pytest.raises(McGurkError, match="no attention"):
        model.ask(Stimulus(bright, 2.0, tone), "What do you see?", steering=Look(sound=0.0))


def test_the_example_is_compared_as_any_model_is(cello):
    *_, last = compare(registry.load_model("docs.meter:load"), Stimulus(cello.frames, cello.fps, cello.waveform),
                       question("hear"))  # fmt: skip
    assert list(last.answers) == [BASE, ALTERNATIVE] and last.complete


def test_a_package_announces_its_models_by_name(monkeypatch, capsys):
    monkeypatch.setattr(plugins, "announced", lambda: {"meter": "docs.meter:load", "mini": "docs.meter:load"})
    assert isinstance(registry.load_model("meter"), Meter)
    assert registry.entry("mini").description.startswith("EfficientNet")  # nobody takes another model's name
    assert [entry.name for entry in registry.entries()].count("mini") == 1
    cli.main(["models"])
    listed = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("meter "))
    assert "? GB  a plug-in, docs.meter:load" in listed


def test_entry_points_are_those_of_installed_packages(monkeypatch, tmp_path):
    info = tmp_path / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mcgurk.models]\nminicpm-o = docs.meter:load\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.announced() == {"minicpm-o": "docs.meter:load"}
    assert isinstance(registry.load_model("minicpm-o"), Meter)


def test_what_is_no_model_is_refused_with_a_sentence(elsewhere):
    elsewhere.text = lambda: "a model"
    elsewhere.broken = lambda: 1 / 0
    elsewhere.nameless = type("Nameless", (FakeModel,), {"name": ""})
    elsewhere.picky = lambda: (_ for _ in ()).throw(McGurkError("Set PICKY_KEY."))
    for path, sentence in (
        ("elsewhere:text", "made a str"),
        ("elsewhere:broken", "failed .ZeroDivisionError"),
        ("elsewhere:nameless", "has no name"),
        ("elsewhere:picky", "Set PICKY_KEY"),
        ("elsewhere:absent", "elsewhere has no absent"),
        ("not_installed.at_all:load", "is its package installed"),
    ):
        with pytest.raises(McGurkError, match=sentence):
            registry.load_model(path)
    for name in ("C:\\models", "http://host:8000/v1", "a b:c", "owner/name"):
        assert not plugins.is_path(name)
