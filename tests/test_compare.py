"""Comparisons grow answer by answer, and their JSON and CSV say what was answered."""

import csv
import io
import json

import numpy as np
import pytest

from demo.compare import compare, to_csv, to_json
from demo.questions import ABSTAIN, Question, question
from models.fake import FakeModel
from models.omni import ALIGNED, BASE, McGurkError, Stimulus
from models.wording import ALTERNATIVE, GROUNDING

OPTIONS = ("dog", "rain", "cello", ABSTAIN)


@pytest.fixture
def stimulus():
    frames, sound = np.zeros((4, 32, 48, 3), np.uint8), np.zeros(16_000 * 2, np.float32)
    return Stimulus(frames, 2.0, sound, "The caption says: cello.", seen="dog", heard="rain", read="cello")


def test_comparison_grows_base_first(stimulus):
    first, second = compare(FakeModel(), stimulus, question("hear", OPTIONS))
    assert list(first.answers) == [BASE] and not first.complete
    assert list(second.answers) == [BASE, ALIGNED] and second.complete
    assert second.followed == {BASE: "picture", ALIGNED: "sound"}
    assert list(first.answers) == [BASE]  # an earlier value does not change behind one's back
    assert second.seconds >= first.seconds > 0


def test_question_reaches_the_model_with_its_options(stimulus):
    *_, done = compare(FakeModel(), stimulus, question("see", OPTIONS))
    assert "What do you see in the video? Choose one: dog, rain" in done.answers[BASE].receipt.prompt
    assert tuple(done.answers[BASE].options) == OPTIONS


def test_encoded_stimulus_is_used_again(stimulus):
    class Once(FakeModel):
        encodings = 0

        def encode(self, stimulus):
            self.encodings += 1
            return super().encode(stimulus)

    model = Once()
    encoded = model.encode(stimulus)
    (only,) = compare(model, stimulus, question("see", OPTIONS), encoded=encoded, adapters=(ALIGNED,), attention=False)
    assert model.encodings == 1
    assert only.complete and only.answers[ALIGNED].attention is None


@pytest.mark.parametrize("adapters", [("tuned",), ()])
def test_unknown_adapter_is_refused(stimulus, adapters):
    with pytest.raises(McGurkError, match="fake has base, aligned"):
        next(compare(FakeModel(), stimulus, question("see"), adapters=adapters))


def test_json_is_plain_and_complete(stimulus):
    *_, done = compare(FakeModel(), stimulus, question("hear", OPTIONS))
    written = json.loads(json.dumps(to_json(done), allow_nan=False))
    assert written[ALIGNED]["answer"] == "rain" and written[ALIGNED]["followed"] == "sound"
    assert sum(written[BASE]["options"].values()) == pytest.approx(1, abs=1e-4)
    assert len(written[BASE]["attention_share"]["raw"]["video"]) == FakeModel.layers
    assert written["stimulus"]["heard"] == "rain" and written["stimulus"]["frames"] == 4
    assert written["receipt"]["model"] == "fake" and "adapter" not in written["receipt"]
    assert written[ALIGNED]["receipt"]["adapter"] == ALIGNED
    assert written["seconds"] >= 0


def test_json_of_an_unfinished_comparison_and_without_attention(stimulus):
    done = next(compare(FakeModel(), Stimulus(None, 2.0, None), question("see"), attention=False))
    written = json.loads(json.dumps(to_json(done), allow_nan=False))
    assert ALIGNED not in written
    assert written[BASE]["attention_share"] is None and written["stimulus"]["sound_seconds"] is None


def test_csv_is_tidy(stimulus):
    *_, done = compare(FakeModel(), stimulus, question("hear", OPTIONS))
    lines = list(csv.DictReader(io.StringIO(to_csv(done))))
    odds = {line["name"]: float(line["value"]) for line in lines if line["quantity"] == "option probability"}
    assert odds == pytest.approx(done.answers[ALIGNED].options, abs=1e-5)
    layers = [line["layer"] for line in lines if line["quantity"] == "attention share" and line["name"] == "video"]
    assert layers == [str(layer) for layer in range(FakeModel.layers)] * 2


def test_csv_text_is_never_a_formula(stimulus):
    asked = Question("free", '=HYPERLINK("http://example.org")', ("-1", "=2"))
    *_, done = compare(FakeModel(), stimulus, asked)
    cells = [cell for line in csv.reader(io.StringIO(to_csv(done))) for cell in line[:6]]
    assert not [cell for cell in cells if cell[:1] in ("=", "-", "+", "@")]


def test_without_an_aligned_adapter_a_grounding_prompt_answers_under_its_own_name(stimulus):
    class Untuned(FakeModel):
        adapters = (BASE,)

    *_, done = compare(Untuned(), stimulus, question("hear", OPTIONS))
    assert list(done.answers) == [BASE, ALTERNATIVE] and done.complete and ALIGNED not in done.followed
    assert GROUNDING in done.answers[ALTERNATIVE].receipt.prompt
    assert GROUNDING not in done.answers[BASE].receipt.prompt
    *_, chosen = compare(Untuned(), stimulus, question("hear", OPTIONS), adapters=[BASE])
    assert list(chosen.answers) == [BASE]
