"""The black-box backend against a real HTTP server on this machine that speaks the protocol and can misbehave."""

import base64
import io
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile

from models import registry
from models.interventions import Look
from models.omni import ALIGNED, BASE, McGurkError, Stimulus
from models.served import backend, connection, parts
from models.served.backend import ServerModel
from models.served.replies import option_shares

OPTIONS = ("dog", "rain", "none of the above")
QUESTION = "What do you hear in the audio?"


class Chat(BaseHTTPRequestHandler):
    """Answers with "rain"; `faults` says what to do instead for the next requests."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._reply(self.server.lists, {"data": self.server.models})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, dict(self.headers), body))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
        elif fault == "slow":
            time.sleep(1.0)
            self._reply(200, self._answer(body))
        elif fault == "half":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b'{"choices": [{"mess')
            self.close_connection = True
        elif fault == "broken":
            self._reply(200, b'{"choices": [{"message": ')
        elif fault == "list":
            self._reply(200, b"[1, 2]")
        elif fault == "empty":
            self._reply(200, {"choices": []})
        elif fault == "endless":
            self._reply(200, b"x" * (connection.LARGEST_REPLY + 1))
        elif fault == "redirect":
            self._reply(302, b"", {"Location": "http://127.0.0.1:9/steal"})
        elif fault == "no logprobs" and body.get("logprobs"):
            self._reply(400, {"error": {"message": "logprobs are not supported"}})
        elif fault == "no logprobs":
            self._reply(200, self._answer(body))
        elif fault == "extra":
            self._reply(400, {"error": {"message": "Extra inputs are not permitted: media_io_kwargs"}})
        elif fault:
            status, _, after = fault.partition(" ")
            self._reply(int(status), {"error": {"message": "told to"}}, {"Retry-After": after} if after else {})
        else:
            self._reply(200, self._answer(body))

    def _answer(self, body):
        choice = {"message": {"role": "assistant", "content": " rain\n"}}
        if body.get("logprobs"):
            tops = [(" rain", 0.6), (" Dog", 0.3), ("none", 0.05), ("zebra", 0.05)]
            tops = [{"token": t, "logprob": float(np.log(p))} for t, p in tops]
            choice["logprobs"] = {"content": [{**tops[0], "top_logprobs": tops}]}
        return {"choices": [choice], "usage": {"prompt_tokens": 321, "completion_tokens": 2}}

    def _reply(self, status, content, headers=None):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def chat():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    running.seen, running.faults = [], []
    running.lists, running.models = 200, [{"id": "tiny-omni"}]
    running.address = f"http://127.0.0.1:{running.server_port}/v1"
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def model(chat, pauses):
    made = ServerModel(chat.address, key="secret", timeout=0.4, wait=pauses.append)
    yield made
    made.close()


@pytest.fixture(scope="module")
def stimulus():
    frames = np.zeros((6, 33, 47, 3), np.uint8)
    frames[..., 0] = 200
    sound = (0.3 * np.sin(np.arange(16_000) * 0.2)).astype(np.float32)
    return Stimulus(frames, 2.0, sound, "The caption says: dog.", seen="dog", heard="rain")


def test_asks_with_video_sound_and_text_as_the_api_takes_them(model, chat, stimulus):
    answer = model.ask(stimulus, QUESTION, OPTIONS, system="Be brief.", max_new_tokens=7)[BASE]
    assert answer.text == "rain" and answer.attention is None
    path, headers, body = chat.seen[-1]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny-omni", 7, 0)
    system, user = body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    video, sound, text = user["content"]
    assert text == {"type": "text", "text": f"The caption says: dog. {QUESTION}"}
    head, _, data = video["video_url"]["url"].partition(",")
    assert head == "data:video/mp4;base64" and base64.b64decode(data)[4:8] == b"ftyp"
    waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["input_audio"]["data"])), dtype="float32")
    assert rate == 16_000 and sound["input_audio"]["format"] == "wav"
    np.testing.assert_allclose(waveform, stimulus.waveform, atol=1e-4)


def test_the_video_sent_has_the_true_frames_and_rate(stimulus, tmp_path):
    import cv2

    (tmp_path / "sent.mp4").write_bytes(parts._mp4(stimulus.frames, stimulus.fps))
    video = cv2.VideoCapture(str(tmp_path / "sent.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 6 and video.get(cv2.CAP_PROP_FPS) == pytest.approx(2.0)
    _, frame = video.read()
    assert frame.shape == (34, 48, 3)  # sides are even
    assert abs(int(frame[10, 10, 2]) - 200) < 12 and frame[10, 10, 0] < 12  # red stays red


def test_option_probabilities_come_from_logprobs(model, chat, stimulus):
    answer = model.ask(stimulus, QUESTION, OPTIONS)[BASE]
    assert answer.options == pytest.approx({"rain": 0.6 / 0.95, "dog": 0.3 / 0.95, "none of the above": 0.05 / 0.95})
    assert chat.seen[-1][2]["top_logprobs"] == backend.TOP_LOGPROBS
    assert model.ask(stimulus, QUESTION)[BASE].options == {}
    assert "logprobs" not in chat.seen[-1][2]


def test_a_token_shared_by_options_is_shared_out():
    shares = option_shares([("ch", np.log(0.5)), ("church", np.log(0.25)), ("", -1.0)], ("church bell", "chainsaw"))
    assert shares == pytest.approx({"church bell": 2 / 3, "chainsaw": 1 / 3})
    assert option_shares([("zebra", -0.1)], ("dog",)) == {}


def test_a_server_without_logprobs_is_asked_without_them_from_then_on(model, chat, stimulus):
    chat.faults = ["no logprobs"]
    answer = model.ask(stimulus, QUESTION, OPTIONS)[BASE]
    assert answer.text == "rain" and answer.options == {}
    assert any("no log-probabilities" in note for note in answer.receipt.notes)
    model.ask(stimulus, QUESTION, OPTIONS)
    assert [bool(body.get("logprobs")) for _, _, body in chat.seen] == [True, False, False]


@pytest.mark.parametrize("fault", ("429", "500", "503", "slow", "broken", "list", "half", "drop"))
def test_a_fault_is_outlived(model, chat, pauses, stimulus, fault):
    chat.faults = [fault, fault]
    assert model.ask(stimulus, QUESTION)[BASE].text == "rain"
    assert len(pauses) == 2 and pauses[1] > pauses[0] >= connection.FIRST_WAIT


@pytest.mark.parametrize(
    ("fault", "said"),
    (
        ("429", "429 .told to"),
        ("500", "500"),
        ("slow", "in time"),
        ("broken", "not JSON"),
        ("drop", "connection failed"),
    ),
)
def test_a_lasting_fault_ends_with_one_clear_sentence(model, chat, pauses, stimulus, fault, said):
    chat.faults = [fault] * 20
    with pytest.raises(McGurkError, match=f"asked {connection.ATTEMPTS} times: .*{said}"):
        model.ask(stimulus, QUESTION)
    assert len(chat.seen) == connection.ATTEMPTS and len(pauses) == connection.ATTEMPTS - 1


def test_the_server_s_wish_to_wait_is_heard_within_reason(model, chat, pauses, stimulus):
    chat.faults = ["429 3", "429 99999", "429 soon"]
    model.ask(stimulus, QUESTION)
    assert pauses[0] == 3.0 and pauses[1] == connection.LONGEST_WAIT and pauses[2] < connection.LONGEST_WAIT


@pytest.mark.parametrize("status", ("400", "401", "404"))
def test_a_refusal_is_passed_on_at_once(model, chat, pauses, stimulus, status):
    chat.faults = [status]
    with pytest.raises(McGurkError, match=rf"refused \({status}\): told to"):
        model.ask(stimulus, QUESTION)
    assert not pauses and len(chat.seen) == 1


def test_the_key_never_follows_a_redirect_and_is_in_no_message(model, chat, stimulus):
    chat.faults = ["redirect"]
    with pytest.raises(McGurkError, match=r"refused .302") as caught:
        model.ask(stimulus, QUESTION)
    assert "secret" not in str(caught.value)
    assert "secret" not in str(model.ask(stimulus, QUESTION)[BASE].receipt)


def test_what_is_no_answer_is_said_to_be_none(model, chat, stimulus):
    chat.faults = ["empty"]
    with pytest.raises(McGurkError, match="sent no answer"):
        model.ask(stimulus, QUESTION)
    chat.faults = ["endless"]
    with pytest.raises(McGurkError, match="is this a chat server"):
        model.ask(stimulus, QUESTION)


def test_nobody_home_is_said_in_one_sentence(pauses):
    with pytest.raises(McGurkError, match=r"127\.0\.0\.1:9 was asked 2 times: the connection failed"):
        ServerModel("http://127.0.0.1:9/v1", attempts=2, wait=pauses.append)
    for wrong in ("localhost", "file:///etc/passwd", ""):
        with pytest.raises(McGurkError, match="no server address"):
            ServerModel(wrong)


def test_silence_no_sound_and_no_picture_are_sent_as_such(model, chat, stimulus):
    silent = Stimulus(stimulus.frames, 2.0, np.zeros(8000, np.float32))
    kinds = []
    for given in (
        silent,
        Stimulus(stimulus.frames, 2.0, None),
        Stimulus(None, 2.0, stimulus.waveform),
        Stimulus(None, 2.0, None),
    ):
        model.ask(given, QUESTION)
        kinds.append([part["type"] for part in chat.seen[-1][2]["messages"][-1]["content"]])
    assert kinds == [
        ["video_url", "input_audio", "text"], ["video_url", "text"], ["input_audio", "text"], ["text"],
    ]  # fmt: skip


def test_pictures_where_no_video_is_taken(chat, stimulus):
    model = ServerModel(chat.address, "named", video="frames")
    many = Stimulus(np.repeat(stimulus.frames, 10, 0), 8.0, None)
    receipt = model.ask(many, QUESTION)[BASE].receipt
    content = chat.seen[-1][2]["messages"][-1]["content"]
    assert Counter(part["type"] for part in content) == {"image_url": parts.FRAME_LIMIT, "text": 1}
    assert receipt.frames == parts.FRAME_LIMIT and any("of 60 frames" in note for note in receipt.notes)
    assert "Authorization" not in chat.seen[-1][1]


def test_nobody_can_look_or_reach_inside(model, stimulus):
    assert not model.can_look_inside and model.adapters == (BASE,)
    with pytest.raises(McGurkError, match="cannot be steered"):
        model.ask(stimulus, QUESTION, steering=Look(sound=0.0))
    with pytest.raises(McGurkError, match="no adapter 'aligned'"):
        model.ask(stimulus, QUESTION, adapters=(ALIGNED,))


def test_the_receipt_says_what_was_sent(model, stimulus):
    receipt = model.ask(stimulus, QUESTION, OPTIONS)[BASE].receipt
    assert (receipt.tokens, receipt.frames, receipt.fps, receipt.audio_seconds) == ({"prompt": 321}, 6, 2.0, 1.0)
    assert "<video_url " in receipt.prompt and "<input_audio " in receipt.prompt and len(receipt.prompt) < 500
    assert receipt.model.startswith("tiny-omni at 127.0.0.1:")


def test_the_registry_finds_the_server_where_the_environment_says(chat, monkeypatch, caplog):
    monkeypatch.delenv("MCGURK_SERVER", raising=False)
    with pytest.raises(McGurkError, match="MCGURK_SERVER=http"):
        registry.load_model("server")
    monkeypatch.setenv("MCGURK_SERVER", chat.address)
    model = registry.load_model("server")
    assert model.model == "tiny-omni" and not model.can_look_inside
    assert len(chat.seen) == 2 and "HEARING TEST FAILED" in caplog.text and "HEARING TEST FAILED" in model.notes[0]
    monkeypatch.setenv("MCGURK_SERVER_SYSTEM", "Be brief.")
    assert registry.load_model("server").system == "Be brief."
