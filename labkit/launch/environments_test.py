"""An environment is exactly its lock: made once, made again when the lock changes, never half."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

from labkit.file_lock import locked
from labkit.launch import environments, kernels
from labkit.launch.environments import PIP_TO_UV, process_environment, process_lock, requirements, where_to_find
from labkit.paths import ROOT

KERNEL_LOCKS = Path("/proc/locks")


def write_lock(path: Path, packages: dict[str, Any], **groups: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"default": packages, **groups}), encoding="utf-8")
    return path


def write_wheel(folder: Path, version: str) -> dict[str, Any]:
    """Write a wheel of the package `tiny` and return its entry in a lock."""
    wheel = folder / f"tiny-{version}-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", f"VERSION = {version!r}\n")
        info = f"tiny-{version}.dist-info"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return {"version": f"=={version}", "hashes": [f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"]}


class Tree:
    """A repository with one process that needs one package, and a cache and a package folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "lab" / "processes" / "one" / "Pipfile.lock"
        launch = [f"launch/{name}.py" for name in ("__init__", "environments", "kernels")]
        process = [f"process/{name}.py" for name in ("__init__", "credentials", "errors", "strict_yaml")]
        for file in ("__init__.py", "declared.py", "file_lock.py", "paths.py", *launch, *process):
            (root / "labkit" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "labkit" / file, root / "labkit" / file)
        (root / "wheels").mkdir()
        self.needs("1")

    def needs(self, version: str) -> None:
        write_lock(self.lock, {"tiny": write_wheel(self.root / "wheels", version)})

    def start(self) -> "subprocess.Popen[str]":
        """Start `python -m labkit.launch.environments`; nothing of this machine's settings or caches is left to it."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
        environment |= {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(self.root / "wheels"),
            "PIP_NO_INDEX": "1",
            "XDG_CACHE_HOME": str(self.root / "cache"),
        }
        command = [sys.executable, "-m", "labkit.launch.environments"]
        return subprocess.Popen(command, cwd=self.root, env=environment, stderr=subprocess.PIPE, text=True)

    def make(self) -> None:
        _, errors = (making := self.start()).communicate()
        assert making.returncode == 0, errors

    def environments(self) -> list[Path]:
        """From the oldest to the newest."""
        found = (self.root / "cache" / "lab" / "environments").glob("one-*/")
        return sorted((path for path in found if path.is_dir()), key=lambda path: path.stat().st_ctime_ns)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def version_in(environment: Path) -> str:
    command = [str(environment / "bin" / "python"), "-c", "import tiny; print(tiny.VERSION)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.unittest
def test_requirements_keep_versions_extras_markers_and_hashes(tmp_path: Path) -> None:
    a = {"version": "==1", "hashes": ["sha256:1", "sha256:2"], "extras": ["x", "y"], "markers": "python_version > '3'"}
    lock = write_lock(tmp_path / "Pipfile.lock", {"b": {"version": "==2", "hashes": ["sha256:3"]}, "a": a})
    assert requirements(lock, ("default",)) == (
        "a[x,y]==1; python_version > '3' --hash=sha256:1 --hash=sha256:2\nb==2 --hash=sha256:3\n"
    )


@pytest.mark.unittest
def test_requirements_ask_for_the_build_of_torch_that_the_lock_is_for(tmp_path: Path) -> None:
    lock = write_lock(tmp_path / "Pipfile.lock", {"torch": {"version": "==2", "hashes": ["sha256:1"]}})
    assert requirements(lock, ("default",)) == (
        "torch==2+cpu; sys_platform == 'linux' --hash=sha256:1\ntorch==2; sys_platform != 'linux' --hash=sha256:1\n"
    )
    write_lock(lock, {"torch": {"version": "===2", "hashes": ["sha256:2"]}})
    assert requirements(lock, ("default",)) == "torch===2 --hash=sha256:2\n"


@pytest.mark.unittest
@pytest.mark.parametrize("version", ["==2+cpu", ">=2", "==2,!=3", "==2.*", ""])
def test_a_torch_that_is_not_one_version_is_refused(version: str, tmp_path: Path) -> None:
    lock = write_lock(tmp_path / "Pipfile.lock", {"torch": {"version": version, "hashes": ["sha256:1"]}})
    with pytest.raises(RuntimeError, match=r"give it one version in \./Pipfile"):
        requirements(lock, ("default",))


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A params.yaml to be written, for a process that declares the section `training`, on a machine that has CUDA."""
    folder = tmp_path / "lab" / "processes" / "train_dnn_pytorch"
    write_lock(folder / "Pipfile.lock", {})
    write_lock(folder / "Pipfile.cuda.lock", {})
    (folder / "params.py").write_text("class Params:\n    training: int\n", encoding="utf-8")
    for module in (environments, kernels):
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "PROCESSES", folder.parent)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path / "params.yaml"


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("training: {device: cuda}", "Pipfile.cuda.lock"),
        ("training:\n  epochs: 1\n  'device' : \"cuda\"", "Pipfile.cuda.lock"),
        ("training:\n  device: cpu  # or device: cuda", "Pipfile.lock"),
        ("training: {epochs: 1}", "Pipfile.lock"),
        ("selection: {device: cuda}", "Pipfile.lock"),  # another process's
        ("training: [device: cuda]", "Pipfile.lock"),  # nonsense, which the process will refuse
        ("training: {device: cuda", "Pipfile.lock"),
    ],
)
def test_the_parameters_of_a_process_choose_its_lock(content: str, name: str, parameters: Path) -> None:
    parameters.write_text(content)
    assert process_lock("train_dnn_pytorch").name == name


@pytest.mark.unittest
def test_without_parameters_a_process_has_its_one_lock(parameters: Path) -> None:
    assert process_lock("train_dnn_pytorch").name == "Pipfile.lock"


@pytest.mark.unittest
def test_cuda_without_a_lock_for_it_is_refused(parameters: Path) -> None:
    parameters.write_text("training: {device: cuda}")
    (parameters.parent / "lab/processes/train_dnn_pytorch/Pipfile.cuda.lock").unlink()
    needs = r"cuda needs lab/processes/train_dnn_pytorch/Pipfile\.cuda\.lock; `make lock` makes it"
    with pytest.raises(RuntimeError, match=needs):
        process_lock("train_dnn_pytorch")


@pytest.mark.unittest
@pytest.mark.parametrize("machine", [("darwin", "arm64"), ("linux", "riscv64")])
def test_cuda_on_a_machine_that_has_none_is_refused(
    machine: tuple[str, str], parameters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters.write_text("training: {device: cuda}")
    monkeypatch.setattr(sys, "platform", machine[0])
    monkeypatch.setattr("platform.machine", lambda: machine[1])
    here = f"linux/x86_64 or linux/aarch64, and this is {'/'.join(machine)}; set device: cpu"
    with pytest.raises(RuntimeError, match=here):
        process_lock("train_dnn_pytorch")


@pytest.mark.unittest
def test_requirements_hold_the_groups_asked_for(tmp_path: Path) -> None:
    b = {"b": {"version": "==2", "hashes": ["sha256:2"]}}
    lock = write_lock(tmp_path / "Pipfile.lock", {"a": {"version": "==1", "hashes": ["sha256:1"]}}, develop=b)
    assert requirements(lock, ("default",)) == "a==1 --hash=sha256:1\n"
    assert requirements(lock, ("default", "develop")) == "a==1 --hash=sha256:1\nb==2 --hash=sha256:2\n"


@pytest.mark.unittest
def test_a_package_without_hashes_is_refused(tmp_path: Path) -> None:
    lock = write_lock(tmp_path / "Pipfile.lock", {"a": {"git": "https://example.org/a.git", "ref": "0"}})
    with pytest.raises(RuntimeError, match=r"Pipfile\.lock: a has no hashes"):
        requirements(lock, ("default",))


@pytest.mark.unittest
def test_a_lock_with_a_merge_conflict_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pipfile.lock").write_text("<<<<<<< HEAD\n{}", encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"Pipfile\.lock is not JSON .* `make lock`"):
        requirements(tmp_path / "Pipfile.lock", ("default",))


@pytest.mark.integration
def test_pips_settings_become_uvs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/simple\nextra-index-url =\n  https://b.example\n  https://c.example\n"
        "find-links = /nowhere\ncert = /a.pem\ntrusted-host = a.example\n"
        "[install]\nindex-url = https://d.example/simple\n[freeze]\nno-index = true\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")
    assert where_to_find()[:-1] == [
        "--cert=/a.pem",
        "--extra-index-url=https://b.example",
        "--extra-index-url=https://c.example",
        "--find-links=/wheels",
        "--find-links=/more",
        "--index-url=https://d.example/simple",
        "--allow-insecure-host=a.example",
    ]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "--no-index" in where_to_find()


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("module", "name", "other"),
    [
        (sys, "version", "3.11.0 (another build)"),
        (sys, "base_prefix", "/elsewhere"),
        (sysconfig, "get_platform", lambda: "linux-aarch64"),
    ],
)
def test_machines_whose_pythons_differ_share_a_home_but_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, other: object
) -> None:
    monkeypatch.setattr(environments, "PROCESSES", tmp_path)
    write_lock(tmp_path / "one" / "Pipfile.lock", {})
    here = process_environment("one")
    assert process_environment("one") == here
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(module, name, other)
        there = process_environment("one")
    assert there != here


@pytest.mark.integration
def test_uv_has_the_options_that_pips_settings_become() -> None:
    uv = Path(sys.executable).with_name("uv")
    documented = subprocess.run([uv, "pip", "sync", "--help"], capture_output=True, text=True, check=True).stdout
    assert [option for option in PIP_TO_UV.values() if f"{option} " not in documented] == []


@pytest.mark.integration
def test_an_environment_holds_what_its_lock_lists(tree: Tree) -> None:
    tree.make()
    assert [version_in(environment) for environment in tree.environments()] == ["1"]


@pytest.mark.integration
def test_an_unchanged_lock_keeps_its_environment(tree: Tree) -> None:
    tree.make()
    [environment] = tree.environments()
    (environment / "kept").touch()
    shutil.rmtree(tree.root / "wheels")  # nothing is looked for
    tree.make()
    assert tree.environments() == [environment]
    assert (environment / "kept").exists()


@pytest.mark.integration
def test_a_changed_lock_gets_another_environment(tree: Tree) -> None:
    tree.make()
    tree.needs("2")
    tree.make()
    assert [version_in(environment) for environment in tree.environments()] == ["1", "2"]


@pytest.mark.integration
@pytest.mark.skipif(sys.platform != "linux", reason="CUDA is for Linux")
def test_each_device_has_an_environment_of_its_own_lock(tree: Tree) -> None:
    process = tree.lock.parent
    (process / "params.py").write_text("class Params:\n    training: int\n", encoding="utf-8")
    write_lock(process / "Pipfile.cuda.lock", {"tiny": write_wheel(tree.root / "wheels", "2")})
    for device in ("cpu", "cuda", "cpu"):
        (tree.root / "params.yaml").write_text(f"training: {{device: {device}}}\n", encoding="utf-8")
        tree.make()
    assert [version_in(environment) for environment in tree.environments()] == ["1", "2"]


@pytest.mark.integration
def test_an_environment_that_was_left_half_made_is_made_again(tree: Tree) -> None:
    tree.make()
    [environment] = tree.environments()
    (environment / "complete").unlink()
    [module] = environment.rglob("tiny.py")
    module.unlink()
    tree.make()
    assert version_in(environment) == "1"


@pytest.mark.integration
def test_those_who_want_it_at_once_get_one_environment(tree: Tree) -> None:
    at_once = [tree.start() for _ in range(3)]
    errors = [making.communicate()[1] for making in at_once]
    assert errors == [""] * len(at_once)
    assert [version_in(environment) for environment in tree.environments()] == ["1"]


@pytest.mark.integration
@pytest.mark.skipif(not KERNEL_LOCKS.exists(), reason="only Linux tells who waits for a lock")
def test_who_comes_second_waits_and_takes_what_the_first_made(tree: Tree) -> None:
    tree.make()
    [environment] = tree.environments()
    (environment / "complete").unlink()
    (environment / "kept").touch()
    with locked(environment.with_suffix(".lock")):  # the first is still at it
        second = tree.start()
        while not re.search(rf"-> FLOCK .* {second.pid} ", KERNEL_LOCKS.read_text(encoding="utf-8")):
            assert second.poll() is None
        (environment / "complete").touch()
    assert second.communicate()[1] == ""
    assert (environment / "kept").exists()


@pytest.mark.integration
def test_a_file_that_differs_from_its_hash_is_not_installed(tree: Tree) -> None:
    with ZipFile(tree.root / "wheels" / "tiny-1-py3-none-any.whl", "a") as wheel:
        wheel.writestr("more.py", "")
    _, errors = (making := tree.start()).communicate()
    assert making.returncode == 1
    assert errors.startswith("error: uv pip sync failed:")
    assert "hash" in errors.lower()
    [environment] = tree.environments()
    assert not (environment / "complete").exists()
