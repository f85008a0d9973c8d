"""Look-alikes are found, what people call the same is left out, and only four right answers tell a pair apart."""

import numpy as np
import pytest
from PIL import Image

from demo.bench.runs import alike
from demo.bench.runs.alike import Config, Pair
from demo.cli import main
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError


def told(**names):
    return {id: {"picture": tuple(of)} for id, of in names.items()}


def test_the_most_alike_of_different_names_come_first_and_one_name_is_no_pair():
    gists = {
        "beagle": np.array([10.0, 1.0, 0.0]),
        "wolf": np.array([10.0, 0.9, 0.1]),
        "dog": np.array([10.0, 1.0, 0.0]),
        "harp": np.array([10.0, -1.0, 3.0]),
    }
    pairs = alike.likeness("picture", gists, told(beagle=["beagle"], wolf=["wolf"], dog=["dog"], harp=["harp"]))
    assert {(pair.clip, pair.other) for pair in pairs[:2]} == {("beagle", "wolf"), ("wolf", "dog")}
    assert ("beagle", "dog") not in {(pair.clip, pair.other) for pair in pairs}  # a beagle is a dog
    assert pairs[0].alike > 0.9 > 0 > pairs[-1].alike  # what all share counts for nothing
    assert all(-1.0001 <= pair.alike <= 1.0001 for pair in pairs)


def test_a_further_right_answer_makes_two_clips_the_same():
    assert alike.same(("church bell", "church"), ("church",))
    assert alike.same(("church",), ("church bell", "church"))
    assert not alike.same(("church bell", "tower"), ("gong",))


def test_names_that_nobody_told_and_too_few_clips_make_no_pair():
    gists = {id: np.arange(3.0) + place for place, id in enumerate("abc")}
    assert alike.likeness("picture", gists, {"a": {"picture": ("dog",)}, "b": {}, "c": {"sound": ("rain",)}}) == []


@pytest.fixture
def photographs(tmp_path):
    """Four names; the pictures of two of them have nearly one colour, and so have the sounds of two others."""
    import soundfile

    colours = {"dog": (200, 40, 40), "cello": (198, 42, 40), "rain": (20, 60, 220), "car": (40, 210, 60)}
    pitches = {"dog": 300, "cello": 2500, "rain": 6500, "car": 6510}
    lines = ["path,concept,kind,group,split,source,licence,origin"]
    for name, colour in colours.items():
        Image.fromarray(np.full((60, 80, 3), colour, np.uint8)).save(tmp_path / f"{name}.png")
        wave = 0.2 * np.sin(2 * np.pi * pitches[name] * np.arange(16_000) / 16_000)
        soundfile.write(tmp_path / f"{name}.wav", wave, 16_000)
        lines += [
            f"{name}.{end},{name},{kind},{name} {kind},val,,," for end, kind in (("png", "image"), ("wav", "audio"))
        ]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    return tmp_path


class Deaf(FakeModel):
    """Answers the first option whatever is shown, as base."""

    def answer(self, encoded, question, options=(), **how):
        for adapter, answer in super().answer(encoded, question, options, **how):
            if adapter == BASE:
                answer.options.update(dict.fromkeys(options, 0.0) | {options[0]: 1.0})
            yield adapter, answer


def test_a_run_finds_the_look_alikes_asks_both_ways_and_writes_its_files(photographs, tmp_path):
    out = tmp_path / "out"
    *_, (done, total, found) = alike.run(Config(str(photographs), "fake", pairs=1, out=str(out)), Deaf())
    assert done == total == 4 + 2
    seen, heard = found.pairs
    assert {seen.name, seen.other_name} == {"dog", "cello"} and seen.sense == "picture"
    assert {heard.name, heard.other_name} == {"rain", "car"} and heard.sense == "sound"
    assert seen.alike > 0.95 > found.usual["picture"]
    for pair in found.pairs:
        assert pair.right == {BASE: 2, ALIGNED: 4}  # who always takes the first is right half the time
        assert pair.apart(ALIGNED) and not pair.apart(BASE)
    written = (out / "alike.csv").read_text().splitlines()
    assert len(written) == 3 and written[0].startswith("sense,clip,name") and "right_base,right_aligned" in written[0]
    said = alike.markdown(found)
    assert "told apart of 1: base 0, aligned 1" in said and "| picture |" in said


def test_fewer_than_three_clips_and_no_pairs_are_refused(tmp_path, photographs):
    lines = (photographs / "manifest.csv").read_text().splitlines()
    (photographs / "manifest.csv").write_text("\n".join(lines[:5]))
    with pytest.raises(McGurkError, match="need 3 clips"):
        list(alike.run(Config(str(photographs), "fake"), FakeModel()))
    with pytest.raises(McGurkError, match="at least one pair"):
        Config("x", pairs=0)


def test_a_model_that_nobody_can_reach_into_is_refused(photographs):
    class Closed(FakeModel):
        gist = alike.OmniModel.gist

    with pytest.raises(McGurkError, match="reach into"):
        list(alike.run(Config(str(photographs), "fake"), Closed()))


def test_the_command_prints_the_pairs(photographs, capsys):
    assert main(["bench", "alike", "--model", "fake", "--clips", str(photographs), "--questions", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("| picture |") == printed.count("| sound |") == 2


def test_a_pair_is_apart_only_when_all_is_right():
    pair = Pair("picture", "a", "dog", "b", "cat", 0.9, {BASE: 3, ALIGNED: 4})
    assert not pair.apart(BASE) and pair.apart(ALIGNED) and not pair.apart("other")
