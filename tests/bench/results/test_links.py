"""A sample opens in the Lab as it was asked."""

import json
from pathlib import Path

import pytest

from demo.bench.results import links
from demo.bench.runs.running import Config, run
from demo.clips import gallery
from demo.visitors.state import from_query


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> list[dict]:
    if len(gallery()) < 2:
        pytest.skip("the gallery is not built")
    out = tmp_path_factory.mktemp("run")
    folder = gallery()[0].path.parent
    conditions = ("aligned", "swap", "caption", "characters", "topical", "match", "wording_2")
    list(run(Config(str(folder), str(out), "fake", conditions, questions=2)))
    return [json.loads(line) for line in (Path(out) / "samples.jsonl").read_text().splitlines()]


def test_a_swap_of_gallery_clips_becomes_its_link(kept):
    sample = next(s for s in kept if s["condition"] == "swap")
    state = from_query(links.lab_query(sample))
    assert (f"{state.clip}.mp4", f"{state.conflict.other}.mp4") == (sample["clip"], sample["other"])
    assert (state.conflict.sound, state.question, state.options) == ("swap", sample["ask"], tuple(sample["options"]))


@pytest.mark.parametrize("condition", ["aligned", "caption", "characters", "topical", "match", "wording_2"])
def test_every_sample_that_can_be_linked_is_read_back(condition, kept):
    sample = next(s for s in kept if s["condition"] == condition)
    state = from_query(links.lab_query(sample))
    assert {name: getattr(state.conflict, name) for name in sample["conflict"]} == sample["conflict"]
    assert state.wording == (1 if condition == "wording_2" else 0)


def test_other_clips_have_no_link(kept):
    assert links.lab_query(kept[0] | {"clip": "images/dog/1.jpg + audio/dog/2.ogg"}) == ""
    assert links.lab_query({"clip": kept[0]["clip"], "condition": "swap", "skipped": "broken"}) == ""
