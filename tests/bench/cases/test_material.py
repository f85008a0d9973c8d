"""Folders of clips: what is read, what is left out, and why."""

import random

import numpy as np
import pytest

from demo.bench.cases.material import open_material, slow_zoom
from models.omni import McGurkError


def test_a_labelled_folder_makes_a_clip_of_a_photograph_and_a_recording(labelled):
    material = open_material(labelled)
    assert material.labels == ("car", "cello", "church bell", "dog", "flute", "rain")
    clip = material.clip(material.item("church bell", 0, seed=0))
    assert (clip.seen, clip.heard, clip.duration, clip.fps) == ("church bell", "church bell", 8.0, 1.0)
    assert clip.frames.shape == (8, 60, 80, 3) and clip.waveform.shape == (8 * 16_000,)
    assert np.abs(clip.waveform[-16_000:]).max() > 0.1  # the short recording is repeated
    assert material.classes["dog"] == {"bark", "dog", "beagle", "golden retriever"}


def test_splits_are_kept_apart(labelled):
    def takes(split: str, both=()) -> set[str]:
        material = open_material(labelled, split, both)
        return {material.item("dog", turn, 0).recording for turn in range(6)}

    assert takes("val") == {"dog take 0", "dog take 1"}
    assert takes("train") == {"dog take 2"}
    assert len(takes("all")) == len(takes("val", both=("dog",))) == 3


def test_the_camera_moves_and_is_the_same_each_time(labelled):
    photograph = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    frames = slow_zoom(photograph, random.Random(1))
    assert (frames[0] == photograph).all() and (frames[-1] != photograph).any()
    assert (slow_zoom(photograph, random.Random(1)) == frames).all()


def test_a_folder_of_videos_is_read_and_its_faults_are_listed(media_file, tmp_path):
    for name in ("plain.mp4", "other.mp4"):
        (tmp_path / name).write_bytes(media_file(name).read_bytes())
    (tmp_path / "clips.csv").write_text(
        "id,file,seen,heard,title,licence,origin\n"
        "a,plain.mp4,dog,dog,A,,\nb,other.mp4,ocean_waves,ocean_waves,B,,\n"
        "c,plain.mp4,dog,rain,C,,\nd,lost.mp4,cat,cat,D,,\n"
    )
    material = open_material(tmp_path)
    assert material.labels == ("dog", "ocean waves")
    assert [name for name, _ in material.skipped] == ["plain.mp4", "lost.mp4"]
    clip = material.clip(material.item("dog", 5, seed=1))
    assert (clip.seen, clip.heard, len(clip.frames)) == ("dog", "dog", 6)


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(McGurkError, match=r"neither clips\.csv nor manifest\.csv"):
        open_material(tmp_path)
    with pytest.raises(McGurkError, match="no folder"):
        open_material(tmp_path / "nowhere")
    with pytest.raises(McGurkError, match="no split"):
        open_material(tmp_path, "test")


def test_a_manifest_that_lacks_a_column_or_every_file_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,concept,kind\na.jpg,dog,image\n")
    with pytest.raises(McGurkError, match="no column 'group'"):
        open_material(tmp_path)
    (tmp_path / "manifest.csv").write_text("path,concept,kind,group,split\na.jpg,dog,image,g,val\n")
    with pytest.raises(McGurkError, match=r"a\.jpg: the file is missing"):
        open_material(tmp_path)
