"""Stages as `dvc repro` runs them, in a copy of this repository with two processes that do next to nothing."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from labkit.file_lock import locked
from labkit.launch.kernels import Choice, deciding_variables
from labkit.launch.machine import described, this_machine
from labkit.paths import ROOT
from labkit.process.tracking import ROOM_BYTES, ROOT_RUN, append, md5_of, room_of
from labkit.testing.fixtures import Shell
from labkit.tracking.journal import all_runs, is_running, journals, remove

pytestmark = pytest.mark.integration

MAIN = """
import os, signal, subprocess, sys, time
from labkit.process.errors import InputError
from labkit.process.tracking import Run, run_process

def main(run: Run) -> None:
    if "bad" in sys.argv:
        raise InputError("data.csv: empty")
    if "wait" in sys.argv:
        print("waiting", flush=True)
        input()
    if "LAB_TEST_EDIT" in os.environ:  # as a person in the editor
        with open(os.environ["LAB_TEST_EDIT"], "a") as file:
            file.write("# edited\\n")
    if "LAB_TEST_HANG" in os.environ and __spec__.name.startswith("lab.processes.second."):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
        child = subprocess.Popen(["sleep", "987"])
        daemon = subprocess.run("setsid sleep 987 >/dev/null 2>&1 & echo $!", shell=True, stdout=-1, text=True).stdout
        with open(os.environ["LAB_TEST_HANG"], "w") as file:
            print(os.getpid(), child.pid, daemon, file=file)
        time.sleep(987)
    print(os.getcwd(), os.environ["PYTHONPATH"], os.environ["PYTHONHASHSEED"], os.environ.get("MKL_CBWR"))

run_process(main)
"""
LOCK = {"_meta": {"requires": {"python_version": "3.11"}}, "default": {}, "develop": {}}
DVC_YAML = """
stages:
  first:
    cmd: python -m labkit.launch first
  second:
    cmd: python -m labkit.launch second
"""


@pytest.fixture(scope="module")
def lab(new_lab: Callable[[], Path], shell: Shell) -> Path:
    lab = new_lab()
    for name in ("first", "second"):
        folder = lab / "lab" / "processes" / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "main.py").write_text(MAIN)
        (folder / "Pipfile.lock").write_text(json.dumps(LOCK))
    (lab / "dvc.yaml").write_text(DVC_YAML)
    (lab / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    shell("git add --all && git commit --quiet --no-verify -m 'two processes'", lab)
    return lab


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of journals that no tracker carries away: its place is taken."""
    folder = tmp_path / "journals"
    folder.mkdir()
    with locked(folder / "tracker.lock"):
        yield folder
        for journal in journals(folder):  # else a tracker that is only just starting would carry them
            journal.unlink()


@pytest.fixture
def settings(lab: Path, folder: Path) -> dict[str, str]:
    """Journals go to `folder`, and the processes' environments are made beside the copy."""
    return {"LAB_JOURNALS": str(folder), "XDG_CACHE_HOME": str(lab.parent / "cache")}


@pytest.fixture
def waiting(lab: Path, settings: dict[str, str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of its main, in a process group of its own, as a terminal would start it."""
    command = ["python", "-m", "labkit.launch", "first", "wait"]
    running = subprocess.Popen(
        command,
        cwd=lab,
        env=environment | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert running.stdout
    assert running.stdout.readline() == "waiting\n"
    yield running
    running.kill()
    running.communicate()


def events(folder: Path, event: str) -> list[dict[str, Any]]:
    """The events of this kind in all journals, oldest journal first."""
    lines = [json.loads(line) for journal in journals(folder) for line in journal.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def tags(folder: Path) -> dict[str, str]:
    """The tags of the one run that there is."""
    (start,) = events(folder, "start")
    found: dict[str, str] = start["tags"]
    return found


def test_a_process_runs_at_the_root_in_its_own_environment(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    done = shell("python -m labkit.launch first", lab, PYTHONPATH="/elsewhere", **settings)
    assert done.stdout == f"{lab} {lab} 0 {deciding_variables('portable').get('MKL_CBWR')}\n"
    assert [event["status"] for event in events(folder, "end")] == ["FINISHED"]


def test_the_stages_of_one_dvc_repro_share_an_execution_and_those_of_the_next_have_another(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    for repro in ("dvc repro --force", "python -m dvc repro --force"):
        shell(repro, lab, **settings)
    executions = [start["tags"]["lab.execution"] for start in events(folder, "start")]
    assert [start["name"] for start in events(folder, "start")] == ["first", "second"] * 2
    assert executions[0] == executions[1] != executions[2] == executions[3]


def test_a_process_runs_with_the_kernels_that_params_yaml_chooses_for_it_and_its_run_names_them(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    params = lab / "lab/processes/second/params.py"
    params.write_text("class Params:\n    training: int\n")
    shell("sed -i 's/kernels: portable/kernels: native/' params.yaml", lab)
    said = [shell(f"python -m labkit.launch {name}", lab, **settings).stdout for name in ("first", "second")]
    shell("git checkout --quiet .", lab)
    params.unlink()
    tags = [start["tags"]["lab.machine"] for start in events(folder, "start")]
    for kernels, line, tag in zip(("portable", "native"), said, tags, strict=True):
        assert line.split()[-1] == str(deciding_variables(kernels).get("MKL_CBWR"))
        assert tag == described(this_machine(), Choice(kernels))


def test_an_execution_can_be_named(lab: Path, folder: Path, settings: dict[str, str], shell: Shell) -> None:
    shell("python -m labkit.launch first", lab, LAB_EXECUTION_ID="run-example-1", **settings)
    assert tags(folder)["lab.execution"] == "run-example-1"


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        ("true", "false"),
        ("echo '# changed' >> params.yaml", "true"),
        ("touch notes.txt", "false"),
        ("echo '# changed' >> dvc.lock", "false"),
    ],
)
def test_a_run_names_its_commit_and_branch_and_whether_the_code_was_changed(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell, change: str, dirty: str
) -> None:
    shell(change, lab)
    shell("python -m labkit.launch first", lab, **settings)
    shell("git checkout --quiet . && git clean --quiet --force", lab)
    assert (
        tags(folder).items()
        >= {
            "mlflow.source.git.commit": shell("git rev-parse HEAD", lab).stdout.strip(),
            "mlflow.source.git.branch": "main",
            "lab.git.dirty": dirty,
        }.items()
    )


def test_a_run_of_changed_code_holds_the_change_without_passwords(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    secret = "# from https://me:hidden@host/x"  # pragma: allowlist secret
    with (lab / "params.yaml").open("a") as params:
        params.write(f"{secret}\n")
    with (lab / "dvc.yaml").open("a") as pipeline:
        pipeline.write(f"# https://me:{'hidden' * 50_000}@host/x")  # pragma: allowlist secret
    (lab / "notes.txt").touch()
    shell("git config diff.noprefix true && python -m labkit.launch first", lab, **settings)
    shell("git checkout --quiet . && git clean --quiet --force && git config --unset diff.noprefix", lab)
    (artifact,) = events(folder, "artifact")
    diff = Path(artifact["path"])
    assert artifact["target"] == "uncommitted.diff"
    assert artifact["md5"] == md5_of(diff)
    text = diff.read_text()
    assert text.endswith("\n(cut here: it is longer than 200000 bytes)\n")
    assert len(text) < 210_000
    assert "hidden" not in text
    assert "notes.txt" not in text
    (journal,) = journals(folder)
    remove(journal)
    assert not diff.exists()
    shell(f"echo '{secret}\n#  password = \"hidden\"' >> params.yaml && python -m labkit.launch first", lab, **settings)
    shell("git checkout --quiet .", lab)
    (artifact,) = events(folder, "artifact")
    lines = [line for line in Path(artifact["path"]).read_text().splitlines() if line.startswith("+")]
    assert lines == ["+++ b/params.yaml", "+# from https://host/x", "+#  password ***"]


def test_a_run_names_its_machine_its_environment_who_asked_for_it_and_where(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    github = {"RUN_ID": "7", "RUN_ATTEMPT": "2", "SERVER_URL": "https://github.example", "REPOSITORY": "me/lab"}
    variables = {f"GITHUB_{name}": value for name, value in github.items()}
    shell("python -m labkit.launch first", lab, **settings, **variables, GITHUB_REF_NAME="run-7", GITHUB_ACTOR="ada")
    assert (
        tags(folder).items()
        >= {
            "lab.stage": "first",
            "lab.machine": described(this_machine(), Choice()),
            "lab.platform": f"{platform.platform()}, Python {platform.python_version()}",
            "lab.lock": md5_of(lab / "lab/processes/first/Pipfile.lock"),
            "mlflow.user": "ada",
            "lab.tag": "run-7",
            "lab.ci": "https://github.example/me/lab/actions/runs/7/attempts/2",
        }.items()
    )


def test_the_journal_is_locked_as_long_as_the_process_lives(waiting: subprocess.Popen[str], folder: Path) -> None:
    (journal,) = journals(folder)
    assert is_running(journal)
    waiting.kill()
    waiting.wait()
    assert not is_running(journal)


def test_ctrl_c_at_the_terminal_kills_the_run(waiting: subprocess.Popen[str], folder: Path) -> None:
    os.killpg(waiting.pid, signal.SIGINT)
    _, errors = waiting.communicate()
    assert errors == "interrupted\n"
    assert [event["status"] for event in events(folder, "end")] == ["KILLED"]


def test_room_is_kept_on_the_disk_for_the_last_word_as_long_as_the_process_lives(
    waiting: subprocess.Popen[str], folder: Path
) -> None:
    (journal,) = journals(folder)
    assert room_of(journal).stat().st_blocks * 512 >= ROOM_BYTES
    waiting.communicate("\n")
    assert [event["status"] for event in events(folder, "end")] == ["FINISHED"]
    assert not room_of(journal).exists()


def test_what_hangs_is_ended_at_the_limit_of_its_stage_and_the_others_are_done(
    lab: Path, tmp_path: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    of_first = "launch first\n    deps: [params.yaml]\n    meta: {limit: 9m}"
    limited = f"{DVC_YAML}    meta: {{limit: 4s}}\n".replace("launch first", of_first)
    (lab / "dvc.yaml").write_text(limited)
    hanging = settings | {"LAB_TEST_HANG": str(tmp_path / "pids")}
    done = shell("dvc repro --force --keep-going second first", lab, check=False, **hanging)
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    reason = (
        "ended after 4s, the limit in dvc.yaml: stages.second.meta.limit; raise it there, which re-runs no other stage"
    )
    assert said == [f"error: second: {reason}"]
    assert done.returncode != 0
    runs = {run.stage: (run.status, run.reason) for run in all_runs(folder)}
    assert runs == {"first": ("FINISHED", ""), "second": ("FAILED", reason)}
    limits = {event["name"]: event["tags"]["lab.limit"] for event in events(folder, "start")}
    assert limits == {"first": "9m", "second": "4s"}
    hung = [*map(int, (tmp_path / "pids").read_text().split())]
    assert len(hung) == 3
    for pid in hung:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                process.wait(30)  # raises if it goes on

    shell("dvc repro", lab, **settings)
    (lab / "dvc.yaml").write_text(limited.replace("9m", "6 h"))
    assert "up to date" in shell("dvc status first", lab).stdout
    done = shell("dvc repro --force", lab, check=False, **settings)
    assert "error: first: dvc.yaml: stages.first.meta.limit: '6 h' is not a time" in done.stderr
    (lab / "dvc.yaml").write_text(DVC_YAML)


def test_an_edit_while_a_stage_runs_is_not_recorded_as_what_made_its_result(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    (lab / "dvc.yaml").write_text(
        "stages:\n  first:\n    cmd: python -m labkit.launch first\n    deps: [lab/processes/first]\n"
    )
    main = lab / "lab/processes/first/main.py"
    text = main.read_text()
    done = shell("dvc repro", lab, check=False, LAB_TEST_EDIT=str(main), **settings)
    assert done.returncode != 0
    told = "error: edited while it ran: lab/processes/first/main.py."
    assert [line[: len(told)] for line in done.stderr.splitlines() if line.startswith("error:")] == [told]
    (run,) = all_runs(folder)
    assert (run.status, told.removeprefix("error") in run.reason) == ("FAILED", True)
    assert "lab/processes/first" not in (lab / "dvc.lock").read_text()
    assert not list(folder.glob("*.inputs"))

    main.write_text(text)  # undone
    shell("dvc commit --force first", lab)
    assert "up to date" in shell("dvc status", lab).stdout
    shell("git checkout dvc.lock", lab)
    (lab / "dvc.yaml").write_text(DVC_YAML)


def test_nothing_of_the_lab_is_left_around_the_process(waiting: subprocess.Popen[str]) -> None:
    process = psutil.Process(waiting.pid)
    assert process.cmdline()[1:] == ["-m", "lab.processes.first.main", "wait"]
    assert process.children() == []


def test_bad_input_is_one_line_and_exit_code_1(lab: Path, folder: Path, settings: dict[str, str], shell: Shell) -> None:
    done = shell("python -m labkit.launch first bad", lab, check=False, **settings)
    assert (done.returncode, done.stderr) == (1, "error: data.csv: empty\n")
    assert [event["status"] for event in events(folder, "end")] == ["FAILED"]


def test_a_process_whose_environment_can_not_be_made_fails_with_the_reason_in_its_log_and_its_run(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    lock = lab / "lab/processes/second/Pipfile.lock"
    good = lock.read_text()
    lock.write_text(json.dumps(LOCK | {"default": {"nowhere": {"version": "==1", "hashes": ["sha256:0"]}}}))
    done = shell("python -m labkit.launch second", lab, check=False, **settings)
    lock.write_text(good)
    assert done.returncode == 1
    assert done.stderr.startswith("error: second: uv pip sync failed")
    (run,) = all_runs(folder)
    assert (run.stage, run.status, f"error: second: {run.reason}\n") == ("second", "FAILED", done.stderr)


def test_a_process_runs_where_no_journal_can_be_written(
    lab: Path, tmp_path: Path, settings: dict[str, str], shell: Shell
) -> None:
    (tmp_path / "file").touch()
    nowhere = str(tmp_path / "file" / "journals")
    done = shell("python -m labkit.launch first", lab, **settings | {"LAB_JOURNALS": nowhere})
    assert done.stdout.startswith(str(lab))
    assert "warning: first is not tracked" in done.stderr


def test_an_unknown_process_is_told_which_there_are(lab: Path, shell: Shell) -> None:
    done = shell("python -m labkit.launch frist", lab, check=False)
    assert done.returncode == 1
    assert "no process 'frist'" in done.stderr
    assert "first" in done.stderr


def test_another_python_than_the_labs_is_told_what_to_do(lab: Path, shell: Shell) -> None:
    done = shell(f"{sys.executable} -S -m labkit.launch first", lab, check=False)  # -S: without installed packages
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "make setup" in done.stderr
    assert "pipenv sync --dev" in done.stderr


def test_another_python_than_the_labs_hands_over_to_it_where_that_is_up_to_date(
    lab: Path, folder: Path, settings: dict[str, str], shell: Shell
) -> None:
    (lab / ".venv" / "bin").mkdir(parents=True)
    (lab / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (lab / ".venv" / "bin" / "python").chmod(0o755)
    command = f"{sys.executable} -S -m labkit.launch first"
    refused = shell(command, lab, check=False, **settings)
    (lab / ".venv" / "made").write_bytes((lab / "Pipfile.lock").read_bytes())
    done = shell(command, lab, **settings)
    shutil.rmtree(lab / ".venv")
    assert refused.stderr.startswith("error: ")
    assert done.stdout.startswith(f"{lab} ")
    assert [run.status for run in all_runs(folder)] == ["FINISHED"]


def test_with_nothing_set_runs_go_to_mlflow_db_in_the_repository(
    lab: Path, settings: dict[str, str], shell: Shell
) -> None:
    del settings["LAB_JOURNALS"]
    shell("python -m labkit.launch first", lab, LAB_EXECUTION_ID="default", **settings)
    shell('python -c "from labkit.tracking.tracker import deliver; assert deliver(60) == []"', lab)
    look = "import mlflow; print(*mlflow.search_runs(search_all_experiments=True)['tags.lab.execution'])"
    assert "default" in shell(f'python -c "{look}"', lab, MLFLOW_TRACKING_URI="sqlite:///mlflow.db").stdout.split()
    assert shell("git status --porcelain -- . ':!dvc.lock'", lab).stdout == ""
    assert {folder.stat().st_mode & 0o777 for folder in (lab / ".lab", lab / ".lab" / "journals")} == {0o700}


@pytest.mark.parametrize("end", ["is not reaped", "takes long to exit", "hangs"])
def test_a_run_that_has_ended_is_given_no_other_end_at_its_limit(tmp_path: Path, end: str) -> None:
    journal = tmp_path / "1-train.jsonl"
    journal.touch()
    if end == "takes long to exit":
        append(journal, ROOT_RUN, "end", status="FINISHED")
    with subprocess.Popen(["true"] if end == "is not reaped" else ["sleep", "60"]) as process:
        watch = [sys.executable, "-m", "labkit.launch.limits", "train", "0.5s", str(process.pid), str(journal), "mark"]
        done = subprocess.run(watch, cwd=ROOT, capture_output=True, text=True)
    assert ("ended after 0.5s" in done.stderr) == (end != "is not reaped"), done.stderr
    told = [json.loads(line)["status"] for line in journal.read_text().splitlines()]
    assert told == {"is not reaped": [], "takes long to exit": ["FINISHED"], "hangs": ["FAILED"]}[end]
