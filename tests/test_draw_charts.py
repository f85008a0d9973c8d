"""Charts carry the numbers they are given, the modalities' colours, and no markup from a visitor."""

import numpy as np
import pytest

from demo.draw import colours
from demo.draw.charts import layer_shares, option_bars
from demo.draw.colours import NEUTRAL, SIGHT, SOUND, TEXT, ramp, rgb, rgba, to_oklab
from demo.maps import shares
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


def test_bars_hold_probabilities_and_mark_what_is_true(answers, stimulus):
    (bars,) = option_bars({ALIGNED: answers[ALIGNED]}, stimulus).data
    assert list(bars.x) == pytest.approx(list(answers[ALIGNED].options.values()))
    assert list(bars.marker.color) == [rgba(colour, 1) for colour in (SIGHT, SOUND, TEXT, NEUTRAL)]
    labels = [note.text for note in option_bars(answers, stimulus).layout.annotations]
    assert labels[:3] == ["dog <b>(seen)</b>", "church bell <b>(heard)</b>", "cello <b>(read)</b>"]


def test_markup_in_an_option_is_shown_not_followed(answers, stimulus):
    figure = option_bars(answers, stimulus)
    written = [figure.layout.annotations[3].text, *figure.data[0].hovertext]
    assert not any("<a" in text for text in written)
    assert written[0].startswith("&lt;a href")


def test_an_option_true_of_two_modalities_wears_both_colours(answers):
    both = Stimulus(np.zeros((1, 8, 8, 3), np.uint8), 1.0, None, seen="dog", heard="dog")
    (bars,) = option_bars({BASE: answers[BASE]}, both).data
    assert bars.marker.color[0] == rgba(SIGHT, 1) and bars.marker.pattern.fgcolor[0] == rgba(SOUND, 1)
    assert bars.marker.pattern.shape[0] and not bars.marker.pattern.shape[1]


def test_two_adapters_stand_together_and_base_is_pale(answers, stimulus):
    base, aligned = option_bars(answers, stimulus).data
    assert (base.name, aligned.name) == ("Before tuning", "After tuning")
    assert base.marker.color[0] == rgba(SIGHT, 0.45) and aligned.marker.color[0] == rgba(SIGHT, 1)
    assert all(one < other for one, other in zip(base.y, aligned.y, strict=True))


def test_no_options_make_an_empty_chart(stimulus):
    assert not option_bars({}, stimulus).data
    assert not option_bars(FakeModel().ask(stimulus, "What do you see?"), stimulus).layout.annotations


def test_layers_have_a_panel_for_each_kind_that_occurs(answers):
    tables = {adapter: shares(answer.attention)["raw"] for adapter, answer in answers.items()}
    figure = layer_shares(tables)
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["Picture", "Sound", "Injected text", "Question", "System text", "First token"]
    aligned_sound = next(line for line in figure.data if line.yaxis == "y2" and line.name == "After tuning")
    np.testing.assert_allclose(aligned_sound.y, tables[ALIGNED]["audio"])
    assert aligned_sound.line.color == SOUND and aligned_sound.line.dash == "solid"
    silent = FakeModel().ask(Stimulus(None, 2.0, None), "What do you see?")
    without = layer_shares({BASE: shares(silent[BASE].attention, sinks=True)["per_token"]}, per_token=True)
    assert [note.text for note in without.layout.annotations] == ["Question", "System text"]


def test_charts_keep_a_clear_ground_and_do_not_catch_the_finger(answers, stimulus):
    figure = option_bars(answers, stimulus)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.dragmode is False and figure.layout.xaxis.fixedrange


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
