"""Every method beside the plain answer: what is counted, what is refused, and that a stopped run goes on."""

import pytest

from demo.bench.results import measures
from demo.bench.results.methods import ASKED_MISSING, OTHER_MISSING, PLAIN, group, markdown
from demo.bench.runs.interventions import Config, read, run
from models.fake import FakeModel
from models.interventions import Look
from models.omni import BASE, McGurkError


def finish(config, model):
    for _ in run(config, model):
        pass
    return read(config.out)


def test_methods_are_counted_against_plain_answers(labelled, tmp_path):
    """The fake base believes the picture: with the picture cut off it hears, with the sound cut off nothing changes."""
    config = Config(str(labelled), str(tmp_path / "run"), "fake", ("swap", "no_sound"), 8, methods=("cut", "look"))
    rows = {(row.condition, row.method, row.adapter): row for row in finish(config, FakeModel())}
    plain, cut = rows["swap", PLAIN, BASE], rows["swap", "cut", BASE]
    assert (plain.n, plain.right, cut.right) == (8, 4, 8)  # base sees and never hears
    assert (cut.mended, cut.broken, cut.p) == (4, 0, measures.mcnemar([False] * 4, [True] * 4).p)
    assert rows["swap", "look", BASE].right == plain.right and rows["swap", PLAIN, BASE].p == 1.0
    assert rows[OTHER_MISSING, PLAIN, BASE].n == 4  # asked what is seen, without a sound
    assert (tmp_path / "run" / "interventions.csv").read_text().count("\n") == len(rows) + 1
    assert "| cut | base |" in markdown(list(rows.values()))


class Refusing(FakeModel):
    """A model that can't look harder, and that counts how often it is asked."""

    asked = 0

    def answer(self, *given, steering=None, **how):
        self.asked += 1
        if isinstance(steering, Look):
            raise McGurkError("There is no picture here to work on: choose what is there.")
        yield from super().answer(*given, steering=steering, **how)


def test_a_refusal_counts_as_the_plain_answer_and_a_stopped_run_goes_on(labelled, tmp_path):
    config = Config(str(labelled), str(tmp_path / "run"), "fake", ("aligned",), 6, methods=("look",))
    model = Refusing()
    started = run(config, model)
    for _ in range(3):
        next(started)
    started.close()
    assert model.asked == 4  # two questions, plainly and harder
    rows = finish(config, model)
    assert model.asked == 12
    assert {(row.method, row.refused, row.right) for row in rows} == {(PLAIN, 0, 6), ("look", 6, 6)}
    with pytest.raises(McGurkError, match="holds a run with seed"):
        finish(Config(str(labelled), config.out, "fake", ("aligned",), 6, seed=2, methods=("look",)), model)


def test_what_does_not_exist_is_named(labelled, tmp_path):
    with pytest.raises(McGurkError, match="no intervention 'dream'"):
        Config(str(labelled), str(tmp_path), methods=("dream",))
    with pytest.raises(McGurkError, match="no run of interventions"):
        read(tmp_path)
    assert group({"condition": "no_sound", "ask": "hear"}) == ASKED_MISSING
