"""The tracker beside real processes, with MLflow servers that die, hang and come back."""

import fcntl
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from labkit.launch import launcher
from labkit.launch.kernels import Choice
from labkit.paths import ROOT
from labkit.process import tracking as process_tracking
from labkit.testing.mlflow_store import experiment_runs, mlflow_client
from labkit.testing.ports import free_port
from labkit.testing.waiting import WAIT_SECONDS, wait_until
from labkit.tracking import tracker
from labkit.tracking.journal import TrackedRun, is_running, journals, load_progress, remember, runs_of_execution
from labkit.tracking.tracker import carry_all, deliver

if TYPE_CHECKING:
    from mlflow.entities import Run

pytestmark = pytest.mark.integration

Start = Callable[[str], "Process"]
Track = Callable[[], "subprocess.Popen[bytes]"]


BEGINNING = """
import os
from labkit.launch.kernels import Choice
from labkit.launch.launcher import open_journal
from labkit.process.tracking import JOURNAL_VARIABLE, run_process

os.environ[JOURNAL_VARIABLE] = str(open_journal("train", Choice()))
"""


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of journals. MLflow is an SQLite file beside it, and all that the tests start knows so."""
    folder = tmp_path / "journals"
    folder.mkdir()
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    for name, value in tracker.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAB_JOURNALS", str(folder))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))  # no Git: what nobody has committed here would be a part of each run
    monkeypatch.setenv("LAB_EXECUTION_ID", "execution")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    return folder


class Process:
    """A tracked process: its main is `code`, in which `input()` waits for `go()`."""

    def __init__(self, code: str) -> None:
        self.popen = subprocess.Popen([sys.executable, "-c", BEGINNING + code], cwd=ROOT, stdin=subprocess.PIPE)

    def go(self) -> None:
        """Let it go on from one `input()` to the next."""
        assert self.popen.stdin
        self.popen.stdin.write(b"\n")
        self.popen.stdin.flush()

    def end(self) -> int:
        """Wait for its end."""
        self.popen.communicate(timeout=WAIT_SECONDS)
        return self.popen.returncode


@pytest.fixture
def track(folder: Path) -> Iterator[Track]:
    """Start a tracker, as `start_tracker` does, but as a child that can be killed and waited for."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (folder / "tracker.log").open("a") as log:
            started.append(subprocess.Popen([sys.executable, "-m", "labkit.tracking.tracker"], cwd=ROOT, stderr=log))
        return started[-1]

    yield start
    for tracking in started:
        tracking.kill()
        tracking.wait()


@pytest.fixture
def process(folder: Path) -> Iterator[Start]:
    """Start processes; those that still run when the test ends are killed."""
    started: list[Process] = []

    def start(code: str) -> Process:
        started.append(Process(code))
        return started[-1]

    yield start
    for each in started:
        each.popen.kill()
        each.end()


class Server:
    """An MLflow server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "log").open("a") as log:
            self.popen = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        wait_until(self.answers)

    def answers(self) -> bool:
        """Whether it is up."""
        with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
            return True
        return False

    def kill(self) -> None:
        """End it with all its workers, at once."""
        if self.popen:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
            self.popen = None

    def freeze(self) -> None:
        """Let it accept requests and not answer them."""
        assert self.popen
        os.killpg(self.popen.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again, and first those who no longer listen."""
        assert self.popen
        os.killpg(self.popen.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def deaf_server() -> Iterator[list[socket.socket]]:
    """A server that accepts every connection and never answers: its connections so far; the first entry is itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections = [listening]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connections.append(listening.accept()[0])

        Thread(target=accept, daemon=True).start()
        yield connections
        listening.shutdown(socket.SHUT_RDWR)
    for connection in connections[1:]:
        connection.close()


def found_runs() -> "list[Run]":
    return experiment_runs(os.environ["MLFLOW_EXPERIMENT_NAME"])


def steps_of(run: "Run") -> list[int]:
    return [point.step for point in mlflow_client().get_metric_history(run.info.run_id, "loss")]


def log_file(folder: Path) -> str:
    return (folder / "tracker.log").read_text()


FIFTY_STEPS_AND_A_PLOT = """
def main(run):
    input()
    for step in range(25):
        run.log_metrics({"loss": step}, step=step)
    input()
    with run.nested("child") as child:
        child.log_params({"depth": 5})
    for step in range(25, 50):
        run.log_metrics({"loss": step}, step=step)
    with open(os.environ["LAB_JOURNALS"] + "/../plot.svg", "w") as plot:
        plot.write("<svg/>")
    run.log_artifact(plot.name)
    run.log_metrics({"nothing": float("nan")})

run_process(main)
"""


def check_fifty_steps_and_a_plot() -> None:
    """All of it is in MLflow, exactly once."""
    runs = {run.info.run_name: run for run in found_runs()}
    assert (set(runs), len(found_runs())) == ({"train", "child"}, 2)
    assert steps_of(runs["train"]) == list(range(50))
    assert math.isnan(runs["train"].data.metrics["nothing"])
    assert runs["child"].data.params == {"depth": "5"}
    assert runs["train"].info.status == runs["child"].info.status == "FINISHED"
    assert [file.path for file in mlflow_client().list_artifacts(runs["train"].info.run_id)] == ["plot.svg"]


def test_a_run_is_seen_while_it_runs_and_its_journal_goes_when_it_is_done(
    folder: Path, process: Start, track: Track
) -> None:
    training = process(FIFTY_STEPS_AND_A_PLOT)
    wait_until(lambda: journals(folder))
    tracking = track()
    training.go()
    wait_until(lambda: any(run.data.metrics for run in found_runs()))
    assert training.popen.poll() is None
    training.go()
    assert training.end() == 0
    assert tracking.wait(WAIT_SECONDS) == 0
    check_fifty_steps_and_a_plot()
    assert journals(folder) == []
    assert [(run.stage, run.execution) for run in runs_of_execution("execution", folder)] == [("train", "execution")]
    assert runs_of_execution("execution", folder)[0].run_id in {run.info.run_id for run in found_runs()}


@pytest.mark.parametrize(
    ("end", "begin"), [("kill", "start"), pytest.param("freeze", "thaw", marks=pytest.mark.nightly)]
)
def test_a_server_that_dies_or_hangs_midway_and_comes_back_has_everything_once(
    folder: Path, process: Start, track: Track, server: Server, monkeypatch: pytest.MonkeyPatch, end: str, begin: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", end)
    training = process(FIFTY_STEPS_AND_A_PLOT)
    wait_until(lambda: journals(folder))
    tracking = track()
    training.go()
    wait_until(lambda: any(run.data.metrics for run in found_runs()))
    getattr(server, end)()
    training.go()
    assert training.end() == 0, "the process ended while the server was away"
    wait_until(lambda: "does not answer" in log_file(folder))
    getattr(server, begin)()
    tracking.wait(WAIT_SECONDS)  # it may have given up before the server was back
    assert deliver(WAIT_SECONDS, folder) == []
    check_fifty_steps_and_a_plot()


@pytest.mark.nightly
def test_a_server_that_never_answers_holds_up_nothing_and_its_runs_go_to_the_next_that_does(
    folder: Path,
    process: Start,
    track: Track,
    deaf_server: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = os.environ["MLFLOW_TRACKING_URI"]
    port = deaf_server[0].getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")  # pragma: allowlist secret
    training = process(FIFTY_STEPS_AND_A_PLOT)
    wait_until(lambda: journals(folder))
    tracking = track()
    wait_until(lambda: len(deaf_server) > 1)
    training.go()
    training.go()
    assert training.end() == 0
    assert tracking.poll() is None, "the process ended while the tracker was waiting for an answer"
    ((journal, reason),) = deliver(3, folder)
    assert journal.stem.endswith("-train")
    assert "does not answer: Read timed out" in reason
    assert "secret" not in log_file(folder) + reason
    tracking.kill()
    tracking.wait()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert deliver(WAIT_SECONDS, folder) == []
    check_fifty_steps_and_a_plot()


@pytest.mark.nightly
def test_what_a_tracker_that_gave_up_has_left_is_taken_up_by_another(
    folder: Path, process: Start, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    process("run_process(lambda run: None)").end()
    exit_codes = []
    with (folder / "tracker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def start_and_wait(_: Path) -> None:
            exit_codes.append(track().wait(WAIT_SECONDS))
            assert len(journals(folder)) == (1 if len(exit_codes) == 1 else 0)
            fcntl.flock(lock, fcntl.LOCK_UN)  # the first has seen that another one is at work, and left

        monkeypatch.setattr(tracker, "start_tracker", start_and_wait)
        monkeypatch.setattr(tracker, "RETRY_SECONDS", 0)
        assert deliver(WAIT_SECONDS, folder) == []
    assert exit_codes == [0, 0]
    assert [run.info.status for run in found_runs()] == ["FINISHED"]


def test_a_run_that_was_for_a_server_goes_nowhere_else_until_told_where(
    folder: Path, process: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = os.environ["MLFLOW_TRACKING_URI"]
    server = "http://me:secret@127.0.0.1:9"  # pragma: allowlist secret
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    process("run_process(lambda run: None)").end()
    monkeypatch.setitem(tracker.SETTINGS, "MLFLOW_TRACKING_URI", database)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (journal,) = journals(folder)
    assert "secret" not in journal.read_text()
    assert carry_all(folder, anywhere=False) == {journal}
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which the tracker has set for itself
    ((left, reason),) = deliver(WAIT_SECONDS, folder)
    assert (left, reason.split(";")[0]) == (journal, "meant for http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert deliver(WAIT_SECONDS, folder) == []
    assert [run.info.status for run in found_runs()] == ["FINISHED"]


def test_a_run_that_was_for_no_server_is_carried_beside_one_that_was(
    folder: Path, process: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = os.environ["MLFLOW_TRACKING_URI"]
    for uri in ("http://127.0.0.1:9", ""):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        process("run_process(lambda run: None)").end()
    for_server, here = journals(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert carry_all(folder, anywhere=False) == {for_server}
    assert not here.exists()


@pytest.mark.nightly
def test_without_a_server_the_tracker_gives_up_and_leaves_the_journals(
    folder: Path, process: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(tracker, "PATIENCE_SECONDS", 0.5)
    process("run_process(lambda run: None)").end()
    assert carry_all(folder) == set(journals(folder)) != set()
    assert "Connection refused" in load_progress(journals(folder)[0]).failure
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    assert carry_all(folder) == set()
    assert [run.info.status for run in found_runs()] == ["FINISHED"]


@pytest.mark.nightly
def test_a_tracker_that_is_killed_midway_is_followed_by_one_that_makes_nothing_twice(
    folder: Path, process: Start, track: Track
) -> None:
    training = process(FIFTY_STEPS_AND_A_PLOT)
    wait_until(lambda: journals(folder))
    tracking = track()
    training.go()
    wait_until(lambda: any(run.data.metrics for run in found_runs()))
    tracking.kill()
    tracking.wait()
    training.go()
    assert training.end() == 0
    assert deliver(WAIT_SECONDS, folder) == []
    check_fifty_steps_and_a_plot()


def test_a_process_that_is_killed_has_failed(folder: Path, process: Start, track: Track) -> None:
    training = process("run_process(lambda run: run.log_metrics({'loss': 1.0}) or input())")
    wait_until(lambda: journals(folder))
    tracking = track()
    wait_until(lambda: any(run.data.metrics for run in found_runs()))
    assert [run.info.status for run in found_runs()] == ["RUNNING"]
    training.popen.kill()
    assert tracking.wait(WAIT_SECONDS) == 0
    (run,) = found_runs()
    assert run.info.status == "FAILED"
    assert "killed" in run.data.tags["lab.failure"]


def test_a_journal_that_fails_holds_up_no_other(folder: Path, process: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "PATIENCE_SECONDS", 0.5)
    process("run_process(lambda run: run.log_artifact('params.yaml'))").end()
    process("run_process(lambda run: run.log_metrics({'loss': 1.0}))").end()
    failing, good = journals(folder)
    (folder / "outgoing").touch()  # no file can be sent
    assert carry_all(folder) == {failing}
    assert not good.exists()
    (folder / "outgoing").unlink()
    assert carry_all(folder) == set()
    assert [run.info.status for run in found_runs()] == ["FINISHED", "FINISHED"]


@pytest.mark.nightly
def test_journals_are_carried_oldest_first(folder: Path, process: Start) -> None:
    for _ in range(3):
        process("run_process(lambda run: None)").end()
    carry_all(folder)
    begun = {run.info.run_id: run.info.start_time for run in found_runs()}
    carried = [begun[run.run_id] for run in runs_of_execution("execution", folder)]
    assert carried == sorted(carried)
    assert len(carried) == 3


@pytest.mark.nightly
def test_of_two_trackers_one_carries_and_the_other_leaves_without_mlflow(
    folder: Path, process: Start, track: Track
) -> None:
    training = process("run_process(lambda run: input())")
    wait_until(lambda: journals(folder))
    first = track()
    wait_until(found_runs)
    command = [sys.executable, "-X", "importtime", "-m", "labkit.tracking.tracker"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "labkit.tracking.journal" in second.stderr
    assert "mlflow" not in second.stderr
    training.go()
    training.end()
    assert first.wait(WAIT_SECONDS) == 0


def test_no_process_is_overlooked_by_a_tracker_that_is_about_to_end(
    folder: Path, process: Start, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "JOURNALS", folder)
    monkeypatch.setattr(os, "nice", lambda _: 0)  # the tracker is this process here
    carried: list[set[Path]] = []

    def carry_then_begin_another(folder: Path, anywhere: bool) -> set[Path]:
        carried.append(carry_all(folder, anywhere))
        if len(carried) == 1:  # all is carried, and the lock is still held
            process("run_process(lambda run: None)").end()
            assert track().wait(WAIT_SECONDS) == 0
            assert len(journals(folder)) == 1
        return carried[-1]

    monkeypatch.setattr(tracker, "carry_all", carry_then_begin_another)
    process("run_process(lambda run: None)").end()
    tracker.main()
    assert journals(folder) == []
    assert [run.info.status for run in found_runs()] == ["FINISHED"] * 2


def test_a_journal_is_seen_once_it_is_locked_and_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "JOURNALS", folder)
    held: list[int] = []

    def flock(file: int, operation: int) -> None:
        assert journals(folder) == []
        fcntl.flock(file, operation)
        held.append(file)

    def append(*arguments: Any, **fields: Any) -> None:
        assert journals(folder) == []
        assert held
        process_tracking.append(*arguments, **fields)

    monkeypatch.setattr(launcher, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=fcntl.LOCK_EX))
    monkeypatch.setattr(launcher, "append", append)
    journal = launcher.open_journal("train", Choice())
    assert journals(folder) == [journal]
    assert is_running(journal)
    os.close(held[0])
    assert not is_running(journal)


def test_what_still_runs_is_not_pending(folder: Path, process: Start) -> None:
    process("run_process(lambda run: input())")
    wait_until(lambda: journals(folder))
    assert is_running(journals(folder)[0])
    assert deliver(WAIT_SECONDS, folder) == []


@pytest.mark.parametrize(("given", "started"), [("execution", []), ("", ["20260101-120000-7"])])
def test_the_runs_of_a_plain_repro_are_bound_to_its_results(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: str, started: list[str]
) -> None:
    remember(folder, TrackedRun("train", "20260101-120000-7", "1"))
    monkeypatch.setattr(tracker, "JOURNALS", folder)
    monkeypatch.delenv("LAB_EXECUTION_ID")
    if given:
        monkeypatch.setenv("LAB_EXECUTION_ID", given)
    seen: list[str] = []
    monkeypatch.setattr(tracker, "start_detached", lambda command, *_: seen.append(command[-1]))
    tracker.follow()
    assert seen == started
