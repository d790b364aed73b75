"""A lock is made from its Pipfile and the root lock, and holds what each kind of machine needs."""

import re
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from labkit.launch import locks
from labkit.launch.environments import CUDA_LOCK, LOCK, requirements, uv_pip
from labkit.launch.locks import lock_process, read_pipfile, resolve, take_in
from labkit.paths import PROCESSES, ROOT
from labkit.process.errors import InputError
from labkit.process.files import read_json

FOLDERS = [ROOT, *sorted(pipfile.parent for pipfile in PROCESSES.glob("*/Pipfile"))]
WITH_TORCH = [folder for folder in FOLDERS[1:] if "torch" in read_json(folder / LOCK)["default"]]
LINUX = ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28"]  # as `uv --python-platform` calls them
INSTALLATIONS = [
    *((folder / LOCK, machine) for folder in FOLDERS for machine in [*LINUX, "aarch64-apple-darwin"]),
    *((folder / CUDA_LOCK, machine) for folder in WITH_TORCH for machine in LINUX),
]


def locked(folder: Path) -> dict[str, Any]:
    lock = read_json(folder / "Pipfile.lock")
    packages: dict[str, Any] = lock["default"] | lock["develop"]
    return packages


@pytest.mark.unittest
def test_builds_of_torch_that_are_not_seen_from_here_stay_in_the_lock_of_the_same_version() -> None:
    before = {"version": "==2.0", "hashes": ["a", "b", "c"]}
    same, other = ({"version": version, "hashes": ["b", "d"]} for version in ("==2.0", "==2.1"))
    locks._complete_torch(same, before)
    assert same["hashes"] == ["a", "b", "c", "d"]
    with pytest.raises(InputError, match=r"torch==2\.1: no CPU build for every machine"):
        locks._complete_torch(other, before)


@pytest.mark.integration
@pytest.mark.nightly
def test_locking_again_changes_nothing(tmp_path: Path) -> None:
    for folder in FOLDERS[1:]:
        again = tmp_path / folder.name
        again.mkdir()
        for name in ("Pipfile", CUDA_LOCK):
            if (folder / name).exists():
                (again / name).write_bytes((folder / name).read_bytes())
        lock_process(again)
        for name in (LOCK, CUDA_LOCK):
            assert (again / name).exists() == (folder / name).exists()
            assert not (again / name).exists() or (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.integration
def test_locking_the_root_again_keeps_versions_and_finds_the_hashes() -> None:
    pipfile, lock = read_pipfile(ROOT), read_json(ROOT / LOCK)
    packages = lock["default"] | lock["develop"]
    found = resolve(pipfile["packages"] | pipfile["dev-packages"], packages, packages["torch"]["version"])
    entries = [*lock["default"].items(), *lock["develop"].items()]
    assert [name for name, package in entries if package["version"] != found[name]["version"]] == []
    assert found.keys() == packages.keys()
    # An index may have got more files since. torch's CPU builds are not all where every machine can see them.
    unknown = {name for name, package in entries if not {*package["hashes"]} <= {*found[name]["hashes"]}}
    assert unknown <= {"torch"}


@pytest.mark.integration
def test_the_newest_versions_are_found_where_none_is_kept() -> None:
    kept = {"pydantic": {"version": "==2.0"}}
    wanted = {"pydantic": ">=2.0", "pyyaml": {"version": "*"}}
    newest, same = (resolve(wanted, known, "", newest=True) for known in ({}, kept))
    assert {"pydantic", "pydantic-core", "pyyaml"} <= newest.keys()
    assert (same["pydantic"]["version"], newest["pydantic"]["version"] != "==2.0") == ("==2.0", True)


@pytest.mark.unittest
def test_what_a_process_alone_names_is_added_to_the_root_pipfile(tmp_path: Path) -> None:
    root = b'# not of [packages]\n[packages]  # mine\r\nnumpy = "==2.0"\r\n\n[dev-packages]\nPyYAML = "*"\n'
    (tmp_path / "Pipfile").write_bytes(root)
    own = tmp_path / "process" / "Pipfile"
    own.parent.mkdir()
    own.write_text(
        '[packages]\nnumpy = "*"\npyyaml = "*"\nlightgbm = "~=4.0"\nzarr = {version = "*", extras = ["a"]}\n'
    )
    assert take_in(tmp_path, [own]) == ["lightgbm", "pyyaml", "zarr"]
    added = b'"lightgbm" = "~=4.0"\n"pyyaml" = "*"\n"zarr" = {"version" = "*", "extras" = ["a"]}\n'
    assert (tmp_path / "Pipfile").read_bytes() == root.replace(b"mine\r\n", b"mine\r\n" + added)
    assert take_in(tmp_path, [own]) == []
    assert read_pipfile(tmp_path)["packages"]["zarr"] == {"version": "*", "extras": ["a"]}


@pytest.mark.unittest
def test_without_a_place_for_packages_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").write_text("packages = {}\n")
    own = tmp_path / "process" / "Pipfile"
    own.parent.mkdir()
    own.write_text('[packages]\nlightgbm = "*"\n')
    with pytest.raises(InputError, match=r"Pipfile has no line \[packages\]; write it above the packages"):
        take_in(tmp_path, [own])


@pytest.mark.unittest
def test_the_root_is_locked_with_what_it_took_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    (tmp_path / "processes" / "boosted").mkdir(parents=True)
    (tmp_path / "runtimes" / "engine").mkdir(parents=True)
    (tmp_path / "runtimes" / "engine" / "Pipfile").touch()
    (tmp_path / "Pipfile").write_text("[packages]\n")
    (tmp_path / "processes" / "boosted" / "Pipfile").write_text('[packages]\nlightgbm = "*"\n')
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    monkeypatch.setattr(locks, "PROCESSES", tmp_path / "processes")
    monkeypatch.setattr(locks, "RUNTIMES", tmp_path / "runtimes")
    monkeypatch.setattr(locks, "lock_root", lambda upgrade: seen.append(read_pipfile(tmp_path)["packages"]))
    monkeypatch.setattr(locks, "lock_process", lambda folder, upgrade: seen.append(folder.name))
    monkeypatch.setattr(locks, "lock_alone", lambda folder, upgrade: seen.append(f"{folder.name} alone"))
    monkeypatch.setattr("sys.argv", ["locks"])
    locks.main()
    assert seen == [{"lightgbm": "*"}, "boosted", "engine alone"]
    assert capsys.readouterr().out.startswith("Pipfile: added lightgbm, which a process needs\n")


@pytest.fixture
def torch_cpu(tmp_path: Path) -> Path:
    """Stand-ins, without content, for torch's CPU builds for Linux, which come from a place of their own."""
    version = f"{locked(ROOT)['torch']['version'].removeprefix('==')}+cpu"
    for machine in LINUX:
        tag = "_".join(machine.split("-")[::-1])
        with ZipFile(tmp_path / f"torch-{version}-cp311-cp311-{tag}.whl", "w") as wheel:
            metadata = f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
            wheel.writestr(f"torch-{version}.dist-info/METADATA", metadata)
            wheel.writestr(f"torch-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    return tmp_path


@pytest.mark.integration
@pytest.mark.parametrize(
    ("lock", "machine"), INSTALLATIONS, ids=[f"{lock.parent.name}-{lock.name}-{on}" for lock, on in INSTALLATIONS]
)
def test_every_machine_finds_all_that_it_needs_in_the_lock(
    lock: Path, machine: str, torch_cpu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the names and the metadata of the files. uv looks at hashes only when it installs, which this does not."""
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", "14.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(torch_cpu))
    pinned = requirements(lock, ("default", "develop"))
    # The one package that has no wheel is of Python alone.
    options = ["--require-hashes", "--only-binary", ":all:", "--no-binary", "antlr4-python3-runtime"]
    options += ["--python", sys.executable, "--target", str(torch_cpu / "empty"), "--python-platform", machine]
    uv_pip("install", "--dry-run", *options, "--requirements", "-", given=pinned, torch_cpu=False)


@pytest.mark.unittest
@pytest.mark.parametrize("folder", WITH_TORCH, ids=lambda folder: folder.name)
def test_the_lock_for_cuda_differs_in_torch_and_what_cuda_needs(folder: Path) -> None:
    first, second = read_json(folder / LOCK), read_json(folder / CUDA_LOCK)
    assert second["_meta"] == first["_meta"]
    assert second["develop"] == first["develop"] == {}
    cpu, cuda = first["default"].pop("torch"), second["default"].pop("torch")
    assert cuda["version"] == f"={cpu['version']}"
    # No machine can take the build that is the other lock's.
    assert {*cpu["hashes"]} & {*cuda["hashes"]} == set()
    assert (len(cpu["hashes"]), len(cuda["hashes"])) == (3, 2)
    more = {name: package for name, package in second["default"].items() if name not in first["default"]}
    assert {**first["default"], **more} == second["default"]
    of_cuda = re.compile(r"(cuda|nvidia)-\S+|triton")
    assert more
    assert [name for name in more if not of_cuda.fullmatch(name)] == []
    assert [name for name in [*first["default"], *locked(ROOT)] if of_cuda.fullmatch(name)] == []


@pytest.mark.unittest
def test_there_is_a_lock_for_cuda_where_there_is_torch_and_nowhere_else() -> None:
    assert [lock.parent for lock in sorted(PROCESSES.glob(f"*/{CUDA_LOCK}"))] == WITH_TORCH
    assert WITH_TORCH


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("package", "message"),
    [
        ('numpyy = "*"', r"Pipfile: the root lock has no numpyy; `make lock` takes it in$"),
        (
            'numpy = "==0.0.1"',
            r"Pipfile: the root lock has no numpy==0\.0\.1; put that in \./Pipfile, then `make lock`",
        ),
        ("numpy = ", "Pipfile is not TOML"),
    ],
)
def test_a_pipfile_that_the_root_lock_cannot_serve_is_refused(tmp_path: Path, package: str, message: str) -> None:
    (tmp_path / "Pipfile").write_text(f"[packages]\n{package}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        lock_process(tmp_path)
    assert not (tmp_path / "Pipfile.lock").exists()
