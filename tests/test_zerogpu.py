"""Who borrows a GPU on ZeroGPU, for how long, and what comes out of a loan. The lending is the real package's."""

import socket
import subprocess
import sys
from importlib.util import find_spec
from math import ceil

import numpy as np
import pytest

from demo.clips import USUAL, sampling_for
from models import registry, zerogpu
from models.fake import FakeModel
from models.omni import McGurkError, Stimulus
from tests import tiny_omni
from tests.lending import lending, on_space
from tests.test_adapters import write_lora

LENT = """
import json, os
import gradio
import numpy as np
from models.fake import FakeModel
from models.interventions import Look
from models.omni import McGurkError, Stimulus
from models import registry, zerogpu

class Large(FakeModel):
    borrows, gigabytes = True, 18.0
    def answer(self, encoded, question, *arguments, **how):
        if "loud" in question:
            raise McGurkError("The clip is too loud: shorten it.")
        if "broken" in question:
            raise ValueError("inside")
        if "long" in question:
            os._exit(1)  # as ZeroGPU ends a loan that lasts too long
        yield from super().answer(encoded, question, *arguments, **how)

def tell(**what):
    print(json.dumps(what), flush=True)

def refused(question, how=()):
    try:
        model.ask(stimulus, question, *how)
    except McGurkError as error:
        return str(error)
    except gradio.Error as error:
        return [error.title, error.message]

registry.plugins.load = lambda path: Large()
zerogpu.declare()
model = registry.load_model("some.where:large")
frames = np.zeros((16, 60, 80, 3), np.uint8)
stimulus = Stimulus(frames, 2.0, np.zeros(128_000, np.float32), seen="a cello", heard="steady rain in a yard")
options = "a cello", "steady rain in a yard"
own, lent = Large().ask(stimulus, "What do you hear?"), model.ask(stimulus, "What do you hear?")
tell(
    texts=[{name: answer.text for name, answer in answers.items()} for answers in (own, lent)],
    rows=[next(iter(answers.values())).attention.rows.shape[2] for answers in (own, lent)],
    same=all((own[name].attention.reduced().rows == lent[name].attention.rows).all() for name in own),
)
scored = model.ask(stimulus, "What do you see?", options, max_new_tokens=24)
tell(options=[answer.options for answer in scored.values()])
ways = [Look(), Look(picture=0.0)]
how = stimulus, "What do you see?", options, ways
tell(sweeps=[[list(one) for one in asked.sweep(*how, adapters=("aligned",))] for asked in (Large(), model)])
tell(visitor=refused("Is it loud?"), inside=refused("Is it broken?"), late=refused("Is it long?"))
tell(refused=refused("What do you hear?"))
"""
LOANS = 6  # of LENT; one more is refused
SERVED = """
import json, os
import app
from models.zerogpu import declare
declare()
future = app.load("fake")
ready = future.done()
served, address, _ = app.launch(future, int(os.environ["PORT"]), block=False, host="127.0.0.1")
from gradio_client import Client
client = Client(address, verbose=False)
asked = [name for name in client.view_api(return_format="dict")["named_endpoints"]]
print(json.dumps({"model": type(future.result(60)).__name__, "ready": ready, "endpoints": asked}), flush=True)
os._exit(0)
"""


LOADED = """
import json, os
import transformers.processing_utils
os.environ["MCGURK_ADAPTER"] = {lora!r}
from models.zerogpu import declare
declare()
from tests import tiny_omni
tiny_omni.torchvision()
from models import registry
from spaces.zero.torch import patching
model = registry.load_model({released!r})
print(json.dumps(dict(kind=type(model).__name__, adapters=model.adapters, weights=model.gigabytes * 1e9,
                      packed=patching.pack())), flush=True)
"""


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    """(what the service was asked, what the script told) of LENT."""
    with lending() as lender:
        lender.most, lender.left = LOANS, 12
        told = on_space(lender, tmp_path_factory.mktemp("space"), LENT)
    return lender, {name: value for line in told for name, value in line.items()}


def test_without_zerogpu_nothing_borrows_even_where_its_package_is_installed(monkeypatch):
    def answer(question):
        return question

    assert find_spec("spaces") is not None
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert zerogpu.gpu(3.0)(answer) is answer
    assert isinstance(registry.load_model("models.fake:FakeModel"), FakeModel)
    assert not registry.borrows("qwen2.5-omni-7b")


@pytest.mark.parametrize("said", ("true", "1", "True"))
def test_on_zerogpu_large_models_borrow_and_small_ones_do_not(monkeypatch, said):
    monkeypatch.setenv("SPACES_ZERO_GPU", said)
    assert zerogpu.is_here()
    for name, borrows in {
        "mini": False, "fake": False, "server": False, "qwen2.5-omni-7b": True, "gemma-4-e4b-it": True,
        "owner/name": True, "docs.meter:load": True, "nonsense": False,
    }.items():  # fmt: skip
        assert registry.borrows(name) == borrows, name
    monkeypatch.setattr(zerogpu, "gpu", lambda duration: lambda function: function)
    assert isinstance(registry.load_model("models.fake:FakeModel"), zerogpu.Borrower)
    assert registry.load_model("docs.meter:load").name == "meter"
    assert not isinstance(registry.load_model("docs.meter:load"), zerogpu.Borrower)  # it says so itself


def test_mini_computes_on_the_cpu_of_zerogpu_whatever_torch_says(monkeypatch):
    import torch

    made = []
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # as the package has it there
    monkeypatch.setattr("models.mini.backend.Mini", lambda **how: made.append(how) or FakeModel())
    assert isinstance(registry.load_model("mini"), FakeModel)
    assert made == [{"device": "cpu"}]


def test_the_estimate_grows_with_what_is_moved_read_and_written_up_to_the_longest_loan():
    least = zerogpu.estimate(0, 0, 1, 10.0)
    assert least == zerogpu.STARTING + 10.0 / zerogpu.CARRIED
    assert zerogpu.estimate(4_000, 0, 1, 10.0) > least < zerogpu.estimate(0, 24, 1, 10.0)
    assert least < zerogpu.estimate(0, 0, 1, 16.0)
    twice = zerogpu.estimate(4_000, 24, 2, 10.0) - least
    assert twice == pytest.approx(2 * (zerogpu.estimate(4_000, 24, 1, 10.0) - least))
    assert zerogpu.estimate(10**9) == zerogpu.LONGEST
    assert zerogpu.estimate(100) == zerogpu.estimate(100, gigabytes=zerogpu.UNCOUNTED)


def test_a_loan_is_asked_for_as_long_as_it_is_expected_to_take(lent):
    lender, _ = lent
    stimulus = Stimulus(np.zeros((16, 60, 80, 3), np.uint8), 2.0, np.zeros(128_000, np.float32))
    tokens = [FakeModel().expected_tokens(stimulus, question) for question in ("What do you hear?", "What do you see?")]
    expected = [
        zerogpu.estimate(tokens[0], 96, 2, 18.0),  # a free answer
        zerogpu.estimate(tokens[1], 24, 2, 18.0),
        zerogpu.estimate(tokens[1], 0, 2, 18.0),  # two interventions, one adapter
    ]
    assert lender.seconds[:3] == [ceil(seconds) for seconds in expected]
    assert lender.seconds[2] < lender.seconds[1] < lender.seconds[0] < zerogpu.LONGEST
    assert lender.calls.count("/schedule") == len(lender.seconds) == LOANS + 1
    assert lender.calls.count("/release") == LOANS


def test_a_loan_gives_what_the_model_gives_and_carries_no_more_rows_than_are_drawn(lent):
    _, told = lent
    assert told["texts"][0] == told["texts"][1] == {"base": "a cello", "aligned": "steady rain in a yard"}
    assert told["rows"][0] >= told["rows"][1] == 3 and told["same"]  # each token of so short an answer is drawn
    assert all(sum(options.values()) == pytest.approx(1) for options in told["options"])
    assert told["sweeps"][0] == told["sweeps"][1] and len(told["sweeps"][1]) == 2


def test_what_a_visitor_can_mend_comes_out_of_a_loan_with_its_sentence(lent):
    _, told = lent
    assert told["visitor"] == "The clip is too loud: shorten it."
    assert told["inside"] == ["ZeroGPU worker error", "ValueError"]  # a fault of the code is none of the visitor's
    assert told["late"] == (
        "ZeroGPU took its GPU back before the answer was there (GPU task aborted): shorten the clip or the text."
    )


def test_a_used_up_quota_is_one_sentence(lent):
    _, told = lent
    assert told["refused"].startswith("ZeroGPU lent no GPU for this (")
    assert told["refused"].endswith("): try again later, or duplicate this Space.")


def test_an_application_whose_model_borrows_nothing_is_taken_by_zerogpu_all_the_same(tmp_path, monkeypatch):
    """ZeroGPU ends what does not report itself at the launch, and the package reports only what declared a function."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(port.getsockname()[1]))
    with lending() as lender:
        (told,) = on_space(lender, tmp_path, SERVED)
    assert told["model"] == "FakeModel" and "/ask" in told["endpoints"]
    assert "/startup-report" in lender.calls and lender.seconds == []


def test_a_large_model_and_its_adapter_are_loaded_and_handed_over(tmp_path):
    """The package takes weights for CUDA's that are moved in the main thread, and packs them at the launch."""
    tiny_omni.torchvision()
    folders = released, lora, home = [tmp_path / name for name in ("released", "lora", "home")]
    for folder in folders:
        folder.mkdir()
    tiny_omni.thinker("Qwen2.5-Omni").save_pretrained(released)
    tiny_omni.processor("Qwen2.5-Omni").save_pretrained(released)
    write_lora(lora, tiny_omni.thinker("Qwen2.5-Omni"))
    with lending() as lender:
        (told,) = on_space(lender, home, LOADED.format(released=str(released), lora=str(lora)))
    assert (told["kind"], told["adapters"]) == ("Borrower", ["base", "aligned"])
    assert told["packed"] > told["weights"] > 0 and lender.seconds == []


def test_stopping_is_seen_between_what_arrives(monkeypatch):
    monkeypatch.setattr(zerogpu, "gpu", lambda duration: lambda function: function)
    model, calls = FakeModel(), []
    model.fps, model.pixels = 8.0, 504**2
    borrower = zerogpu.Borrower(model)
    assert sampling_for(borrower) == sampling_for(model) != USUAL  # frames are read before there is a loan
    stimulus = Stimulus(None, 1.0, np.zeros(16_000, np.float32), heard="rain")
    arrived = []
    with pytest.raises(McGurkError):
        for given in borrower.answer(stimulus, "What do you hear?", stop=lambda: calls.append(1) or len(calls) > 1):
            arrived.append(given[0])
    assert arrived == ["base"]


def test_the_package_is_not_imported_where_it_lends_nothing():
    script = "import app, sys; from models.zerogpu import declare; declare(); print('spaces' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert found.stdout.strip() == "False"
