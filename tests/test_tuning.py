"""Tuning tiny large models through the command line: packed lessons, resuming, and the adapter loaded back into use."""

import json

import cv2
import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader
from transformers import TrainingArguments

from demo.clips import read_clip, sampling_for
from models import tune
from models.adapters import LAYERS
from models.fake import FakeModel
from models.habits import Habits, read_habits
from models.omni import ALIGNED, BASE, McGurkError, Stimulus
from models.pretrained import training
from models.pretrained.clips import read_picture, read_shelf, read_sound
from models.pretrained.decoding import Encoded
from models.pretrained.families import FAMILIES
from models.pretrained.lessons import IGNORED, PackedLessons, collate
from models.pretrained.loading import load
from models.pretrained.training import prepare
from models.teaching.curriculum import Course
from models.teaching.lesson import BLANK
from tests import tiny_gemma, tiny_omni
from tests.pretrained.test_families import NAMES, weights

CONCEPTS = ("dog", "rain", "cello", "church bell")


@pytest.fixture(scope="module", params=NAMES)
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
    weights(family).save_pretrained(folder)
    tiny(family).processor(family).save_pretrained(folder)
    return folder


def tiny(family):
    return tiny_gemma if family.startswith("Gemma") else tiny_omni


def decoder_of(family, model):
    return next(one for one in FAMILIES if one.name == family).parts()[1](model)


def lessons_of(family, data, model, length=40):
    found = next(one for one in FAMILIES if one.name == family)
    habits = Habits() if family.startswith("Gemma") else Habits(pixels=tiny_omni.PIXELS)
    layout = found.parts()[0](tiny(family).processor(family), model.config, found, habits)
    shelf = read_shelf(data)
    course = Course(ALIGNED, shelf.catalogue, 0, 0.0, branches=2)
    return PackedLessons(shelf, course, layout, decoder_of(family, model).place, 2.0, length)


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
    model = weights(family)
    lessons = lessons_of(family, data, model)
    learner = prepare(model, decoder_of(family, model))
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


def test_a_lesson_is_as_likely_as_the_model_that_answers_finds_it(family, data):
    """Through the library's own masks and positions on one side, through those of packed rows on the other."""
    model = weights(family)
    lessons, decoder = lessons_of(family, data, model), decoder_of(family, model)
    learner, kinds = prepare(model, decoder).eval(), set()
    for i in range(12):
        lesson, item = lessons.course.lesson(i), lessons[i]
        if lesson.prefix:
            continue
        kinds.add((lesson.picture is not None, lesson.sound is not None))
        likely = count = 0.0
        with torch.inference_mode():
            encoded = Encoded(None, item["media"], decoder.encode(item["media"]))
            for branch in lesson.branches:
                prompt = lessons.layout.prompt(item["media"], branch.user)
                fed = decoder.feed(prompt.ids, prompt.head, encoded)
                cache, logits = decoder.prefill(fed)
                answer = lessons.layout.option_ids(branch.answer)
                likely += float(decoder.score(cache, logits, [answer], fed.next_position))
                count += len(answer)
            learnt = float(learner(**collate([item]))["loss"])
        assert learnt == pytest.approx(-likely / count, abs=1e-3)
    assert len(kinds) > 1


def test_layers_that_are_computed_twice_learn_the_same(family, data):
    gradients = []
    for twice in (True, False):
        model = weights(family)
        lessons = lessons_of(family, data, model)
        learner = prepare(model, decoder_of(family, model)).train()
        if not twice:
            learner.decoder.language_model.gradient_checkpointing_disable()
        torch.manual_seed(0)
        for name, parameter in learner.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.02)
        learner(**collate([lessons[0], lessons[1]]))["loss"].backward()
        gradients.append({name: p.grad for name, p in learner.named_parameters() if p.requires_grad})
    for name, gradient in gradients[0].items():
        assert gradient is not None and float(gradient.abs().max()) > 0, name
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)


def test_lessons_ask_as_the_model_is_asked(family, data):
    model = weights(family)
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
        assert lessons.layout.tokenizer.decode(answer) == first.answer + lessons.layout.turns.end
    assert len(kinds) == 4


def test_long_text_is_tokenised_as_it_is_when_the_model_is_asked(family, data):
    model = weights(family)
    lessons, decoder, found = lessons_of(family, data, model), decoder_of(family, model), 0
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
            encoded = Encoded(None, item["media"], decoder.encode(item["media"]))
            expected = decoder.feed(prompt.ids, prompt.head, encoded).positions.reshape(len(item["positions"]), -1)
            torch.testing.assert_close(item["positions"][:, packed[: len(asked)]], expected)
        if found == 3:
            return
    pytest.fail("no lesson with a long text")


def test_frames_are_kept_at_the_size_the_model_reads(family, data):
    layout = lessons_of(family, data, weights(family)).layout
    frames = np.random.default_rng(1).integers(0, 256, (4, 720, 1280, 3), np.uint8)
    kept = layout.sized(frames)
    assert kept.nbytes < frames.nbytes / 4
    assert family.startswith("Gemma") or kept.shape[1] * kept.shape[2] <= tiny_omni.PIXELS[1]
    native, small = (layout.media(Stimulus(shown, 2.0, None)) for shown in (frames, kept))
    assert all(torch.equal(native.inputs[name], small.inputs[name]) for name in native.inputs)
    assert native.grid == small.grid
    seen = []
    lessons = lessons_of(family, data, weights(family))
    for i in range(8):
        if lessons.course.lesson(i).picture not in (None, BLANK):
            seen.append(lessons._picture(lessons.course.lesson(i).picture))
    assert seen and all((layout.sized(picture) == picture).all() for picture in seen)


def test_other_processes_make_the_same_lessons_while_the_model_learns(family, data):
    lessons = lessons_of(family, data, weights(family), length=4)
    alone, ahead = (
        list(DataLoader(lessons, batch_size=2, collate_fn=collate, num_workers=processes)) for processes in (0, 2)
    )
    for one, other in zip(alone, ahead, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one if name != "media")
        for mine, theirs in zip(one["media"], other["media"], strict=True):
            assert mine.ids == theirs.ids and mine.inputs.keys() == theirs.inputs.keys()
            assert all(torch.equal(mine.inputs[name], theirs.inputs[name]) for name in mine.inputs)


def test_on_a_gpu_lessons_are_read_by_other_processes(released, data, tmp_path, monkeypatch):
    asked = {}

    def stop(**how):
        asked.update(how["args"].to_dict())
        raise McGurkError("far enough")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(training, "_device", lambda: "cpu")
    monkeypatch.setattr(training, "arguments_for", lambda options, **more: TrainingArguments(
        str(tmp_path), use_cpu=True, **more | {"bf16": False}))  # fmt: skip
    monkeypatch.setattr(training, "LargeTrainer", stop)
    with pytest.raises(SystemExit, match="far enough"):
        tune.main(["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path)])
    assert asked["dataloader_num_workers"] == training.READERS > 0


def test_a_clip_is_shown_as_large_as_it_was_when_the_adapter_was_tuned(family, media_file):
    """Before, clips were tuned on at 504 x 504 pixels and used at no more than 448 a side."""
    found = next(one for one in FAMILIES if one.name == family)
    layout_of, processor, config = found.parts()[0], tiny(family).processor(family), weights(family).config
    habits = layout_of.recipe(None, None)
    layout = layout_of(processor, config, found, habits)
    used = FakeModel()
    used.fps, used.pixels = habits.fps, (habits.pixels or (0, 0))[1]
    path = media_file("large.mp4")  # 1280 x 720
    tuned, shown = layout.sized(read_picture(path, habits.fps)), read_clip(path, sampling_for(used)).frames
    assert layout.sized(shown).shape[1:] == tuned.shape[1:] and len(shown) == len(tuned)
    assert layout.media(Stimulus(shown, habits.fps, None)).grid == layout.media(Stimulus(tuned, habits.fps, None)).grid


def test_several_cards_without_a_launcher_are_refused(released, data, tmp_path, monkeypatch):
    """The Trainer would wrap the model in DataParallel, which cuts 3 x batch x positions along the wrong axis."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SystemExit, match="accelerate launch"):
        tune.main(["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path)])


def test_tuned_resumed_and_loaded_back(family, data, released, tmp_path):
    gemma = family.startswith("Gemma")
    settings = "--fps 3 --batch 2 --accumulate 2 --rank 2 --save-steps 1 --rate 0.02" + " --side 84" * (not gemma)
    command = ["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path), *settings.split()]
    tune.main([*command, "--steps", "2"])
    tune.main([*command, "--steps", "3"])
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3]  # the third step went on from the second
    saved = json.loads((tmp_path / "aligned" / "adapter_config.json").read_text())
    assert (saved["r"], saved["lora_alpha"]) == (2, 4)
    model = load(str(released), adapter=tmp_path / "aligned", device="cpu")
    fed = Habits(fps=3.0) if gemma else Habits(None, True, 3.0, (84 * 84 // 2, 84 * 84))
    assert model.habits == read_habits(tmp_path / "aligned") == fed
    assert model.adapters == (BASE, ALIGNED) and model.logit_difference > 0 and model.fps == 3.0
    learnt = {key for key in model.tuned.state_dict() if "lora_B" in key}
    there = {name for name, _ in weights(family).named_modules()
             if name.startswith(LAYERS) and name.endswith(("q_proj", "v_proj"))}  # fmt: skip
    assert len(learnt) == len(there) >= 6
    answers = {}
    for model.batched in (False, True):
        answers[model.batched] = model.ask(tiny_omni.stimulus(), "What do you hear?", ("dog", "rain"), max_new_tokens=2)
    assert answers[True][BASE].options != answers[True][ALIGNED].options
    for adapter in (BASE, ALIGNED):
        one, both = (answers[batched][adapter] for batched in (False, True))
        assert one.text == both.text
        assert list(one.options.values()) == pytest.approx(list(both.options.values()), abs=1e-4)
    assert any("mcgurk.json" in note for note in answers[True][ALIGNED].receipt.notes)


def test_gemma_takes_no_other_size_of_frames(family, released, data, tmp_path):
    if not family.startswith("Gemma"):
        pytest.skip("Qwen takes any")
    with pytest.raises(SystemExit, match="leave out --side"):
        tune.main(["aligned", "--model", str(released), "--data", str(data), "--runs", str(tmp_path), "--side", "84"])


def test_only_the_aligned_course_and_no_exam(released, data, tmp_path):
    for wrong in (["base"], ["aligned", "--exam", "3"]):
        with pytest.raises(SystemExit, match=r"only its aligned|--exam is for mini"):
            tune.main([*wrong, "--model", str(released), "--data", str(data), "--runs", str(tmp_path)])
