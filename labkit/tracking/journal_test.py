"""Reading journals and keeping count of what has been carried."""

import fcntl
import json
import os
from pathlib import Path

import pytest

from labkit.process.tracking import room_of
from labkit.tracking import journal as journals_on_disk
from labkit.tracking.journal import (
    SILENT_END,
    Progress,
    TrackedRun,
    all_runs,
    is_running,
    journals,
    last_seconds,
    load_progress,
    read_events,
    read_run,
    remember,
    runs_of_execution,
    save_progress,
    set_aside,
)

pytestmark = pytest.mark.unittest


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "100-train.jsonl"
    path.write_text('{"event": "start"}\n{"event": "end"}\n')
    return path


def write_journal(folder: Path, name: str, *events: dict[str, object], execution: str = "c1") -> Path:
    """A journal that starts at second 1000 and goes on with `events`."""
    tags = {"lab.stage": name.partition("-")[2], "lab.execution": execution}
    start = {"event": "start", "run": "0", "time": 1_000_000, "name": tags["lab.stage"], "tags": tags}
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in (start, *events)))
    return path


def end(status: str, time: int, run: str = "0") -> dict[str, object]:
    return {"event": "end", "run": run, "time": time, "status": status}


def test_journals_come_oldest_first_and_nothing_else_is_one(tmp_path: Path) -> None:
    for name in ("200-b.jsonl", "100-c.jsonl", "150-a.beginning", "120-d.refused", "100-c.progress", "carried.jsonl"):
        (tmp_path / name).touch()
    assert [path.name for path in journals(tmp_path)] == ["100-c.jsonl", "200-b.jsonl"]


def test_a_journal_is_running_while_its_lock_is_held(journal: Path) -> None:
    with journal.open("a") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert is_running(journal)
    assert not is_running(journal)


def test_a_half_written_line_is_left_until_it_is_whole(journal: Path) -> None:
    whole = journal.stat().st_size
    with journal.open("a") as writer:
        writer.write('{"event": ')
    ((events, offset),) = read_events(journal, 0)
    assert ([event["event"] for event in events], offset) == (["start", "end"], whole)
    with journal.open("a") as writer:
        writer.write('"tags"}\n')
    ((events, offset),) = read_events(journal, offset)
    assert ([event["event"] for event in events], offset) == (["tags"], journal.stat().st_size)


def test_a_large_journal_comes_in_chunks_that_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals_on_disk, "CHUNK_BYTES", 1000)
    journal = tmp_path / "1-a.jsonl"
    journal.write_text("".join(f'{{"step": {step}}}\n' for step in range(500)))
    chunks = list(read_events(journal, 0))
    assert len(chunks) > 1
    assert [event["step"] for events, _ in chunks for event in events] == list(range(500))


def test_progress_is_kept_beside_its_journal(journal: Path) -> None:
    progress = Progress(offset=7, runs={"0": "abc"}, incomplete={"0": {"plot.png": "gone"}})
    save_progress(journal, progress)
    assert load_progress(journal) == progress


@pytest.mark.parametrize("content", ["", "{", '{"offset": 3, "of_an_older_lab": 1}'])
def test_unreadable_progress_is_none(journal: Path, content: str) -> None:
    journal.with_suffix(".progress").write_text(content)
    assert load_progress(journal) == Progress()


def test_a_journal_set_aside_keeps_its_events_and_the_reasons_and_is_not_tried_again(journal: Path) -> None:
    before = journal.read_text()
    room_of(journal).touch()  # of a process that was killed
    save_progress(journal, Progress(offset=7))
    set_aside(journal, {"0": {"f1@5": "a name that MLflow refuses"}})
    assert not room_of(journal).exists()
    assert journals(journal.parent) == []
    kept = journal.with_suffix(".refused").read_text()
    assert kept.startswith(before)
    assert [path.suffix for path in journal.parent.iterdir()] == [".refused"]
    assert json.loads(kept.splitlines()[-1])["runs"] == {"0": {"f1@5": "a name that MLflow refuses"}}


def test_the_runs_of_an_execution_are_its_own_and_each_comes_once(tmp_path: Path) -> None:
    train, other = TrackedRun("train", "c1", "r1", "http://u/1"), TrackedRun("train", "c2", "r2", "http://u/2")
    for run in (train, other, train):
        remember(tmp_path, run)
    assert runs_of_execution("c1", tmp_path) == [train]
    write_journal(tmp_path, "100-select", end("FINISHED", 1_003_000))
    assert [run.stage for run in runs_of_execution("c1", tmp_path)] == ["train", "select"]


def test_an_execution_that_nobody_knows_has_no_runs(tmp_path: Path) -> None:
    assert runs_of_execution("c1", tmp_path) == []


def test_a_journal_tells_how_its_process_ended_and_how_long_it_took(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, "100-train", end("FINISHED", 1_005_000, run="0.0"), end("FINISHED", 1_840_000))
    assert read_run(journal) == TrackedRun("train", "c1", status="FINISHED", seconds=840.0)
    assert read_run(write_journal(tmp_path, "101-train", end("KILLED", 1_002_500))).status == "KILLED"
    journal.write_text(journal.read_text().replace('"tags": {', '"tags": {"lab.machine": "x86_64, avx2", '))
    assert read_run(journal).machine == "x86_64, avx2"


@pytest.mark.parametrize(
    "tail", ["", '{"event": "end", "run": "0.0", "time": 1002000, "status": "FINISHED"}\n', '{"ev']
)
def test_a_process_that_ended_without_a_word_failed_at_its_last_one(tmp_path: Path, tail: str) -> None:
    journal = write_journal(tmp_path, "100-train")
    with journal.open("a") as file:
        file.write(tail)
    os.utime(journal, (1003, 1003))
    assert read_run(journal) == TrackedRun("train", "c1", status="FAILED", seconds=3.0, reason=SILENT_END)


def test_a_journal_tells_why_its_process_failed(tmp_path: Path) -> None:
    failed = end("FAILED", 1_002_000) | {"reason": "ValueError: boom"}
    assert read_run(write_journal(tmp_path, "100-train", failed)).reason == "ValueError: boom"


def test_a_running_process_has_taken_no_time_yet(tmp_path: Path) -> None:
    journal = write_journal(tmp_path, "100-train", end("FINISHED", 1_005_000, run="0.0"))
    with journal.open("a") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert read_run(journal) == TrackedRun("train", "c1", status="RUNNING")


def test_last_time_is_the_last_good_end_whether_carried_or_not(tmp_path: Path) -> None:
    assert last_seconds(tmp_path) == {}
    remember(tmp_path, TrackedRun("train", "c1", "r1", "u1", "FINISHED", 840.0))
    remember(tmp_path, TrackedRun("train", "c2", "r2", "u2", "FAILED", 7.0))
    remember(tmp_path, TrackedRun("select", "c2", "r3", "u3", "FINISHED", 2.0))
    remember(tmp_path, TrackedRun("train", "c3", "r4", "u4", "FINISHED"))  # by a lab that told no time
    write_journal(tmp_path, "100-select", end("FINISHED", 1_003_000))
    write_journal(tmp_path, "101-select", end("FAILED", 1_001_000))
    assert last_seconds(tmp_path) == {"train": 840.0, "select": 3.0}


def test_runs_are_read_from_a_folder_shared_with_older_and_newer_labs_and_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "carried.jsonl").write_text(
        '{"stage": "train", "execution": "c1", "run_id": "r1", "url": "u1"}\n'
        '{"stage": "train", "execution": "c1", "run_id": "r2", "url": "u2", "of_a_newer_lab": 1}\n'
        '{"stage": "train", "cha\n'
    )
    (tmp_path / "99-train.jsonl").write_text('{"event": "sta')
    assert all_runs(tmp_path) == [TrackedRun("train", "c1", "r1", "u1"), TrackedRun("train", "c1", "r2", "u2")]
    assert last_seconds(tmp_path) == {}


def test_a_run_noted_after_half_a_line_is_not_lost_with_it(tmp_path: Path) -> None:
    run = TrackedRun("train", "e1", "r1", "u1", "FINISHED", 840.0)
    remember(tmp_path, run)
    for half in ('{"stage": "tr', "{"):  # as a full disk leaves it, and the next try finds it
        with (tmp_path / "carried.jsonl").open("a") as file:
            file.write(half)
        remember(tmp_path, run._replace(run_id=f"after {half}"))
    assert [run.run_id for run in all_runs(tmp_path)] == ["r1", 'after {"stage": "tr', "after {"]
    assert "\n\n" not in (tmp_path / "carried.jsonl").read_text()
