"""What made what, in a real repository whose dvc.locks are written by hand: two branches, a version, a promotion."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from labkit.git_cli import git
from labkit.lineage.around import made_of, used_by
from labkit.lineage.find import find
from labkit.lineage.frames import lineage
from labkit.lineage.graph import File, Graph, Made, Promotion, Registered, lineage_graph
from labkit.lineage.picture import mermaid, svg, without_code
from labkit.lineage.show import show_lineage
from labkit.lineage.tree import tree_of
from labkit.pipeline.records import Records, write_records
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.testing.mlflow_store import mlflow_client
from labkit.tracking import tracker

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  train:
    cmd: train
    outs: [out/model]
    meta: {registry: {name: cancer, model: out/model}}
"""
VERSION = "Register cancer v1\n\nReason: it is good\nPerson: ada\nBefore: none\nGoals: 1 of 1 met"
STEP = VERSION.replace("good", "better") + "\nAction: promote\nVersion: v1\nCompared: nothing"


def md5(name: str) -> str:
    """A hash for each name."""
    return name.encode().hex().ljust(32, "0")[:32]


def record(cmd: str, deps: dict[str, str], outs: dict[str, str], **params: Any) -> dict[str, Any]:
    """A record of dvc.lock with these hashes by path."""
    told = {"deps": deps, "outs": outs}
    hashed = {
        kind: [{"path": p, "hash": "md5", "md5": one} for p, one in files.items()] for kind, files in told.items()
    }
    return {"cmd": cmd, **hashed} | ({"params": {"params.yaml": params}} if params else {})


def records(lr: str, code: str = "c1", model: str = "") -> Records:
    """A pipeline: `prepare` writes a folder, `train` reads a file of it, `judge` writes into a folder of metrics."""
    model = md5(model or f"model {lr}")
    prepared = f"{md5('processed')}.dir"
    return {
        "prepare": record("prepare", {"data/raw.csv": md5("raw"), "lib/prepare.py": md5("p1")}, {"data/out": prepared}),
        "train": record(
            "train", {"data/out/x.npy": md5("x"), "lib/train.py": md5(code)}, {"out/model": model}, training={"lr": lr}
        ),
        "judge": record("judge", {"out/model": model}, {"out/metrics.json": md5(f"metrics {model}")}),
    }


@pytest.fixture(scope="module")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    lab = tmp_path_factory.mktemp("lineage")
    (lab / "dvc.yaml").write_text(DVC_YAML)
    (lab / "params.yaml").write_text("project: {name: test}\n")
    shell("git init --quiet --initial-branch main && dvc init --quiet", lab)
    commit = "git add --all && git commit --quiet --no-verify -m"
    for day, (name, told) in enumerate((("first", records("0.5")), ("second", records("0.25"))), 1):
        (lab / "dvc.lock").write_text(write_records(told))
        shell(f"{commit} '{name} try' && git tag {name}", lab, GIT_COMMITTER_DATE=f"2026-01-0{day} 12:00 +0000")
    shell("git switch --quiet -c other first", lab)
    (lab / "dvc.lock").write_text(write_records(records("0.25", "c2", "model 0.25")))  # other code, the same bytes
    shell(f"{commit} 'other code' && git switch --quiet main", lab)
    for name, message in (("cancer@v1.0.0", VERSION), ("cancer#champion#1", STEP)):
        subprocess.run(["git", "tag", "--annotate", name, "--message", message, "second"], cwd=lab, check=True)
    return lab


@pytest.fixture(autouse=True)
def lab(made_lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made_lab)


def stages(graph: Graph) -> set[tuple[str, str]]:
    """The results in a graph: their stages, and the first commits that have them."""
    found = {one: graph.nodes[one]["commits"][0].name for one in graph if isinstance(one, Made)}
    return {(one.stage, git("log", "-1", "--format=%s", commit)) for one, commit in found.items()}


def test_back_it_leads_to_the_raw_data_by_the_results_of_the_same_dvc_lock() -> None:
    graph = lineage_graph()
    found = made_of(graph, *find(graph, "out/metrics.json"))
    assert stages(found) == {("judge", "second try"), ("train", "second try"), ("prepare", "first try")}
    files = {(one.path, one.md5) for one in found if isinstance(one, File) and not one.is_code}
    assert ("data/raw.csv", md5("raw")) in files
    assert ("out/model", md5("model 0.25")) in files
    code = {(one.path, one.md5) for one in found if isinstance(one, File) and one.is_code}
    assert code == {("lib/prepare.py", md5("p1")), ("lib/train.py", md5("c1"))}


def test_forward_it_leads_to_all_that_was_made_of_it_up_to_promotions() -> None:
    graph = lineage_graph()
    found = used_by(graph, find(graph, "data/raw.csv").nodes)
    assert stages(found) == {
        ("prepare", "first try"),
        *(("train", name) for name in ("first try", "second try", "other code")),
        *(("judge", name) for name in ("first try", "second try")),
    }
    assert {one for one in found if isinstance(one, Registered | Promotion)} == {
        Registered("cancer@v1"),
        Promotion("cancer#champion#1"),
    }
    assert not any(isinstance(one, Registered) for one in used_by(graph, find(graph, md5("model 0.5")).nodes))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("out/model", {("out/model", "model 0.25")}),
        ("./out/model/MLmodel", {("out/model", "model 0.25")}),
        (md5("model 0.5"), {("out/model", "model 0.5")}),
        (md5("model 0.5")[:20], {("out/model", "model 0.5")}),
    ],
)
def test_a_file_is_found_by_its_path_here_and_by_its_hash_anywhere(what: str, told: set[tuple[str, str]]) -> None:
    assert find(lineage_graph(), what).nodes == [File(path, md5(content)) for path, content in told]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("first", {("judge", "first try"), ("train", "first try"), ("prepare", "first try")}),
        ("other", {("judge", "second try"), ("train", "other code"), ("prepare", "first try")}),
    ],
)
def test_a_commit_is_its_results(what: str, told: set[tuple[str, str]]) -> None:
    graph = lineage_graph()
    assert stages(graph.subgraph(find(graph, what).nodes)) == told
    assert stages(graph.subgraph(find(graph, git("rev-parse", what)).nodes)) == told


@pytest.mark.parametrize("what", ["cancer@v1", "cancer@v1.0.0", "cancer@champion"])
def test_a_version_was_made_by_the_result_of_its_commit(what: str) -> None:
    graph = lineage_graph()
    found = find(graph, what)
    (version,) = found.nodes
    assert version == Registered("cancer@v1")
    assert stages(made_of(graph, *found)) == {("train", "second try"), ("prepare", "first try")}


def test_a_run_and_an_execution_of_mlflow_are_found_by_the_hashes_in_their_tags(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    for name, value in tracker.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "lineage")
    client = mlflow_client()
    execution = {"lab.execution": "20260101-120000-7"}
    experiment = client.create_experiment("lineage")
    run = client.create_run(experiment, tags={"lab.out.out/model": md5("model 0.5"), **execution}).info.run_id
    client.create_run(experiment, tags={"lab.out.data/out": f"{md5('processed')}.dir", **execution})
    unbound = client.create_run(experiment).info.run_id
    graph = lineage_graph()
    assert stages(graph.subgraph(find(graph, run).nodes)) == {("train", "first try")}
    both = {("train", "first try"), ("prepare", "first try")}
    assert stages(graph.subgraph(find(graph, execution["lab.execution"]).nodes)) == both
    for what, words in ((unbound, "`python -m lab publish` binds"), ("20260101-120000-8", "MLflow has no execution")):
        with pytest.raises(InputError, match=words):
            find(graph, what)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9 does not answer"):
        find(graph, run)
    assert find(graph, "out/model")  # which asks nobody


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("out/nothing", "'out/nothing' is no file or hash"),
        ("--all", "'--all' is no file or hash"),
        ("../dvc.lock", "is no file or hash"),
        (md5("m")[:2], "is no file or hash"),
        (md5("model 0.")[:12], r"begins 2 hashes .*; give more of it"),
        ("cancer@v7", "has no 'v7'; its versions: v1"),
    ],
)
def test_what_is_not_known_is_told_with_the_remedy(what: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find(lineage_graph(), what)


def test_a_result_that_is_not_committed_yet_has_a_lineage(tmp_path: Path, made_lab: Path) -> None:
    lock = Path("dvc.lock")
    before = lock.read_bytes()
    try:
        lock.write_text(write_records(records("0.1")))
        graph = lineage_graph()
        found = made_of(graph, *find(graph, "out/metrics.json"))
        assert {one.stage for one in found if isinstance(one, Made) and not graph.nodes[one]["commits"]} == {
            "judge",
            "train",
        }
        assert any(one.path == "data/raw.csv" for one in found if isinstance(one, File))
    finally:
        lock.write_bytes(before)


def test_the_tree_tells_each_thing_once_with_what_was_changed() -> None:
    graph = lineage_graph()
    console = Console(width=200)
    with console.capture() as captured:
        console.print(tree_of(graph, find(graph, "out/model")))
    lines = [line.strip("│├└─ ") for line in captured.get().splitlines()]
    metrics = md5(f"metrics {md5('model 0.25')}")
    second, first = (git("rev-parse", "--short=7", name) for name in ("second", "first"))
    assert lines == [
        f"out/model {md5('model 0.25')[:7]}",
        "the same bytes came of 1 other result",
        "made of",
        f"train {second} second try [lr=0.25]",
        f"data/out/x.npy {md5('x')[:7]}",
        f"prepare {first} first try",
        f"data/raw.csv {md5('raw')[:7]} raw data",
        "code: lib/prepare.py",
        "code: lib/train.py",
        "used by",
        f"judge {second} second try",
        f"out/metrics.json {metrics[:7]}",
        "cancer@v1 it is good; goals: 1 of 1 met",
        "cancer#champion#1 it is better; goals: 1 of 1 met",
    ]


def test_json_tables_and_pictures_hold_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_lineage("cancer@v1", True, True, True, tmp_path / "lineage.svg")
    told = json.loads(capsys.readouterr().out)
    nodes, edges = lineage("cancer@v1")
    assert [*nodes["kind"]] == [node["kind"] for node in told["nodes"]]
    assert edges.to_dict("records") == told["edges"]
    assert {node["kind"] for node in told["nodes"]} == {"file", "result", "version", "promotion"}
    (train,) = (node for node in told["nodes"] if node.get("stage") == "train")
    assert (train["params"], train["changed"]) == ({"training": {"lr": "0.25"}}, ["lr=0.25"])
    assert train["commits"] == [git("rev-parse", "second")]
    drawn = ElementTree.parse(tmp_path / "lineage.svg").getroot()
    boxes = [one for one in drawn.iter() if one.tag.endswith("}rect")]
    assert len(boxes) == sum(node.get("origin") != "code" for node in told["nodes"])
    assert len(mermaid(without_code(lineage_graph())).splitlines()) > len(boxes)


def test_hostile_names_stay_text_in_pictures() -> None:
    graph = Graph()
    graph.add_edge(File('<script>alert("x")</script>', "0" * 32), File("a]b;click", "1" * 32))
    graph.add_edge(File("a]b;click", "1" * 32), File('<script>alert("x")</script>', "0" * 32))  # a circle, too
    assert "<script>" not in svg(graph)
    ElementTree.fromstring(svg(graph))
    names = [line.split('"')[1].replace("<br>", "") for line in mermaid(graph).splitlines()[1:3]]
    assert not set('<>"](') & {*"".join(names)}


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lineage\.png ends with none of \.svg, \.mmd, \.md"):
        show_lineage("out/model", True, True, False, tmp_path / "lineage.png")


def test_a_clone_with_a_part_of_the_history_is_told(
    tmp_path: Path, made_lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(f"git clone --quiet --depth 1 file://{made_lab} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    show_lineage("out/model", True, True, False, None)
    assert "only a part of the history; `git fetch --unshallow`" in capsys.readouterr().err
