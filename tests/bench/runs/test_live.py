"""A visitor's few questions to all methods: how the table fills, that stop keeps what is done, what is refused."""

import numpy as np
import pytest

from demo.bench.runs import curves, sittings
from demo.bench.runs.live import LAYERS, METHODS, TRIED, Trials, Wanted
from demo.pages import methods_markup as markup
from demo.session import Lab
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError


@pytest.fixture
def trials(tmp_path) -> Trials:
    """What is tried in a Lab with the fake model and the real gallery."""
    return Trials(Lab(FakeModel(), tmp_path))


def test_what_is_wanted_is_checked_when_it_is_made():
    with pytest.raises(McGurkError, match="at least one method"):
        Wanted(METHODS, 4, ())
    with pytest.raises(McGurkError, match="1 to 40 questions"):
        Wanted(METHODS, 41)
    with pytest.raises(McGurkError, match="1 to 10 clips"):
        Wanted(LAYERS, 0)


def test_methods_go_to_their_end_and_tell_which_reaches_tuning(trials):
    trials.begin("visitor", Wanted(METHODS, 2, ("cut",)))
    last = list(trials.advance("visitor"))[-1]
    assert last.over and not last.stopped and last.done == last.total == 2 * len(TRIED)
    by = {(row.condition, row.method, row.adapter): row for row in last.rows}
    assert (
        by["swap", "plain", BASE].right == 1
        and by["swap", "cut", BASE].right == 2 == by["swap", "plain", ALIGNED].right
    )
    page = markup.methods_html(last.rows)
    assert "Reached." in page and "all questions" in page


def test_what_was_stopped_goes_on_there(trials):
    trials.begin("visitor", Wanted(METHODS, 4, ("cut",)))
    going = trials.advance("visitor")
    next(going), next(going)
    trials.stop("visitor")
    stopped = list(going)[-1]
    assert stopped.over and stopped.stopped and 0 < stopped.done < stopped.total
    trials.begin("visitor", Wanted(METHODS, 4, ("cut",)))
    first, *_, last = trials.advance("visitor")
    assert first.done >= stopped.done and last.over and not last.stopped
    trials.forget("visitor")
    with pytest.raises(McGurkError, match="press Start"):
        list(trials.advance("visitor"))


def test_curves_of_a_clip_are_drawn(trials, monkeypatch):
    monkeypatch.setattr(curves, "moved", lambda model, *_: {name: np.ones((6, 3)) for name in model.adapters})
    trials.begin("visitor", Wanted(LAYERS, 1))
    last = list(trials.advance("visitor"))[-1]
    assert last.over and last.done == 2
    page = markup.curves_html(last.points, last.grids)
    assert page.count("<svg") == 8 + 2 + 4 * 3  # cuts and exits, the caption, heads
    assert "nan" not in page


def test_a_turn_ends_when_its_time_is_over(trials, monkeypatch):
    monkeypatch.setattr(sittings, "TURN", 0.0)
    trials.begin("visitor", Wanted(METHODS, 2, ("cut",)))
    last = list(trials.advance("visitor"))[-1]
    assert not last.over and last.done < last.total
