"""What each verb hands to the runtime behind it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import runtimes.cli  # noqa: F401  (its verbs)
from labkit.cli import app

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("line", "function", "given", "said"),
    [
        ("serve", "runtimes.serving.run.serve", (None, "127.0.0.1", 8080, None), ""),
        ("image v2", "runtimes.image.build.build_context", ("found", Path("dist/image")), "docker build done\n"),
        (
            "predict a.csv",
            "runtimes.serving.predict.predict_file",
            (Path("a.csv"), "found", Path("predictions.csv")),
            "",
        ),
        ("krt", "runtimes.krt.build.build_krt", ("found", Path("dist"), ""), "d\no\nn\ne\n"),
        (
            "kubeflow lab:1 --secret key:A,B",
            "runtimes.kubeflow.pipeline.write_pipeline",
            (Path(".lab/pipeline.yaml"), "lab:1", "/lab", ["key:A,B"], 2),
            ".lab/pipeline.yaml: upload it",
        ),
    ],
)
def test_a_verb_does_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, line: str, function: str, given: tuple[object, ...], said: str
) -> None:
    called: list[tuple[object, ...]] = []

    def stand_in(*arguments: object) -> str:
        called.append(arguments)
        return "done"

    for finder in ("labkit.registry.models.find_model", "runtimes.serving.model.find", "runtimes.serving.model.locate"):
        monkeypatch.setattr(finder, lambda name: "found")
    monkeypatch.setattr(function, stand_in)
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 0
    assert done.stdout.startswith(said)
    assert called == [given]


@pytest.mark.parametrize(
    ("found", "code", "said"), [([], 0, "a.krt: nothing is wrong\n"), (["no node"], 1, "no node\n")]
)
def test_a_product_that_is_wrong_is_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, found: list[str], code: int, said: str
) -> None:
    monkeypatch.setattr("runtimes.krt.check.problems", lambda file: found)
    done = CliRunner().invoke(app, ["krt", "--check", "a.krt"])
    assert (done.exit_code, done.stdout) == (code, said)
