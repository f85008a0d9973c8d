"""Tuning a tiny Qwen-Omni through the command line: packed lessons, resuming, and the adapter loaded back into use."""

import json

import cv2
import numpy as np
import pytest
import soundfile
import torch

from models import tune
from models.curriculum import BLANK, Course
from models.habits import Habits, read_habits
from models.omni import ALIGNED, BASE, McGurkError, Stimulus
from models.pretrained.loading import load
from models.qwen_omni.clips import read_picture, read_shelf, read_sound
from models.qwen_omni.lessons import IGNORED, QwenLessons, collate
from models.qwen_omni.processing import QwenLayout
from models.qwen_omni.thinker import model_flag, positions_of
from models.qwen_omni.training import prepare
from tests import tiny_omni

FAMILIES = ("Qwen2.5-Omni", "Qwen3-Omni")
CONCEPTS = ("dog", "rain", "cello", "church bell")


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    tiny_omni.torchvision()
    torch.set_num_threads(1)
    return request.param


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Photographs and recordings of four concepts, one of them never to be trained on."""
    folder, rows = tmp_path_factory.mktemp("data"), ["path,concept,kind,group,split"]
    rng = np.random.default_rng(0)
    for n, concept in enumerate((*CONCEPTS, "harp")):
        name = concept.replace(" ", "_")
        cv2.imwrite(str(folder / f"{name}.jpg"), rng.integers(0, 256, (40, 60, 3), np.uint8))
        soundfile.write(folder / f"{name}.wav", 0.1 * np.sin(np.arange(16_000) * 0.05 * (n + 1)), 16_000)
        rows += [f"{name}.jpg,{name},image,{n},train", f"{name}.wav,{name},audio,{n},train"]
    (folder / "manifest.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def released(family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("released")
    tiny_omni.thinker(family).save_pretrained(folder)
    tiny_omni.processor(family).save_pretrained(folder)
    return folder


def lessons_of(family, data, model, length=40):
    layout = QwenLayout(
        tiny_omni.processor(family), model.config, tiny_omni.family(family), Habits(pixels=tiny_omni.PIXELS)
    )
    shelf = read_shelf(data)
    course = Course(ALIGNED, shelf.catalogue, 0, 0.0, branches=2)
    return QwenLessons(shelf, course, layout, model.get_rope_index, model_flag(model), 2.0, length)


def test_held_out_concepts_stay_out(data):
    assert sorted(read_shelf(data).catalogue.concepts) == sorted(CONCEPTS)
    with pytest.raises(McGurkError, match="fewer than two concepts"):
        read_shelf(data, held_out=True)
    with pytest.raises(McGurkError, match="neither"):
        read_shelf(data.parent)


def test_clips_are_read_at_the_asked_rate(media_file, tmp_path):
    clip = media_file("plain.mp4")  # 3 s at 25 fps
    (tmp_path / "clips.csv").write_text(
        "id,seen,heard,file\n"
        + "\n".join(f"{n},{a},{b},{clip}" for n, (a, b) in enumerate([("dog", "rain"), ("rain", "dog")]))
    )
    shelf = read_shelf(tmp_path)
    assert shelf.catalogue.pictures == {"dog": [0], "rain": [1]} and shelf.catalogue.sounds == {"rain": [0], "dog": [1]}
    assert read_picture(shelf.paths[0], 8.0).shape[0] == 24 and read_picture(shelf.paths[0], 2.0).shape[0] == 6
    assert len(read_sound(shelf.paths[1])) == pytest.approx(48_000, abs=1600)
    with pytest.raises(McGurkError, match="no video"):
        read_picture(data_file := tmp_path / "clips.csv", 2.0)
    with pytest.raises(McGurkError, match="no sound"):
        read_sound(data_file)


def test_a_packed_lesson_teaches_what_its_questions_would_one_by_one(family, data):
    model = tiny_omni.thinker(family)
    lessons = lessons_of(family, data, model)
    learner = prepare(model)
    items = [lessons[i] for i in range(3)]
    with torch.no_grad():
        together = learner(**collate(items))["loss"]
        total = count = 0
        for item in items:
            for number in (1, 2):
                keep = [i for i, branch in enumerate(item["branches"]) if branch in (0, number)]
                alone = {key: [item[key][i] for i in keep] for key in ("ids", "labels", "branches")}
                alone |= {"positions": item["positions"][:, keep], "media": item["media"]}
                learnt = sum(label != IGNORED for label in alone["labels"])
                total += float(learner(**collate([alone]))["loss"]) * learnt
                count += learnt
    assert float(together) == pytest.approx(total / count, abs=1e-4)


def test_lessons_ask_as_the_model_is_asked(family, data):
    model = tiny_omni.thinker(family)
    lessons = lessons_of(family, data, model)
    kinds = set()
    for i in range(30):
        lesson, item = lessons.course.lesson(i), lessons[i]
        kinds |= {("picture", lesson.picture in (None, BLANK)), ("sound", lesson.sound in (None, BLANK))}
        if lesson.prefix:
            continue
        first = lesson.branches[0]
        learnt = [item["branches"][at] == 1 and item["labels"][at] != IGNORED for at in range(len(item["ids"]))]
        prompt = lessons.layout.prompt(item["media"], first.user)
        assert item["ids"][: len(prompt.ids)] == prompt.ids.tolist()
        answer = [i for i, there in zip(item["ids"], learnt, strict=True) if there]
        assert lessons.layout.tokenizer.decode(answer) == first.answer + "<|im_end|>"
    assert len(kinds) == 4


def test_long_text_is_tokenised_as_it_is_when_the_model_is_asked(family, data):
    model = tiny_omni.thinker(family)
    lessons, found = lessons_of(family, data, model), 0
    for i in range(200):
        lesson = lessons.course.lesson(i)
        if not lesson.prefix:
            continue
        item, found = lessons[i], found + 1
        for number, branch in enumerate(lesson.branches, 1):
            prompt = lessons.layout.prompt(item["media"], branch.user, text=lesson.prefix)
            packed = [at for at, of in enumerate(item["branches"]) if of in (0, number)]
            asked = [item["ids"][at] for at in packed if item["branches"][at] == 0 or item["labels"][at] == IGNORED]
            assert asked == prompt.ids.tolist()
            rope = lessons.rope
            expected = positions_of(torch.tensor(prompt.ids)[None], item["media"], rope, lessons.flag)
            torch.testing.assert_close(item["positions"][:, packed[: len(asked)]], expected)
        if found == 3:
            return
    pytest.fail("no lesson with a long text")


def test_frames_are_kept_at_the_size_the_model_reads(family, data):
    layout = lessons_of(family, data, tiny_omni.thinker(family)).layout
    frames = np.random.default_rng(1).integers(0, 256, (4, 180, 320, 3), np.uint8)
    kept = layout.sized(frames)
    assert kept.nbytes < frames.nbytes / 4 and kept.shape[1] * kept.shape[2] <= tiny_omni.PIXELS[1]
    native, small = (layout.media(Stimulus(shown, 2.0, None)) for shown in (frames, kept))
    assert all(torch.equal(native.inputs[name], small.inputs[name]) for name in native.inputs)
    assert native.grid == small.grid
    seen = []
    lessons = lessons_of(family, data, tiny_omni.thinker(family))
    for i in range(8):
        if lessons.course.lesson(i).picture not in (None, BLANK):
            seen.append(lessons._picture(lessons.course.lesson(i).picture))
    assert seen and all((layout.sized(picture) == picture).all() for picture in seen)


def test_several_cards_without_a_launcher_are_refused(released, data, tmp_path, monkeypatch):
    """The Trainer would wrap the model in DataParallel, which cuts 3 x batch x positions along the wrong axis."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SystemExit, match="accelerate launch"):
        tune.main(["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path)])


def test_tuned_resumed_and_loaded_back(family, data, released, tmp_path):
    settings = "--side 84 --fps 2 --batch 2 --accumulate 2 --rank 2 --save-steps 1 --rate 0.02"
    command = ["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path), *settings.split()]
    tune.main([*command, "--steps", "2"])
    tune.main([*command, "--steps", "3"])
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3]  # the third step went on from the second
    saved = json.loads((tmp_path / "aligned" / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"]) == (2, 4)
    model = load(str(released), adapter=tmp_path / "aligned", device="cpu")
    assert model.habits == read_habits(tmp_path / "aligned") == Habits(None, True, 2.0, (84 * 84 // 2, 84 * 84))
    assert model.adapters == (BASE, ALIGNED) and model.logit_difference > 0
    assert len({key for key in model.tuned.state_dict() if "lora_B" in key}) == 2 * 3  # q and v of three layers
    answers = model.ask(tiny_omni.stimulus(), "What do you hear in the audio?", ("dog", "rain"), max_new_tokens=2)
    assert answers[BASE].options != answers[ALIGNED].options


def test_only_the_aligned_course_and_no_exam(released, data, tmp_path):
    for wrong in (["base"], ["aligned", "--exam", "3"]):
        with pytest.raises(SystemExit, match=r"only its aligned|--exam is for mini"):
            tune.main([*wrong, "--model", str(released), "--data", str(data), "--runs", str(tmp_path)])
