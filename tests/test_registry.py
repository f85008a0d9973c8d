"""Models by name: what is known, what can't run here and why."""

import pytest

from models import registry
from models.fake import FakeModel
from models.omni import McGurkError


def test_the_fake_model_loads_by_name():
    assert isinstance(registry.load_model("fake"), FakeModel)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(McGurkError, match=r"choose one of .*mini.*fake"):
        registry.load_model("gpt")


def test_a_model_that_lacks_its_weights_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "MINI_WEIGHTS", tmp_path)
    assert "base adapter is missing" in registry.entry("mini").obstacle()
    with pytest.raises(McGurkError, match="can't run here"):
        registry.load_model("mini")


def test_memory_is_compared_with_what_is_free(monkeypatch):
    monkeypatch.setattr(registry, "available_memory", lambda: 0.5)
    assert registry.lacks_memory(0.4) == ""
    assert registry.lacks_memory(1.5) == "It needs 1.5 GB of memory and 0.5 GB are free."


def test_concepts_held_out_of_training_are_plain_names():
    assert "vacuum cleaner" in registry.entry("mini").held_out()
    assert registry.entry("fake").held_out() == frozenset()


def test_a_folder_or_a_hub_id_is_a_qwen_omni_of_ones_own(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(registry, "_load_pretrained", lambda name: loaded.append(name) or FakeModel())
    for name in (str(tmp_path), "owner/name"):
        assert registry.load_model(name).name == "fake"
    assert loaded == [str(tmp_path), "owner/name"]


def test_adapter_and_four_bits_come_from_the_environment(monkeypatch):
    from models.pretrained import loading

    asked = {}
    monkeypatch.setattr(loading, "load", lambda name, **how: asked.update(how, name=name) or FakeModel())
    monkeypatch.setenv("MCGURK_ADAPTER", "owner/adapter")
    monkeypatch.setenv("MCGURK_FOUR_BIT", "1")
    registry.load_model("owner/name")
    assert asked == {"name": "owner/name", "adapter": "owner/adapter", "four_bit": True}
