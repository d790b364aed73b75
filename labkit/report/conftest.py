"""For the pages of pull requests: a project with branches, and a few lines that stand for GitHub's comments."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from labkit.git_cli import git
from labkit.pipeline.tables import write_tables
from labkit.report.comment import MARKER
from labkit.report.page_test import BEFORE, DVC_YAML, GOALS, IDENTITY, MAKE, params, reproduce
from labkit.testing.fixtures import Shell

BOT, PERSON = {"type": "Bot"}, {"type": "User"}
QUOTE = {"id": 1, "user": PERSON, "body": f"{MARKER}\nquoted", "html_url": "https://github.example/1"}


def commit(message: str) -> None:
    """Commit all that is here."""
    git("add", "--all")
    git(*IDENTITY, "commit", "--quiet", "-m", message)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A project with results on main; a branch `ran` with another forest's, and one, `asked`, that only wants them."""
    folder = tmp_path_factory.mktemp("made") / "project"
    (folder / "goals").mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        shell("git init --quiet --initial-branch=main && dvc init --quiet", folder)
        for name, text in {"dvc.yaml": DVC_YAML, "make.py": MAKE, "goals/goals.yaml": GOALS, "raw": "raw"}.items():
            Path(name).write_text(text)
        params(BEFORE)
        reproduce()
        write_tables()
        commit("results")
        git("switch", "--quiet", "--create", "asked")
        params(BEFORE | {"forest": 0.1})
        commit("another forest")
        git("switch", "--quiet", "--create", "ran")
        reproduce()
        write_tables()
        commit("its results")
        git("switch", "--quiet", "main")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def on(made: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone, outside of GitHub, that the test is in."""
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)
    shell(f"git clone --quiet {made} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    return tmp_path / "clone"


class GitHub(NamedTuple):
    """The comments of a pull request, and what was asked for."""

    url: str
    comments: list[dict[str, Any]]
    asked: list[str]
    pulls: list[dict[str, Any]]  # those that have the commit


@pytest.fixture
def github() -> Iterator[GitHub]:
    """The comments of pull request 5 of sandbox/lab, two a page, for those who have the job's token."""
    found = GitHub("", [dict(QUOTE), {**QUOTE, "id": 2, "user": BOT, "body": "another bot's"}], [], [])

    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, body: Any = None, link: str = "") -> None:
            self.send_response(status)
            if link:
                self.send_header("Link", f'<{link}>; rel="next"')
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def given(self) -> dict[str, Any]:
            found.asked.append(self.command)
            return dict(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            if self.headers["Authorization"] != "Bearer the-jobs-token":
                self.reply(401)
                return
            path, _, query = self.path.partition("?")
            if path.startswith("/repos/sandbox/lab/commits/"):
                self.reply(200, found.pulls)
                return
            assert path == "/repos/sandbox/lab/issues/5/comments"
            page = int(query.removeprefix("page=")) if query.startswith("page=") else 1
            more = f"http://{self.headers['Host']}{path}?page={page + 1}" if len(found.comments) > 2 * page else ""
            self.reply(200, found.comments[2 * page - 2 : 2 * page], more)

        def do_POST(self) -> None:
            number = len(found.comments) + 1
            url = f"https://github.example/{number}"
            found.comments.append({"id": number, "user": BOT, "html_url": url, **self.given()})
            self.reply(201, found.comments[-1])

        def do_PATCH(self) -> None:
            comment = found.comments[int(self.path.rpartition("/")[2]) - 1]
            comment.update(self.given())
            self.reply(200, comment)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found._replace(url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
