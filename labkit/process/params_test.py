"""What is wrong in params.yaml is refused by a line that names the file, the key, the value and what is allowed."""

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from labkit.process.errors import InputError
from labkit.process.params import CommonParams, Strict, look_ahead, read_params, read_yaml, validate

ROOT = Path(__file__).parents[2]


class Layer(Strict):
    width: int = Field(gt=0)
    activation: Literal["relu", "tanh"]


class Training(Strict):
    lr: float = Field(gt=0)
    layers: list[Layer]
    name: str | None


class Params(Strict):
    training: Training


GOOD = """
training:
  lr: 0.1         # a reason
  layers:
    - {width: 3, activation: relu}
  name: null
"""


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        validate(Params, read_yaml(path), path)
    return str(refused.value).replace(str(path), "params.yaml")


@pytest.mark.unittest
def test_good_parameters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(GOOD, encoding="utf-8")
    layer = Layer(width=3, activation="relu")
    assert validate(Params, read_yaml(path), path).training == Training(lr=0.1, layers=[layer], name=None)


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr: 0.1", "lr: 0.1\n  lrr: 3", "training.lrr (= 3) is unknown; allowed here: layers, lr, name"),
        (
            "width: 3,",
            "width: 3, depth: 1,",
            "layers.0.depth (= 1) is unknown; allowed here: activation, width",
        ),
        ("training:", "seed: 1\ntraining:", "seed (= 1) is unknown; allowed here: training"),
        ("  lr: 0.1", "", "training.lr is missing; add lr back, with its reason"),
        ("training:", "training: null\nother:", "training is None: input should be a valid dictionary"),
        ("lr: 0.1", "lr: fast", "training.lr is 'fast': input should be a valid number"),
        ("lr: 0.1", "lr: '0.1'", "training.lr is '0.1': input should be a valid number"),
        ("lr: 0.1", "lr: true", "training.lr is True: input should be a valid number"),
        ("lr: 0.1", "lr: -0.1", "training.lr is -0.1: input should be greater than 0"),
        ("lr: 0.1", "lr: .nan", "training.lr is nan: input should be a finite number"),
        ("width: 3", "width: 3.5", "training.layers.0.width is 3.5: input should be a valid integer"),
        (
            "activation: relu",
            "activation: selu",
            "layers.0.activation is 'selu': input should be 'relu' or 'tanh'",
        ),
        ("name: null", "name: 3", "training.name is 3: input should be a valid string"),
        ("lr: 0.1", "lr: 0.1\n  lr: 0.2", "lr is given twice; keep one"),
        ("lr: 0.1", "lr: [0.1", "is not YAML"),
        ("lr: 0.1", "? [lr]\n  : 0.1", "is not YAML"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    refused = refusal(tmp_path, GOOD.replace(old, new))
    assert refused.startswith("params.yaml")
    assert message in refused


@pytest.mark.unittest
def test_every_wrong_key_gets_its_line(tmp_path: Path) -> None:
    refused = refusal(tmp_path, GOOD.replace("lr: 0.1", "lr: -1").replace("width: 3", "width: 0"))
    assert [line.split(" is ")[0] for line in refused.splitlines()] == [
        "params.yaml: training.lr",
        "params.yaml: training.layers.0.width",
    ]


@pytest.mark.unittest
def test_of_many_wrong_keys_the_first_are_told(tmp_path: Path) -> None:
    refused = refusal(tmp_path, GOOD + "".join(f"k{n}: 1\n" for n in range(3000))).splitlines()
    assert len(refused) == 21
    assert refused[-1] == "and 2980 more"


@pytest.mark.unittest
@pytest.mark.parametrize("text", ["", "training", "- training"])
def test_a_file_without_sections_is_refused(tmp_path: Path, text: str) -> None:
    assert "not sections" in refusal(tmp_path, text)


@pytest.mark.unittest
def test_the_whole_file_is_checked_whatever_section_is_read(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    good = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path.write_text(good, encoding="utf-8")
    assert read_params(CommonParams, path).project.name == look_ahead("project", "name", path)
    path.write_text(good + "\nnobody: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"nobody \(= 1\) is unknown"):
        read_params(CommonParams, path)


@pytest.mark.unittest
def test_what_a_later_process_reads_is_looked_up_whatever_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("selection: {metric: f1}\nother: 3\n", encoding="utf-8")
    asked = [("selection", "metric"), ("selection", "folds"), ("other", "metric"), ("nobody", "metric")]
    assert [look_ahead(section, key, path) for section, key in asked] == ["f1", None, None, None]


@pytest.mark.integration
def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    def check(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "labkit.process.params"]
        environment = {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    good = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert check(good).returncode == 0
    refused = check(good.replace("project:\n", "project:\n  nmae: lab\n"))
    assert refused.returncode == 1
    assert refused.stderr == "error: params.yaml: project.nmae (= 'lab') is unknown; allowed here: name\n"
