"""Published benchmarks, from files laid out as theirs are."""

import json
from pathlib import Path

import pytest

from demo.bench.results.benchmarks import open_benchmark
from demo.bench.runs.running import Config, run
from models.omni import McGurkError


@pytest.fixture
def avh(media_file, tmp_path) -> Path:
    """AVHBench's layout: json/<id>.json, video/<id>.mp4; the video of one question is missing."""
    (tmp_path / "json").mkdir(), (tmp_path / "video").mkdir()
    (tmp_path / "video" / "00191.mp4").write_bytes(media_file("plain.mp4").read_bytes())
    asked = [
        ("00191", "Video-driven Audio Hallucination", "Is the couch making sound in the audio?", "No"),
        ("00191", "Audio-driven Video Hallucination", "Is the man visible in the video?", "Yes"),
        ("00191", "AV Matching", "Are the contexts of audio and visual content matching?", "Yes"),
        ("00191", "AV Captioning", "Describe what you see and hear.", "A man sleeps."),
        ("00042", "AV Matching", "Are the contexts of audio and visual content matching?", "No"),
    ]
    for video in {asked[0] for asked in asked}:
        entries = [dict(zip(("video_id", "task", "text", "label"), a, strict=True)) for a in asked if a[0] == video]
        (tmp_path / "json" / f"{video}.json").write_text(json.dumps(entries))
    return tmp_path


def test_avhbench_asks_its_own_questions(avh, tmp_path):
    config = Config(str(avh), str(tmp_path / "run"), "fake", ("avh",), questions=10)
    last = list(run(config))[-1]
    assert last.skipped == (("00042", "the video is missing"),)
    assert {(row.condition, row.n) for row in last.tables.rows} == {
        ("avh_audio", 1),
        ("avh_video", 1),
        ("avh_match", 1),
    }
    kept = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    couch = next(sample for sample in kept if sample["condition"] == "avh_audio")
    assert couch["question"] == "Is the couch making sound in the audio?"
    assert (couch["options"], couch["truth"]) == (["yes", "no"], "no")
    assert (couch["answers"]["base"]["text"], couch["answers"]["base"]["correct"]) == ("yes", False)
    scores = {(m.name, m.adapter) for m in last.tables.measures}
    assert ("yes or no: F1", "base") in scores


def test_avhbench_under_our_conditions_says_which_are_its_own(avh, tmp_path):
    with pytest.raises(McGurkError, match="avh_audio, avh_video, avh_match"):
        next(run(Config(str(avh), str(tmp_path / "run"), "fake", ("swap",))))


def test_a_list_of_labelled_videos_is_found_by_id(media_file, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("Yabc_Dog.mp4", "def.mp4"):
        (tmp_path / "videos" / name).write_bytes(media_file("plain.mp4").read_bytes())
    listed = tmp_path / "metadata.json"
    entries = [
        {"youtube_id": "abc", "label": "Dog"},
        {"video": "def.mp4", "visual_label": "Church_bell", "audio_label": "church bell"},
        {"youtube_id": "ghi", "label": "Cat"},
        {"youtube_id": "def", "visual_label": "Dog", "audio_label": "Rain"},
    ]
    listed.write_text(json.dumps(entries))
    material = open_benchmark(listed)
    assert material.labels == ("church bell", "dog")
    assert [name for name, _ in material.skipped] == ["ghi", "def"]
    last = list(run(Config(str(listed), str(tmp_path / "run"), "fake", ("aligned", "swap"), questions=4)))[-1]
    assert {row.n for row in last.tables.rows} == {2}


@pytest.mark.parametrize("content", ["{", "[]", '[{"a": 1}]', '{"video_id": "x"}'])
def test_other_json_is_refused(content, tmp_path):
    (tmp_path / "some.json").write_text(content)
    with pytest.raises(McGurkError, match=r"some\.json"):
        open_benchmark(tmp_path / "some.json")
