"""What of the server can be reached from outside, asked of the real application around the fake model."""

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from demo.clips import MAX_BYTES
from demo.pages import doors
from models.fake import FakeModel
from tests.serving import served

REACHED = """
GET /
HEAD /
GET /about
GET /about/
GET /add
GET /add/
GET /assets/{path:path}
GET /bench
GET /bench/
GET /config
GET /config/
GET /favicon.ico
GET /lessons
GET /lessons/
GET /manifest.json
GET /pwa_icon
GET /robots.txt
GET /static/{path:path}
GET /svelte/{path:path}
GET /theme.css
GET /gradio_api/app_id
GET /gradio_api/app_id/
GET /gradio_api/call/v2/{api_name}/{event_id}
GET /gradio_api/call/{api_name}/{event_id}
GET /gradio_api/file={path_or_url:path}
HEAD /gradio_api/file={path_or_url:path}
GET /gradio_api/heartbeat/{session_hash}
GET /gradio_api/info
GET /gradio_api/info/
GET /gradio_api/login_check
GET /gradio_api/login_check/
GET /gradio_api/queue/data
GET /gradio_api/queue/status
GET /gradio_api/startup-events
GET /gradio_api/theme.css
GET /gradio_api/upload_progress
POST /gradio_api/call/v2/{api_name}
POST /gradio_api/call/v2/{api_name}/
POST /gradio_api/call/{api_name}
POST /gradio_api/call/{api_name}/
POST /gradio_api/cancel
POST /gradio_api/queue/join
POST /gradio_api/reset
POST /gradio_api/reset/
POST /gradio_api/upload
"""


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("elsewhere") / "secret.mp4"
    path.write_bytes(b"a secret that nobody is to read")
    return path


@pytest.fixture(scope="module")
def app(tmp_path_factory, stand_ins):
    with pytest.MonkeyPatch.context() as patch:
        from demo.pages import site

        built = []
        patch.setattr("app.build", lambda model: built.append(site.build(model)) or built[-1])
        with served(FakeModel(), tmp_path_factory.mktemp("cache"), patch) as address:
            yield built[0].app, address.rstrip("/")


@pytest.fixture(scope="module")
def address(app):
    return app[1]


@pytest.fixture
def elsewhere():
    """A server inside the network that must not be asked: (its address, what was asked of it)."""
    asked = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"internal")

        do_HEAD = do_POST = do_GET

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def routes(of):
    for route in of:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router.routes)
        elif getattr(route, "methods", None):
            yield route.path, route.methods
        else:
            yield route.path, {"GET"}  # something mounted


def test_the_routes_that_can_be_reached_are_these_and_no_others(app):
    found = set()
    for path, methods in routes(app[0].routes):
        sample = re.sub(r"{[^}]*}", "x", path)
        found |= {f"{method} {path}" for method in methods if doors.is_open(method, sample)}
    assert sorted(found) == sorted(REACHED.split("\n")[1:-1])


CLOSED = [
    ("GET", "/monitoring"), ("GET", "/monitoring/summary"), ("GET", "/monitoring/x"), ("GET", "/docs"),
    ("GET", "/openapi.json"), ("GET", "/gradio_api/openapi.json"), ("GET", "/gradio_api/deep_link?session_hash=x"),
    ("POST", "/login"), ("GET", "/logout"), ("GET", "/login/huggingface"), ("GET", "/login/callback"),
    ("GET", "/gradio_api/token"), ("GET", "/gradio_api/user"), ("GET", "/gradio_api/dev/reload"),
    ("GET", "/gradio_api/runs"), ("POST", "/gradio_api/run-history/connect"), ("POST", "/gradio_api/component_server"),
    ("POST", "/gradio_api/process_recording"), ("POST", "/gradio_api/vibe-edit"), ("GET", "/gradio_api/vibe-code"),
    ("POST", "/gradio_api/vibe-starter-queries"), ("POST", "/gradio_api/run/ask"), ("POST", "/gradio_api/api/ask"),
    ("GET", "/gradio_api/custom_component/1/client/component/x.js"), ("GET", "/gradio_api/mcp/sse"),
    ("GET", "/gradio_api/stream/s/r/1/playlist.m3u8"), ("POST", "/gradio_api/stream/x"),
    ("GET", "/gradio_api/profiling/traces"), ("PUT", "/gradio_api/upload"), ("DELETE", "/"), ("OPTIONS", "/config"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_is_not_needed_is_not_found(address, method, path):
    assert httpx.request(method, address + path).status_code in (404, 405)


def test_a_page_and_a_client_find_all_they_need(address, media_file, tmp_path):
    for page in ("/", "/bench", "/lessons/", "/about"):
        html = httpx.get(address + page, follow_redirects=True)
        assert html.status_code == 200 and "gradio" in html.text
        for asset in set(re.findall(r'(?:src|href)="\.?/?((?:static|assets|svelte)/[^"]+)"', html.text)):
            assert httpx.get(f"{address}/{asset}").status_code == 200, asset
    client = Client(address, verbose=False, download_files=str(tmp_path))
    made = client.predict(clip_file=handle_file(media_file("plain.mp4")), api_name="/compose")
    assert Path(made["video"]["path"] if isinstance(made["video"], dict) else made["video"]).stat().st_size > 1000


# what Gradio's advisories since 6.0 were about, asked of this application ------------------------------------------


OUTSIDE = [
    "/static/../../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd",
    "/static/%2Fetc%2Fpasswd", "/static/..%5c..%5cetc%5cpasswd", "/assets/..%2f..%2f..%2fetc%2fpasswd",
    "/svelte/..%2f..%2f..%2f..%2fetc/passwd", "/static/C:/windows/win.ini", "/static/%5Cwindows%5Cwin.ini",
    "/gradio_api/file=/etc/passwd", "/gradio_api/file=/proc/self/environ", "/gradio_api/file=../../../etc/passwd",
    "/gradio_api/file=%2e%2e/%2e%2e/app.py", "/gradio_api/file=app.py", "/gradio_api/file=/dev/zero",
    "/gradio_api/file//etc/passwd", "/gradio_api/file=file:///etc/passwd", "/gradio_api/file=%00/etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_outside_is_read(address, path):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:  # a client that does not tidy up the path
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        reply = b"".join(iter(lambda: raw.recv(65536), b""))
    assert b"root:" not in reply and b"PATH=" not in reply and b"import" not in reply
    assert reply.split()[1] in (b"400", b"403", b"404"), reply[:200]


@pytest.mark.parametrize("route", ["proxy=", "file=", "file/"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_address_is_fetched_or_redirected_to(address, elsewhere, route, method):
    inside, asked = elsewhere
    for url in (inside, inside.replace("http://", "HTTP://"), "https://example.invalid/x", "//example.invalid/x"):
        reply = httpx.request(method, f"{address}/gradio_api/{route}{url}/secret", timeout=10)
        assert reply.status_code in (400, 403, 404) and "location" not in reply.headers
    assert not asked


@pytest.mark.parametrize("page", ["/", "/bench", "/login/huggingface", "/logout"])
def test_no_redirect_leads_elsewhere(address, page):
    for name in ("_target_url", "next", "redirect"):
        reply = httpx.get(f"{address}{page}", params={name: "https://example.invalid/"})
        assert "example.invalid" not in reply.headers.get("location", "")


def test_media_of_a_call_are_neither_fetched_nor_read(address, elsewhere, secret):
    inside, asked = elsewhere
    client = Client(address, verbose=False)
    for file in (
        {"path": str(secret)},
        {"path": inside},
        {"url": inside, "path": ""},
        {"path": f"{inside}/a.mp4"},
        {"path": "\0"},
    ):
        given = file | {"meta": {"_type": "gradio.FileData"}, "orig_name": "a.mp4"}
        body = {"data": [*_defaults(address, "compose")[:-2], given, None]}
        event = httpx.post(f"{address}/gradio_api/call/compose", json=body).json().get("event_id")
        told = httpx.get(f"{address}/gradio_api/call/compose/{event}", timeout=30).text
        assert "event: error" in told and "secret" not in told and "This file was not uploaded" in told, told
    assert not asked
    assert client.predict(clip="dog", api_name="/compose")["seen"] == "dog"


def test_no_public_address_is_fetched_either(address, monkeypatch):
    fetched = []

    async def fetch(url, *_given):
        fetched.append(url)
        raise ValueError(url)

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetch)
    file = {"path": "https://example.com/a.mp4", "meta": {"_type": "gradio.FileData"}}
    for given in (file, [file], {"a": {"b": file}}):
        body = {"data": [*_defaults(address, "compose")[:-2], given, None]}
        event = httpx.post(f"{address}/gradio_api/call/compose", json=body).json()["event_id"]
        told = httpx.get(f"{address}/gradio_api/call/compose/{event}", timeout=30).text
        assert "This file was not uploaded" in told and not fetched


def test_a_page_component_takes_no_address_and_no_foreign_file(address, elsewhere, secret):
    """The video component of the page reads what it is given before any code here does."""
    inside, asked = elsewhere
    config = httpx.get(f"{address}/config").json()
    kinds = {c["id"]: c["type"] for c in config["components"]}
    tried = 0
    for event in config["dependencies"]:
        media = [kinds.get(each) in ("video", "audio", "file", "uploadbutton") for each in event["inputs"]]
        if not any(media):
            continue
        for path in (inside + "/a.mp4", str(secret), "/etc/passwd"):
            value = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}, "orig_name": "a.mp4"}
            data = [value if m else None for m in media]
            session = f"s{tried}"
            tried += 1
            body = {"data": data, "fn_index": event["id"], "session_hash": session}
            reply = httpx.post(f"{address}/gradio_api/queue/join", json=body)
            if reply.status_code == 200:
                told = httpx.get(f"{address}/gradio_api/queue/data", params={"session_hash": session}, timeout=30).text
                assert '"success":false' in told.replace(" ", ""), told[-500:]
    assert tried and not asked


@pytest.mark.parametrize("range_", ["bytes=999999999-", "bytes=5-1", "bytes=-0", "bytes=0-1,2-3,4-5", "lines=1-2"])
def test_a_range_past_the_end_is_answered_at_once(address, range_):
    film = Client(address, verbose=False, download_files=False).predict(clip="dog", api_name="/compose")["video"]
    path = film["path"] if isinstance(film, dict) else film
    whole = httpx.get(f"{address}/gradio_api/file={path}", timeout=5)
    assert whole.status_code == 200 and len(whole.content) > 1000
    part = httpx.get(f"{address}/gradio_api/file={path}", headers={"Range": range_}, timeout=5)
    assert part.status_code in (200, 206, 400, 416) and len(part.content) <= 2 * len(whole.content)
    good = httpx.get(f"{address}/gradio_api/file={path}", headers={"Range": "bytes=4-7"}, timeout=5)
    assert (good.status_code, good.content) == (206, b"ftyp")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("queue/join", {"data": [], "fn_index": -1, "session_hash": "x"}),
        ("queue/join", {"data": [], "fn_index": 10**6, "session_hash": "x"}),
        ("call/nosuch", {"data": []}),
    ],
)
def test_an_endpoint_that_there_is_not_is_told_so(address, path, body):
    reply = httpx.post(f"{address}/gradio_api/{path}", json=body)
    assert reply.status_code == 404 and reply.text.startswith("There is no such endpoint")


@pytest.mark.parametrize("body", ["[" * 100_000, '{"data":' + "[" * 20_000 + "]" * 20_000 + "}", "", '"x"', "{}"])
def test_what_is_no_request_is_refused(address, body):
    for path in ("queue/join", "call/ask"):
        assert _posted(address, f"/gradio_api/{path}", body.encode()) in (400, 422)


def test_a_request_that_fails_is_answered_without_a_reason(address, monkeypatch):
    async def failing(*_given):
        raise RuntimeError("internal")

    monkeypatch.setattr("gradio.queueing.Queue.push", failing)
    reply = httpx.post(f"{address}/gradio_api/call/ask", json={"data": []})
    assert reply.status_code == 500 and reply.text == "This request could not be answered: try it once more."


def test_uploads_that_come_at_once_and_listeners_that_never_read(address, media_file):
    """Thirty visitors upload while as many hold connections open that nobody reads."""
    host, port = address.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port)), timeout=10) for _ in range(30)]
    for n, one in enumerate(held):
        path = f"queue/data?session_hash=idle{n}" if n % 2 else f"heartbeat/idle{n}"
        one.sendall(f"GET /gradio_api/{path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    content, kept = media_file("plain.mp4").read_bytes(), []

    def send():
        files = {"files": ("a\u202e4pm.exe " + "b" * 150 + ".mp4", content)}
        kept.append(httpx.post(f"{address}/gradio_api/upload", files=files, timeout=60).json()[0])

    senders = [threading.Thread(target=send) for _ in range(30)]
    for one in senders:
        one.start()
    for one in senders:
        one.join(60)
    assert len(kept) == 30 and all(Path(path).read_bytes() == content for path in kept)
    assert Client(address, verbose=False).predict(clip="cat", api_name="/compose")["seen"] == "cat"
    for one in held:
        one.close()


# how much may come in -------------------------------------------------------------------------------------------


def _defaults(address, name):
    described = httpx.get(f"{address}/gradio_api/info").json()["named_endpoints"][f"/{name}"]["parameters"]
    return [p.get("parameter_default") for p in described]


def _posted(address, path, chunks, stated=None, kind="application/json"):
    headers = {"Content-Type": kind} | ({"Content-Length": str(stated)} if stated else {})
    try:
        return httpx.post(address + path, content=chunks, headers=headers, timeout=30).status_code
    except httpx.HTTPError:
        return None


def test_a_large_request_is_refused_whatever_it_says_of_itself(address):
    ask = "/gradio_api/queue/join"
    assert _posted(address, ask, b" " * (doors.LARGEST + 1)) == 413
    endless = (b" " * 100_000 for _ in range(2 * doors.LARGEST // 100_000))
    assert _posted(address, ask, endless) in (None, 400, 413, 422)
    with socket.create_connection(address.removeprefix("http://").split(":"), timeout=10) as raw:
        head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BYTES + doors.SLACK + 1}\r\n\r\n"
        raw.sendall(head.encode())
        assert b" 413 " in raw.recv(200)  # before any of it was sent


def test_an_upload_keeps_its_limit_and_a_small_one_is_taken(address, monkeypatch):
    monkeypatch.setattr(doors, "MAX_BYTES", 1_000_000)
    big = {"files": ("a.mp4", b"0" * (1_000_000 + doors.SLACK + 1))}
    assert httpx.post(f"{address}/gradio_api/upload", files=big, timeout=30).status_code == 413
    small = httpx.post(f"{address}/gradio_api/upload", files={"files": ("../../a.mp4", b"0" * 10)})
    assert small.status_code == 200 and ".." not in json.dumps(small.json())


def test_a_component_server_would_keep_the_limit_too(app):
    """It is closed; were it opened one day, Gradio would still hold it to launch's max_file_size."""
    assert app[0].get_blocks().max_file_size == MAX_BYTES
