"""What a process leaves in its journal."""

import hashlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labkit.process.errors import InputError
from labkit.process.tracking import JOURNAL_VARIABLE, Run, append, run_process

pytestmark = pytest.mark.unittest

AS_ROOT = ["unshare", "--user", "--map-root-user", "--mount"]  # of a namespace of its own, to mount a small disk


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "journal.jsonl"
    path.touch()
    monkeypatch.setenv(JOURNAL_VARIABLE, str(path))
    return path


def events(journal: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_nested_params_get_dotted_names(journal: Path) -> None:
    Run(journal).log_params({"split": {"seed": 7, "test": 0.2}, "layers": [64, 32]})
    assert events(journal, "params")[0]["params"] == {"split.seed": "7", "split.test": "0.2", "layers": "[64, 32]"}


def test_a_parameter_is_told_without_its_password(journal: Path) -> None:
    Run(journal).log_params({"data": {"query": "SELECT * FROM dblink('password=S3CRET')"}})
    assert "S3CRET" not in journal.read_text()


def test_data_are_told_by_name_md5_and_rows_without_a_password(journal: Path) -> None:
    Run(journal).log_input("https://me:secret@host/table.csv", "0" * 32, 5)  # pragma: allowlist secret
    (event,) = events(journal, "input")
    assert (event["md5"], event["rows"]) == ("0" * 32, 5)
    assert "secret" not in event["name"]


def test_tags_are_words(journal: Path) -> None:
    Run(journal).set_tags({"lab.selected": "forest", "rows": 3})  # type: ignore[dict-item]
    assert events(journal, "tags")[0]["tags"] == {"lab.selected": "forest", "rows": "3"}


def test_no_password_is_in_a_tag_or_in_the_name_of_a_nested_run(journal: Path) -> None:
    run = Run(journal)
    address = "postgresql://me:secret@host/birds"  # pragma: allowlist secret
    run.set_tags({"source": address})
    with run.nested(address):
        pass
    assert "secret" not in journal.read_text() + str(run.told.content())
    assert events(journal, "tags")[0]["tags"] == {"source": "postgresql://host/birds"}


def test_metrics_may_be_any_kind_of_real_number(journal: Path) -> None:
    metrics: dict[str, Any] = {"a": np.float32(0.5), "b": np.int64(3), "c": math.nan, "d": True}
    Run(journal).log_metrics(metrics, step=np.int64(4))  # type: ignore[arg-type]
    (event,) = events(journal, "metrics")
    assert event["step"] == 4
    assert event["metrics"] == {"a": 0.5, "b": 3.0, "c": pytest.approx(math.nan, nan_ok=True), "d": 1.0}


def test_a_metric_that_is_no_number_is_refused(journal: Path) -> None:
    with pytest.raises(ValueError, match="high"):
        Run(journal).log_metrics({"accuracy": "high"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="float"):
        Run(journal).log_metrics({"accuracy": 1}, step=0.5)  # type: ignore[arg-type]


def test_a_folder_is_logged_file_by_file_under_its_own_name(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "model" / "deep").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_text("flavors")
    (tmp_path / "model" / "deep" / "weights").write_text("1 2 3")
    Run(journal).log_artifact(tmp_path / "model", folder="best")
    logged = {event["target"]: (event["path"], event["md5"]) for event in events(journal, "artifact")}
    assert logged == {
        f"best/model/{name}": (str(tmp_path / "model" / name), hashlib.md5(content).hexdigest())
        for name, content in (("MLmodel", b"flavors"), ("deep/weights", b"1 2 3"))
    }


def test_an_artifact_that_is_missing_is_an_error_at_once(journal: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Run(journal).log_artifact("absent.png")


def test_each_nested_run_has_its_own_key_below_its_parents(journal: Path) -> None:
    run = Run(journal)
    with run.nested("forest") as forest, forest.nested("fold") as fold:
        fold.log_metrics({"a": 1})
    with run.nested("boosting"):
        pass
    assert {event["name"]: event["run"] for event in events(journal, "start")} == {
        "forest": "0.0",
        "fold": "0.0.0",
        "boosting": "0.1",
    }
    assert events(journal, "metrics")[0]["run"] == "0.0.0"


def test_an_exception_ends_the_run_with_its_reason_and_goes_on(journal: Path) -> None:
    def main(run: Run) -> None:
        raise ZeroDivisionError("no rows")

    with pytest.raises(SystemExit, match=r"(?s)Traceback .*ZeroDivisionError: no rows"):
        run_process(main)
    (end,) = events(journal, "end")
    assert (end["status"], end["reason"]) == ("FAILED", "ZeroDivisionError: no rows")


def test_ctrl_c_is_one_line_and_kills_the_run(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def main(run: Run) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exited:
        run_process(main)
    assert (exited.value.code, capsys.readouterr().err) == (130, "interrupted\n")
    (end,) = events(journal, "end")
    assert (end["status"], end["reason"]) == ("KILLED", "KeyboardInterrupt")


def test_an_error_in_a_nested_run_fails_that_run_and_its_parent(journal: Path) -> None:
    def main(run: Run) -> None:
        with run.nested("svm"):
            pass
        with run.nested("forest"):
            raise ZeroDivisionError

    with pytest.raises(SystemExit):
        run_process(main)
    statuses = {event["run"]: event["status"] for event in events(journal, "end")}
    assert statuses == {"0.0": "FINISHED", "0.1": "FAILED", "0": "FAILED"}


def test_bad_input_is_one_line_and_fails_the_run(journal: Path) -> None:
    def main(run: Run) -> None:
        raise InputError("data.csv: column 'age' is missing; add it")

    with pytest.raises(SystemExit) as exited:
        run_process(main)
    assert exited.value.code == "error: data.csv: column 'age' is missing; add it"
    assert "column 'age' is missing" in events(journal, "end")[0]["reason"]


@pytest.mark.parametrize("kind", [InputError, ConnectionError])
def test_no_password_in_an_error_leaves_the_process(journal: Path, kind: type[Exception]) -> None:
    def main(run: Run) -> None:
        with run.nested("load"):
            raise kind("no answer from postgresql://me:S3/CR@ET@host/db?token=S3CRET")  # pragma: allowlist secret

    with pytest.raises(SystemExit) as exited:
        run_process(main)
    for told in (str(exited.value.code), journal.read_text()):
        assert "no answer from postgresql://host/db?token=***" in told
        assert "CR" not in told


def test_processes_that_this_one_starts_do_not_write_to_its_journal(journal: Path) -> None:
    inherited: list[str | None] = []
    run_process(lambda run: inherited.append(os.environ.get(JOURNAL_VARIABLE)))
    assert inherited == [None]


def test_without_a_journal_all_calls_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JOURNAL_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plot.png").touch()
    run_process(use_everything)
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]


def test_a_removed_journal_does_not_stop_the_process(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def main(run: Run) -> None:
        journal.unlink()
        run.log_metrics({"loss": 1.0})

    run_process(main)
    assert not journal.exists(), "a journal that begins in the middle could not be carried"
    assert "metrics not tracked" in capsys.readouterr().err


def test_on_a_full_disk_the_process_goes_on_and_the_journal_keeps_whole_lines(journal: Path) -> None:
    # A limit on the size of files cuts a write short just as a full disk does.
    code = """
from labkit.process.tracking import run_process
run_process(lambda run: [run.log_metrics({"loss": 1.0}, step) for step in range(100)] and print("trained"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "trained\n"
    steps = [event["step"] for event in events(journal, "metrics")]
    assert steps == list(range(len(steps)))
    assert 0 < len(steps) < 100


def test_what_fills_the_disk_is_told_by_the_journal_on_it(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from labkit.process.tracking import ROOM_BYTES, room_of, run_process
journal = Path(os.environ["LAB_JOURNAL"])
journal.touch()
room_of(journal).write_bytes(bytes(ROOM_BYTES))
def fill(run):
    try:
        journal.with_name("model").write_bytes(bytes(1 << 20))
    finally:
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step)
try:
    run_process(fill)
finally:
    print(journal.read_text().splitlines()[-1])
"""
    if not shutil.which("unshare") or subprocess.run([*AS_ROOT, "true"], capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    script = 'mount -t tmpfs -o size=256k tmpfs "$1" && LAB_JOURNAL="$1/1-train.jsonl" exec "$2" -c "$3"'
    done = subprocess.run(
        [*AS_ROOT, "sh", "-c", script, "sh", str(tmp_path), sys.executable, code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert "metrics not tracked" in done.stderr
    last = json.loads(done.stdout)
    assert (last["event"], last["reason"]) == ("end", "OSError: [Errno 28] No space left on device")


def test_an_event_holds_its_time_in_milliseconds(journal: Path) -> None:
    append(journal, "0", "end", status="FINISHED")
    modified = journal.stat().st_mtime * 1000
    assert events(journal, "end")[0]["time"] == pytest.approx(modified, abs=1000)


def use_everything(run: Run) -> None:
    run.log_params({"a": 1})
    run.log_metrics({"a": 1})
    run.log_artifact("plot.png")
    run.set_tags({"a": "b"})
    with run.nested("child") as child:
        child.log_metrics({"a": 1})
