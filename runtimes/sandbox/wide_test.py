"""The stages as jobs of wide.yml, by act: what they leave is what one machine leaves, published as a run's results.

act gives all jobs one runner's folders. That a remote alone is enough, labkit/distribute/distribute_test.py shows.
"""

from pathlib import Path

import pytest

from labkit.testing.example_lab import STAGES
from labkit.testing.fixtures import Shell
from labkit.testing.ports import free_port
from runtimes.sandbox.runs import recorded_runs
from runtimes.sandbox.start import down, up
from runtimes.sandbox.watch import follow_newest

pytestmark = [pytest.mark.integration, pytest.mark.nightly]


def test_stages_as_jobs_leave_what_one_machine_leaves(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    folder = tmp_path / "sandbox"
    log: list[str] = []
    try:
        sandbox = up(folder, free_port(), free_port(), source=finished_lab)
        clone = sandbox.clone
        shell("sed -i 's/lr: 0.0003/lr: 0.001/' params.yaml && git commit --quiet --all --no-verify -m Faster", clone)
        shell("git push --quiet && git tag run-wide-1 && git push --quiet origin run-wide-1", clone)
        assert follow_newest(sandbox, log.append) == 0, "\n".join(log)
        shell("dvc repro", clone)
        assert shell("git show main:dvc.lock", sandbox.origin).stdout == (clone / "dvc.lock").read_text()
        assert shell("git for-each-ref refs/lab", sandbox.origin).stdout == ""
        message = shell("git log -1 --format=%B main", sandbox.origin).stdout
        assert message.startswith("Results of run-wide-1")
        assert "From-Cache: prepare_data" in message
        assert "Ran: train_dnn_pytorch (" in message
        steps = [step.outcome for step in recorded_runs(sandbox)[-1].steps if step.name == "Run"]
        assert steps == ["success"] * len(STAGES)

        shell("git reset --quiet --hard && git pull --quiet --rebase", clone)
        with (clone / "lab/processes/train_dnn_pytorch/main.py").open("a") as code:
            code.write('raise OSError("worn out")\n')
        shell("sed -i 's/lr: 0.001/lr: 0.002/; s/C: 1.0 /C: 0.5 /' params.yaml", clone)
        shell("git commit --quiet --all --no-verify -m Broken && git push --quiet", clone)
        shell("git tag run-wide-2 && git push --quiet origin run-wide-2", clone)
        assert follow_newest(sandbox, log.append) != 0
        assert "::error::a stage has not finished" in "\n".join(log)
        message = shell("git log -1 --format=%B main", sandbox.origin).stdout
        assert message.startswith("Incomplete results of run-wide-2")
        assert "Ran: train_standard_classifiers (" in message
        assert "Failed: train_dnn_pytorch (" in message
        left = shell("git for-each-ref --format='%(refname:lstrip=-1)' refs/lab", sandbox.origin).stdout.split()
        assert left == ["prepare_data", "train_dnn_pytorch.failed", "train_standard_classifiers"]
    finally:
        down(folder)
