"""Charts carry the numbers they are given, the modalities' colours, and no markup from a visitor."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest

from demo.draw import colours
from demo.draw.charts import curve, layer_shares
from demo.draw.colours import SIGHT, SOUND, TEXT, ramp, rgb, to_oklab
from demo.maps import shares
from demo.pages.markup import plotted
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, Stimulus

OPTIONS = ("dog", "church bell", "cello", '<a href="//x">train</a>')


@pytest.fixture(scope="module")
def stimulus():
    frames, sound = np.zeros((2, 8, 8, 3), np.uint8), np.zeros(16_000, np.float32)
    return Stimulus(frames, 2.0, sound, "The caption says: cello.", seen="dog", heard="church_bell", read="cello")


@pytest.fixture(scope="module")
def answers(stimulus):
    return FakeModel().ask(stimulus, "What do you hear?", OPTIONS)


def test_layers_have_a_panel_for_each_kind_that_occurs(answers):
    tables = {adapter: shares(answer.attention)["raw"] for adapter, answer in answers.items()}
    figure = go.Figure(layer_shares(tables))
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["Picture", "Sound", "Injected text", "Question", "System text", "First token"]
    aligned_sound = next(line for line in figure.data if line.yaxis == "y2" and line.name == "After tuning")
    np.testing.assert_allclose(aligned_sound.y, tables[ALIGNED]["audio"])
    assert aligned_sound.line.color == SOUND and aligned_sound.line.dash == "solid"
    silent = FakeModel().ask(Stimulus(None, 2.0, None), "What do you see?")
    without = go.Figure(layer_shares({BASE: shares(silent[BASE].attention, sinks=True)["per_token"]}, per_token=True))
    assert [note.text for note in without.layout.annotations] == ["Question", "System text"]


@pytest.fixture(scope="module")
def drawn(answers):
    """One chart of each kind."""
    tables = {adapter: shares(answer.attention)["raw"] for adapter, answer in answers.items()}
    lines = {BASE: {"dog": [0.1, None, 0.3], "<b>": [0.2, 0.3, 0.4]}, ALIGNED: {"dog": [0.1, 0.2, 0.3]}}
    roles = {"dog": "seen + heard", "<b>": "abstains"}
    return layer_shares(tables), layer_shares({}), curve([0, 0.5, 1], lines, {BASE: {"dog": 0.2}}, roles, "<i>s</i>")


def test_charts_are_what_plotly_itself_would_write(drawn):
    for chart in drawn:
        checked = json.loads(go.Figure(chart).to_json())  # refuses what plotly does not know
        shown = json.loads(plotted(chart).plot)
        shown["layout"]["annotations"] = shown["layout"].get("annotations") or []
        checked["layout"].setdefault("annotations", [])
        assert checked == shown


def test_what_is_not_known_is_a_gap():
    assert json.loads(plotted({"data": [{"y": [1.0, float("nan")]}], "layout": {}}).plot)["data"][0]["y"] == [1, None]


def test_markup_in_a_chart_is_shown_not_followed(drawn):
    assert "<b>" not in str(drawn[-1]) and "<i>" not in str(drawn[-1]) and "&lt;b&gt;" in str(drawn[-1])


def test_charts_keep_a_clear_ground_and_do_not_catch_the_finger(drawn):
    for figure in map(go.Figure, drawn):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert figure.layout.dragmode is False
        assert all(axis.fixedrange and axis.automargin for axis in (*figure.select_xaxes(), *figure.select_yaxes()))


@pytest.mark.parametrize("colour", [SIGHT, SOUND, TEXT])
def test_ramps_are_perceptually_uniform_and_pass_through_their_colour(colour):
    table = ramp(colour)
    steps = np.diff(to_oklab(table)[:, 0].reshape(-1, 16).mean(1))
    assert steps.min() > 0.7 * steps.mean() and steps.max() < 1.3 * steps.mean()
    assert np.abs(table.astype(int) - rgb(colour)).sum(1).min() < 12


@pytest.mark.parametrize("ground", ["#ffffff", "#18181b"])
def test_letters_are_readable_on_light_and_dark_pages(ground):
    def luminance(colour: str) -> float:
        s = np.array(rgb(colour)) / 255
        return float(np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722))

    light, dark = sorted((luminance(colours.INK), luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3.5
