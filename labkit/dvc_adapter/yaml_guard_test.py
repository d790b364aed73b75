"""What would hang or kill DVC is refused before DVC reads it: by the verbs of the command line, which may not crash."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from labkit.dvc_adapter.graph import nodes_here
from labkit.dvc_adapter.lock_text import parse_lock
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.yaml_guard import DEEPEST, refuse_harmful, refuse_harmful_files
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell

DEEP = "a: " + "[" * 50_000
BOMB = "a0: &x0 [1]\n" + "".join(f"a{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.unittest
@pytest.mark.parametrize("text", [DEEP, "{a: " * 100, "- " * 100, BOMB])
def test_what_is_too_deep_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^params.yaml (is nested deeper|has more than) .*`git checkout params.yaml`"):
        refuse_harmful(text, "params.yaml")
    with pytest.raises(ValueError, match=r"^no dvc\.lock"):
        parse_lock(text)


@pytest.mark.unittest
@pytest.mark.parametrize("text", ["", "a: [", "\t", "*a", "&a [*a]", "[" * DEEPEST + "]" * DEEPEST, "\ud800"])
def test_all_else_is_left_to_its_loader(text: str) -> None:
    refuse_harmful(text, "params.yaml")


@pytest.mark.unittest
def test_the_files_of_this_lab_are_taken() -> None:
    refuse_harmful_files()
    parse_lock((ROOT / "dvc.lock").read_bytes())


@pytest.mark.integration
@pytest.mark.parametrize("file", ["params.yaml", "dvc.lock", "below/dvc.yaml"])
@pytest.mark.parametrize("text", [DEEP, BOMB], ids=["deep", "bomb"])
def test_a_project_with_such_a_file_is_refused_here_and_in_a_commit(
    file: str, text: str, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell("git init -q && dvc init -q && mkdir below && git add -A && git commit -qm one", tmp_path)
    Path(file).write_text(text)
    shell("git add -A && git commit -qm harmful && git tag harmful && git checkout -q HEAD~1", tmp_path)
    with open_project():
        pass
    with pytest.raises(InputError, match=f"^{file} "), open_project("harmful"):
        pass
    shell("git checkout -q harmful", tmp_path)
    with pytest.raises(InputError, match=f"^{file} "), open_project():
        pass


@pytest.mark.integration
@pytest.mark.parametrize("names", ["vars: [a.txt]", "stages: {a: {cmd: a, metrics: [a.txt: {cache: false}]}}"])
@pytest.mark.parametrize("text", [DEEP, BOMB], ids=["deep", "bomb"])
def test_a_file_of_any_name_that_dvc_yaml_has_dvc_read_harms_nobody(
    text: str, names: str, tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "dvc.yaml").write_text(names)
    shell("git init -q && dvc init -q && git add -A && git commit -qm one", tmp_path)
    look = """
from labkit.dvc_adapter.repository import open_project
with open_project("HEAD") as project:
    print(project.metrics.show())
"""
    python = f"timeout 60 {sys.executable} -c {shlex.quote(look)}"
    done = shell(python, tmp_path, check=False, PYTHONPATH=str(ROOT))
    assert re.search(r"a\.txt (is nested deeper|has more than)", done.stdout + done.stderr)


@pytest.mark.integration
@pytest.mark.parametrize(
    "group",
    [
        "matrix: {a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], b: *a, c: *a, d: *a, e: [1, 2]}",
        "matrix: {a: '${many}', b: '${many}', c: '${many}', d: '${many}', e: [1, 2]}",
        f"foreach: {[*range(10_000)]}",
    ],
)
def test_more_stages_than_anybody_could_wait_for_are_refused(
    group: str, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body = "{cmd: a}" if "foreach" in group else "a"
    (tmp_path / "params.yaml").write_text(f"many: {[*range(10)]}\n")
    (tmp_path / "dvc.yaml").write_text(
        f"stages: {{one: {{cmd: one}}, many: {{{group}, {'do' if 'foreach' in group else 'cmd'}: {body}}}}}\n"
    )
    shell("git init -q && dvc init -q && git add -A && git commit -qm one", tmp_path)
    for commit in (None, "HEAD"):
        told = pytest.raises(InputError, match=r"^dvc.yaml makes (20,001|10,001) stages; 10,000 is the most")
        with told, open_project(commit) as project:
            nodes_here(project)


@pytest.mark.integration
def test_a_name_with_a_line_break_is_refused(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a\n.dvc").write_text(DEEP)
    shell("git init -q && git add -A && git commit -qm one", tmp_path)
    for commit in (None, "HEAD"):
        with pytest.raises(InputError, match=r"line break in its name: 'a\\n.dvc'; rename it"):
            refuse_harmful_files(commit)


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.parametrize("file", ["params.yaml", "dvc.lock"])
@pytest.mark.parametrize("text", [DEEP, BOMB], ids=["deep", "bomb"])
@pytest.mark.parametrize("verb", ["status", "run", "repro", "tables", "pull-request HEAD", "compare HEAD", "doctor"])
def test_no_verb_hangs_or_crashes(
    verb: str, text: str, file: str, finished_lab: Path, tmp_path: Path, shell: Shell
) -> None:
    lab = tmp_path / "lab"
    shell(f"git clone -q {finished_lab} {lab}", tmp_path)
    (lab / file).write_text(text)
    done = shell(f"timeout 60 {sys.executable} -m lab {verb}", lab, check=False)
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
