"""The archive of a model that the lab made: unpacked, its node is called as the engine's runner calls it."""

import asyncio
import importlib.util
import json
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from google.protobuf.any_pb2 import Any as Packed

from labkit.process.errors import InputError
from labkit.registry.models import RegisteredModel
from labkit.registry.state import Version
from labkit.registry.tags import Tag
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import load_model
from runtimes.krt import build
from runtimes.krt.archive import write_archive
from runtimes.krt.build import krt_files
from runtimes.krt.manifest import SOURCE, Release, kai_yaml
from runtimes.krt.rules_kai import kai_problems
from runtimes.krt.rules_kre import krt_problems

RELEASE = Release("Best model_of all", 12, "best-model v12", "best-model:v12")


class Context:
    """What kre-py gives a node: paths below the archive's root, values, and where answers go."""

    def __init__(self, base: Path) -> None:
        self.base, self.values, self.sent = base, dict[str, Any](), list[Any]()

    def path(self, relative: str) -> str:
        return str(self.base / relative)

    def set(self, key: str, value: Any) -> None:
        self.values[key] = value

    def get(self, key: str) -> Any:
        return self.values[key]

    async def send_output(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture(scope="module")
def model(finished_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, since to load a model leaves bytecode beside it."""
    made = finished_lab / "artifacts" / "best_model" / "model"
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("packaged") / "model"))


@pytest.fixture(scope="module")
def krt(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("krt") / "model.krt"
    write_archive(path, krt_files(model, RELEASE))
    return path


@pytest.fixture
def node(krt: Path, tmp_path: Path) -> Iterator[tuple[Any, Context]]:
    """The node's module, loaded by its path with its folder on sys.path, as kre-py does; `init` was called."""
    with tarfile.open(krt) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / SOURCE
    before = list(sys.path)
    sys.path.append(str(source.parent))
    spec = importlib.util.spec_from_file_location("worker", source)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    context = Context(tmp_path)
    module.init(context)
    yield module, context
    sys.path[:] = before
    sys.modules.pop("public_input_pb2", None)


@pytest.mark.integration
def test_the_node_answers_as_the_lab_s_model_does(node: tuple[Any, Context], model: Path) -> None:
    module, context = node
    rows = pd.read_json(model / "input_example.json", orient="split")
    request = module.Request()
    for values in rows.itertuples(index=False):
        row = request.rows.add()
        for field, value in zip(module.Row.DESCRIPTOR.fields, values, strict=True):
            setattr(row, field.name, value)
    packed = Packed()
    packed.Pack(request)

    asyncio.run(module.default_handler(context, packed))

    (answer,) = context.sent
    found = [[value for _, value in one.ListFields()] for one in answer.predictions]
    assert found == load_model(model).predict(rows).to_numpy().tolist()


@pytest.mark.integration
def test_a_missing_value_and_another_message_are_refused(node: tuple[Any, Context]) -> None:
    module, context = node
    packed = Packed()
    packed.Pack(module.Request(rows=[module.Row()]))
    with pytest.raises(ValueError, match="mean radius"):
        asyncio.run(module.default_handler(context, packed))
    packed.Pack(module.Response())
    with pytest.raises(ValueError, match="Response, not a Request"):
        asyncio.run(module.default_handler(context, packed))
    assert not context.sent


@pytest.mark.integration
def test_the_same_model_is_the_same_bytes_and_keeps_every_rule(krt: Path, model: Path, tmp_path: Path) -> None:
    write_archive(tmp_path / "again.krt", krt_files(model, RELEASE))
    assert (tmp_path / "again.krt").read_bytes() == krt.read_bytes()
    assert krt_problems(krt) == []
    with tarfile.open(krt) as archive:
        names = set(archive.getnames())
    assert {"krt.yml", "public_input.proto", "image/Dockerfile", "models/model/MLmodel"} <= names


@pytest.mark.integration
@pytest.mark.parametrize(("named", "image"), [("", "best-model:v12"), ("here/other:1", "here/other:1")])
def test_the_node_runs_in_the_image_that_is_named_else_in_the_version_s(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, image: str
) -> None:
    monkeypatch.setattr(build, "copy_model", lambda registered, to: shutil.copytree(model, to))
    version = Version(12, Tag("", "tag", "", "c0ffee", "", "", "", {}))
    krt, _ = build.build_krt(RegisteredModel("best-model", version), tmp_path, named)
    with tarfile.open(krt) as archive:
        archive.extract("krt.yml", tmp_path, filter="data")
    assert f"image: {image}\n" in (tmp_path / "krt.yml").read_text()


@pytest.mark.unittest
def test_a_long_name_is_cut_to_what_the_engine_takes() -> None:
    assert RELEASE.name == "best-model-of-a-v12"
    assert kai_problems(kai_yaml(RELEASE).encode()) == []


@pytest.mark.unittest
def test_a_model_that_does_not_tell_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(json.dumps({"metadata": {}}))
    with pytest.raises(InputError, match="select_best_model"):
        krt_files(tmp_path, RELEASE)


@pytest.mark.integration
@pytest.mark.nightly
def test_the_champion_is_built_from_its_commit(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = tmp_path / "lab"
    shutil.copytree(finished_lab, lab, symlinks=True)
    none = shell("python -m lab krt", lab, check=False)
    assert none.returncode == 1
    assert none.stderr.startswith("error: best-model has no 'champion'")
    shell("python -m lab register --reason first && python -m lab promote v1 --reason first", lab)
    (lab / "artifacts" / "best_model" / "model" / "MLmodel").unlink()  # what lies here is not asked

    first = shell("python -m lab krt", lab).stdout.split()
    shell("python -m lab krt best-model@v1 --to again", lab)

    assert [Path(path).suffixes for path in first] == [[".krt"], [".kai", ".yaml"]]
    for path in map(Path, first):
        assert (lab / path).read_bytes() == (lab / "again" / path.name).read_bytes()
    assert "nothing is wrong" in shell(f"python -m lab krt --check {first[0]}", lab).stdout
