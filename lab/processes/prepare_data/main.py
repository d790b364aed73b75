"""Prepare the data: load, check, split and scale it, as the sections data and split of params.yaml say.

    dvc repro prepare_data
    python -m labkit.launch prepare_data      without DVC

What it writes to data/processed is described in lib/data_splits.py and preparation.py.
"""

import numpy as np

from lab.processes.prepare_data.params import Params
from lab.processes.prepare_data.preparation import prepare, save_prepared
from lab.processes.prepare_data.sources import load_table
from labkit.process.params import read_params
from labkit.process.tracking import Run, run_process
from lib.data_splits import DIR_PROCESSED


def main(run: Run) -> None:
    """Write the six splits, the fitted preprocessing and the dataset's description to data/processed."""
    params = read_params(Params)
    run.log_params(params.model_dump())
    table, guessed = load_table(params.data)
    prepared = prepare(table, params.data, params.split, guessed)
    save_prepared(prepared, DIR_PROCESSED)
    labels = (prepared.splits.y_train, prepared.splits.y_val, prepared.splits.y_test)
    shares = np.bincount(np.concatenate(labels)) / sum(map(len, labels))
    run.log_metrics(
        {
            **{f"{part}_rows": len(y) for part, y in zip(("train", "validation", "test"), labels, strict=True)},
            "features": len(prepared.dataset.features),
            "classes": len(shares),
            "smallest_class_share": shares.min(),
            "largest_class_share": shares.max(),  # the accuracy of always guessing that class
        }
    )
    run.log_artifact(DIR_PROCESSED / "dataset.json")


if __name__ == "__main__":
    run_process(main)
