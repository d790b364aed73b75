"""The example's data: scikit-learn's breast-cancer set."""

from pathlib import Path

from lab.processes.prepare_data.params import Data, Split
from lab.processes.prepare_data.preparation import prepare, save_prepared
from lab.processes.prepare_data.sources import load_table


def prepare_cancer_data(dir_output: str | Path) -> None:
    """Prepare the breast-cancer set into a directory, as the tests of any process need it."""
    data = Data(source="breast_cancer", target="target")
    table, _ = load_table(data)
    save_prepared(prepare(table, data, Split(validation=0.2, test=0.2, seed=7)), dir_output)
