"""The command line: what it prints, and that whatever is wrong ends with one sentence and exit code 2."""

import csv
import json
import shutil

import pytest
from PIL import Image

from demo.cli import main
from demo.clips import gallery
from models.pretrained.families import RELEASES
from tests.perceiving import PITCH, PerceivingModel


def told(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("ask", "--question", "see"),
        ("ask", "--clip", "nowhere.mp4", "--question", "see", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", " ", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--model", "nobody"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--options", "dog", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--shift", "much", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--shift", "100", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--mute", "--remove-sound", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--mute", "--noise", "3", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--caption", "", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--long-text", "-3", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--sound", "{mute.mp4}", "--model", "fake"),
        ("ask", "--clip", "{plain.mp4}", "--question", "see", "--do", "listen~gain~9", "--model", "fake"),
        ("compose", "--clip", "{plain.mp4}", "--out", "/nowhere/at/all.mp4"),
        ("compose", "--clip", "{plain.mp4}"),
        ("bench", "--model", "fake"),
        ("label",),
        ("label", "/nowhere/at/all"),
        ("bench", "fly"),
        ("bench", "report"),
        ("bench", "report", "/nowhere"),
        ("bench", "--out", "/dev/null/run", "--model", "fake", "--clips", "/nowhere"),
        ("bench", "--out", "run", "--conditions", "upside_down"),
        ("bench", "--out", "run", "--shard", "3/2"),
        ("bench", "--out", "run", "--questions", "0"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_exit_code_2(arguments, capsys, media_file):
    given = [str(media_file(word[1:-1])) if word.startswith("{") else word for word in arguments]
    code, out, err = told(capsys, *given)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert err.strip().endswith(".") and "Traceback" not in err


def test_an_unknown_condition_is_answered_with_the_known_ones(capsys):
    _, _, err = told(capsys, "bench", "--out", "run", "--conditions", "upside_down")
    assert "upside_down" in err and "aligned, swap, caption" in err


def test_ask_as_json_has_everything_a_script_needs(capsys, media_file):
    clip, other = str(media_file("plain.mp4")), str(media_file("other.mp4"))
    code, out, err = told(
        capsys, "ask", "--clip", clip, "--sound", other, "--seen", "cello", "--heard", "rain", "--question", "hear",
        "--options", "cello, rain, dog", "--model", "fake", "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert {"base", "aligned", "stimulus", "receipt", "seconds"} <= found.keys()
    assert (found["base"]["answer"], found["base"]["followed"]) == ("cello", "picture")
    assert (found["aligned"]["answer"], found["aligned"]["followed"]) == ("rain", "sound")
    assert sum(found["aligned"]["options"].values()) == pytest.approx(1, abs=1e-4)
    assert found["aligned"]["attention_share"]
    assert (found["stimulus"]["seen"], found["stimulus"]["heard"]) == ("cello", "rain")
    assert "repeated" in err  # the shorter sound is looped, and the visitor is told


def test_conflicts_of_the_command_line_reach_the_model(capsys, media_file):
    clip = str(media_file("plain.mp4"))
    arguments = ("ask", "--clip", clip, "--question", "see", "--model", "fake", "--json", "--black", "--remove-sound")
    found = json.loads(told(capsys, *arguments, "--caption", "a dog", "--after")[1])
    assert found["stimulus"]["text"] == "The caption says: a dog."
    assert found["stimulus"]["text_position"] == "after"
    assert (found["stimulus"]["read"], found["stimulus"]["sound_seconds"]) == ("dog", None)
    long = json.loads(told(capsys, *arguments, "--long-text", "100")[1])
    assert 300 < len(long["stimulus"]["text"]) < 700


def test_own_words_are_asked_as_they_are(capsys, media_file):
    clip = str(media_file("plain.mp4"))
    code, out, _ = told(
        capsys, "ask", "--clip", clip, "--question", "Is it loud?", "--seen", "cello", "--model", "fake"
    )
    assert code == 0
    assert "Is it loud?" in out and "base" in out and "aligned" in out


def test_ask_says_what_was_perceived_where_nobody_told(capsys, media_file, monkeypatch):
    monkeypatch.setattr("demo.cli.registry.load_model", lambda name: PerceivingModel())
    ask = ("ask", "--clip", str(media_file("plain.mp4")), "--question", "see")
    _, out, _ = told(capsys, *ask)
    assert "picture perceived: " in out and "sound perceived: " in out and "followed: untold" in out
    _, out, _ = told(capsys, *ask, "--seen", "dog", "--heard", "nothing")
    assert "perceived" not in out and "untold" not in out


def test_label_proposes_a_table_and_a_sheet_and_never_writes_over_one(capsys, media_file, tmp_path, monkeypatch):
    monkeypatch.setattr("demo.cli.registry.load_model", lambda name: PerceivingModel())
    for name in ("plain.mp4", "sound.wav"):
        shutil.copy(media_file(name), tmp_path / name)
    (tmp_path / "broken.mp4").write_text("no film")
    (tmp_path / "notes.txt").write_text("left alone")
    code, out, err = told(capsys, "label", str(tmp_path))
    assert (code, out.split()) == (0, [str(tmp_path / "clips.csv"), str(tmp_path / "contact-1.jpg")])
    assert err.startswith("broken.mp4: ")
    with (tmp_path / "clips.csv").open(newline="") as opened:
        film, sound = csv.DictReader(opened)
    assert film["file"] == "plain.mp4" and film["seen"] in PITCH and film["heard"] in PITCH
    assert 0 < float(film["heard_score"]) <= 1 and film["seen_proposed"].count(";") == 2
    assert (sound["seen"], sound["seen_score"]) == ("", "0.00") and sound["heard"] in PITCH
    with Image.open(tmp_path / "contact-1.jpg") as sheet:
        assert sheet.width > sheet.height
    assert [clip.seen for clip in gallery(tmp_path)] == [film["seen"], ""]  # the bench reads it
    code, _, err = told(capsys, "label", str(tmp_path))
    assert code == 2 and "corrections would be lost" in err


def test_compose_writes_the_file_and_prints_its_path(capsys, media_file, tmp_path):
    out = tmp_path / "made.mp4"
    code, printed, _ = told(capsys, "compose", "--clip", str(media_file("plain.mp4")), "--mute", "--out", str(out))
    assert (code, printed.strip()) == (0, str(out))
    assert out.stat().st_size > 1000


def test_models_are_listed_with_what_they_need(capsys):
    code, out, _ = told(capsys, "models")
    assert code == 0
    assert "mini" in out and "fake" in out
    listed = {line.split()[0]: line for line in out.splitlines()}
    for name, release in RELEASES.items():  # Gemma beside Qwen
        assert f" {release.gigabytes()} GB " in listed[name] and release.hub in listed[name]


def test_conditions_are_listed(capsys):
    code, out, _ = told(capsys, "bench", "--list")
    assert code == 0
    assert "swap_50" in out and "MMA-Bench" in out


def test_what_can_be_done_to_a_model(capsys, media_file):
    code, out, err = told(capsys, "interventions")
    assert (code, err) == (0, "") and "listen" in out and "arXiv 2311.02126" in out
    how = ("--question", "see", "--seen", "dog", "--options", "dog,cat", "--model", "fake", "--do", "look~picture~0")
    code, out, err = told(capsys, "ask", "--clip", str(media_file("plain.mp4")), *how)
    assert code == 0 and "Nobody looks at the picture." in err and "none of the above" in out
