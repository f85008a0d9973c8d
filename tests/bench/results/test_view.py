"""A visitor's run: what it will ask, how it fills its table, that stop keeps what is done, what stands in a cell."""

import pytest

from demo.bench.results import view
from demo.bench.results.view import Bench, Wanted
from demo.session import Lab
from demo.visitors.state import from_query
from models.fake import FakeModel
from models.omni import McGurkError

SWAP = Wanted(("swap",), questions=2)


@pytest.fixture
def bench(tmp_path) -> Bench:
    """The bench of a Lab with the fake model and the real gallery."""
    return Bench(Lab(FakeModel(), tmp_path))


def test_what_is_wanted_is_checked_when_it_is_made():
    with pytest.raises(McGurkError, match="at least one condition"):
        Wanted(())
    with pytest.raises(McGurkError, match="1 to 200"):
        Wanted(("swap",), questions=201)


def test_an_estimate_knows_seconds_only_after_something_was_asked(bench):
    before = bench.estimate(SWAP)
    assert (before.model, before.questions, before.seconds) == ("fake", 2, None)
    bench.time_the_model("visitor")
    assert bench.estimate(SWAP).seconds == pytest.approx(2 * bench.pace)


def test_a_run_goes_to_its_end_and_leaves_table_charts_and_files(bench):
    bench.begin("visitor", SWAP)
    last = list(bench.advance("visitor"))[-1]
    assert last.over and not last.stopped
    assert (last.progress.done, last.progress.total) == (2, 2)
    (line,) = last.lines
    heard = line.cells["hear", "aligned"]
    assert (heard.share, heard.n, line.cells["hear", "base"].share) == (1.0, 1, 0.0)
    assert heard.low == pytest.approx(0.2065, abs=1e-4)  # Wilson, 1 of 1
    assert set(last.files) == set(view.FILES)
    assert last.charts


def test_a_cell_lists_its_samples_and_each_opens_in_the_lab(bench):
    bench.begin("visitor", SWAP)
    last = list(bench.advance("visitor"))[-1]
    (sample,) = bench.samples("visitor", last.lines[0].cells["hear", "base"].key)
    state = from_query(sample.query)
    assert (state.conflict.sound, state.question) == ("swap", "hear")
    seen, heard = (true for _, _, true in sample.given)
    assert seen != heard == sample.truth
    assert sample.answers["aligned"][1:] == ("sound", True)
    with pytest.raises(McGurkError, match="no samples"):
        bench.samples("visitor", "trained|swap|match")


def test_a_stopped_run_keeps_what_is_done_and_goes_on_there(bench):
    bench.begin("visitor", Wanted(("swap",), questions=6))
    going = bench.advance("visitor")
    next(going)
    bench.stop("visitor")
    stopped = list(going)[-1]
    assert stopped.over and stopped.stopped and 0 < stopped.progress.done < 6
    bench.begin("visitor", Wanted(("swap",), questions=6))
    first, *_, last = bench.advance("visitor")
    assert first.progress.done >= stopped.progress.done
    while not last.over:  # a slow machine needs a second turn
        *_, last = bench.advance("visitor")
    assert last.progress.done == 6 and not last.stopped


def test_nobody_has_a_run_before_it_began_or_after_it_was_forgotten(bench):
    with pytest.raises(McGurkError, match="press Start"):
        list(bench.advance("visitor"))
    bench.begin("visitor", SWAP)
    bench.forget("visitor")
    with pytest.raises(McGurkError, match="press Start"):
        bench.samples("visitor", "trained|swap|hear")


def test_a_model_of_ones_own_is_called_by_its_name(monkeypatch):
    model = FakeModel()
    for name, called in (("fake", "fake"), ("owner/model", "owner/model"), ("gpt", "server")):
        monkeypatch.setattr(model, "name", name)
        assert view.registered(model) == called
