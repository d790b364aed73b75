"""Send a journal to MLflow: what was written since the last time, and the end of its runs.

Everything may be sent twice: a run is looked up by its journal and key before it is made, and MLflow takes a
point, parameter, tag or file that it already has for the same one. Importing this imports MLflow.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import mlflow
import requests
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from labkit.dvc_adapter.command_line import dvc
from labkit.paths import ROOT
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.process.strict_yaml import load_yaml
from labkit.process.tracking import ROOT_RUN, md5_of
from labkit.tracking.answers import cut_short, no_answer
from labkit.tracking.journal import (
    SILENT_END,
    Progress,
    load_progress,
    read_events,
    read_run,
    remember,
    remove,
    save_progress,
    set_aside,
)
from labkit.tracking.names import mlflow_name

JOURNAL_TAG, RUN_TAG = "lab.journal", "lab.run"
WRITTEN_TAG = "lab.written"  # by which labkit/publish knows the run that made a result
MOST_LETTERS = 4000  # in a tag: MLflow takes 5000
SQLALCHEMYS_WAY = "(raised as a result of"  # before the error itself, on the next line
LOCAL_UI = "http://127.0.0.1:5000"  # where `make ui` opens
# Answers of MLflow, and of a proxy before it, to what they will never take.
REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
HTTP_REFUSALS = {400, 413, 422}

Event = dict[str, Any]
Entity = Metric | Param | RunTag


class Store(NamedTuple):
    """An MLflow server or database that has answered, and the id of the lab's experiment in it."""

    client: mlflow.MlflowClient
    experiment: str


def connect() -> Store:
    """Find or make the experiment: MLFLOW_EXPERIMENT_NAME, else the project's name in params.yaml.

    Raises InputError when it was deleted, and what MLflow raises when it can't be reached.
    """
    client = mlflow.MlflowClient()
    # Read without a check of the rest: a mistake made there since must not hold up a run that is over.
    params = load_yaml(ROOT / "params.yaml")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or params["project"]["name"]
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return Store(client, client.create_experiment(name, _artifact_location(client.tracking_uri)))
    if experiment.lifecycle_stage != "active":
        raise InputError(f"MLflow's experiment {name!r} was deleted; restore it, or change project.name in params.yaml")
    return Store(client, experiment.experiment_id)


def _artifact_location(tracking_uri: str) -> str | None:
    """`mlartifacts` beside an SQLite file, as an absolute URI; a server knows its own place."""
    file = tracking_uri.removeprefix("sqlite:///")
    return None if file == tracking_uri else (Path(file).absolute().parent / "mlartifacts").as_uri()


class Uploader:
    """A journal on its way to MLflow.

    When MLflow can't be reached its methods raise what MLflow raises, and another Uploader has to go on.
    """

    def __init__(self, store: Store, journal: Path) -> None:
        self.client, self.experiment = store
        self.journal = journal
        self.progress = load_progress(journal)
        runs = self._runs_in_mlflow()
        if not self.progress.runs.items() <= runs.items():  # another server, or one that was emptied
            self.progress = Progress()
        self.progress.runs = runs

    def carry(self, running: bool) -> None:
        """Send what was written since the last time; unless its process is `running`, end the runs and the journal."""
        whole = False
        with self._noting_refusal(ROOT_RUN, "the rest of the journal"):
            for events, offset in read_events(self.journal, self.progress.offset):
                self._send(events)
                self.progress.offset = offset
                save_progress(self.journal, self.progress)
            whole = True
        if running and whole:
            return
        last_word = int(self.journal.stat().st_mtime * 1000)
        reason = SILENT_END if whole else "tracking was interrupted"
        self._end({"run": ROOT_RUN, "time": last_word, "status": "FAILED", "reason": reason})
        self._runs_in_mlflow()
        self._leave()

    def _leave(self) -> None:
        """Note that the journal is in MLflow to its end, and remove it."""
        if run := self.progress.runs.get(ROOT_RUN):
            lacking = ", ".join(dict.fromkeys(what for run in self.progress.incomplete.values() for what in run))
            told = read_run(self.journal)._replace(run_id=run, url=self._page(run), lacking=lacking)
            remember(self.journal.parent, told)
        if self.progress.refused:
            set_aside(self.journal, self.progress.incomplete)
        else:
            remove(self.journal)

    def _runs_in_mlflow(self) -> dict[str, str]:
        """The ids of the journal's runs by key. A twin, made by a request whose answer got lost, is deleted."""
        found = mlflow.search_runs(  # with those that a person deleted: they aren't to be made again
            [self.experiment], f"tags.`{JOURNAL_TAG}` = '{self.journal.stem}'", ViewType.ALL, output_format="list"
        )
        known = set(self.progress.runs.values())
        runs: dict[str, str] = {}
        for run in sorted(found, key=lambda run: (run.info.run_id not in known, run.info.run_id)):
            kept = runs.setdefault(run.data.tags[RUN_TAG], run.info.run_id)
            if run.info.run_id != kept and run.info.lifecycle_stage == "active":
                self.client.delete_run(run.info.run_id)
        return runs

    def _send(self, events: list[Event]) -> None:
        for event in events:
            if event["event"] == "start":
                self._begin(event)
        for run in dict.fromkeys(event["run"] for event in events):
            self._log(run, [event for event in events if event["run"] == run])
        for event in events:
            if event["event"] == "end":
                self._end(event)

    def _begin(self, event: Event) -> None:
        run = event["run"]
        if run == ROOT_RUN:
            self.progress.tags = event["tags"]
        if run in self.progress.runs:
            return
        tags = self.progress.tags | {JOURNAL_TAG: self.journal.stem, RUN_TAG: run}
        if parent := self.progress.runs.get(run.rpartition(".")[0]):
            tags[MLFLOW_PARENT_RUN_ID] = parent
        created = self.client.create_run(self.experiment, event["time"], tags, event["name"])
        self.progress.runs[run] = created.info.run_id

    def _log(self, run: str, events: list[Event]) -> None:
        entities: list[Entity] = []
        artifacts: dict[str, Event] = {}
        inputs: list[DatasetInput] = []
        for event in events:
            match event["event"]:
                case "params":
                    entities += [Param(mlflow_name(name), value) for name, value in event["params"].items()]
                case "tags":
                    entities += [RunTag(mlflow_name(name), value) for name, value in event["tags"].items()]
                case "metrics":
                    at = event["time"], event["step"]
                    entities += [Metric(mlflow_name(name), value, *at) for name, value in event["metrics"].items()]
                case "input":
                    inputs.append(_dataset(event))
                case "artifact":
                    artifacts[event["target"]] = event  # the last of its name: MLflow keeps but one
        self._log_batch(run, entities)
        if inputs:
            with self._noting_refusal(run, "its data"):
                self.client.log_inputs(self.progress.runs[run], inputs)
        for event in artifacts.values():
            self._log_artifact(run, event)

    def _log_batch(self, run: str, entities: list[Entity]) -> None:
        """Send a batch, which MLflow's client cuts to its limits; halve a refused one until the culprit is found."""
        metrics = [entity for entity in entities if isinstance(entity, Metric)]
        params = [entity for entity in entities if isinstance(entity, Param)]
        tags = [entity for entity in entities if isinstance(entity, RunTag)]
        try:
            self.client.log_batch(self.progress.runs[run], metrics, params, tags)
        except MlflowException as error:
            if not is_refusal(error):
                raise
            half = len(entities) // 2
            if half:
                self._log_batch(run, entities[:half])
                self._log_batch(run, entities[half:])
            else:
                with self._noting_refusal(run, entities[0].key):
                    raise

    def _log_artifact(self, run: str, event: Event) -> None:
        """Send the bytes that were logged, from the file or from DVC's cache, and never others."""
        target = PurePosixPath(event["target"])
        copy = self.journal.parent / "outgoing" / target.name  # MLflow takes the name from the file
        lacking = self.progress.incomplete.setdefault(run, {})
        lacking.pop(str(target), None)
        if not copy_version(Path(event["path"]), event["md5"], copy):
            lacking[str(target)] = f"md5 {event['md5']} is no longer in {event['path']}, nor in DVC's cache"
            return
        with self._noting_refusal(run, str(target)):
            folder = None if target.parent == PurePosixPath() else str(target.parent)
            self.client.log_artifact(self.progress.runs[run], str(copy), folder)
            self.progress.written.setdefault(run, {})[str(target)] = event["md5"]

    def _end(self, event: Event) -> None:
        """End a run and those nested in it, so far as they are still open."""
        for run, run_id in self.progress.runs.items():
            if run in self.progress.ended or not f"{run}.".startswith(f"{event['run']}."):
                continue
            tags = {}
            if written := self.progress.written.get(run):
                tags[WRITTEN_TAG] = _short(written)
            if "reason" in event:
                tags["lab.failure"] = event["reason"]
            if lacking := self.progress.incomplete.get(run):
                tags["lab.incomplete"] = "; ".join(f"{what}: {why}" for what, why in lacking.items())
            # The note stands at the top of the run's page.
            lines = [f"**{name.removeprefix('lab.')}**: {text}" for name, text in tags.items() if name != WRITTEN_TAG]
            if lines:
                tags["mlflow.note.content"] = "\n\n".join(lines)
            self._log_batch(run, [RunTag(name, text) for name, text in tags.items()])
            with self._noting_refusal(run, "end"):
                self.client.set_terminated(run_id, event["status"], event["time"])
            self.progress.ended.append(run)

    @contextmanager
    def _noting_refusal(self, run: str, what: str) -> Iterator[None]:
        """Go on where MLflow will never take `what`, and write down why."""
        try:
            yield
        except Exception as error:
            if not is_refusal(error):
                raise
            self.progress.refused = True
            self.progress.incomplete.setdefault(run, {})[what] = explain(error)

    def _page(self, run: str) -> str:
        uri = self.client.tracking_uri
        server = without_credentials(uri).rstrip("/") if uri.startswith("http") else LOCAL_UI
        # Without the last part, MLflow's menu beside the run has chats and traces in it, and no way to the other runs.
        return f"{server}/#/experiments/{self.experiment}/runs/{run}?workflowType=machine_learning"


def _dataset(event: Event) -> DatasetInput:
    """Data that were read, as MLflow shows them beside the run; `rows` is None where nobody knows."""
    rows = None if event["rows"] is None else json.dumps({"num_rows": event["rows"]})
    place = json.dumps({"path": event["name"]})
    return DatasetInput(Dataset(event["name"], event["md5"], "local", place, profile=rows))


def _short(written: dict[str, str]) -> str:
    """The artifacts of a run and their md5s as JSON, as many as fit in a tag."""
    kept: dict[str, str] = {}
    room = MOST_LETTERS
    for target, md5 in written.items():
        room -= len(json.dumps({target: md5}))
        if room > 0:
            kept[target] = md5
    return json.dumps(kept, sort_keys=True)


def is_refusal(error: Exception) -> bool:
    """Whether trying again later is of no use."""
    if isinstance(error, MlflowException):
        return error.error_code in REFUSALS
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in HTTP_REFUSALS
    return isinstance(error, json.JSONDecodeError)


def explain(error: Exception) -> str:
    """One line on what went wrong."""
    uri = mlflow.get_tracking_uri()
    cause = error.__context__
    if isinstance(cause, requests.RequestException):
        return no_answer(uri, cause)
    lines = [line for line in str(error).splitlines() if not line.startswith(SQLALCHEMYS_WAY)] or [""]
    return cut_short(uri) or without_credentials(f"{type(error).__name__}: {lines[0]}")


def copy_version(file: Path, md5: str, copy: Path) -> bool:
    """Copy the bytes with this md5, from the file or else from DVC's cache; False where neither has them."""
    copy.parent.mkdir(exist_ok=True)
    if _copy_if(file, md5, copy):
        return True
    # On a runner the journals lie outside of the repository.
    caches = [cache for cache in map(_dvc_cache, (ROOT, copy.parent)) if cache]
    return any(_copy_if(cache / "files" / "md5" / md5[:2] / md5[2:], md5, copy) for cache in caches)


def _copy_if(source: Path, md5: str, copy: Path) -> bool:
    try:
        shutil.copyfile(source, copy)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    return md5_of(copy) == md5  # of the copy, which nobody changes any more


@cache
def _dvc_cache(folder: Path) -> Path | None:
    """DVC's cache by its own word: five places can set it. It takes half a second, and is asked for only once."""
    if not folder.exists():
        return None
    done = subprocess.run(dvc("cache", "dir"), cwd=folder, capture_output=True, text=True)
    return None if done.returncode else Path(done.stdout.strip())
