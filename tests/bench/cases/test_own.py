"""Own clips, labelled one by one: every clip asked once, swaps between kinds, fair options, and the answers listed."""

import csv

import numpy as np
import pytest

from demo.bench.cases.asking import is_right, pose
from demo.bench.cases.own import OWN, OwnClips, OwnItem, is_own
from demo.bench.runs.running import Config, plan, run
from demo.questions import ABSTAIN, question
from models.everyday import means
from models.omni import McGurkError, Stimulus

ROWS = (
    ("beagle", "barking dog;pet", "dog", "barking", "animal"),
    ("woman playing guitar", "guitar", "singing", "song;guitar", "music"),
    ("drums", "drum kit", "drum", "percussion", "music"),
    ("snow", "forest", "snowmobile", "engine", "road"),
    ("steering wheel", "car interior", "car", "engine", "road"),
    ("tennis", "", "tennis ball", "", ""),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, media_file):
    folder = tmp_path_factory.mktemp("own")
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8-sig") as opened:
        table = csv.writer(opened)
        table.writerow(("file", "seen", "seen_also", "heard", "heard_also", "kind", "note"))
        for place, row in enumerate(ROWS):
            (folder / f"{place}.mp4").write_bytes(media_file("plain.mp4").read_bytes())
            table.writerow((f"{place}.mp4", *row, "x"))
        table.writerow(("lost.mp4", "cat", "", "cat", "", "", ""))
        table.writerow(("0.mp4", "", "", "cat", "", "", ""))
    return folder


def test_every_clip_is_asked_both_questions_once(folder):
    assert is_own(folder)
    material, planned = plan(Config(str(folder), "unused", conditions=("aligned", "swap", "free")))
    assert isinstance(material, OwnClips) and [name for name, _ in material.skipped] == ["lost.mp4", "0.mp4"]
    asked = [(case.item.id, case.condition, case.ask) for case in planned]
    assert len(asked) == len(set(asked)) == 6 * 3 * 2 and {case.pool for case in planned} == {OWN}
    assert all((case.other is not None) == (case.condition == "swap") for case in planned)


@pytest.mark.parametrize("seed", range(5))
def test_sounds_are_lent_between_kinds_only(folder, seed):
    material = OwnClips(folder)
    lent = material.partners(seed)
    for item, other in zip(material.items, lent, strict=True):
        assert other.id != item.id and (not item.kind or item.kind != other.kind)
        assert not means(other.heard, item.label, item.seen_also) and not means(
            item.label, other.heard, other.heard_also
        )
    assert lent == material.partners(seed)


@pytest.mark.parametrize("labels_only", [False, True])
def test_no_wrong_option_is_right_of_either_clip(folder, labels_only):
    material, planned = plan(Config(str(folder), "unused", conditions=("aligned", "swap", "free")))
    for case in planned:
        posed = pose(case, material, 6, {}, labels_only)
        options = posed.question.options
        if case.condition == "free":
            assert options == ()
            continue
        truths = {posed.judged.seen, posed.judged.heard}
        assert options[-1] == ABSTAIN and any(means(option, posed.truth) for option in options)
        wrong = set(options[:-1]) - truths
        names = [*case.item.names, *(case.other.names if case.other else ())]
        assert not any(means(option, name) or means(name, option) for option in wrong for name in names)
        assert not labels_only or wrong <= set(material.names)


def test_the_run_lists_every_answer(folder, tmp_path):
    config = Config(
        str(folder), str(tmp_path), model="fake", conditions=("aligned", "swap", "free"), options=6, attention=False
    )
    *_, last = run(config)
    assert {row.condition: row.n for row in last.tables.rows} == {"aligned": 6, "swap": 6, "free": 6}
    with (tmp_path / "answers.csv").open(newline="", encoding="utf-8") as opened:
        listed = list(csv.DictReader(opened))
    assert len(listed) == 6 * 3 * 2 * 2
    right = sum(line["verdict"] != "wrong" for line in listed)
    assert right == sum(row.right for row in last.tables.rows)
    told = (tmp_path / "answers.md").read_text()
    assert "as it is, free answers: hear" in told and "| 5.mp4 |" in told


def judged(seen, heard, seen_also=(), heard_also=()) -> Stimulus:
    picture = np.zeros((1, 2, 2, 3), np.uint8)
    return Stimulus(picture, 2.0, None, seen=seen, heard=heard, seen_also=seen_also, heard_also=heard_also)


@pytest.mark.parametrize(
    ("ask", "options", "text", "together", "right"),
    [
        ("see", True, "woman playing guitar", False, True),
        ("see", True, "train", False, False),
        ("see", False, "a guitar and its player", False, True),
        ("see", False, "a guitar and a train", False, False),
        ("see", False, "a guitar and a train", True, True),
        ("hear", False, "locomotive", False, True),
        ("hear", False, "vehicle", False, False),
        ("hear", False, "a whistle in the distance", False, True),
        ("hear", True, "woman playing guitar", False, False),
        ("hear", False, "no train", False, False),
    ],
)
def test_right_is_the_label_a_synonym_or_what_else_is_right(ask, options, text, together, right):
    told = judged("woman playing guitar", "train", ("guitar",), ("whistle",))
    asked = question(ask, ("woman playing guitar", "train", "dog") if options else ())
    truth = told.seen if ask == "see" else told.heard
    assert is_right(asked, text, told, truth, together) == right


def test_a_folder_without_usable_labels_says_so(tmp_path):
    (tmp_path / "clips.csv").write_text("file,seen\na.mp4,dog\n")
    with pytest.raises(McGurkError, match="no column 'heard'"):
        OwnClips(tmp_path)
    (tmp_path / "clips.csv").write_text("file,seen,heard\na.mp4,dog,dog\n")
    with pytest.raises(McGurkError, match="Nothing is left"):
        OwnClips(tmp_path).own_cases(("aligned",), 10, 0)


def test_a_single_clip_has_no_swaps(folder, tmp_path):
    (tmp_path / "a.mp4").write_bytes((folder / "0.mp4").read_bytes())
    (tmp_path / "clips.csv").write_text("file,seen,heard\na.mp4,Dog,some_dog\n")
    material = OwnClips(tmp_path)
    assert material.items[0] == OwnItem("dog", *["a.mp4"] * 4, "some dog", (), (), "", ("dog",))
    assert {case.condition for case in material.own_cases(("aligned", "swap"), 10, 0)} == {"aligned"}
    assert "lend" in material.skipped[0][1]
