"""Training: packing changes nothing, the alignment loss is what it says, a killed run resumes."""

import csv
import json

import cv2
import numpy as np
import pytest
import soundfile
import torch

from models import tune
from models.mini.features import Features, Item
from models.mini.lessons import MiniLessons, collate, wanted
from models.omni import SAMPLE_RATE
from models.probe import PROBE
from models.teaching.align import aligning
from models.teaching.curriculum import Course
from models.teaching.lesson import Branch, Catalogue, Lesson
from tests.test_mini import tiny

SHELF = Catalogue({"dog": [0], "rain": [0]}, {"dog": [1], "rain": [1]})


class OneLesson(Course):
    """A course of one fixed clip, asked `questions`."""

    def __init__(self, *questions: Branch, gap: int = 0):
        super().__init__("aligned", SHELF)
        self.questions, self.gap = questions, gap

    def lesson(self, i: int) -> Lesson:
        return Lesson(0, 1, "dog", "rain", 2, 2, False, "", self.gap, self.questions, 0)


@pytest.fixture(scope="module")
def processor():
    from models.mini.checkpoint import load_processor

    return load_processor()


def lessons(model, processor, *questions, gap: int = 0) -> MiniLessons:
    torch.manual_seed(1)
    features = Features(
        [Item(None, "dog", "image", "train", "a"), Item(None, "rain", "audio", "train", "b")],
        {0: torch.randn(5, 7, 7, 1280).half()}, {1: torch.randn(4, 4, 3, 2, 1024).half()},
        torch.zeros(6, 7, 7, 1280).half(), torch.zeros(6, 4, 3, 2, 1024).half(),
    )  # fmt: skip
    return MiniLessons(features, OneLesson(*questions, gap=gap), model, processor, 1, {})


SEE, HEAR = Branch("What do you see?", "dog", "see", "swap"), Branch("What do you hear now?", "rain", "hear", "swap")


@pytest.mark.mini
def test_packed_questions_do_not_see_each_other(processor):
    model = tiny()

    def answer_logits(*questions):
        item = lessons(model, processor, *questions)[0]
        inputs = collate([item])
        labels = inputs.pop("labels")
        inputs.pop("queries")
        with torch.inference_mode():
            return model(**inputs).logits[0], labels[0], torch.tensor(item["branches"])

    packed, labels, branches = answer_logits(SEE, HEAR)
    for n, question in enumerate((SEE, HEAR), 1):
        alone, alone_labels, _ = answer_logits(question)
        learnt = (labels != -100) & (branches == n)
        assert torch.equal(labels[learnt], alone_labels[alone_labels != -100])
        assert torch.allclose(packed[learnt], alone[alone_labels != -100], atol=1e-4)


@pytest.mark.mini
def test_a_gap_moves_the_questions_away_from_the_clip_and_nothing_else(processor):
    model = tiny()
    near, far = (lessons(model, processor, SEE, HEAR, gap=gap)[0] for gap in (0, 500))
    assert near["ids"] == far["ids"] and near["labels"] == far["labels"] and near["branches"] == far["branches"]
    moved = np.array(far["positions"]) - np.array(near["positions"])
    assert (moved == np.where(np.array(near["branches"]) == 0, 0, 500)).all()


@pytest.mark.mini
def test_the_alignment_loss_is_minus_log_of_the_share(processor):
    model = tiny()
    model.set_attn_implementation({"text_config": PROBE})
    model.language_model.set_attn_implementation(PROBE)
    inputs = collate([lessons(model, processor, SEE, HEAR)[0]])
    asked = wanted(inputs, model.config.video_token_id, model.config.audio_token_id)
    queries = inputs.pop("queries")
    layers = [layer.self_attn for layer in model.language_model.model.layers]
    with aligning(layers, asked) as loss:
        model(**inputs)
    model.language_model.set_attn_implementation("eager")
    inputs.pop("labels")
    with torch.inference_mode():
        embeddings = model.embed(inputs["input_ids"], *model._project(
            inputs["vision_features"], inputs["sound_features"], inputs["media"]))  # fmt: skip
        allowed = torch.where(inputs["attention_mask"], 0.0, torch.finfo(torch.float32).min)
        eager = model.language_model.model(
            inputs_embeds=embeddings, attention_mask=allowed, position_ids=inputs["position_ids"],
            output_attentions=True,
        ).attentions[1][0].mean(0)  # fmt: skip
    expected = []
    for _, query, kind in queries:
        token = model.config.video_token_id if kind == "see" else model.config.audio_token_id
        expected.append(-torch.log(eager[query][inputs["input_ids"][0] == token].sum()))
    assert float(loss.value().detach()) == pytest.approx(float(torch.stack(expected).mean()), abs=1e-4)


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    """Two concepts, two pictures and two recordings each."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data"
    folder.mkdir()
    rows = []
    for concept in ("dog", "rain"):
        for i in range(2):
            cv2.imwrite(str(folder / f"{concept}{i}.jpg"), rng.integers(0, 255, (60, 80, 3), np.uint8))
            wave = rng.standard_normal(2 * SAMPLE_RATE).astype(np.float32) * 0.1
            soundfile.write(folder / f"{concept}{i}.wav", wave, SAMPLE_RATE)
            for kind, end in (("image", "jpg"), ("audio", "wav")):
                rows.append({"path": f"{concept}{i}.{end}", "concept": concept, "kind": kind, "group": f"{i}",
                             "split": "train"})  # fmt: skip
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.mini
def test_a_run_trains_saves_and_resumes(labelled, tmp_path):
    runs = tmp_path / "runs"
    common = ["base", "--data", str(labelled), "--runs", str(runs), "--batch", "1", "--save-steps", "1"]
    tune.main([*common, "--steps", "1"])
    first = torch.load(runs / "checkpoint-1" / "optimizer.pt", weights_only=True)
    assert (runs / "base" / "adapter_model.safetensors").is_file() and (runs / "projector.safetensors").is_file()
    tune.main([*common, "--steps", "2"])
    second = torch.load(runs / "checkpoint-2" / "optimizer.pt", weights_only=True)
    steps = [float(next(iter(saved["state"].values()))["step"]) for saved in (first, second)]
    assert steps == [1, 2]
    assert [json.loads(line)["step"] for line in (runs / "log.jsonl").read_text().splitlines()][-1] == 2


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"manifest\.csv"):
        tune.main(["base", "--data", str(tmp_path), "--exam", "1", "--runs", str(tmp_path)])
