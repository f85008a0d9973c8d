"""Whether a map that points is found to point, and one that doesn't is not."""

import numpy as np
import pytest

from demo.bench.runs import pointing
from demo.bench.runs.pointing import SIGHT, SOUND, Config
from demo.clips import Clip
from models.fake import FakeModel
from models.omni import Attention, Kind, McGurkError, TokenMap


def attention(picture: np.ndarray, sound: np.ndarray) -> Attention:
    """One layer, one head, one row over a picture of that many cells and sound tokens of 1 s each."""
    cells = [(0, r, c) for r in range(picture.shape[0]) for c in range(picture.shape[1])]
    n, m = len(cells), len(sound)
    video, audio = np.full((n + m + 1, 3), -1), np.full((n + m + 1, 2), np.nan)
    video[1 : n + 1] = cells
    audio[n + 1 :] = np.stack([np.arange(m), np.arange(m) + 1.0], 1)
    kinds = (Kind.SYSTEM, *[Kind.VIDEO] * n, *[Kind.AUDIO] * m)
    tokens = TokenMap(
        kinds, ("",) * len(kinds), video, audio, (1, *picture.shape), np.zeros(1), np.arange(n + m + 1) == 0
    )
    row = np.concatenate([[0.5], picture.ravel(), sound])
    return Attention((row / row.sum())[None, None, None].astype(np.float16), tokens)


@pytest.mark.parametrize("quadrant, cell", [(0, (0, 2)), (1, (1, 6)), (2, (4, 0)), (3, (6, 6))])
def test_a_peak_in_a_quadrant_is_found_there_and_nowhere_else(quadrant, cell):
    picture = np.zeros((7, 7))
    picture[cell] = 1.0
    seen = [pointing.measured(attention(picture, np.zeros(8)), SIGHT, slot) for slot in range(4)]
    assert [peak for peak, _ in seen] == [float(slot == quadrant) for slot in range(4)]
    assert seen[quadrant][1] == pytest.approx(1.0)


def test_a_peak_on_the_border_counts_half_and_leans_to_its_higher_neighbour():
    picture = np.zeros((7, 7))
    picture[3, 0] = 1.0  # the middle row of seven
    seen = [pointing.measured(attention(picture, np.zeros(8)), SIGHT, q) for q in range(4)]
    assert [peak for peak, _ in seen] == [0.5, 0, 0.5, 0]
    assert [mass for _, mass in seen] == pytest.approx([0.5, 0, 0.5, 0])
    picture[2, 0], picture[4, 0] = 0.6, 0.2
    assert [pointing.measured(attention(picture, np.zeros(8)), SIGHT, q)[0] for q in range(4)] == [1, 0, 0, 0]


@pytest.mark.parametrize("line, where", [((0, 1, 0), 0), ((1, 1, 0), -0.5), ((0, 1, 1), 0.5), ((1, 1, 1), 0)])
def test_a_vertex_lies_within_half_a_cell(line, where):
    assert pointing.vertex(*line) == pytest.approx(where)


def test_a_flat_map_is_at_chance_and_an_empty_one_points_nowhere():
    flat = attention(np.ones((7, 7)), np.ones(8))
    assert pointing.measured(flat, SIGHT, 2) == pytest.approx((0.25, 0.25), abs=1e-3)
    assert pointing.measured(flat, SOUND, 1) == pytest.approx((0.25, 0.25), abs=1e-3)
    assert pointing.measured(attention(np.zeros((7, 7)), np.ones(8)), SIGHT, 0) == (0.0, 0.0)


def test_sound_is_looked_for_in_its_two_seconds():
    sound = np.zeros(8)
    sound[[4, 6]] = 3.0, 1.0
    peak, mass = pointing.measured(attention(np.zeros((7, 7)), sound), SOUND, 2)
    assert (peak, mass) == (1.0, pytest.approx(0.75, abs=1e-3))


def test_the_thing_stands_where_it_is_said_to_stand():
    white = Clip("a", None, np.full((3, 20, 30, 3), 255, np.uint8), 1.0, np.ones(16_000, np.float32), 1.0, "dog", "dog")
    other = Clip("b", None, np.zeros((3, 20, 30, 3), np.uint8), 1.0, np.zeros(8_000, np.float32), 1.0, "rain", "rain")
    seen = pointing.in_quadrant(white, other, 1)
    assert (seen.seen, seen.heard, seen.frames.shape) == ("dog", "rain", (1, 448, 448, 3))
    assert (seen.frames[0, :224, 224:] == 255).all() and (seen.frames[0, :224, :224] == 128).all()
    heard = pointing.in_time_slot(white, other, 3)
    assert (heard.seen, heard.heard, len(heard.waveform)) == ("rain", "dog", 8 * 16_000)
    assert not heard.waveform[: 6 * 16_000].any() and heard.waveform[6 * 16_000 :].all()


def test_a_run_tests_every_slot_and_writes_its_files(labelled, tmp_path):
    out = tmp_path / "pointing"
    steps = list(pointing.run(Config(str(labelled), "fake", cases=4, out=str(out))))
    every = [found for _, _, some in steps for found in some]
    assert (steps[-1][0], steps[-1][1], len(every)) == (8, 8, 8 * 2 * 2)
    assert {p.slot for p in every if p.sense == SIGHT} == {0, 1, 2, 3}
    rows = pointing.table(every)
    assert {(r.sense, r.adapter, r.view) for r in rows if r.n == 4} == {
        (sense, adapter, view)
        for sense in (SIGHT, SOUND)
        for adapter in ("base", "aligned")
        for view in ("raw", "difference")
    }
    raw = next(r for r in rows if (r.sense, r.adapter, r.view) == (SIGHT, "aligned", "raw"))
    assert raw.peak == pytest.approx(0.25)  # the fake model's blob always lies upper left
    assert "| picture | raw | aligned | 4 | 25.0 %" in pointing.markdown(rows)
    assert (out / "pointing.csv").read_text().startswith("sense,adapter,view,n,peak,low,high,mass\n")


def test_a_model_that_shows_no_attention_is_refused(labelled):
    class Closed(FakeModel):
        can_look_inside = False

    with pytest.raises(McGurkError, match="shows no attention"):
        next(pointing.run(Config(str(labelled), "fake"), Closed()))
