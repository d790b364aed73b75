"""The run that prepared data says in MLflow how these differ; the store is a real one."""

import json
from pathlib import Path

import pytest

from labkit.publish import drift_tags
from labkit.publish.drift_tags import tag_drift
from labkit.testing.mlflow_store import mlflow_client
from labkit.tracking.journal import TrackedRun

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  prepare:
    cmd: python -m labkit.launch prepare_data
    outs: [report.json]
    meta: {data: report.json}
  train:
    cmd: python -m labkit.launch train
"""


def test_the_run_that_prepared_the_data_is_tagged_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    Path("dvc.yaml").write_text(DVC_YAML)
    Path("report.json").write_text(json.dumps({}))
    client = mlflow_client()
    experiment = client.create_experiment("lab")
    ids = [client.create_run(experiment).info.run_id for _ in range(2)]
    runs = [TrackedRun(stage, "now", run_id) for stage, run_id in zip(("prepare_data", "train"), ids, strict=True)]
    monkeypatch.setattr(drift_tags, "runs_of_execution", lambda execution: runs if execution == "now" else [])
    told = ["age: distributed otherwise", "https://me:S3CRET@host: new"]  # pragma: allowlist secret
    monkeypatch.setattr(drift_tags, "drift_since", lambda commit: told if commit == "HEAD" else [])
    assert tag_drift("now", "other") == ""
    assert tag_drift("before", "HEAD") == ""
    assert tag_drift("now", "HEAD") == ""
    tags = [{name: text for name, text in client.get_run(one).data.tags.items() if "lab.data" in name} for one in ids]
    assert tags == [{"lab.data.1": "age: distributed otherwise", "lab.data.2": "https://host: new"}, {}]

    client.delete_run(ids[0])
    assert tag_drift("now", "HEAD").startswith("how the data differ: ")
