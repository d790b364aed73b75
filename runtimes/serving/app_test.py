"""The server as clients meet it: over HTTP, with a small model behind it."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.git_cli import GitError
from labkit.process.errors import InputError
from runtimes.serving import answering, run
from runtimes.serving.app import create_app
from runtimes.serving.run import Live
from runtimes.serving.served import Served

pytestmark = pytest.mark.unittest

SCHEMATHESIS = "schemathesis==4.32.5"
HIDDEN = "sentinel"  # no answer and no log may hold it
Post = Callable[..., requests.Response]


@pytest.fixture
def live(small: Served) -> Live:
    return Live(small)


@pytest.fixture
def key() -> str:
    return ""


@pytest.fixture
def kept() -> list[pd.DataFrame]:
    """The rows that the server keeps a sample of."""
    return []


@pytest.fixture
def url(live: Live, key: str, kept: list[pd.DataFrame]) -> Iterator[str]:
    """A server in a thread of this process."""
    app = create_app(lambda: live.served, key, kept.append)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    (listening,) = server.servers[0].sockets
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def post(url: str, content: Any, path: str = "/invocations", **headers: str) -> requests.Response:
    return requests.post(f"{url}{path}", json=content, headers=headers, timeout=30)


@pytest.mark.nightly
@pytest.mark.parametrize("phase", ["examples,coverage", "fuzzing"])
def test_what_its_own_description_allows_brings_it_to_no_error(
    url: str, tmp_path: Path, phase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Schemathesis asks what the OpenAPI description allows, and what it does not (schemathesis.readthedocs.io)."""
    tool = [sys.executable, "-m", "uv", "run", "--no-project", "--python", sys.executable, "--with", SCHEMATHESIS]
    options = ["--checks", "not_a_server_error,status_code_conformance", "--phases", phase, "--max-examples", "200"]
    command = [*tool, "schemathesis", "run", f"{url}/openapi.json", *options, "--seed", "1", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    (generated,) = re.findall(r"(\d+) generated", done.stdout)
    with capsys.disabled():
        print(f"{generated} requests ({phase}) ", end="")
    assert int(generated) > 100


def test_only_rows_that_were_answered_are_kept(url: str, kept: list[pd.DataFrame]) -> None:
    for age, status in ((70, 200), ("old", 422)):
        assert post(url, {"dataframe_records": [{"age": age, "city": "Bern"}]}).status_code == status
    assert [rows.to_dict("records") for rows in kept] == [[{"age": 70, "city": "Bern"}]]


def test_both_protocols_answer_the_same(url: str) -> None:
    mlflow = post(url, {"dataframe_records": [{"city": "Bonn", "more": 1, "age": 60}, {"age": 20}]})
    assert mlflow.json() == {
        "predictions": [{"label": "old", "probability_old": 0.6}, {"label": "young", "probability_old": 0.2}]
    }
    assert mlflow.headers["X-Model-Version"] == "v1"
    tensors = [{"name": "age", "shape": [2], "datatype": "FP64", "data": [60, 20]}]
    v2 = post(url, {"inputs": [*tensors, {"name": "city", "shape": [2], "datatype": "BYTES", "data": ["Bonn", None]}]},
              "/v2/models/small/infer")  # fmt: skip
    assert [(one["name"], one["data"]) for one in v2.json()["outputs"]] == [
        ("label", ["old", "young"]),
        ("probability_old", [0.6, 0.2]),
    ]
    assert (v2.json()["model_name"], v2.json()["model_version"]) == ("small", "v1")


def test_it_tells_what_it_is(url: str) -> None:
    def get(path: str) -> requests.Response:
        return requests.get(f"{url}{path}", timeout=30)

    assert [get(path).status_code for path in ("/ping", "/health", "/version", "/v2", "/v2/health/live", "/docs")] == [
        200
    ] * 6
    told = get("/v2/models/small").json()
    assert told["inputs"] == [
        {"name": "age", "datatype": "FP64", "shape": [-1]},
        {"name": "city", "datatype": "BYTES", "shape": [-1]},
    ]
    assert [one["datatype"] for one in told["outputs"]] == ["BYTES", "FP64"]
    assert get("/v2/health/ready").json() == {"ready": True}
    assert get("/v2/models/small/ready").json() == {"name": "small", "ready": True}
    assert [get(f"/v2/models/another{path}").status_code for path in ("", "/ready")] == [404] * 2
    post(url, {"instances": [[1, None]] * 3})
    measured = get("/metrics").text
    assert 'lab_rows_total{version="v1"} 3.0' in measured
    assert 'lab_requests_total{path="/invocations",status="200"} 1.0' in measured


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        ({"instances": [[HIDDEN, "Bonn"]]}, 422, "values that are no numbers in age; mend these rows"),
        ({"instances": [[None, "Bonn"]]}, 422, "missing values in age; mend these rows"),
        ({"instances": [[1e300, "Bonn"]]}, 422, "infinite or far too large values in age; mend these rows"),
        ({"dataframe_records": [{"city": HIDDEN}]}, 422, "missing inputs ['age']; give these columns"),
        ({HIDDEN: []}, 400, "the body is not a JSON object with one of"),
    ],
)
def test_bad_input_is_refused_in_words_without_a_value(url: str, content: Any, status: int, told: str) -> None:
    refused = post(url, content)
    assert refused.status_code == status
    assert told in refused.json()["detail"]
    assert HIDDEN not in refused.text


def test_too_much_at_once_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MOST_BYTES", 1 << 20)
    refused = requests.post(f"{url}/invocations", iter([b" " * 65_536] * 17), timeout=30)  # in parts, of no told length
    assert refused.status_code == 413
    assert "send fewer rows at once" in refused.text


def test_an_answer_that_takes_too_long_is_given_up(
    url: str, live: Live, small: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    class Slow:
        def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
            go.wait()
            return rows

    monkeypatch.setattr(answering, "MOST_SECONDS", 0.05)
    live.served = small._replace(model=Slow())
    refused = post(url, {"instances": [[1, None]]})
    go.set()
    assert (refused.status_code, "ask for fewer rows" in refused.text) == (503, True)


def test_a_body_that_does_not_end_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MOST_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\n{")
        assert client.recv(12) == b"HTTP/1.1 408"


@pytest.mark.parametrize("key", ["open sesame"])
def test_with_a_key_only_those_who_send_it_are_answered(url: str) -> None:
    content = {"instances": [[60, None]]}
    assert [post(url, content).status_code, post(url, content, Authorization="Bearer another").status_code] == [
        401,
        401,
    ]
    assert post(url, content, Authorization="Bearer open sesame").status_code == 200
    assert requests.get(f"{url}/ping", timeout=30).status_code == 200
    refused = requests.get(f"{url}/metrics", timeout=30)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_the_log_tells_of_each_request_and_nothing_of_what_it_holds(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    post(url, {"instances": [[60, HIDDEN]]})
    requests.get(f"{url}/{HIDDEN}?{HIDDEN}", timeout=30)
    logged = capsys.readouterr().err
    assert HIDDEN not in logged
    first, second = map(json.loads, logged.splitlines())
    assert (first["path"], first["status"], first["rows"], first["version"]) == ("/invocations", 200, 1, "v1")
    assert (second["path"], second["status"]) == ("another", 404)
    assert 0 <= first["seconds"] < 60


def test_code_that_fails_is_counted_and_logged_without_its_words(
    url: str, live: Live, small: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing:
        def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
            raise KeyError(rows["city"][0])

    live.served = small._replace(model=Failing())
    answer = post(url, {"instances": [[60, HIDDEN]]})
    assert (answer.status_code, answer.headers["X-Model-Version"]) == (500, "v1")
    logged = capsys.readouterr().err
    assert HIDDEN not in answer.text + logged
    told = json.loads(logged)
    assert (told["status"], told["error"]) == (500, "KeyError")
    assert any(Path(__file__).name in place for place in told["places"])
    assert 'lab_requests_total{path="/invocations",status="500"} 1.0' in requests.get(f"{url}/metrics", timeout=30).text


def test_a_client_that_goes_away_is_a_line_of_the_log(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\n{")
    logged, deadline = "", time.monotonic() + 30
    while "\n" not in logged and time.monotonic() < deadline:
        time.sleep(0.01)
        logged += capsys.readouterr().err
    assert json.loads(logged)["status"] == 400


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Served | Exception], None]:
    """Say what the promoted model is."""

    def say(answer: Served | Exception) -> None:
        def find(wanted: str, offline: bool = False) -> Served:
            assert offline  # it looks often, and `origin` may be away
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(run, "find", find)

    return say


def test_the_next_champion_answers_and_one_with_other_columns_does_not(
    url: str, live: Live, small: Served, found: Callable[[Served | Exception], None]
) -> None:
    def version() -> str:
        return post(url, {"instances": [[60, None]]}).headers["X-Model-Version"]

    found(small._replace(version="v2"))
    assert run.change(live, "champion") == "v2 answers in the place of v1"
    assert version() == "v2"
    found(small._replace(version="v3", columns=small.columns[:1]))
    assert run.change(live, "champion") == "v2 stays: v3 reads other columns or gives other answers"
    found(InputError("best-model has no champion"))
    assert run.change(live, "champion") == "v2 stays: best-model has no champion"
    for error in (GitError("git for-each-ref failed"), RuntimeError("git for-each-ref failed")):
        found(error)
        assert run.change(live, "champion").startswith("v2 stays: git for-each-ref failed")
    assert version() == "v2"


def test_only_where_the_tags_are_others_is_the_champion_looked_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    tags, stop = ["v1", "v1", "v2", "v2"], threading.Event()
    left: list[tuple[str, int]] = []

    def look() -> str:
        if len(tags) == 1:
            stop.set()
        return tags.pop(0)

    def change(live: Live, wanted: str) -> str:
        left.append((wanted, len(tags)))
        return ""

    monkeypatch.setattr(run, "_tags", look)
    monkeypatch.setattr(run, "change", change)
    run.follow(live, "champion", stop, "v1", seconds=0)
    assert left == [("champion", 1)]


def test_a_model_that_is_promoted_while_another_loads_is_not_missed(
    small: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags, looked = ["v1"], threading.Event()

    def find(wanted: str) -> Served:
        tags.append("v2")
        return small

    def change(live: Live, wanted: str) -> str:
        looked.set()
        return ""

    monkeypatch.setattr(run, "_tags", lambda: tags[-1])
    monkeypatch.setattr(run, "find", find)
    monkeypatch.setattr(run, "change", change)
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: looked.wait(10 * run.LOOK_SECONDS))
    run.serve("champion", "127.0.0.1", 0)
    assert looked.is_set()


def test_while_the_model_changes_every_request_is_answered(url: str, live: Live, small: Served) -> None:
    stop = threading.Event()

    def swap() -> None:
        number = 1
        while not stop.is_set():
            number += 1
            live.served = small._replace(version=f"v{number}")

    swapping = threading.Thread(target=swap)
    swapping.start()
    answers = [
        post(url, {"inputs": [{"name": "rows", "shape": [1, 2], "data": [60, None]}]}, "/v2/models/small/infer")
        for _ in range(20)
    ]
    stop.set()
    swapping.join()
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.headers["X-Model-Version"] == answer.json()["model_version"] for answer in answers)


def test_no_bytes_make_it_fail_and_none_are_echoed(url: str) -> None:
    told = requests.get(f"{url}/openapi.json", timeout=30).json()["paths"]
    documented = told["/invocations"]["post"]["responses"].keys() & told["/v2/models/{name}/infer"]["post"]["responses"]
    tried = 0
    kinds = st.sampled_from(["application/json", "text/csv", "text/html", ""])
    paths = st.sampled_from(["/invocations", "/v2/models/small/infer", "/v2/models/x/infer"])
    values = st.none() | st.integers() | st.floats() | st.just(HIDDEN) | st.lists(st.just(HIDDEN), max_size=2)
    bodies = st.binary(max_size=40) | st.builds(
        lambda form, rows: json.dumps({form: rows}).encode(),
        st.sampled_from(["instances", "inputs", "dataframe_split", "dataframe_records"]),
        st.lists(st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["age", "city"]), values), max_size=3),
    )

    @settings(max_examples=150, deadline=None)
    @given(paths, kinds, bodies)
    def try_it(path: str, kind: str, body: bytes) -> None:
        nonlocal tried
        tried += 1
        answer = requests.post(f"{url}{path}", body, headers={"Content-Type": kind}, timeout=30)
        assert answer.status_code < 500
        assert str(answer.status_code) in documented
        assert HIDDEN not in answer.text

    try_it()
    print(f"{tried} requests, and none failed")
    assert tried >= 150
