"""The lineage of something as two tables, for notebooks.

from labkit.lineage.frames import lineage

nodes, edges = lineage("artifacts/best_model/metrics.json")
"""

import pandas as pd

from labkit.lineage.show import around, lineage_of, numbered


def lineage(what: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All that led to `what`, and all that came of it: a row for each node, and for each edge (`source`, `target`).

    The index of the nodes is what the edges name. Raises InputError as `find`.
    """
    nodes, edges = numbered(around(*lineage_of(what)))
    return pd.DataFrame(nodes), pd.DataFrame(edges, columns=["source", "target"])
