"""An experiment is announced at a connector, which is a server here that speaks the published formats."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.git_cli import git
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.publish.announcing import announce
from labkit.testing.connector import ARTIFACT, PASSWORD, USER, Connector, resource, serve_connector
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

NAME = "cancer & lab"
METRICS = {"selected": "ridge", "metric": "accuracy", "test": {"accuracy": 0.9375}}
DVC_YAML = """
stages:
  select:
    cmd: cp src metrics.json
    outs: [metrics.json, models.csv]
    meta:
      leaderboard: {models: models.csv, selected: metrics.json}
"""


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connector]:
    monkeypatch.setenv("IDS_API_USER", USER)
    monkeypatch.setenv("IDS_API_PASSWORD", PASSWORD)
    with serve_connector() as served:
        yield served


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit without results, tagged empty, and one with them."""
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text(f"project: {{name: {NAME}}}\n")
    shell("git init --quiet && git add --all && git commit --quiet -m begin && git tag empty", tmp_path)
    (tmp_path / "lab/results").mkdir(parents=True)
    (tmp_path / "lab/results/metrics.json").write_text(json.dumps(METRICS))
    md5 = shell("md5sum < lab/results/metrics.json | cut -c1-32", tmp_path).stdout.strip()
    (tmp_path / "dvc.lock").write_text(f"stages:\n  select:\n    outs:\n    - path: metrics.json\n      md5: {md5}\n")
    shell("git add --all && git commit --quiet -m results", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ours(connector: Connector) -> list[dict[str, object]]:
    return [one for one in connector.offered if one["ids:title"][0]["@value"] == NAME]


def test_what_the_commit_s_results_say_is_announced_and_again_replaced(connector: Connector) -> None:
    others = [*connector.offered]
    assert announce(connector.url).startswith(f"{NAME} is announced as of {git('rev-parse', 'HEAD')[:10]}: https://")
    (first,) = ours(connector)
    told = f"Selected-Model: ridge; Metric: test accuracy 0.9375; Commit: {git('rev-parse', 'HEAD')}"
    assert first["ids:description"] == [{"@value": told, "@type": "http://www.w3.org/2001/XMLSchema#string"}]
    assert '"mlflow:cancer%20%26%20lab"' in json.dumps(first)
    first["ids:contractOffer"] = [{"@id": "the administrator's"}]
    git("commit", "--quiet", "--allow-empty", "-m", "more")
    assert " is announced again as of " in announce(connector.url)
    (second,) = ours(connector)
    assert second["@id"] == first["@id"]
    assert second["ids:contractOffer"] == first["ids:contractOffer"]
    assert second["ids:version"] == git("rev-parse", "HEAD")[:10] != first["ids:version"]
    assert connector.offered[: len(others)] == others


def test_another_resource_of_that_name_is_left_alone(connector: Connector) -> None:
    connector.offered.append(resource(NAME, 3, ARTIFACT))
    before = [*connector.offered]
    with pytest.raises(InputError, match=r"is no experiment; change project\.name"):
        announce(connector.url)
    assert connector.offered == before


def test_a_commit_without_results_has_nothing_to_announce(connector: Connector) -> None:
    with pytest.raises(InputError, match="empty has no results to announce; `make run`, then commit"):
        announce(connector.url, "empty")
    assert ours(connector) == []


def test_results_that_dvc_lock_does_not_record_are_none(connector: Connector, lab: Path) -> None:
    (lab / "lab/results/metrics.json").write_text(json.dumps(METRICS | {"selected": "mine"}))
    git("commit", "--quiet", "--all", "-m", "a lie")
    with pytest.raises(InputError, match="has no results to announce"):
        announce(connector.url)


def test_refusals_are_told(connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "kept", lambda *_: (400, {"message": "Could not transform input"}))
    with pytest.raises(InputError, match=r"POST /api/offeredResource/: status 400, .*Could not transform input"):
        announce(connector.url)
    monkeypatch.setattr(connector, "kept", lambda *_: (200, connector.description()))
    with pytest.raises(InputError, match="it answered, and did not keep the resource"):
        announce(connector.url)
    with pytest.raises(InputError, match="status 404"):
        announce(f"{connector.url}/elsewhere")
    monkeypatch.setattr(connector, "description", lambda: {})
    with pytest.raises(InputError, match="it has no catalog of resources; add one"):
        announce(connector.url)
    monkeypatch.setenv("IDS_API_PASSWORD", "wrong")
    with pytest.raises(InputError, match=r"status 401, .*; check the user and the password"):
        announce(connector.url)
    monkeypatch.delenv("IDS_API_USER")
    with pytest.raises(InputError, match=r"the environment has no IDS_API_USER; set it"):
        announce(connector.url)
    with pytest.raises(InputError, match="has an @; give its user and password by IDS_API_USER") as refused:
        announce("https://me:S3CRET@host")  # pragma: allowlist secret
    assert "S3CRET" not in str(refused.value)


def test_the_page_s_command_works(connector: Connector, lab: Path, shell: Shell) -> None:
    (command,) = re.findall(r"```bash\n(.*?)```", (ROOT / "lab/docs/data-spaces.md").read_text(encoding="utf-8"), re.S)
    command = command.replace("apiUser", USER).replace("MY_PASSWORD", PASSWORD)
    shell(command.replace("https://connector.example.com:8449", connector.url), lab, PYTHONPATH=str(ROOT))
    assert len(ours(connector)) == 1
