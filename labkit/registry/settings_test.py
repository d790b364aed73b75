"""What a stage's `meta` says of the registered model is read from its commit, or refused in one line."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.git_cli import git
from labkit.process.errors import InputError
from labkit.registry.settings import Registered, registered_in

pytestmark = pytest.mark.integration

PLACE = r"^dvc\.yaml: stages\.select\.meta\.registry"
META: dict[str, Any] = {"name": "net-2", "model": "out/model", "predictions": "out/p.csv"}


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)


def commit(*registries: Any) -> str:
    """Commit a dvc.yaml with a stage for each, and return the commit; then spoil the file that is here."""
    stages = {
        f"select{number or ''}": {"cmd": "true", "outs": ["out"], "meta": {"registry": registry}}
        for number, registry in enumerate(registries)
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages or {"a": {"cmd": "b"}}}))
    git("add", "dvc.yaml")
    git("commit", "--quiet", "--message", "x")
    Path("dvc.yaml").write_text("stages: [")
    return git("rev-parse", "HEAD")


def test_it_is_read_from_the_commit() -> None:
    assert registered_in(commit(META)) == ("select", Registered(**META))


@pytest.mark.parametrize(
    ("registries", "told"),
    [
        ([], r"^dvc\.yaml of \w{10} names no model to register; add `meta: registry:` with the keys name, model and"),
        ([META, META], r"^dvc\.yaml: stages select and select1 have a meta\.registry each; keep one$"),
        ([None], f"{PLACE} is None; give it the keys name, model, predictions, each_run$"),
        (
            [META | {"modle": "x"}],
            rf"{PLACE}: modle \(= 'x'\) is unknown; allowed here: each_run, model, name, predictions$",
        ),
        ([{"name": "net"}], f"{PLACE}: model is missing; add model"),
        ([META | {"each_run": "yes"}], f"{PLACE}: each_run is 'yes': "),
        ([META | {"name": "a/b"}], rf"{PLACE}\.name is 'a/b'; use letters, digits, - and _, such as breast-cancer$"),
        ([META | {"name": "net-"}], rf"{PLACE}\.name is 'net-'"),
        ([META | {"model": "a.pt"}], rf"{PLACE}\.model is 'a\.pt', which select does not write; it writes out$"),
        ([META | {"predictions": "p.csv"}], rf"{PLACE}\.predictions is 'p\.csv', which select does not write"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(registries: list[Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        registered_in(commit(*registries))
