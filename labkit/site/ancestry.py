"""What a commit's results were made of, as a picture in the page's own style."""

import re
from collections.abc import Callable

from labkit.lineage.around import made_of
from labkit.lineage.graph import lineage_graph
from labkit.lineage.named import find
from labkit.lineage.picture import svg, without_code
from labkit.process.errors import InputError


def ancestry_pictures() -> Callable[[str], str]:
    """A function that draws the picture of a commit; it is empty where nothing is known.

    Back to the raw data, and without what came of it: that changes, and the page would not.
    """
    try:
        graph = lineage_graph()
    except InputError:  # dvc.lock of the working folder, which is no commit's, can't be read
        return lambda commit: ""

    def picture(commit: str) -> str:
        try:
            drawn = svg(without_code(made_of(graph, *find(graph, commit))))
        except InputError:
            return ""
        return re.sub(r"<style>.*?</style>", "", drawn, flags=re.S)

    return picture
