"""A plan as a pipeline of Kubeflow's, by Kubeflow's own compiler, in an environment without the lab's packages.

runtimes/kubeflow/pipeline.py starts this with JSON at its input and the file to write as its argument.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from kfp import compiler, dsl, kubernetes

FIRST_WAIT = "10s"  # before a second attempt; each wait is twice as long as the one before it
GPU = "nvidia.com/gpu"


def compile_pipeline(given: dict[str, Any], target: str) -> None:
    """Write the pipeline: a task for each stage, and one that publishes, whatever became of the stages."""
    plan = given["plan"]

    def lab() -> None:
        finish = _settled(_task(given, "publish", "finish"), given)
        with dsl.ExitHandler(finish, name="stages"):
            tasks: dict[str, dsl.PipelineTask] = {}
            for stage in plan["stages"]:
                task = _task(given, stage["name"], "task", stage["name"])
                tasks[stage["name"]] = task.after(*(tasks[needed] for needed in stage["needs"]))
                _ask_for(_settled(task, given), stage)
                if given["retries"]:
                    task.set_retry(given["retries"], backoff_duration=FIRST_WAIT)

    pipeline = dsl.pipeline(name="lab", description=f"dvc.yaml at {plan['commit']}")(lab)
    compiler.Compiler().compile(pipeline, target)


def _task(given: dict[str, Any], name: str, *words: str) -> dsl.PipelineTask:
    """A task that calls the lab in the image's clone, for the execution that the run's own number names."""

    def call(execution: str) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=given["image"],
            command=["sh", "-c", 'cd "$0" && exec .venv/bin/python -m labkit.distribute "$@"', given["clone"]],
            args=[words[0], "--commit", given["plan"]["commit"], "--execution", execution, "--", *words[1:]],
        )

    call.__name__ = f"{words[0]} {name}"  # it must have a letter, and a stage's name need not
    component: Callable[..., dsl.PipelineTask] = dsl.container_component(call)
    # Kubeflow replaces this only where it is the whole of a task's input.
    return component(execution=dsl.PIPELINE_JOB_ID_PLACEHOLDER).set_display_name(name)


def _settled(task: dsl.PipelineTask, given: dict[str, Any]) -> dsl.PipelineTask:
    """The task, with the keys that it reads from Kubernetes' secrets; without Kubeflow's cache."""
    for secret, variables in given["secrets"].items():
        kubernetes.use_secret_as_env(task, secret, {name: name for name in variables})
    return task.set_caching_options(False)


def _ask_for(task: dsl.PipelineTask, stage: dict[str, Any]) -> None:
    """Ask for what the stage needs: Kubernetes takes a limit as the request too."""
    wanted = stage["resources"]
    if wanted["cpu"]:
        task.set_cpu_limit(f"{wanted['cpu']:g}")
    if wanted["memory"]:
        task.set_memory_limit(wanted["memory"])
    if wanted["gpu"]:
        task.set_accelerator_type(GPU).set_accelerator_limit(wanted["gpu"])
    if stage["timeout"]:
        kubernetes.set_timeout(task, int(stage["timeout"]))


if __name__ == "__main__":
    compile_pipeline(json.load(sys.stdin), sys.argv[1])
