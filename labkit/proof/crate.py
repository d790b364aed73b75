"""The metadata of a Workflow Run RO-Crate: what was run, on what, and what came of it, in terms that other tools read.

https://www.researchobject.org/workflow-run-crate/profiles/workflow_run_crate/ (version 0.5, on RO-Crate 1.1)
"""

import mimetypes
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from labkit.paths import lies_in
from labkit.pipeline.records import DVC_LOCK, Records
from labkit.process.credentials import without_credentials

METADATA = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    WORKFLOW_CRATE: "Workflow RO-Crate",
}
WORKFLOW, LANGUAGE, CODE = "dvc.yaml", "#dvc", "code.tar"
DESCRIPTIONS = {
    WORKFLOW: "The pipeline: what each stage runs, reads and writes",
    DVC_LOCK: "The results: DVC's md5 of everything that the stages read and wrote",
    CODE: "All that Git has of the commit",
}
Entity = dict[str, Any]


class File(NamedTuple):
    """A file of the crate."""

    path: str
    sha256: str
    size: int


class WorkflowRun(NamedTuple):
    """A commit's run, as Git knows it; `license` is a file of the crate, or empty. Times are ISO 8601."""

    name: str
    commit: str
    subject: str
    author: str
    time: str
    license: str


def metadata(run: WorkflowRun, records: Records, files: Iterable[File]) -> Entity:
    """The content of ro-crate-metadata.json. The same commit gives the same content."""
    described = {file.path: _file(file) for file in files}
    described[WORKFLOW] |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "programmingLanguage": {"@id": LANGUAGE},
        "version": run.commit,
    }
    outside = {entity["@id"]: entity for record in records.values() for entity in _outside(record, described)}
    actions = [_stage_run(stage, record, run, described) for stage, record in records.items()]
    whole = _action(
        "#run",
        ("Run of the pipeline", "All its stages, in the order of what they need"),
        WORKFLOW,
        run,
        [one["@id"] for action in actions for one in action["object"] if not _is_made(one["@id"], records)],
        [one["@id"] for action in actions for one in action["result"]],
    )
    graph = [
        _descriptor(),
        _root(run, list(described), [whole, *actions]),
        *({"@id": at, "@type": "CreativeWork", "name": name, "version": at[-3:]} for at, name in PROFILES.items()),
        {"@id": LANGUAGE, "@type": "ComputerLanguage", "name": "DVC", "url": "https://dvc.org"},
        {"@id": "#author", "@type": "Person", "name": run.author},
        *([] if run.license else [{"@id": "#license", "@type": "CreativeWork", "name": "No license is given"}]),
        *(
            {"@id": f"#{stage}", "@type": "SoftwareApplication", "name": stage, "version": run.commit}
            for stage in records
        ),
        whole,
        *actions,
        *described.values(),
        *outside.values(),
    ]
    return {"@context": CONTEXT, "@graph": graph}


def _descriptor() -> Entity:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": CRATE}, {"@id": WORKFLOW_CRATE}],
    }


def _root(run: WorkflowRun, files: list[str], actions: list[Entity]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{run.name}: {run.subject}",
        "description": f"The code, parameters and results of {run.name} at the Git commit {run.commit}",
        "datePublished": run.time,
        "author": {"@id": "#author"},
        "license": {"@id": run.license or "#license"},
        "identifier": run.commit,
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "hasPart": [{"@id": file} for file in files],
        "mainEntity": {"@id": WORKFLOW},
        "mentions": [{"@id": action["@id"]} for action in actions],
    }


def _file(file: File) -> Entity:
    kind, _ = mimetypes.guess_type(file.path)
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.path,
        "description": DESCRIPTIONS.get(file.path, ""),
        "contentSize": str(file.size),
        "encodingFormat": kind or "application/octet-stream",
        "identifier": f"sha256:{file.sha256}",
    }


def _outside(record: Mapping[str, Any], described: Mapping[str, Entity]) -> list[Entity]:
    """What a stage read that is no file of the crate: raw data, and code, which is in code.tar; each with its md5."""
    return [
        {
            "@id": _place(entry["path"]),
            "@type": "CreativeWork",
            "name": entry["path"],
            "identifier": f"md5:{entry.get('md5', '')}",
        }
        for entry in record.get("deps", [])
        if not _members(entry["path"], described)
    ]


def _stage_run(stage: str, record: Mapping[str, Any], run: WorkflowRun, described: Mapping[str, Entity]) -> Entity:
    read = [one for entry in record.get("deps", []) for one in _ids(entry["path"], described)]
    parameters = [file for file in record.get("params", {}) if file in described]
    written = [one for entry in record.get("outs", []) for one in _ids(entry["path"], described)]
    words = (f"Run of {stage}", without_credentials(str(record.get("cmd", ""))))
    return _action(f"#run-{stage}", words, f"#{stage}", run, read + parameters, written)


def _action(
    at: str, words: tuple[str, str], instrument: str, run: WorkflowRun, read: list[str], written: list[str]
) -> Entity:
    name, description = words
    return {
        "@id": at,
        "@type": "CreateAction",
        "name": name,
        "description": description,
        "instrument": {"@id": instrument},
        "agent": {"@id": "#author"},
        "endTime": run.time,
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "object": [{"@id": one} for one in sorted({*read})],
        "result": [{"@id": one} for one in sorted({*written})],
    }


def _is_made(at: str, records: Records) -> bool:
    return lies_in(at, [entry["path"] for record in records.values() for entry in record.get("outs", [])])


def _ids(path: str, described: Mapping[str, Entity]) -> list[str]:
    return _members(path, described) or [_place(path)]


def _members(path: str, described: Mapping[str, Entity]) -> list[str]:
    """The files of the crate that are `path` or lie in it."""
    return [file for file in described if lies_in(file, [path])]


def _place(path: str) -> str:
    return f"#{path}"
