"""MLflow's model registry, made to show what Git's tags say. It can be lost: the tags and DVC make it again.

A version there is known by its tag `lab.tag`. Its number there is MLflow's own, and the same as long as nobody
registers by hand; the alias `champion` is what a server should load. Importing this imports MLflow.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from labkit.git_cli import git
from labkit.process.tracking import md5_of
from labkit.registry.results import fetch_file
from labkit.registry.settings import source_of
from labkit.registry.state import Registry, Version
from labkit.registry.tags import STAGE
from labkit.tracking.uploader import Store, connect

VERSION_TAG = "lab.tag"
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
MOST_RUNS = 10  # of a commit's stage, newest first


def sync(registry: Registry) -> list[str]:
    """Make MLflow show the registry; return what was done, a line each; nothing where it shows it already.

    Raises what MLflow raises, and InputError where a model is lost. Run again, it goes on from there.
    """
    store = connect()
    client = store.client
    done = []
    if registry.versions and not _has_model(client, registry.name):
        client.create_registered_model(registry.name)
    shown = _versions(client, registry.name) if registry.versions else {}
    for version in registry.versions.values():
        tag = version.tag.name
        if tag not in shown and not version.withdrawn:
            shown[tag] = _create(store, registry.name, version)
            done.append(f"{registry.name} {version} is version {shown[tag].version} in MLflow")
        elif tag in shown and version.withdrawn and "lab.withdrawn" not in shown[tag].tags:
            client.set_model_version_tag(registry.name, shown[tag].version, "lab.withdrawn", "true")
            done.append(f"{registry.name} {version} is marked as withdrawn in MLflow")
    return done + _move_alias(client, registry, shown)


def _move_alias(client: mlflow.MlflowClient, registry: Registry, shown: dict[str, ModelVersion]) -> list[str]:
    if not registry.versions:
        return []
    now = client.get_registered_model(registry.name).aliases.get(STAGE)
    wanted = shown[registry.champion.tag.name].version if registry.champion else None
    if str(now) == str(wanted):
        return []
    if wanted is None:
        client.delete_registered_model_alias(registry.name, STAGE)
        return [f"MLflow's alias {STAGE} of {registry.name} is gone"]
    client.set_registered_model_alias(registry.name, STAGE, wanted)
    return [f"MLflow's alias {STAGE} of {registry.name} is {registry.champion}"]


def _has_model(client: mlflow.MlflowClient, name: str) -> bool:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != NOT_THERE:
            raise
        return False
    return True


def _versions(client: mlflow.MlflowClient, name: str) -> dict[str, ModelVersion]:
    """The versions that follow a tag, by its name. Of twins, which two at once made, the younger is deleted."""
    kept: dict[str, ModelVersion] = {}
    page: str | None = None
    found: list[ModelVersion] = []
    while page is None or page:
        answer = client.search_model_versions(f"name='{name}'", page_token=page)
        found += answer
        page = answer.token or ""
    for one in sorted(found, key=lambda one: int(one.version)):
        if (tag := one.tags.get(VERSION_TAG)) and kept.setdefault(tag, one) is not one:
            client.delete_model_version(name, one.version)
    return kept


def _create(store: Store, name: str, version: Version) -> ModelVersion:
    commit = version.tag.commit
    source = source_of(commit)
    with TemporaryDirectory() as folder:
        model = fetch_file(commit, source.told.model, f"{name} {version}", Path(folder))
        run = _run_that_logged(store, source.stage, commit, model) or _upload(store, name, version, model)
    tags = {VERSION_TAG: version.tag.name, "lab.commit": commit, "lab.md5": source.md5}
    tags |= {f"lab.{key.lower()}": value for key, value in version.tag.trailers.items()}
    place = f"{run.info.artifact_uri}/{model.name}"
    described = f"{version}: {version.tag.trailers['Reason']}"
    made = store.client.create_model_version(name, place, run.info.run_id, tags, description=described)
    return _versions(store.client, name).get(version.tag.name, made)


def _run_that_logged(store: Store, stage: str, commit: str, model: Path) -> Run | None:
    """The run of the stage that logged these very bytes: of this commit, or of the code that it has results of."""
    code = git("log", "-1", "--format=%H %P %(trailers:key=Code-Commit,valueonly,separator=%x20)", commit)
    for one in dict.fromkeys(code.split()):
        wanted = f"tags.`lab.stage` = '{stage}' AND tags.`mlflow.source.git.commit` = '{one}'"
        for run in store.client.search_runs([store.experiment], wanted, max_results=MOST_RUNS):
            if _holds(store.client, run.info.run_id, model):
                return run
    return None


def _holds(client: mlflow.MlflowClient, run_id: str, model: Path) -> bool:
    if model.name not in {one.path for one in client.list_artifacts(run_id)}:
        return False
    with TemporaryDirectory() as folder:
        there = Path(client.download_artifacts(run_id, model.name, folder))
        return _content(there) == _content(model)


def _content(model: Path) -> dict[str, str]:
    files = [path for path in model.rglob("*") if path.is_file()] if model.is_dir() else [model]
    return {path.relative_to(model).as_posix(): md5_of(path) for path in files}


def _upload(store: Store, name: str, version: Version, model: Path) -> Run:
    """A run that holds the model alone, as DVC has it; one that was cut short is taken up again."""
    client = store.client
    found = client.search_runs([store.experiment], f"tags.`{VERSION_TAG}` = '{version.tag.name}'", max_results=1)
    tags = {VERSION_TAG: version.tag.name, "mlflow.source.git.commit": version.tag.commit}
    run = found[0] if found else client.create_run(store.experiment, tags=tags, run_name=f"{name} {version}")
    if run.info.status != "FINISHED":
        if model.is_dir():
            client.log_artifacts(run.info.run_id, str(model), model.name)
        else:
            client.log_artifact(run.info.run_id, str(model))
        client.set_terminated(run.info.run_id)
    return run
