"""The pipeline as a DAG of Airflow, for the folder that Airflow finds its DAGs in: a link to this file will do.

    LAB_CLONE   a clone of the lab in which `make setup` ran, at this path on every worker

It runs the commit of `python -m lab plan > .lab/plan.json` there. Airflow parses this file again and again: so nothing
of the lab is imported, and Airflow's environment needs nothing of it.
"""

import json
import os
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

CLONE = Path(os.environ["LAB_CLONE"])
PLAN: dict[str, Any] = json.loads((CLONE / ".lab" / "plan.json").read_text(encoding="utf-8"))
# The run's own name, without what a Git branch may not have: a task that is tried again is of the same execution.
EXECUTION = "{{ run_id | replace(':', '-') | replace('+', '_') | replace('~', '-') }}"


def call(*words: str) -> str:
    """The command line of a task of the lab."""
    command = shlex.join([*words, "--commit", PLAN["commit"]])
    as_it_is = f"{{% raw %}}{command}{{% endraw %}}"  # Airflow fills in {{ }}, which a stage's name may hold
    return f"exec .venv/bin/python -m labkit.distribute {as_it_is} --execution '{EXECUTION}'"


with DAG("lab", schedule=None, catchup=False, doc_md=__doc__) as dag:
    tasks = {
        stage["name"]: BashOperator(
            task_id=quote(stage["name"], safe="").replace("%", "_"),  # an each@b of a `foreach` too
            bash_command=call("task", stage["name"]),
            cwd=str(CLONE),
            queue="gpu" if stage["resources"]["gpu"] else "default",
            execution_timeout=timedelta(seconds=stage["timeout"]) if stage["timeout"] else None,
        )
        for stage in PLAN["stages"]
    }
    # Whatever became of the stages: what finished is published, and it fails if that is not all.
    finish = BashOperator(task_id="lab.finish", bash_command=call("finish"), cwd=str(CLONE), trigger_rule="all_done")
    for stage in PLAN["stages"]:
        [tasks[needed] for needed in stage["needs"]] >> tasks[stage["name"]]
    [*tasks.values()] >> finish
