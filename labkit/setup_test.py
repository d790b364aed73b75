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

from labkit.goals import read_goals
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.files import write_json
from labkit.process.params import CommonParams, read_params
from labkit.setup import DEFAULTS, Answers, named_params, ruleset, set_up
from labkit.testing.fixtures import Shell

KEY, SECRET = "key-of-the-test", "secret-of-the-test"  # pragma: allowlist secret
SERVICES = Answers("wines", "https://s3.example.com:9000", "bucket", None, None, "https://mlflow.example.com")
ALL = SERVICES._replace(access_key_id=KEY, secret_access_key=SECRET)

NAMES = ["wines", "red wines", "3", "yes", "null", "a: b # c", "Weiß", 'the "best"', "\\n", "- a"]

# A tool that writes down how it was called, and names what GitHub has.
TELL = """
import json, os, sys
given = [sys.stdin.read()] if sys.argv[-1] == "-" else []
with open(os.environ["TOLD"], "a") as told:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:], *given]), file=told)
print(os.environ["EXISTS"])
"""

State = dict[str, tuple[bytes, int]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that setup reads, as a new lab has them, with this process in their folder."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / "labkit" / "testing" / "example" / "dvc.config", tmp_path / ".dvc" / "config")
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
        **DEFAULTS,
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
@pytest.mark.parametrize("again", [ALL, SERVICES, Answers(), Answers(access_key_id=KEY, secret_access_key=SECRET)])
def test_a_second_time_writes_nothing_and_says_so(
    project: Path, again: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(ALL)
    assert capsys.readouterr().out.startswith("Written: project.name to params.yaml, the remote minio to .dvc/config")
    before = state(project)
    set_up(again)
    assert state(project) == before
    assert capsys.readouterr().out.startswith("Nothing was written")


@pytest.mark.unittest
@pytest.mark.parametrize("services", [SERVICES._replace(mlflow_url=None), SERVICES._replace(mlflow_url="")])
def test_without_mlflow_no_command_names_it(
    project: Path, services: Answers, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(services)
    printed = capsys.readouterr().out
    assert "MLFLOW" not in printed
    assert "gh variable set AWS_ENDPOINT_URL" in printed


@pytest.mark.unittest
def test_another_key_alone_is_written_and_github_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(ALL)
    capsys.readouterr()
    set_up(Answers(access_key_id="another", secret_access_key=SECRET))
    assert remote()["access_key_id"] == "another"
    printed = capsys.readouterr().out
    assert printed.startswith("Written: the key to .dvc/config.local")
    assert "gh " not in printed


@pytest.mark.unittest
def test_another_answer_changes_that_alone(project: Path) -> None:
    set_up(ALL)
    with Config.from_cwd().edit("repo") as config:
        config["remote"]["minio"] |= {"region": "eu-central-1", "read_timeout": "60"}
    set_up(Answers(s3_endpoint="amazon", mlflow_url=ALL.mlflow_url))
    assert remote() == {
        "url": "s3://bucket/dvc",
        **DEFAULTS,
        "read_timeout": "60",
        "region": "eu-central-1",
        "access_key_id": KEY,
        "secret_access_key": SECRET,
    }


@pytest.mark.unittest
def test_goals_of_the_example_that_the_results_miss_become_first_goals(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "goals").mkdir()
    shutil.copy(ROOT / "labkit/testing/example/goals.yaml", project / "goals")
    (project / "dvc.yaml").write_text(
        "stages: {select: {cmd: select, outs: [artifacts/best_model], meta: {leaderboard: "
        "{models: artifacts/best_model/models.csv, selected: artifacts/best_model/metrics.json}}}}"
    )
    set_up(SERVICES)
    assert "goals" not in capsys.readouterr().out  # there are no results yet
    results = {"selected": "net", "metric": "rmse", "test": {"rmse": 5.0}, "baseline": {"rmse": 7.0}}
    write_json(project / "artifacts/best_model/metrics.json", results)
    (project / "artifacts/best_model/models.csv").write_text("model,rmse\nnet,5.0\nother,6.0\n")
    set_up(SERVICES)
    assert capsys.readouterr().out.startswith(
        "Written: first goals to goals/goals.yaml, from what the run here reached\n"
    )
    assert [goal.threshold for goal in read_goals()] == ["≤ 7.0"]
    set_up(SERVICES)
    assert capsys.readouterr().out.startswith("Nothing was written")


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
        ({"bucket": "s3://bucket"}, r"--bucket is 's3://bucket'; give a bare name"),
        ({"bucket": "bucket/dvc"}, "--bucket is 'bucket/dvc'; give a bare name"),
        ({"bucket": ""}, "--bucket is ''; give a bare name"),
        ({"bucket": None}, "missing: --bucket"),
        ({"s3_endpoint": None}, r"missing: --s3-endpoint \(amazon: Amazon's own\)"),
        ({"s3_endpoint": ""}, "--s3-endpoint is ''; .* or amazon for Amazon's own"),
        ({"s3_endpoint": "s3.example.com:9000"}, "--s3-endpoint is .* give a URL"),
        ({"s3_endpoint": "https://s3.example.com:port"}, "--s3-endpoint is .* give a URL"),
        ({"s3_endpoint": f"https://me:{SECRET}@s3.example.com"}, "--s3-endpoint holds a user or a password"),
        ({"s3_endpoint": "https://me@s3.example.com"}, "--s3-endpoint holds a user or a password"),
        ({"mlflow_url": "sqlite:///mlflow.db"}, "--mlflow-url is .* give a URL"),
        ({"name": ""}, "params.yaml: project.name is ''"),
        ({"name": "  "}, "params.yaml: project.name is ''"),
        (
            {"secret_access_key": None},
            "give --access-key-id and, in the environment, AWS_SECRET_ACCESS_KEY",
        ),
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
@pytest.mark.parametrize("shell_of_a_person", ["bash", "zsh"])
def test_what_is_printed_can_be_copied_into_a_shell_and_made_twice(
    project: Path, capsys: pytest.CaptureFixture[str], shell: Shell, shell_of_a_person: str
) -> None:
    if not shutil.which(shell_of_a_person):
        pytest.skip(f"there is no {shell_of_a_person}")
    set_up(ALL._replace(mlflow_url="https://mlflow.example.com/it's"))
    printed = capsys.readouterr().out
    blocks = [part.strip() for part in printed.split("\n\n")][2::2]
    assert [block for block in blocks if "gh secret set" in block and "\n" in block] == []  # each asks for a value
    tools = project / "bin"
    tools.mkdir()
    for name in ("gh", "git", "python"):
        tool = tools / name
        tool.write_text(f"#!{sys.executable}\n{TELL}", encoding="utf-8")
        tool.chmod(0o755)

    def type_all(exists: str) -> list[list[str]]:
        told = project / "told"
        told.unlink(missing_ok=True)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        for block in blocks:
            command = f"{shell_of_a_person} -ec {shlex.quote(block)}"
            shell(command, project, PATH=path, TOLD=str(told), EXISTS=exists)
        return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]

    commands = type_all(exists="")
    assert ["gh", "secret", "set", "MINIO_SECRET_ACCESS_KEY", "--env", "experiments"] in commands
    assert ["gh", "variable", "set", "MLFLOW_TRACKING_URI", "--body", "https://mlflow.example.com/it's"] in commands
    assert ["gh", "variable", "set", "AWS_ENDPOINT_URL", "--body", "https://s3.example.com:9000"] in commands
    api = "repos/{owner}/{repo}"
    policies = f"{api}/environments/experiments/deployment-branch-policies"
    posted = [command[4:] for command in commands if command[:4] == ["gh", "api", "--method", "POST"]]
    assert posted[0] == [policies, "-f", "name=run-*", "-f", "type=tag"]
    assert posted[1][:3] == [f"{api}/rulesets", "--input", "-"]
    assert json.loads(posted[1][3]) == ruleset()

    again = type_all(exists=f"tag run-*\n{ruleset()['name']}")
    assert [command for command in again if "POST" in command] == []
    assert len(again) == len(commands) - 2


@pytest.mark.integration
def test_the_command_line_takes_all_as_options(new_lab: Callable[[], Path], shell: Shell) -> None:
    lab = new_lab()
    answers = SERVICES._replace(access_key_id=KEY)._asdict().items()
    options = " ".join(f"--{field.replace('_', '-')} {answer}" for field, answer in answers if answer)
    shell(f"python -m lab setup {options} < /dev/null", lab, AWS_SECRET_ACCESS_KEY=SECRET)
    assert SECRET in (lab / ".dvc" / "config.local").read_text(encoding="utf-8")
    assert shell("git status --short", lab).stdout == " M .dvc/config\n M params.yaml\n"
    refused = shell("python -m lab setup --bucket a/b < /dev/null", lab, check=False, MLFLOW_TRACKING_URI="http://a")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: --bucket is 'a/b'")


@pytest.mark.integration
def test_an_object_that_someone_replaced_in_the_bucket_is_not_pulled(project: Path, shell: Shell) -> None:
    set_up(ALL)
    verify = remote()["verify"]
    for file in ("config", "config.local"):
        (project / ".dvc" / file).unlink()
    # A folder stands for the bucket, with the setting that was written for it.
    with Config.from_cwd().edit("repo") as config:
        config |= {"core": {"no_scm": "true", "remote": "folder"}}
        config["remote"] = {"folder": {"url": str(project / "bucket"), "verify": verify}}
    (project / "model.joblib").write_text("weights")
    shell("dvc add --quiet model.joblib && dvc push --quiet", project)
    (stored,) = (path for path in (project / "bucket").rglob("*") if path.is_file())

    def replace(content: str) -> None:
        stored.chmod(0o644)
        stored.write_text(content)
        stored.chmod(0o444)  # as DVC left it: what is writable in a folder it would hash anyway

    def pull() -> bool:
        shell("rm -rf model.joblib .dvc/cache .dvc/tmp", project)
        return shell("dvc pull", project, check=False, DVC_SITE_CACHE_DIR=str(project / "site")).returncode == 0

    replace("code of someone else")
    assert not pull()
    assert not (project / "model.joblib").exists()
    stored.unlink(missing_ok=True)  # DVC may have removed it
    stored.touch()
    replace("weights")
    assert pull()


@pytest.mark.integration
def test_in_a_terminal_it_asks_again_at_once_and_never_shows_the_secret(
    project: Path, environment: dict[str, str]
) -> None:
    set_up(SERVICES)
    shown = answer_in_terminal(
        [],
        [
            ("Name of the project [wines]: ", "red wines"),
            ("URL of the S3 server (amazon: Amazon's own) [https://s3.example.com:9000]: ", "s3.example.com"),
            ("Error: --s3-endpoint is 's3.example.com'", ""),
            ("Bucket [bucket]: ", "s3://bucket"),
            ("Error: --bucket is 's3://bucket'", ""),
            ("URL of the MLflow server (empty: none): ", ""),
            ("Access key (empty: as it is): ", KEY),
            ("Its secret: ", SECRET),
        ],
        environment,
    )
    assert SECRET not in shown
    assert read_params(CommonParams).project.name == "red wines"
    assert remote()["url"] == "s3://bucket/dvc"
    assert remote()["secret_access_key"] == SECRET


@pytest.mark.integration
def test_in_a_terminal_with_a_key_it_asks_for_the_secret_alone(project: Path, environment: dict[str, str]) -> None:
    set_up(SERVICES)
    shown = answer_in_terminal(["--access-key-id", KEY], [("Its secret: ", SECRET)], environment)
    assert shown.lstrip().startswith("Its secret: ")
    assert remote()["secret_access_key"] == SECRET


def answer_in_terminal(options: list[str], answers: list[tuple[str, str]], environment: dict[str, str]) -> str:
    """Call setup in a terminal and give each answer when it is asked for; what the terminal has shown."""
    child, terminal = pty.fork()
    if child == 0:
        command = [sys.executable, "-m", "lab", "setup", *options]
        os.execve(sys.executable, command, environment | {"PYTHONPATH": str(ROOT)})
    shown, seen = "", 0
    for question, answer in answers:
        while question not in shown[seen:]:
            chunk = read_to_end(terminal)
            assert chunk, f"it does not ask {question!r}: {shown}"
            shown += chunk
        seen = shown.index(question, seen) + len(question)
        os.write(terminal, f"{answer}\n".encode())
    while chunk := read_to_end(terminal):
        shown += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    return shown


def read_to_end(terminal: int) -> str:
    """What the terminal shows next; nothing once its process has ended."""
    try:
        return os.read(terminal, 4096).decode(errors="replace")
    except OSError:
        return ""
