"""`python -m lab setup`: connect the lab to its S3 server, MLflow and GitHub.

Everything is checked before anything is written: the name to params.yaml, the DVC remote to .dvc/config, and the key
to .dvc/config.local, which Git ignores. The same answers again change no byte.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape

from labkit.dvc_adapter.settings import Level, all_settings, settings_of, write_settings
from labkit.goals import GOALS_FILE
from labkit.process.errors import InputError
from labkit.process.files import replacing
from labkit.process.params import PARAMS_FILE, read_yaml, validate, whole_schema
from labkit.report.first_goals import do_not_fit, write_first_goals
from labkit.yaml_edit import with_value

REMOTE = "minio"
AMAZON = "amazon"
SECRET_VARIABLE = "AWS_SECRET_ACCESS_KEY"  # pragma: allowlist secret
# The first settings of a remote. `verify`: DVC hashes what it pulls, else it takes whatever lies under a name.
# The limits are in seconds and waited for five times: with botocore's own 60, DVC waits 5 minutes for a silent server.
DEFAULTS = {"verify": "true", "connect_timeout": "5", "read_timeout": "10"}
RUN_TAGS = "run-*"
ENVIRONMENT = "experiments"
# By GitHub's numbers: those who administer and those who maintain the repository.
MAY_PUSH_RUN_TAGS = (5, 2)
RULESET = "Who may run experiments"
DOCTOR = "python -m lab doctor"

Section = dict[str, Any]


class Answers(NamedTuple):
    """What setup has to know. None is an answer not given yet; an empty URL of MLflow is none."""

    name: str | None = None
    s3_endpoint: str | None = None
    bucket: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    mlflow_url: str | None = None


QUESTIONS = {
    "name": "Name of the project",
    "s3_endpoint": f"URL of the S3 server ({AMAZON}: Amazon's own)",
    "bucket": "Bucket",
    "mlflow_url": "URL of the MLflow server",
}


def set_up(given: Answers) -> None:
    """Complete the answers, write them, and print what remains to be typed.

    Raises InputError, with nothing written, when an answer is wrong or missing.
    """
    present = present_answers()
    if given.access_key_id and given.secret_access_key is None and not sys.stdin.isatty():
        given = given._replace(secret_access_key=os.environ.get(SECRET_VARIABLE))
    given = check(given)
    key_alone = is_key_alone(given) and present.bucket is not None
    asked = ask(given, present, () if key_alone else tuple(QUESTIONS)) if sys.stdin.isatty() else given
    answers = check(merge(asked, present))
    if bool(answers.access_key_id) != bool(answers.secret_access_key):
        how = f"{option('access_key_id')} and, in the environment, {SECRET_VARIABLE}"
        raise InputError(f"a key has two parts: give {how}, or neither; every user of this machine sees a command line")
    params = named_params(PARAMS_FILE, answers.name or "")
    remote = {"url": f"s3://{answers.bucket}/dvc", "endpointurl": own_endpoint(answers)}
    key = {"access_key_id": answers.access_key_id, "secret_access_key": answers.secret_access_key}
    changed = {
        "project.name to params.yaml": write_params(PARAMS_FILE, params),
        f"the remote {REMOTE} to .dvc/config": write_remote("repo", remote),
    }
    if answers.access_key_id:
        changed["the key to .dvc/config.local, which Git ignores"] = write_remote("local", key)
    if do_not_fit():
        changed[f"first goals to {GOALS_FILE}, from what the run here reached"] = bool(write_first_goals())
    print_written([place for place, is_changed in changed.items() if is_changed])
    print_blocks([("See whether the services answer:", DOCTOR)] if key_alone else next_steps(answers))


def present_answers() -> Answers:
    """What has been answered before; no secret. Raises InputError when the settings are wrong."""
    project = project_of(read_yaml(PARAMS_FILE))
    remote = all_settings().get("remote", {}).get(REMOTE, {})
    try:
        mlflow_url = check_answer("mlflow_url", os.environ.get("MLFLOW_TRACKING_URI", ""))
    except InputError:  # a database, or a URL with a password
        mlflow_url = ""
    return Answers(
        name=project.get("name"),
        s3_endpoint=remote.get("endpointurl", AMAZON) if remote else None,
        bucket=urlsplit(remote.get("url", "")).netloc or None,
        mlflow_url=mlflow_url,
    )


def is_key_alone(given: Answers) -> bool:
    """Whether the key is given and nothing else, as by someone whose lab is connected."""
    fields = {field for field, answer in given._asdict().items() if answer is not None}
    return bool(fields) and fields <= {"access_key_id", "secret_access_key"}


def merge(given: Answers, present: Answers) -> Answers:
    """What is given, else what is present. Raises InputError naming the options that are missing."""
    merged = Answers(*(new if new is not None else old for new, old in zip(given, present, strict=True)))
    needed = {"name": "", "s3_endpoint": f" ({AMAZON}: Amazon's own)", "bucket": ""}
    if missing := [option(field) + hint for field, hint in needed.items() if not getattr(merged, field)]:
        raise InputError(f"missing: {', '.join(missing)}; give them, or answer the questions in a terminal")
    return merged


def ask(given: Answers, present: Answers, fields: tuple[str, ...]) -> Answers:
    """Ask for `fields` and the key, where not given, with what is present as the default."""
    answers = given
    for field in fields:
        if getattr(given, field) is None:
            default = getattr(present, field) or ""
            none = " (empty: none)" if field == "mlflow_url" and not default else ""
            answers = answers._replace(**{field: prompt(field, QUESTIONS[field] + none, default)})
    if given.access_key_id is None:
        answers = answers._replace(access_key_id=prompt("access_key_id", "Access key (empty: as it is)"))
    if answers.access_key_id and given.secret_access_key is None:
        answers = answers._replace(secret_access_key=typer.prompt("Its secret", hide_input=True))
    return answers


def prompt(field: str, question: str, default: str = "") -> str:
    """Ask for one answer until it is right."""

    def checked(answer: str) -> str:
        try:
            return check_answer(field, answer)
        except InputError as error:
            raise typer.BadParameter(str(error)) from None

    return str(typer.prompt(question, default=default, show_default=bool(default), value_proc=checked))


def check(answers: Answers) -> Answers:
    """Return the answers in the form that is written. Raises InputError for a wrong one."""
    given = answers._asdict().items()
    return Answers(**{field: check_answer(field, answer) for field, answer in given if answer is not None})


def check_answer(field: str, answer: str) -> str:
    """Return an answer in the form that is written. Raises InputError when it is wrong."""
    answer = answer.strip()
    match field:
        case "name":
            named_params(PARAMS_FILE, answer)
        case "bucket" if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", answer):
            allowed = "a bare name of 3 to 63 lowercase letters, digits, dots and hyphens, no s3:// and no /"
            raise InputError(f"{option(field)} is {answer!r}; give {allowed}")
        case "s3_endpoint" if answer != AMAZON:
            return check_url(field, answer.rstrip("/"), f", or {AMAZON} for Amazon's own")
        case "mlflow_url" if answer:
            return check_url(field, answer.rstrip("/"))
    return answer


def own_endpoint(answers: Answers) -> str | None:
    """The S3 server's URL, unless it is Amazon's own, which needs none."""
    return None if answers.s3_endpoint == AMAZON else answers.s3_endpoint


def check_url(field: str, url: str, other: str = "") -> str:
    """The URL, which must be one of HTTP, and name no user: it is committed, or shown. Raises InputError."""
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) and not re.search(r"\s", url)
    except ValueError:  # no port
        well = False
    if not well or parts.query or parts.fragment:
        raise InputError(f"{option(field)} is {url!r}; give a URL such as https://server.example.com:9000{other}")
    if parts.username or parts.password:
        raise InputError(f"{option(field)} holds a user or a password, and is not kept secret; leave them out")
    return url


def option(field: str) -> str:
    """The option of an answer."""
    return f"--{field.replace('_', '-')}"


def named_params(path: Path, name: str) -> str:
    """The text of params.yaml with another project.name, every other byte kept. Raises InputError as read_params."""
    content = read_yaml(path)
    wanted = content | {"project": project_of(content) | {"name": name}}
    validate(whole_schema(), wanted, path)
    text = path.read_bytes().decode()
    if content == wanted:
        return text
    try:
        return with_value(text, name, "project", "name")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def project_of(content: dict[str, Any]) -> dict[str, Any]:
    """The section `project` of params.yaml; empty where it is none."""
    project = content.get("project")
    return project if isinstance(project, dict) else {}


def write_params(path: Path, text: str) -> bool:
    """Write params.yaml, if that changes it; return whether it does."""
    if path.read_bytes() == text.encode():
        return False
    with replacing(path) as beside:
        beside.write_bytes(text.encode())
    return True


def write_remote(level: Level, settings: Section) -> bool:
    """Write settings of the remote, if that changes them; return whether it does. A None or empty one is taken out."""

    def changed(section: Section) -> Section:
        remote = section.get("remote", {}).get(REMOTE, {})
        defaults = DEFAULTS if level == "repo" else {}
        remote = {name: value for name, value in (defaults | remote | settings).items() if value}
        core = section.get("core", {}) | ({"remote": REMOTE} if level == "repo" else {})
        return section | {"core": core, "remote": section.get("remote", {}) | {REMOTE: remote}}

    before = settings_of(level)
    after = changed(before)
    if before == after:
        return False
    write_settings(level, after)
    return True


def next_steps(answers: Answers) -> Iterator[tuple[str, str]]:
    """What remains to be done, and the commands that do it."""
    export = f"export MLFLOW_TRACKING_URI={shlex.quote(answers.mlflow_url)}\n" if answers.mlflow_url else ""
    yield (
        "Commit it, unless you have, and see whether the services answer:",
        f"git add .dvc/config params.yaml && git commit -m 'Connect the lab to its services'\n{export}{DOCTOR}",
    )
    for purpose, commands in github_commands(answers):
        yield f"On GitHub: {purpose}:", commands


def github_commands(answers: Answers) -> Iterator[tuple[str, str]]:
    """What each of GitHub's settings is for, and the commands of `gh` that make it: one that asks is alone.

    None of them holds a secret, and a second time they change nothing.
    """
    environment = f"repos/{{owner}}/{{repo}}/environments/{ENVIRONMENT}"
    policies = f"'{environment}/deployment-branch-policies'"
    rulesets = "'repos/{owner}/{repo}/rulesets'"
    policy = "deployment_branch_policy"
    yield (
        f"the environment that holds the secrets, for {RUN_TAGS} tags alone",
        f"gh api --method PUT '{environment}' \\\n"
        f"  -F '{policy}[protected_branches]=false' -F '{policy}[custom_branch_policies]=true'\n"
        f"gh api {policies} --jq '.branch_policies[] | .type + \" \" + .name' | grep -qxF 'tag {RUN_TAGS}' ||\n"
        f"  gh api --method POST {policies} -f 'name={RUN_TAGS}' -f type=tag",
    )
    for part, secret in (("access key", "MINIO_ACCESS_KEY_ID"), ("secret of that key", "MINIO_SECRET_ACCESS_KEY")):
        yield f"the runner's {part}, which it asks for", f"gh secret set {secret} --env {ENVIRONMENT}"
    variables = {"MLFLOW_TRACKING_URI": answers.mlflow_url, "AWS_ENDPOINT_URL": own_endpoint(answers)}
    if commands := [f"gh variable set {name} --body {shlex.quote(url)}" for name, url in variables.items() if url]:
        yield "where the services are", "\n".join(commands)
    yield (
        f"the rule that maintainers and administrators alone push {RUN_TAGS} tags, and so run code on the runner",
        f"gh api {rulesets} --jq '.[].name' | grep -qxF '{RULESET}' ||\n"
        f"  gh api --method POST {rulesets} --input - <<'END'\n{json.dumps(ruleset())}\nEND",
    )


def ruleset() -> Section:
    """The ruleset on tags, as GitHub's API takes it."""
    return {
        "name": RULESET,
        "target": "tag",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/tags/{RUN_TAGS}"], "exclude": []}},
        "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}],
        "bypass_actors": [
            {"actor_id": role, "actor_type": "RepositoryRole", "bypass_mode": "always"} for role in MAY_PUSH_RUN_TAGS
        ],
    }


def print_written(written: list[str]) -> None:
    """Print what was written."""
    print("Written: " + ", ".join(written) if written else "Nothing was written: all of it is set already")


def print_blocks(blocks: Iterable[tuple[str, str]]) -> None:
    """Print commands below what they are for, to be copied block by block: not every shell takes comments."""
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for purpose, commands in blocks:
        console.print(f"\n[dim]{escape(purpose)}[/]\n\n{escape(commands)}")
