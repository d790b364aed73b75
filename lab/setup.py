"""`python -m lab setup`: connect the lab to its S3 server, MLflow and GitHub.

Everything is checked before anything is written: the name to params.yaml, the DVC remote to .dvc/config, and the key
to .dvc/config.local, which Git ignores. The same answers again change no byte.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import typer
import yaml
from dvc.config import Config, ConfigError
from rich.console import Console
from rich.markup import escape

from lab.params import PARAMS_FILE, read_yaml, validate, whole_schema
from lib.errors import InputError
from lib.files import replacing

REMOTE = "minio"
AMAZON = "amazon"
RUN_TAGS = "run-*"
ENVIRONMENT = "experiments"
# By GitHub's numbers: those who administer and those who maintain the repository.
MAY_PUSH_RUN_TAGS = (5, 2)

Section = dict[str, Any]


class Answers(NamedTuple):
    """What setup has to know. None is an answer not given yet; an empty endpoint is Amazon's own."""

    name: str | None = None
    s3_endpoint: str | None = None
    bucket: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    mlflow_url: str | None = None


def set_up(given: Answers) -> None:
    """Complete the answers, write them, and print what remains to be typed.

    Raises InputError, with nothing written, when an answer is wrong or missing.
    """
    config = open_config()
    present = present_answers(config)
    answers = check(ask(given, present) if sys.stdin.isatty() else merge(given, present))
    params = named_params(PARAMS_FILE, answers.name or "")
    remote = {"url": f"s3://{answers.bucket}/dvc", "endpointurl": answers.s3_endpoint}
    key = {"access_key_id": answers.access_key_id, "secret_access_key": answers.secret_access_key}
    write_params(PARAMS_FILE, params)
    write_remote(config, "repo", remote)
    if answers.access_key_id:
        write_remote(config, "local", key)
        Path(config.files["local"]).chmod(0o600)
    print_next_steps(answers)


def open_config() -> Config:
    """DVC's settings of the working folder. Raises InputError when there are none, or they are wrong."""
    try:
        return Config.from_cwd()
    except ConfigError as error:
        raise InputError(f".dvc/config: {error}; correct it, or `git checkout .dvc/config`") from None


def present_answers(config: Config) -> Answers:
    """What has been answered before; no secret."""
    project = read_yaml(PARAMS_FILE).get("project") or {}
    remote = config.get("remote", {}).get(REMOTE, {})
    mlflow_url = os.environ.get("MLFLOW_TRACKING_URI", "")
    return Answers(
        name=project.get("name"),
        s3_endpoint=remote.get("endpointurl", "") if remote else None,
        bucket=urlsplit(remote.get("url", "")).netloc or None,
        mlflow_url=mlflow_url if mlflow_url.startswith("http") else None,
    )


def merge(given: Answers, present: Answers) -> Answers:
    """What is given, else what is present. Raises InputError naming the options that are missing."""
    merged = Answers(*(new if new is not None else old for new, old in zip(given, present, strict=True)))
    merged = merged._replace(s3_endpoint=merged.s3_endpoint or "")
    needed = ("name", "bucket", "mlflow_url")
    if missing := [option(field) for field in needed if not getattr(merged, field)]:
        raise InputError(f"missing: {', '.join(missing)}; give them, or answer the questions in a terminal")
    return merged


def ask(given: Answers, present: Answers) -> Answers:
    """Ask for what is not given, with what is present as the default."""

    def answer(field: str, question: str, default: str | None) -> str:
        value = getattr(given, field)
        return str(typer.prompt(question, default=default) if value is None else value)

    endpoint = AMAZON if present.s3_endpoint == "" else present.s3_endpoint
    answers = Answers(
        name=answer("name", "Name of the project", present.name),
        s3_endpoint=answer("s3_endpoint", f"URL of the S3 server ({AMAZON}: Amazon's own)", endpoint),
        bucket=answer("bucket", "Bucket", present.bucket),
        access_key_id=given.access_key_id,
        secret_access_key=given.secret_access_key,
        mlflow_url=answer("mlflow_url", "URL of the MLflow server", present.mlflow_url),
    )
    if given.access_key_id is None:
        keep = "Access key (empty: as it is)"
        answers = answers._replace(access_key_id=typer.prompt(keep, default="", show_default=False))
    if answers.access_key_id and given.secret_access_key is None:
        answers = answers._replace(secret_access_key=typer.prompt("Its secret", hide_input=True))
    return answers


def check(answers: Answers) -> Answers:
    """The answers, in the one form that is written. Raises InputError for a wrong one."""
    endpoint = (answers.s3_endpoint or "").strip().rstrip("/")
    endpoint = "" if endpoint == AMAZON else check_url("s3_endpoint", endpoint) if endpoint else ""
    bucket = (answers.bucket or "").strip()
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        allowed = "the bare name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens, no s3:// and no /"
        raise InputError(f"{option('bucket')} is {bucket!r}; give {allowed}")
    if bool(answers.access_key_id) != bool(answers.secret_access_key):
        raise InputError(f"give both {option('access_key_id')} and {option('secret_access_key')}, or neither")
    return answers._replace(
        name=(answers.name or "").strip(),
        s3_endpoint=endpoint,
        bucket=bucket,
        mlflow_url=check_url("mlflow_url", (answers.mlflow_url or "").strip().rstrip("/")),
    )


def check_url(field: str, url: str) -> str:
    """The URL, which must be one of HTTP, and name no user: it is committed, or shown. Raises InputError."""
    try:
        parts = urlsplit(url)
        well = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1) and not re.search(r"\s", url)
    except ValueError:  # no port
        well = False
    if not well or parts.query or parts.fragment:
        raise InputError(f"{option(field)} is {url!r}; give a URL such as https://server.example.com:9000")
    if parts.username or parts.password:
        raise InputError(f"{option(field)} holds a user or a password, and is not kept secret; leave them out")
    return url


def option(field: str) -> str:
    """The option of an answer."""
    return f"--{field.replace('_', '-')}"


def named_params(path: Path, name: str) -> str:
    """The text of params.yaml with another project.name, every other byte kept. Raises InputError as read_params."""
    content = read_yaml(path)
    wanted = content | {"project": (content.get("project") or {}) | {"name": name}}
    validate(whole_schema(), wanted, path)
    text = path.read_bytes().decode()
    if content == wanted:
        return text
    node = _value(yaml.compose(text), "project", "name")
    named = text[: node.start_mark.index] + scalar(name) + text[node.end_mark.index :]
    if yaml.safe_load(named) != yaml.safe_load(text) | {"project": wanted["project"]}:
        raise InputError(f"{path}: project.name can't be replaced as it stands there; write it on a line of its own")
    return named


def scalar(text: str) -> str:
    """The text as YAML: bare where that is read back as the same, else in quotes."""
    bare = re.fullmatch(r"[A-Za-z](?:[\w .-]*[\w.-])?", text) and yaml.safe_load(text) == text
    return text if bare else json.dumps(text)


def _value(node: Any, *keys: str) -> Any:
    for wanted in keys:
        node = next(value for key, value in node.value if key.value == wanted)
    return node


def write_params(path: Path, text: str) -> None:
    """Write params.yaml, if that changes it."""
    if path.read_bytes() != text.encode():
        with replacing(path) as beside:
            beside.write_bytes(text.encode())


def write_remote(config: Config, level: str, settings: Section) -> None:
    """Write settings of the remote, if that changes them; a None or empty one is taken out."""

    def changed(section: Section) -> Section:
        remote = section.get("remote", {}).get(REMOTE, {})
        remote = {name: value for name, value in (remote | settings).items() if value}
        core = section.get("core", {}) | ({"remote": REMOTE} if level == "repo" else {})
        return section | {"core": core, "remote": section.get("remote", {}) | {REMOTE: remote}}

    before = config.load_one(level)
    after = changed(before)
    if before != after:
        with config.edit(level) as section:
            section.clear()
            section.update(after)


def github_commands(answers: Answers) -> Iterator[tuple[str, str]]:
    """What each of GitHub's settings is for, and the commands of `gh` that make it. None of them holds a secret."""
    environment = f"repos/{{owner}}/{{repo}}/environments/{ENVIRONMENT}"
    policy = "deployment_branch_policy"
    yield (
        f"the environment that holds the secrets, for {RUN_TAGS} tags alone",
        f"gh api --method PUT '{environment}' \\\n"
        f"  -F '{policy}[protected_branches]=false' -F '{policy}[custom_branch_policies]=true'\n"
        f"gh api --method POST '{environment}/deployment-branch-policies' -f 'name={RUN_TAGS}' -f type=tag",
    )
    yield (
        "the key of the S3 server; each asks for its value",
        f"gh secret set MINIO_ACCESS_KEY_ID --env {ENVIRONMENT}\n"
        f"gh secret set MINIO_SECRET_ACCESS_KEY --env {ENVIRONMENT}",
    )
    variables = {"MLFLOW_TRACKING_URI": answers.mlflow_url, "AWS_ENDPOINT_URL": answers.s3_endpoint}
    yield (
        "where the services are",
        "\n".join(f"gh variable set {name} --body {shlex.quote(url)}" for name, url in variables.items() if url),
    )
    yield (
        f"who may push {RUN_TAGS} tags, and so run code on the runner: maintainers and administrators",
        f"gh api --method POST 'repos/{{owner}}/{{repo}}/rulesets' --input - <<'END'\n{json.dumps(ruleset())}\nEND",
    )


def ruleset() -> Section:
    """The ruleset on tags, as GitHub's API takes it."""
    return {
        "name": "Who may run experiments",
        "target": "tag",
        "enforcement": "active",
        "conditions": {"ref_name": {"include": [f"refs/tags/{RUN_TAGS}"], "exclude": []}},
        "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}],
        "bypass_actors": [
            {"actor_id": role, "actor_type": "RepositoryRole", "bypass_mode": "always"} for role in MAY_PUSH_RUN_TAGS
        ],
    }


def print_next_steps(answers: Answers) -> None:
    """Print what was written, and the commands that remain, to be copied as they are."""
    console = Console(soft_wrap=True, highlight=False, emoji=False)

    def print_comment(text: str) -> None:
        console.print(f"[dim]# {escape(text)}[/]")

    print_comment(f"Written: project.name to params.yaml, remote {REMOTE} to .dvc/config")
    if answers.access_key_id:
        print_comment("Written: its key to .dvc/config.local, which Git ignores")
    print_comment("Commit it, and see whether the services answer:")
    console.print("git add .dvc/config params.yaml && git commit -m 'Connect the lab to its services'")
    console.print(escape(f"export MLFLOW_TRACKING_URI={shlex.quote(answers.mlflow_url or '')}"))
    console.print("python -m lab doctor")
    print_comment("On GitHub, once, with its command line (https://cli.github.com):")
    for purpose, commands in github_commands(answers):
        print_comment(purpose)
        console.print(escape(commands))
