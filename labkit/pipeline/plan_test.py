"""The plan has the edges of `dvc dag`, and what can't be distributed is refused with the line to change."""

import re
import shutil
from pathlib import Path

import pytest

from labkit.git_cli import git
from labkit.pipeline.dependencies import NO_STAGES
from labkit.pipeline.plan import Plan, plan_here
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  join:
    cmd: [cat made/b, cat made/c]
    deps: [made/b, made/c, raw]
    outs: [joined]
  each:
    foreach: [b, c]
    do:
      wdir: made
      cmd: cp ../start ${item}
      deps: [../start]
      params: [../params.yaml: ]
      outs: ["${item}"]
      meta: {limit: 2h, resources: {cpu: 2, memory: 4Gi, gpu: 1}}
  first:
    frozen: true
    cmd: cp raw start
    deps: [raw]
    metrics: [start]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A committed project with a remote."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "made").mkdir()
    (folder / "raw").mkdir()
    for name, text in {"dvc.yaml": DVC_YAML, "params.yaml": "a: 1", "raw/a": "1", "made/kept": ""}.items():
        (folder / name).write_text(text)
    shell("git init --quiet && dvc init --quiet && dvc remote add --quiet -d share ../share", folder)
    shell("dvc add --quiet raw/a && git add --all && git commit --quiet --no-verify -m tiny", folder)
    return folder


@pytest.fixture(autouse=True)
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, and this process in it."""
    folder = Path(shutil.copytree(template, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    return folder


def test_the_plan_has_the_edges_of_dvc_dag_in_an_order_that_runs(project: Path, shell: Shell) -> None:
    plan = plan_here()
    found = re.findall(r'"(.*)" -> "(.*)"', shell("dvc dag --dot", project).stdout)
    assert {(before, stage.name) for stage in plan.stages for before in stage.needs} == {
        (before, after) for before, after in found if not before.endswith(".dvc")
    }
    names = [stage.name for stage in plan.stages]
    assert all(names.index(before) < names.index(stage.name) for stage in plan.stages for before in stage.needs)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert plan.commit == git("rev-parse", "HEAD")

    b, join = plan.stage("each@b"), plan.stage("join")
    assert (b.inputs, b.outputs, b.timeout) == (["start"], ["made/b"], 3 * 3600)
    assert b.resources.model_dump() == {"cpu": 2.0, "memory": "4Gi", "gpu": 1}
    assert (join.command, join.timeout, join.resources.cpu) == (["cat made/b", "cat made/c"], None, None)
    with pytest.raises(InputError, match="last: not a stage of the plan; there are: first, each@b, each@c, join"):
        plan.stage("last")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("outs: [joined]", "outs: [joined: {cache: false}]", "stages.join: joined: `cache: false` keeps it from"),
        ("outs: [joined]", "outs: [joined: {push: false}]", "stages.join: joined: `push: false` keeps it from"),
        ("outs: [joined]", "outs: [joined: {persist: true}]", "stages.join: joined: `persist: true` builds on"),
        ("outs: [joined]", "outs: [/tmp/joined]", "stages.join: .*joined: other machines have no such place"),
        ("raw]\n    outs", "/etc/hosts]\n    outs", "stages.join: .*hosts: other machines have no such file"),
        ("deps: [made/b, made/c, raw]", "desc: none", "stages.join: it has no dependency"),
        ("cpu: 2", "cpu: 0", "stages.each@b.meta.resources: cpu is 0: input should be greater than 0"),
        ("4Gi", "4GB", "stages.each@b.meta.resources: memory is '4GB'"),
        ("resources: {cpu: 2, memory: 4Gi, gpu: 1}", "resources: 2", "stages.each@b.meta.resources is 2; write cpu"),
        ("limit: 2h", "limit: long", "stages.each@b.meta.limit: 'long' is not a time"),
        (DVC_YAML, "stages: {}", NO_STAGES.partition(":")[0]),
    ],
)
def test_what_no_other_machine_can_run_is_refused(old: str, new: str, told: str) -> None:
    assert old in DVC_YAML
    Path("dvc.yaml").write_text(DVC_YAML.replace(old, new))
    git("commit", "--quiet", "--no-verify", "--all", "-m", "changed")
    with pytest.raises(InputError, match=told):
        plan_here()


def test_what_git_or_the_remote_lacks_is_refused(project: Path, shell: Shell) -> None:
    Path("params.yaml").write_text("a: 2")
    with pytest.raises(InputError, match=r"^params\.yaml: not in the commit"):
        plan_here()
    git("checkout", "--quiet", ".")
    shell("dvc remote remove share && git commit --quiet --no-verify --all -m alone", project)
    with pytest.raises(InputError, match="there is no DVC remote"):
        plan_here()
