"""The runs of results in MLflow: found by their records, linked, completed, or made. Importing this imports MLflow."""

import json
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.entities import Run, RunTag, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from labkit.process.tracking import ROOT_RUN
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Result
from labkit.publish.replay import (
    COMMITS_TAG,
    RECORD_TAG,
    REPLAYED_TAG,
    Event,
    events,
    process_of_result,
    result_tags,
)
from labkit.publish.run_data import NOWHERE, RunData, numbers, params_of
from labkit.tracking.journal import JOURNALS
from labkit.tracking.uploader import JOURNAL_TAG, RUN_TAG, WRITTEN_TAG, Store, Uploader, connect

INCOMPLETE_TAG, NOTE_TAG = "lab.incomplete", "mlflow.note.content"
FEW = 20  # results up to which MLflow is asked for each alone
PAGE = 1000  # runs per request
MOST_NAMED = 20  # of the files that a run lacks
MOST_LETTERS = 4000  # of a tag


class View:
    """The lab's experiment in MLflow, for these results. Its methods raise what MLflow raises."""

    def __init__(self, results: Sequence[Result], remote: str) -> None:
        self.store = connect()
        self._remote = remote
        self._live: dict[str, tuple[list[Run], Iterator[Run]]] = {}  # by process: the runs read so far, and the rest
        found: dict[str, list[Run]] = {}
        for wanted in [f"= '{one.key}'" for one in results] if len(results) <= FEW else ["LIKE '%'"]:
            for run in self._search(f"tags.`{RECORD_TAG}` {wanted}", ViewType.ALL):
                found.setdefault(run.data.tags[RECORD_TAG], []).append(run)
        self._runs = {key: min(runs, key=_rank) for key, runs in found.items()}  # by the keys of the results
        for run in (run for key, runs in found.items() for run in runs if run is not self._runs[key]):
            if _is_replayed(run) and not _is_deleted(run):  # whoever made the twin was killed before it deleted it
                self._delete(run)

    def find(self, result: Result, kept: Kept) -> str:
        """Link a result to its run, where there is a complete one; return what was done, else nothing."""
        run = self._runs.get(result.key)
        if run and _is_deleted(run):
            return "deleted there by a person"
        if (not run or _is_replayed(run)) and (made := self._made(result, kept)):
            if run and self.store.client.search_model_versions(f"run_id='{run.info.run_id}'"):
                return "there already"  # a registered model is in it
            self._tag(made, result_tags(result, kept, self._remote))
            if run:  # made from files before the live one arrived
                self._delete(run)
            self._runs[result.key] = made
            return "linked to the run that made it" if _is_whole(made) else ""
        if run and _is_whole(run):
            self._name_commits(run, result)
            return "there already"
        return ""

    def make(self, result: Result, kept: Kept, told: RunData, lacking: dict[str, str]) -> dict[str, str]:
        """Make the run of a result from its files, or complete the one that is there.

        Returns what it lacks, and why, beyond what is known of that already.
        """
        if not kept.run_file:
            measured, unreadable = numbers(result, kept)
            told, lacking = told.model_copy(update={"metrics": measured}), lacking | unreadable
        found = list(events(result, kept, told, result_tags(result, kept, self._remote), int(time.time() * 1000)))
        lacking |= {one.path: NOWHERE for one in told.all_artifacts() if kept.place(one.path, one.md5) is None}
        run = self._runs.get(result.key)
        with TemporaryDirectory() as folder:
            journal = Path(folder) / f"record-{result.key}.jsonl"
            if run and not _is_replayed(run):
                children = {one.info.run_name: one.info.run_id for one in self._search(_below(run.info.run_id))}
                ids = {event["run"]: children.get(event["name"], "") for event in found if event["event"] == "start"}
                ids = {key: run_id for key, run_id in ids.items() if run_id} | {ROOT_RUN: run.info.run_id}
                found = [*self._new(found, ids)]
                sender: Replay = Completion(self.store, journal, run, ids)
            else:
                sender = Replay(self.store, journal)
            journal.write_text("".join(json.dumps(event) + "\n" for event in found), encoding="utf-8")
            return sender.send(lacking)

    def _made(self, result: Result, kept: Kept) -> Run | None:
        """The run that made a result while it trained, where MLflow has it and it is linked to none."""
        for run in self._unlinked(process_of_result(result)):
            if has_made(run, result, kept) and (run.info.status == "FINISHED" or _was_cut_short(run, result)):
                self._live[process_of_result(result)][0].remove(run)
                return run
        return None

    def _unlinked(self, process: str) -> Iterator[Run]:
        """The live runs of a process that are linked to no result, newest first; asked for as they are looked at."""
        if process not in self._live:
            wanted = f"tags.`lab.stage` = '{process}' AND attributes.status != 'FAILED'"
            self._live[process] = ([], self._search(wanted))
        seen, rest = self._live[process]
        yield from [*seen]
        for run in rest:
            if _is_unlinked(run):
                seen.append(run)
                yield run

    def _new(self, events: Sequence[Event], ids: Mapping[str, str]) -> Iterator[Event]:
        """Of the events, what the live runs with these ids lack: what their process told stands, and is said once."""
        has = {key: self.store.client.get_run(run_id) for key, run_id in ids.items()}
        steps: dict[tuple[str, str], set[int]] = {}
        for event in events:
            kind, run = event["event"], has.get(event["run"])
            if run is None or kind in ("start", "artifact", "end"):
                yield event
            elif kind == "tags":
                yield event | {"tags": _without(event["tags"], {*run.data.tags, NOTE_TAG})}
            elif kind == "params":
                yield event | {"params": _without(event["params"], run.data.params)}
            elif kind == "metrics":
                there = [name for name in event["metrics"] if event["step"] in self._steps(run, name, steps)]
                yield event | {"metrics": _without(event["metrics"], there)}
            elif not (run.inputs and run.inputs.dataset_inputs):
                yield event

    def _steps(self, run: Run, metric: str, known: dict[tuple[str, str], set[int]]) -> set[int]:
        """The steps at which a run has a metric."""
        key = run.info.run_id, metric
        if key not in known:
            known[key] = {point.step for point in self.store.client.get_metric_history(*key)}
        return known[key]

    def _name_commits(self, run: Run, result: Result) -> None:
        """Have a run name the commits that have its result, those that others have named too."""
        told = run.data.tags.get(COMMITS_TAG, "").split()
        named = " ".join(dict.fromkeys([*told, *(commit.name[:10] for commit in result.commits)]))
        if named != " ".join(told) and len(named) <= MOST_LETTERS:
            self.store.client.set_tag(run.info.run_id, COMMITS_TAG, named)

    def _delete(self, run: Run) -> None:
        """Delete a run, and before it those nested in it."""
        for one in [*self._search(_below(run.info.run_id)), run]:
            self.store.client.delete_run(one.info.run_id)

    def _tag(self, run: Run, tags: dict[str, str]) -> None:
        self.store.client.log_batch(run.info.run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def _search(self, wanted: str, view: int = ViewType.ACTIVE_ONLY) -> Iterator[Run]:
        token: str | None = None
        while token is None or token:
            page = self.store.client.search_runs([self.store.experiment], wanted, view, PAGE, page_token=token)
            yield from page
            token = page.token or ""


class Replay(Uploader):
    """The journal of a result on its way to MLflow; a run of it that is there already is taken up again."""

    def send(self, lacking: Mapping[str, str]) -> dict[str, str]:
        """Send it, to its end; return what the run lacks, `lacking` of its files among it, and why."""
        named = dict(islice(lacking.items(), MOST_NAMED))
        if len(lacking) > MOST_NAMED:
            named["..."] = f"and {len(lacking) - MOST_NAMED} more"
        self.progress.incomplete = {ROOT_RUN: named} if named else {}
        self.carry(running=False)
        refused = {what: why for told in self.progress.incomplete.values() for what, why in told.items()}
        return refused | dict(lacking)

    def _runs_in_mlflow(self) -> dict[str, str]:
        """The ids of the journal's runs by key.

        Of twins, which two machines made at once, both keep the one with the lower id, with its nested runs.
        """
        wanted = f"tags.`{JOURNAL_TAG}` = '{self.journal.stem}'"
        page = self.client.search_runs([self.experiment], wanted, max_results=PAGE)
        found = sorted(page, key=lambda run: str(run.info.run_id))
        root = next((run.info.run_id for run in found if run.data.tags[RUN_TAG] == ROOT_RUN), "")
        kept = {ROOT_RUN: root} if root else {}
        for run in found:
            key, parent = run.data.tags[RUN_TAG], run.data.tags.get(MLFLOW_PARENT_RUN_ID, "")
            if key != ROOT_RUN and parent == root:
                kept.setdefault(key, run.info.run_id)
        for run in found:
            if run.info.run_id not in kept.values():
                self.client.delete_run(run.info.run_id)
        return kept

    def _leave(self) -> None:
        """End what an earlier try has said of what lacked."""
        if self.progress.incomplete.get(ROOT_RUN):
            return
        run = self.client.get_run(self.progress.runs[ROOT_RUN])
        if INCOMPLETE_TAG in run.data.tags:
            self.client.delete_tag(run.info.run_id, INCOMPLETE_TAG)
            if not _is_replayed(run):  # the other's was written again
                self.client.delete_tag(run.info.run_id, NOTE_TAG)


class Completion(Replay):
    """What a live run lacks, on its way to it."""

    def __init__(self, store: Store, journal: Path, run: Run, ids: dict[str, str]) -> None:
        self._run = run
        self._ids = ids
        super().__init__(store, journal)

    def _runs_in_mlflow(self) -> dict[str, str]:
        return dict(self._ids)

    def _end(self, event: Event) -> None:
        ended = {"run": event["run"], "status": "FINISHED", "time": self._run.info.end_time or event["time"]}
        super()._end(ended)


def has_made(run: Run, result: Result, kept: Kept) -> bool:
    """Whether a live run has made a result: the same parameters and data, and the same bytes or the same clean code."""
    if any(run.data.params.get(name, value) != value for name, value in params_of(result.record).items()):
        return False
    read = [one.dataset for one in (run.inputs.dataset_inputs if run.inputs else [])]
    if any(kept.deps.get(data.name, data.digest) != data.digest for data in read):
        return False
    written: dict[str, str] = json.loads(run.data.tags.get(WRITTEN_TAG, "{}"))
    known = {target: kept.named(target) for target in written}
    if any(md5s and written[target] not in md5s for target, md5s in known.items()):
        return False
    ran = run.data.tags.get("mlflow.source.git.commit"), run.data.tags.get("lab.git.dirty")
    return any(known.values()) or ran in [(commit.code, "false") for commit in result.commits]


def _without(told: Mapping[str, Any], there: Container[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in there}


def _was_cut_short(run: Run, result: Result) -> bool:
    """Whether a run that MLflow takes for running has ended: its result was committed, and its journal is gone."""
    if run.info.status != "RUNNING" or (JOURNALS / f"{run.data.tags[JOURNAL_TAG]}.jsonl").exists():
        return False
    return any(run.info.start_time < commit.time * 1000 for commit in result.commits)


def _below(run_id: str) -> str:
    return f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}'"


def _is_deleted(run: Run) -> bool:
    return bool(run.info.lifecycle_stage != "active")


def _is_replayed(run: Run) -> bool:
    return REPLAYED_TAG in run.data.tags


def _is_whole(run: Run) -> bool:
    return run.info.status == "FINISHED" and INCOMPLETE_TAG not in run.data.tags


def _is_unlinked(run: Run) -> bool:
    tags = run.data.tags
    return JOURNAL_TAG in tags and not tags.keys() & {RECORD_TAG, MLFLOW_PARENT_RUN_ID, REPLAYED_TAG}


def _rank(run: Run) -> tuple[bool, bool, str]:
    """The active before the deleted, the live before those made from files, and then the one that all keep."""
    return _is_deleted(run), _is_replayed(run), str(run.info.run_id)
