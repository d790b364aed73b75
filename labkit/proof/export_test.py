"""The crate of a small lab's results: held by the public validator, and by what Git and DVC have."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from labkit.process.errors import InputError
from labkit.proof.export import export_crate
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  prepare:
    cmd: mkdir -p rows && cp raw/table.csv rows/all.csv
    deps: [raw/table.csv]
    outs: [rows]
  train:
    cmd: wc -l < rows/all.csv > model.txt
    deps: [rows]
    params: [lr]
    outs: [model.txt]
"""
# The validator asks the web for the context, which a test's machine may not reach: its cache is filled before.
FILL_CACHE = """
from io import BytesIO
from pathlib import Path
import requests, requests_cache, rocrate
from urllib3.response import HTTPResponse

context = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_bytes()

class Web(requests.adapters.BaseAdapter):
    def send(self, request, **_):
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 200, request.url, request
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = HTTPResponse(BytesIO(context), status=200, preload_content=False)
        return answer

session = requests_cache.CachedSession("cache")
session.mount("https://", Web())
session.get("https://w3id.org/ro/crate/1.1/context")
"""


@pytest.fixture(scope="module")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    lab = tmp_path_factory.mktemp("lab")
    (lab / "raw").mkdir()
    (lab / "raw" / "table.csv").write_text("a,b\n1,2\n")
    (lab / "params.yaml").write_text("project: {name: 'Wine & more'}\nlr: 0.1\n")
    (lab / "dvc.yaml").write_text(DVC_YAML)
    (lab / "LICENSE").write_text("MIT\n")
    shell("git init -q -b main && dvc init -q && dvc add -q raw/table.csv && git add -A && git commit -qm begin", lab)
    shell("dvc repro -q && git add -A && git commit -qm 'Count the rows'", lab)
    return lab


@pytest.fixture
def lab(made_lab: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made_lab)
    return made_lab


def described(crate: Path) -> dict[str, dict[str, Any]]:
    """The entities of a crate by their ids."""
    with zipfile.ZipFile(crate) as archive:
        return {one["@id"]: one for one in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}


def ids(entities: list[dict[str, str]]) -> list[str]:
    return [one["@id"] for one in entities]


def test_it_tells_what_was_made_from_what(lab: Path, tmp_path: Path) -> None:
    crate = export_crate("HEAD", tmp_path)
    found = described(crate)
    assert crate.name.startswith("Wine-more-")
    assert ids(found["#run-train"]["object"]) == ["params.yaml", "rows/all.csv"]
    assert ids(found["#run-train"]["result"]) == ["model.txt"]
    assert ids(found["#run"]["object"]) == ["#raw/table.csv", "params.yaml"]
    md5 = hashlib.md5((lab / "raw/table.csv").read_bytes(), usedforsecurity=False).hexdigest()
    assert found["#raw/table.csv"]["identifier"] == f"md5:{md5}"
    with zipfile.ZipFile(crate) as archive:
        assert archive.read("model.txt") == (lab / "model.txt").read_bytes()
        for name in set(archive.namelist()) - {"ro-crate-metadata.json"}:
            assert found[name]["identifier"] == f"sha256:{hashlib.sha256(archive.read(name)).hexdigest()}"


def test_the_same_commit_is_the_same_bytes_whatever_lies_in_the_folder(lab: Path, tmp_path: Path) -> None:
    first = export_crate("HEAD", tmp_path / "first")
    (lab / "model.txt").write_text("mine\n")
    assert export_crate("HEAD", tmp_path / "again").read_bytes() == first.read_bytes()


def test_the_code_is_all_that_git_has_whatever_its_attributes_say(
    lab: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    shell(f"cp -r {lab} {clone} && git -C {clone} config core.autocrlf true", tmp_path)
    files = {".gitattributes": "hidden export-ignore\nsaid export-subst\n", "hidden": "x\n", "said": "$Format:%H$\n"}
    for name, text in files.items():
        (clone / name).write_text(text)
    (clone / "link").symlink_to("said")
    address = "https://" + "me:hunter2@host"
    shell(f"chmod +x hidden && git add . && git commit -qm 'See {address} password=hunter2'", clone)
    monkeypatch.chdir(clone)
    crate = export_crate("HEAD", tmp_path)
    with zipfile.ZipFile(crate) as archive:
        (tmp_path / "code.tar").write_bytes(archive.read("code.tar"))
        assert b"hunter2" not in archive.read("ro-crate-metadata.json")
    shell("mkdir code && tar -xf code.tar -C code && git init -q code && git -C code add --force .", tmp_path)
    tree = shell("git rev-parse HEAD^{tree}", clone).stdout
    assert shell("git write-tree", tmp_path / "code").stdout == tree
    assert shell("git get-tar-commit-id < code.tar", tmp_path).stdout == shell("git rev-parse HEAD", clone).stdout


def test_without_results_and_without_their_files_it_is_refused(lab: Path, tmp_path: Path, shell: Shell) -> None:
    with pytest.raises(InputError, match="HEAD~1 has no results"):
        export_crate("HEAD~1", tmp_path)
    clone = tmp_path / "clone"
    shell(f"git clone -q {lab} {clone}", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone)
        with pytest.raises(InputError, match=r"has rows, model\.txt of"):
            export_crate("HEAD", tmp_path)
        shell("sed -i 's/lr: 0.1/lr: 0.2/' params.yaml && git commit -qam edited", clone)
        with pytest.raises(
            InputError, match=r"is not of its own code, parameters and data: train \(reads params.yaml\)"
        ):
            export_crate("HEAD", tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.usefixtures("lab")
def test_the_public_validator_accepts_it(tmp_path: Path) -> None:
    crate = export_crate("HEAD", tmp_path)
    uv = [sys.executable, "-m", "uv", "run", "--no-project", "--python", sys.executable]
    uv += ["--with", "roc-validator==0.13.0", "--with", "rocrate==0.15.0"]  # 0.15 has the context of 1.1
    settings = ["--offline", "--cache-path", "cache", "--requirement-severity", "REQUIRED", "--output-format", "json"]
    validate = ["rocrate-validator", "--no-interactive", "validate", *settings, "--output-file", "found.json"]
    with zipfile.ZipFile(crate) as archive:
        archive.extractall(tmp_path / "crate")
    for command in (["python", "-c", FILL_CACHE], [*validate, "crate"]):
        done = subprocess.run([*uv, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["validation_settings"]["profile_identifier"] == "workflow-run-crate-0.5"
    assert (found["passed"], found["issues"]) == (True, [])
