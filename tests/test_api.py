"""The named endpoints, called over HTTP as a program would call them; the model is the fake one."""

import json

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.perceiving import PerceivingModel
from tests.serving import served


@pytest.fixture(scope="module")
def client(tmp_path_factory, stand_ins):
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, served(PerceivingModel(), cache, patch) as address:
        yield Client(address, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def test_endpoints_are_named_typed_and_documented(client):
    described = client.view_api(return_format="dict")["named_endpoints"]
    assert set(described) == {"/compose", "/ask", "/attention", "/intervene", "/sweep"}
    parameters = {p["parameter_name"]: p for p in described["/ask"]["parameters"]}
    assert parameters["shift"]["type"]["type"] == "number" and parameters["shift"]["parameter_default"] == 0.0
    assert "Ask base and aligned" in described["/ask"]["description"]


def test_compose_gives_a_film_and_what_is_true_of_it(client):
    made = client.predict(clip="dog", sound="swap", other="cello", api_name="/compose")
    assert (made["seen"], made["heard"], made["read"]) == ("dog", "cello", None)
    with open(made["video"] if isinstance(made["video"], str) else made["video"]["path"], "rb") as film:
        assert film.read(12)[4:8] == b"ftyp"


def test_ask_answers_twice(client):
    told = client.predict(question="hear", clip="dog", sound="swap", other="cello", api_name="/ask")
    assert (told["base"]["answer"], told["base"]["followed"]) == ("dog", "picture")
    assert (told["aligned"]["answer"], told["aligned"]["followed"]) == ("cello", "sound")
    assert sum(told["aligned"]["options"].values()) == pytest.approx(1, abs=1e-4)
    assert told["receipt"]["tokens"]["video"] == 6 * 49 and told["stimulus"]["heard"] == "cello"
    json.dumps(told)


def test_ask_takes_own_words_and_options(client):
    told = client.predict(own="What instrument plays?", options=["cello", "harp"], clip="cello", api_name="/ask")
    assert told["question"]["prompt"] == "What instrument plays? Choose one: cello, harp."


def test_attention_of_the_last_answers(client):
    client.predict(question="see", clip="cat", api_name="/ask")
    raw = client.predict(api_name="/attention")
    assert [len(raw["base"]["video"]), len(raw["base"]["video"][0]), len(raw["base"]["video"][0][0])] == [6, 7, 7]
    assert len(raw["aligned"]["audio"]) == len(raw["aligned"]["spans"])
    difference = client.predict(view="difference", layer=2, head=1, film=True, api_name="/attention")
    assert difference["aligned"]["video"] != raw["aligned"]["video"]
    assert difference["film"]


def test_an_intervention_on_the_last_question(client):
    client.predict(question="hear", clip="dog", sound="swap", other="cat", api_name="/ask")
    told = client.predict(does="listen~kind~sound~gain~0", api_name="/intervene")
    assert told["aligned"]["answer"] == "none of the above" and told["base"]["followed"] == "picture"
    assert told["word"] == "listen~kind~sound~gain~0" and told["values"] == {"kind": "sound", "gain": 0.0}
    curve = client.predict(does="exit~kind~sound~after~2", axis="after", api_name="/sweep")
    assert curve["x"] == [-1, 0, 1, 2, 3, 4, 5] and len(curve["points"]["aligned"]) == 7
    assert (
        curve["points"]["aligned"][0]["cat"] < curve["points"]["aligned"][3]["cat"] == curve["plain"]["aligned"]["cat"]
    )
    told = client.predict(does="pick~patch~3.4~sound~0-0.3~text~hear", api_name="/intervene")
    assert told["word"].startswith("cut~source~region~target~everything after~region~")
    picked = "row 4, column 5 in all frames, 0.00 to 0.32 s of the sound and the word “hear” of the question"
    assert told["does"] == f"Nothing can look at {picked} any more."
    refused = "listen~gain~9", "magic", "listen", "pick", "pick~patch~99.0", "pick~text~unicorn", "cut~source~region"
    for wrong in refused:
        with pytest.raises(AppError):
            client.predict(does=wrong, api_name="/intervene")


def test_uploads_are_taken(client, media_file):
    told = client.predict(clip_file=handle_file(media_file("plain.mp4")), picture="black", api_name="/compose")
    assert told["seen"] is None and told["video"]
    named = [name for name, _ in told["perceived"]["sound"]]
    assert told["untold"] == ["sound"] and named == ["cello", "dog", "rain"]  # a cat is far less likely


def test_an_upload_takes_labels_and_tells_what_was_perceived(client, media_file):
    clip, other = handle_file(media_file("plain.mp4")), handle_file(media_file("other.mp4"))
    swap = {"clip_file": clip, "sound": "swap", "other_file": other}
    made = client.predict(**swap, seen="A Dog", heard="rain", api_name="/compose")
    assert (made["seen"], made["heard"], made["untold"]) == ("dog", "rain", [])
    told = client.predict(question="hear", **swap, heard="rain", api_name="/ask")
    assert told["aligned"]["followed"] == "sound" and told["stimulus"]["untold"] == ["picture"]
    alone = client.predict(question="see", clip_file=clip, api_name="/ask")
    assert alone["aligned"]["followed"] == "untold"
    assert len(alone["perceived"]["picture"]) > 1 and alone["perceived"]["sound"][0][1] > 0
    assert set(name for name, _ in alone["perceived"]["picture"][:2]) < set(alone["aligned"]["options"])
    for wrong in ({"clip": "dog", "seen": "cat"}, {"clip": "dog", "heard": "cat"}):
        with pytest.raises(AppError, match="gallery's clips have labels"):
            client.predict(**wrong, api_name="/compose")


def test_choices_files_and_results_are_typed_as_what_they_are(client):
    described = client.view_api(return_format="dict")["named_endpoints"]
    types = {p["parameter_name"]: p["python_type"]["type"] for p in described["/ask"]["parameters"]}
    assert "Literal['own', 'swap'" in types["sound"] and "Literal['see', 'hear'" in types["question"]
    assert "filepath" in types["clip_file"] or "path" in types["clip_file"]
    (returned,) = described["/compose"]["returns"]
    assert all(name in returned["python_type"]["type"] for name in ("video", "seen", "untold", "perceived"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clip": "unicorn"}, "no gallery clip 'unicorn'"),
        ({"clip": "dog", "sound": "swap"}, "(?i)clip"),
        ({"clip": "dog", "sound": "louder"}, "no sound 'louder'"),
        ({"clip": "dog", "shift": 1000}, "shift"),
        ({"clip": "dog", "text": "caption", "caption": ""}, "Write what the text should say"),
        ({"clip": "dog", "shift": "late"}, "shift must be a number, not 'late'"),
        ({"clip": ["dog"]}, "clip must be text"),
        ({"clip": "dog", "sound": {"swap": 1}}, "sound must be text"),
        ({"clip": "dog", "long_tokens": 2.5}, "long_tokens must be a whole number"),
        ({"clip": "dog", "clip_file": "a.mp4"}, "clip_file must be an upload"),
        ({"clip": "x" * 100_000}, "no gallery clip 'xxx"),
    ],
)
def test_wrong_arguments_are_answered_with_a_sentence(client, wrong, said):
    with pytest.raises(AppError, match=said):
        client.predict(**wrong, api_name="/compose")
    assert client.predict(clip="dog", api_name="/compose")["seen"] == "dog"  # and the server serves on


def test_only_uploads_can_be_read(client):
    for path in ("/etc/passwd", "\0", "x" * 5000, ["a"], None):
        with pytest.raises(AppError, match="not uploaded"):
            client.predict(clip_file={"path": path}, api_name="/compose")


def test_a_call_with_too_few_values(client):
    api = f"{client.src.rstrip('/')}/gradio_api/call/ask"
    event = httpx.post(api, json={"data": ["see"]}).json()["event_id"]
    assert "This takes 20 values, not 1" in httpx.get(f"{api}/{event}", timeout=30).text


def test_attention_of_layers_that_do_not_exist(client):
    client.predict(question="see", clip="cat", api_name="/ask")
    with pytest.raises(AppError, match="no layer 99"):
        client.predict(layer=99, api_name="/attention")
