"""The notebook, executed on two commits of a copy of this repository."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from labkit.process.files import read_json
from labkit.process.params import read_yaml
from labkit.testing.fixtures import Shell
from lib.metrics import HIGHER_IS_BETTER

pytestmark = [pytest.mark.integration, pytest.mark.nightly]

NOTEBOOK = Path("lab/analysis/compare_commits.ipynb")


@pytest.fixture(scope="module")
def lab(finished_lab: Path, tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A copy whose last two commits select their model by different metrics."""
    lab = shutil.copytree(finished_lab, tmp_path_factory.mktemp("compared") / "lab", symlinks=True)
    params = lab / "params.yaml"
    asked = read_yaml(params)["selection"]["metric"]
    other = next(metric for metric in HIGHER_IS_BETTER if metric != asked)
    params.write_text(params.read_text().replace(f"  metric: {asked}", f"  metric: {other}"))
    shell("dvc repro && git commit --quiet --all --no-verify -m other", lab)
    return lab


def execute(lab: Path, environment: dict[str, str], revisions: str) -> str:
    """All that the notebook shows as text when its first cell names `revisions`."""
    notebook = nbformat.read(lab / NOTEBOOK, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = f"OLD, NEW = {revisions}"
    client = NotebookClient(notebook, resources={"metadata": {"path": str(lab / NOTEBOOK.parent)}})
    client.execute(env=environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs)


def test_it_shows_what_both_commits_recorded(lab: Path, environment: dict[str, str], shell: Shell) -> None:
    recorded = {}
    for revision in ("HEAD~1", "HEAD"):
        shell(f"git checkout --quiet {'main~1' if revision == 'HEAD~1' else 'main'} && dvc checkout", lab)
        params, metrics = read_yaml(lab / "params.yaml"), read_json(lab / "artifacts/best_model/metrics.json")
        recorded[revision] = params["selection"]["metric"], metrics["selected"]

    shown = execute(lab, environment, '"HEAD~1", "HEAD"')

    (old_metric, old_model), (new_metric, new_model) = recorded.values()
    assert re.search(rf"selection\.metric +{old_metric} +{new_metric}", shown)
    assert f"{{'HEAD~1': '{old_model}', 'HEAD': '{new_model}'}}" in shown


def test_a_revision_whose_results_are_not_here_is_named_with_the_remedy(
    lab: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    emptied = shutil.copytree(lab, tmp_path / "lab", symlinks=True, ignore=shutil.ignore_patterns("cache"))
    with pytest.raises(CellExecutionError, match=r"comparison\.csv of HEAD is not on this machine.*dvc fetch"):
        execute(emptied, environment, '"HEAD", None')
