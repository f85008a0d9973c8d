"""The page's Lab and the bench with every family of models, tiny and random: all that they do with the embedded one."""

import numpy as np
import pytest
import torch

from demo import inside
from demo.bench.runs.running import Config, run
from demo.conflicts import Conflict
from demo.inside import View
from demo.probing import heads, lens, sweeps
from demo.session import Lab
from demo.visitors.state import State
from models.adapters import read_adapter
from models.interventions import Exit
from models.omni import ALIGNED, BASE, Kind
from tests import tiny_omni
from tests.pretrained.test_families import NAMES, build, weights
from tests.test_adapters import write_lora

pytestmark = pytest.mark.usefixtures("one_thread", "stand_ins")
SWAP = State(clip="dog", conflict=Conflict(sound="swap", other="cat"), question="hear")


@pytest.fixture(scope="module", params=NAMES)
def tuned(request, tmp_path_factory):
    tiny_omni.torchvision()
    lora = write_lora(tmp_path_factory.mktemp("lora"), weights(request.param))
    return build(request.param, adapter=read_adapter(lora))


def test_the_lab_asks_both_looks_inside_and_reaches_in(tuned, tmp_path):
    lab = Lab(tuned, tmp_path)
    *_, asked = lab.ask("me", SWAP, film=False)
    answers = asked.comparison.answers
    assert list(answers) == [BASE, ALIGNED] and answers[BASE].options != answers[ALIGNED].options
    for answer in answers.values():
        assert answer.receipt.tokens["video"] and answer.receipt.tokens["audio"]
        assert len(answer.options) == len(asked.comparison.question.options) > 2
    asked = lab.with_reference("me", "difference")
    for view in (View(), View(layer=1, head=2), View(kind="difference")):
        frames, heard = inside.seen(asked, view), inside.heard(asked, view)
        assert len(frames.times) == answers[BASE].attention.tokens.grid[0]
        assert heard.seconds == pytest.approx(3, abs=0.1)
        assert set(inside.read(asked, view)) == {BASE, ALIGNED} and set(inside.strips(asked, view)) >= {Kind.VIDEO}
    assert inside.by_layer(asked)
    *_, grids = heads.measure(lab, "me", "sound")
    assert grids.moved[ALIGNED].shape == (tuned.layers, tuned.heads) and grids.top > 0
    *_, said = lens.read(lab, "me")
    assert np.isfinite(said.said[BASE].shares).all() and said.has("sound") and said.has("picture")
    *_, curve = sweeps.sweep(lab, "me", Exit("sound", 0), "after")
    assert all(None not in points for points in curve.points.values()) and len(curve.xs) == tuned.layers + 1


def test_the_bench_asks_both(tuned, stand_ins, tmp_path):
    config = Config(str(stand_ins), str(tmp_path / "run"), "fake", ("aligned", "swap", "caption"), 2, 0)
    *_, last = run(config, tuned)
    assert last.done == last.total > 0 and not last.skipped and last.tables.rows


def test_a_clip_that_needs_too_much_memory_is_left_out_and_the_rest_is_asked(tuned, stand_ins, tmp_path, monkeypatch):
    encode, calls = tuned.decoder.encode, []

    def once_full(media):
        calls.append(media)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encode(media)

    tuned._shelf.clear()
    monkeypatch.setattr(tuned.decoder, "encode", once_full)
    *_, last = run(Config(str(stand_ins), str(tmp_path / "run"), "fake", ("aligned",), 4, 0), tuned)
    assert last.done == last.total and last.tables.rows and len(calls) > 1
    assert ["not enough memory left" in reason for _, reason in last.skipped] == [True]
