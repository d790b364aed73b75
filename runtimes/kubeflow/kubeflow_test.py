"""The pipeline for Kubeflow, and Kubeflow's own local orchestrator running it: it leaves what one machine leaves."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.launch.environments import LOCK, python_of
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.example_lab import read_yaml, write_yaml
from labkit.testing.fixtures import Shell
from runtimes.kubeflow import pipeline
from runtimes.kubeflow.pipeline import HERE, secret_of

COMPILE = "python -m lab kubeflow registry.example/lab@sha256:12"
# The runner in processes takes nothing but Python functions, though it would run any command.
LOCALLY = """
import sys
from kfp import components, local
from kfp.local.subprocess_task_handler import SubprocessTaskHandler as Handler
Handler.validate_not_container_component = lambda *_: None
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
components.load_component_from_file(sys.argv[1])()
"""


def documents(lab: Path) -> list[dict[str, Any]]:
    """The pipeline, and what Kubernetes is told of it, if anything."""
    return [*yaml.safe_load_all((lab / ".lab/pipeline.yaml").read_text())]


def tasks_of(pipeline: dict[str, Any]) -> dict[str, Any]:
    """The tasks of the stages."""
    found: dict[str, Any] = pipeline["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    return found


@pytest.mark.nightly
@pytest.mark.integration
def test_the_stages_follow_each_other_as_in_dvc(tiny_lab: Path, shell: Shell) -> None:
    lab = tiny_lab / "alone"
    shell(COMPILE, lab)
    tasks = tasks_of(documents(lab)[0])
    names = {task: content["taskInfo"]["name"] for task, content in tasks.items()}
    edges = {(names[of], names[task]) for task, content in tasks.items() for of in content.get("dependentTasks", [])}
    drawn = set(re.findall(r'"(.+)" -> "(.+)"', shell("dvc dag --dot", lab).stdout))
    assert edges == {(of, stage) for of, stage in drawn if not of.endswith(".dvc")}
    assert len(edges) == 5
    before = (lab / ".lab/pipeline.yaml").read_bytes()
    shell(COMPILE, lab, PYTHONHASHSEED="7")
    assert (lab / ".lab/pipeline.yaml").read_bytes() == before


@pytest.mark.nightly
@pytest.mark.integration
def test_a_task_asks_for_what_its_stage_needs_and_names_secrets(tiny_lab: Path, shell: Shell) -> None:
    lab = tiny_lab / "alone"
    content = read_yaml(lab / "dvc.yaml")
    asked = {"resources": {"cpu": 1.5, "memory": "2Gi", "gpu": 1}, "limit": "90s"}
    content["stages"]["elsewhere"]["meta"] = asked
    write_yaml(lab / "dvc.yaml", content)
    shell("git commit --quiet --all --no-verify -m asked", lab)
    secrets = "--secret keys:AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY --secret git:GITHUB_TOKEN"
    shell(f"{COMPILE} {secrets} --clone /srv/lab --retries 3", lab, AWS_ACCESS_KEY_ID="a-key")
    pipeline, platforms = documents(lab)
    kubernetes = platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    tasks, executors = tasks_of(pipeline), pipeline["deploymentSpec"]["executors"]
    assert {task["retryPolicy"]["maxRetryCount"] for task in tasks.values()} == {3}
    assert not any(task["cachingOptions"] for task in tasks.values())
    told = executors["exec-task-elsewhere"]["container"]
    assert (told["image"], told["command"][-1]) == ("registry.example/lab@sha256:12", "/srv/lab")
    wanted = {"resourceCpuLimit": "1.5", "resourceMemoryLimit": "2Gi"}
    assert wanted.items() <= told["resources"].items()
    accelerator = told["resources"]["accelerator"]
    assert (accelerator["resourceType"], accelerator["resourceCount"]) == ("nvidia.com/gpu", "1")
    assert "resources" not in executors["exec-task-first"]["container"]
    assert kubernetes["exec-task-elsewhere"]["activeDeadlineSeconds"] == "3690"
    assert "activeDeadlineSeconds" not in kubernetes["exec-task-first"]
    keys = {
        name: [
            (secret["secretName"], key["secretKey"], key["envVar"])
            for secret in content["secretAsEnv"]
            for key in secret["keyToEnv"]
        ]
        for name, content in kubernetes.items()
    }
    assert keys.keys() == executors.keys()
    every = [("keys", name, name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    assert all(found == [*every, ("git", "GITHUB_TOKEN", "GITHUB_TOKEN")] for found in keys.values())
    assert "a-key" not in (lab / ".lab/pipeline.yaml").read_text()


@pytest.mark.nightly
@pytest.mark.integration
def test_what_cannot_be_distributed_is_refused(tiny_lab: Path, shell: Shell) -> None:
    lab = tiny_lab / "alone"
    content = read_yaml(lab / "dvc.yaml")
    content["stages"]["first"]["outs"] = [{"start": {"cache": False}}]
    write_yaml(lab / "dvc.yaml", content)
    shell("git commit --quiet --all --no-verify -m uncached", lab)
    refused = shell(COMPILE, lab, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: dvc.yaml: stages.first: ")
    assert not (lab / ".lab/pipeline.yaml").exists()


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("target", "image", "told"),
    [("a.yaml", "two words", "'two words' is no image"), ("a.json", "lab:1", "--to is a.json; name a file")],
)
def test_what_kubernetes_cannot_take_is_refused(
    monkeypatch: pytest.MonkeyPatch, target: str, image: str, told: str
) -> None:
    monkeypatch.setattr(pipeline, "plan_here", lambda: pytest.fail("it plans"))
    monkeypatch.chdir(ROOT)  # to come back from there
    with pytest.raises(InputError, match=told):
        pipeline.write_pipeline(Path(target), image, "/lab", [], 2)


@pytest.mark.unittest
def test_a_secret_is_named_and_its_value_is_not_shown() -> None:
    assert secret_of("lab-keys:A,B_2") == ("lab-keys", ["A", "B_2"])
    for text in ("hunter2", "lab:", "lab:A=hunter2", "Lab:A", ":A", "lab:A,", "lab:2A", "lab:A B"):
        with pytest.raises(InputError, match="never with a value") as refused:
            secret_of(text)
        assert "hunter2" not in str(refused.value)
        assert "*" not in str(refused.value)  # nor is a word of it taken for a value


@pytest.mark.nightly
@pytest.mark.integration
def test_a_run_leaves_what_one_machine_leaves_or_what_finished(tiny_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab, origin = tiny_lab / "alone", tiny_lab / "origin"
    (lab / ".venv").symlink_to(sys.prefix)
    (tmp_path / "locally.py").write_text(LOCALLY)
    shell(f"{COMPILE} --clone {lab} --retries 1", lab)
    python = python_of("kubeflow", HERE / LOCK)
    run = f"{python} {tmp_path / 'locally.py'} {lab / '.lab/pipeline.yaml'} {tmp_path / 'root'}"
    assert shell(run, tmp_path, check=False, HINDRANCE="false").returncode == 1
    assert shell("git log -1 --format=%s main", origin).stdout.startswith("Incomplete results of ")
    once = f"mkdir {tmp_path / 'tried'} && exit 1; true"  # it fails the first time alone
    done = shell(run, tmp_path, HINDRANCE=once)
    assert "elsewhere failed" in done.stdout
    shell("dvc repro", lab)
    assert shell("git show main:dvc.lock", origin).stdout == (lab / "dvc.lock").read_text()
    assert shell("git log -1 --format=%s main^2", origin).stdout.startswith("Results of ")
