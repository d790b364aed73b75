"""Setting up: what is written and where, what is refused before anything is, and that twice is as good as once."""

import json
import os
import pty
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.config import Config

from lab.environments import ROOT
from lab.fixtures import Shell
from lab.params import CommonParams, read_params
from lab.setup import Answers, named_params, ruleset, set_up
from lib.errors import InputError

KEY, SECRET = "key-of-the-test", "secret-of-the-test"  # pragma: allowlist secret
SERVICES = Answers("wines", "https://s3.example.com:9000", "bucket", None, None, "https://mlflow.example.com")
ALL = SERVICES._replace(access_key_id=KEY, secret_access_key=SECRET)

NAMES = ["wines", "red wines", "3", "yes", "null", "a: b # c", "Weiß", 'the "best"', "\\n", "- a"]

State = dict[str, tuple[bytes, int]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that setup reads, as a new lab has them, with this process in their folder."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / "lab" / "example" / "dvc.config", tmp_path / ".dvc" / "config")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(folder: Path) -> State:
    """The bytes of all files, and when each was written."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "tmp"]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def remote() -> dict[str, str]:
    """The settings of the remote that are written, whether for all or for this clone alone."""
    config = Config.from_cwd()
    return {**config.load_one("repo")["remote"]["minio"], **config.load_one("local")["remote"]["minio"]}


@pytest.mark.unittest
def test_each_answer_has_its_place_and_the_secret_only_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(ALL)
    assert read_params(CommonParams).project.name == "wines"
    assert Config.from_cwd()["core"]["remote"] == "minio"
    assert remote() == {
        "url": "s3://bucket/dvc",
        "endpointurl": "https://s3.example.com:9000",
        "access_key_id": KEY,
        "secret_access_key": SECRET,
    }
    assert [name for name, (content, _) in state(project).items() if SECRET.encode() in content] == [
        ".dvc/config.local"
    ]
    assert (project / ".dvc" / "config.local").stat().st_mode & 0o777 == 0o600
    printed = capsys.readouterr().out
    assert SECRET not in printed
    assert KEY not in printed


@pytest.mark.unittest
@pytest.mark.parametrize("again", [ALL, SERVICES, Answers(mlflow_url=ALL.mlflow_url)])
def test_a_second_time_writes_nothing(project: Path, again: Answers) -> None:
    set_up(ALL)
    before = state(project)
    set_up(again)
    assert state(project) == before


@pytest.mark.unittest
def test_another_answer_changes_that_alone(project: Path) -> None:
    set_up(ALL)
    with Config.from_cwd().edit("repo") as config:
        config["remote"]["minio"]["region"] = "eu-central-1"
    set_up(Answers(s3_endpoint="amazon", mlflow_url=ALL.mlflow_url))
    assert remote() == {
        "url": "s3://bucket/dvc",
        "region": "eu-central-1",
        "access_key_id": KEY,
        "secret_access_key": SECRET,
    }


@pytest.mark.unittest
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line", ["  name: lab  # why", "  name: 'lab'\r", '  name: "lab"'])
def test_any_name_is_read_back_and_every_other_byte_is_kept(tmp_path: Path, name: str, line: str) -> None:
    own = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    text = re.sub(r"^  name: .*$", lambda _: line, own, count=1, flags=re.M)
    path.write_bytes(text.encode())
    named = named_params(path, name)
    path.write_bytes(named.encode())
    assert read_params(CommonParams, path).project.name == name
    start, end = (re.escape(part) for part in re.split(r"(?<=  name: )['\"]?lab['\"]?", text, maxsplit=1))
    assert re.fullmatch(f"{start}.*{end}", named)


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bucket": "s3://bucket"}, r"--bucket is 's3://bucket'; give the bare name"),
        ({"bucket": "bucket/dvc"}, "--bucket is 'bucket/dvc'; give the bare name"),
        ({"bucket": ""}, "missing: --bucket"),
        ({"s3_endpoint": "s3.example.com:9000"}, "--s3-endpoint is .* give a URL"),
        ({"s3_endpoint": "https://s3.example.com:port"}, "--s3-endpoint is .* give a URL"),
        ({"s3_endpoint": f"https://me:{SECRET}@s3.example.com"}, "--s3-endpoint holds a user or a password"),
        ({"mlflow_url": "sqlite:///mlflow.db"}, "--mlflow-url is .* give a URL"),
        ({"mlflow_url": None}, "missing: --mlflow-url"),
        ({"name": ""}, "missing: --name"),
        ({"name": "  "}, "params.yaml: project.name is ''"),
        ({"secret_access_key": None}, "both --access-key-id and --secret-access-key"),
    ],
)
def test_a_wrong_answer_is_refused_before_anything_is_written(
    project: Path, wrong: dict[str, str | None], told: str
) -> None:
    before = state(project)
    with pytest.raises(InputError, match=told) as refused:
        set_up(ALL._replace(**wrong))
    assert SECRET not in str(refused.value)
    assert state(project) == before


@pytest.mark.unittest
@pytest.mark.parametrize("file", ["params.yaml", ".dvc/config"])
def test_a_file_that_was_wrong_before_is_told_and_left(project: Path, file: str) -> None:
    (project / file).write_text("[core\n", encoding="utf-8")
    before = state(project)
    with pytest.raises(InputError, match=re.escape(file)):
        set_up(ALL)
    assert state(project) == before


@pytest.mark.integration
def test_what_is_printed_can_be_copied_into_a_shell(
    project: Path, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    set_up(ALL._replace(mlflow_url="https://mlflow.example.com/it's"))
    printed = capsys.readouterr().out
    tell = 'tell() { [ "$1" != gh ] || [ "${!#}" != - ] || cat; printf "%q " "$@"; echo; }'
    verbs = "; ".join(f'{verb}() {{ tell {verb} "$@"; }}' for verb in ("gh", "git", "python"))
    told = shell(f"bash -euc {shlex.quote(f'{tell}; {verbs}; {printed}')}", project).stdout
    commands = [shlex.split(line) for line in told.splitlines() if not line.startswith("{")]
    assert ["gh", "secret", "set", "MINIO_SECRET_ACCESS_KEY", "--env", "experiments"] in commands
    assert ["gh", "variable", "set", "MLFLOW_TRACKING_URI", "--body", "https://mlflow.example.com/it's"] in commands
    assert ["gh", "variable", "set", "AWS_ENDPOINT_URL", "--body", "https://s3.example.com:9000"] in commands
    environment = "repos/{owner}/{repo}/environments/experiments"
    assert [
        *f"gh api --method POST {environment}/deployment-branch-policies -f".split(),
        "name=run-*",
        "-f",
        "type=tag",
    ] in commands
    assert json.loads(next(line for line in told.splitlines() if line.startswith("{"))) == ruleset()


@pytest.mark.integration
def test_the_command_line_takes_all_as_options(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    options = " ".join(f"--{field.replace('_', '-')} {value}" for field, value in ALL._asdict().items())
    shell(f"python -m lab setup {options} < /dev/null", lab)
    assert shell("git status --short", lab).stdout == " M .dvc/config\n M params.yaml\n"
    refused = shell("python -m lab setup --bucket a/b < /dev/null", lab, check=False, MLFLOW_TRACKING_URI="http://a")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: --bucket is 'a/b'")


@pytest.mark.integration
def test_in_a_terminal_it_asks_and_never_shows_the_secret(project: Path, environment: dict[str, str]) -> None:
    set_up(SERVICES)
    answers = {
        "Name of the project [wines]: ": "red wines",
        "URL of the S3 server (amazon: Amazon's own) [https://s3.example.com:9000]: ": "",
        "Bucket [bucket]: ": "",
        "URL of the MLflow server: ": "https://mlflow.example.com",
        "Access key (empty: as it is): ": KEY,
        "Its secret: ": SECRET,
    }
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "lab", "setup"], environment | {"PYTHONPATH": str(ROOT)})
    shown = ""
    for question, answer in answers.items():
        while question not in shown:
            shown += os.read(terminal, 4096).decode()
        os.write(terminal, f"{answer}\n".encode())
    while chunk := read_to_end(terminal):
        shown += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    assert SECRET not in shown
    assert read_params(CommonParams).project.name == "red wines"
    assert Config.from_cwd()["remote"]["minio"]["secret_access_key"] == SECRET


def read_to_end(terminal: int) -> str:
    """What the terminal shows next; nothing once its process has ended."""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""
