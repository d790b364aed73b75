"""A packaged model as it is loaded: by its own code, and without MLflow."""

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
import yaml

from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from runtimes.serving.served import load

LOADER = """
from lib.words import WORD

class Model:
    def predict(self, rows):
        return rows.assign(word=WORD)

def _load_pyfunc(data_path):
    return Model()
"""


@pytest.fixture
def as_before() -> Iterator[None]:
    """What a model brings is forgotten again: Python's path and modules are the process's."""
    path, modules = [*sys.path], {**sys.modules}
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]
    sys.modules.update(modules)


def packaged(folder: Path, word: str) -> Path:
    """A model that answers with a word of its own `lib`."""
    (folder / "code" / "lib").mkdir(parents=True)
    (folder / "code" / "loader.py").write_text(LOADER, encoding="utf-8")
    (folder / "code" / "lib" / "__init__.py").touch()
    (folder / "code" / "lib" / "words.py").write_text(f"WORD = {word!r}\n", encoding="utf-8")
    told = {"flavors": {"python_function": {"code": "code", "loader_module": "loader"}}, "metadata": {"columns": []}}
    (folder / "MLmodel").write_text(yaml.safe_dump(told), encoding="utf-8")
    (folder / "input_example.json").write_text(json.dumps({"columns": ["x"], "data": [[1]]}), encoding="utf-8")
    return folder


@pytest.mark.unittest
@pytest.mark.usefixtures("as_before")
def test_each_of_two_models_answers_by_its_own_code(tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": [1]})
    first, second = (load(packaged(tmp_path / word, word), "m", word) for word in ("first", "second"))
    assert [one.predict(rows)["word"].item() for one in (first, second)] == ["first", "second"]
    assert not [*tmp_path.rglob("*.pyc")]


@pytest.mark.unittest
@pytest.mark.usefixtures("as_before")
def test_what_its_code_raises_is_told_and_the_model_before_it_keeps_its_own(tmp_path: Path) -> None:
    load(packaged(tmp_path / "before", "before"), "m", "v0")
    path = [*sys.path]
    folder = packaged(tmp_path / "model", "word")
    (folder / "code" / "lib" / "words.py").write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(InputError, match="model can't be served: ZeroDivisionError: division by zero"):
        load(folder, "m", "v1")
    assert (sys.path, import_module("lib.words").WORD) == (path, "before")  # which it may import later


@pytest.mark.integration
def test_a_model_of_the_lab_is_served_without_mlflow(finished_lab: Path, shell: Shell) -> None:
    load_it = "from runtimes.serving.served import load; load(Path('artifacts/best_model/model'), 'm', 'v1')"
    done = shell(f'python -c "import sys; from pathlib import Path; {load_it}; print([*sys.modules])"', finished_lab)
    assert "'lib.columns'" in done.stdout
    assert "'mlflow'" not in done.stdout
