"""What made what, in a real repository whose dvc.locks are written by hand: two branches, a version, a promotion."""

import hashlib
import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from labkit.cli import app
from labkit.git_cli import git
from labkit.lineage.around import made_of, used_by
from labkit.lineage.frames import lineage
from labkit.lineage.graph import add_result, lineage_graph
from labkit.lineage.named import Found, find
from labkit.lineage.nodes import Added, File, Graph, Judged, Made, Promotion, Registered
from labkit.lineage.picture import mermaid, svg, without_code
from labkit.lineage.show import lineage_of, show_lineage
from labkit.lineage.tree import DEEPEST, lineage_tree
from labkit.lineage.words import facts, title
from labkit.pipeline.records import Records, write_records
from labkit.process.errors import InputError
from labkit.publish.message import commit_message
from labkit.publish.occurrences import Commit, blocks, key_of
from labkit.report.outcomes import StageReport
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
GOALS = (("good", "accuracy", 0.8), ("better", "accuracy", 0.95), ("other", "f1", 0.5))
UNKNOWN = "goals/goals.yaml: out/metrics.json has no metric 'f1'; it has: accuracy"
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


def write_block(deps: dict[str, str], outs: dict[str, str]) -> str:
    """The text of a record with these hashes by path, as `blocks` gives it."""
    return blocks(write_records({"train": record("train", deps, outs)}).encode())["train"]


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
        shell(f'git tag --annotate "{name}" --message "$MESSAGE" second', lab, MESSAGE=message)
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


def test_a_run_and_an_execution_of_mlflow_are_found_by_the_records_in_their_tags(
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
    first = records("0.5")
    keys = {stage: {"lab.record": key_of(first[stage])} for stage in first}
    run = client.create_run(experiment, tags={"lab.out.out/model": md5("model 0.5"), **keys["train"], **execution})
    run = run.info.run_id
    fold = client.create_run(experiment, tags={"mlflow.parentRunId": run}).info.run_id
    client.create_run(experiment, tags={"lab.out.data/out": f"{md5('processed')}.dir", **keys["prepare"], **execution})
    unbound = client.create_run(experiment, tags={"lab.out.out/model": md5("model 0.5")}).info.run_id
    graph = lineage_graph()
    assert stages(graph.subgraph(find(graph, run).nodes)) == {("train", "first try")}
    assert stages(graph.subgraph(find(graph, fold).nodes)) == {("train", "first try")}
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
        ("out/nothing", "'out/nothing' is not a file or hash"),
        ("--all", "'--all' is not a file or hash"),
        ("../dvc.lock", "is not a file or hash"),
        (md5("m")[:2], "is not a file or hash"),
        (md5("model 0.")[:12], r"begins 2 hashes .*; give more of it"),
        ("cancer@v7", "has no 'v7'; its versions: v1"),
    ],
)
def test_what_is_not_known_is_told_with_the_remedy(what: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find(lineage_graph(), what)


@pytest.fixture
def lock() -> Iterator[Path]:
    """The dvc.lock here, for a test to change."""
    lock = Path("dvc.lock")
    before = lock.read_bytes()
    yield lock
    lock.write_bytes(before)


def test_a_result_that_is_not_committed_yet_has_a_lineage(lock: Path) -> None:
    lock.write_text(write_records(records("0.1")))
    graph = lineage_graph()
    found = made_of(graph, *find(graph, "out/metrics.json"))
    assert {one.stage for one in found if isinstance(one, Made) and not graph.nodes[one]["commits"]} == {
        "judge",
        "train",
    }
    assert any(one.path == "data/raw.csv" for one in found if isinstance(one, File))


def test_a_folder_leads_to_all_that_wrote_into_it_and_a_stale_record_to_what_it_has_read(lock: Path) -> None:
    told = records("0.1")
    told["report"] = record("report", {"out": md5("out")}, {"report": md5("report")})
    told["train"] = records("0.05")["train"]  # not what `judge` has read
    lock.write_text(write_records(told | {"judge": records("0.5")["judge"]}))
    graph = lineage_graph()
    report = made_of(graph, *find(graph, "report"))
    assert {one.stage for one in report if isinstance(one, Made)} == {"report", "train", "judge", "prepare"}
    assert {file.path for file in find(graph, "out").nodes if isinstance(file, File)} == {"out"}
    assert {file.path for file in find(graph, "data").nodes if isinstance(file, File)} == {"data/out"}
    stale = made_of(graph, find(graph, "out/metrics.json").nodes)
    assert stages(stale) == {("judge", "first try"), ("train", "first try"), ("prepare", "first try")}


def test_a_result_that_was_edited_is_told_and_one_of_another_commit_is_that(lock: Path) -> None:
    content = b"a model"
    Path("out").mkdir()
    try:
        Path("out/model").write_bytes(content)
        with pytest.raises(InputError, match=r"out/model here is not what dvc.lock recorded.*`dvc checkout out/model`"):
            find(lineage_graph(), "out/model")
        other = File("out/model", hashlib.md5(content).hexdigest())
        told = write_records(records("0.7")).replace(md5("model 0.7"), other.md5)
        graph = lineage_graph()
        add_result(graph, Made("train", blocks(told.encode())["train"]), "", [])
        assert find(graph, "out/model").nodes == [other]
    finally:
        shutil.rmtree("out")


def test_a_hash_that_begins_as_a_commit_does_is_ambiguous(lock: Path) -> None:
    head = git("rev-parse", "HEAD")
    lock.write_text(write_records(records("0.7")).replace(md5("model 0.7"), f"{head[:8]}{'0' * 24}"))
    graph = lineage_graph()
    with pytest.raises(InputError, match=f"{head[:8]} begins the hash .* and the commit {head}; give more of it"):
        find(graph, head[:8])
    assert find(graph, head[:9]).nodes == find(graph, "HEAD").nodes
    assert find(graph, f"{head[:8]}00").nodes == [File("out/model", f"{head[:8]}{'0' * 24}")]


@pytest.fixture
def clone(tmp_path: Path, made_lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Commit dvc.lock, and what else is here, in a clone in which this process then stands."""
    shell(f"git clone --quiet {made_lab} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")

    def commit(message: str) -> None:
        git("add", "--all")
        git("commit", "--quiet", "--no-verify", "--message", message)

    return commit


def test_forward_it_leads_to_the_goals_of_the_commit_as_its_copies_of_results_tell(
    clone: Callable[[str], None],
) -> None:
    metrics = '{"accuracy": 0.9}'
    told = write_records(records("0.7")).replace(
        md5(f"metrics {md5('model 0.7')}"), hashlib.md5(metrics.encode()).hexdigest()
    )
    goals = "\n".join(f"- {{goal: {g}, file: out/metrics.json, metric: {m}, at_least: {n}}}" for g, m, n in GOALS)
    goals += "\n- {goal: best, file: out/metrics.json, metric: accuracy, at_least: 1, ambition: true}"
    for name, text in (("dvc.lock", told), ("goals/goals.yaml", goals), ("lab/results/out/metrics.json", metrics)):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    clone("judged")
    for what in ("out/metrics.json", "out/model", "HEAD"):
        graph, found = lineage_of(what)
        named = {one: title(graph, one) for one in used_by(graph, found.nodes) if isinstance(one, Judged)}
        assert {*named.values()} == {
            ("goal: good", "accuracy ≥ 0.8: 0.9: met"),
            ("goal: better", "accuracy ≥ 0.95: 0.9: missed"),
            ("goal: best", "accuracy ≥ 1.0: 0.9: ambition"),
            ("goal: other", f"f1 ≥ 0.5: {UNKNOWN}"),
        }
    Path("lab/results/out/metrics.json").write_text('{"accuracy": 1.0}')  # not what dvc.lock records
    clone("claimed")
    assert {facts(graph, one)["met"] for one in lineage_of("HEAD")[0] if isinstance(one, Judged)} == {True, False, None}


def test_raw_data_lead_to_what_added_them(clone: Callable[[str], None]) -> None:
    table = b"a table"
    told = records("0.5")
    told["prepare"]["deps"][0] |= {"path": "data/raw", "md5": f"{md5('raw')}.dir"}
    kept = {"outs": [{"md5": hashlib.md5(table).hexdigest(), "path": "table.csv"}]}
    imported = kept | {"deps": [{"path": "s3://ada:secret@bucket/table.csv", "etag": "e"}]}  # pragma: allowlist secret
    Path("data/raw").mkdir(parents=True)
    Path("data/raw/table.csv.dvc").write_text(json.dumps(imported))
    Path("data/raw/notes.csv.dvc").write_text("{no: [yaml")
    Path("data/other.csv.dvc").write_text(json.dumps(kept))
    clone("import the table")
    Path("dvc.lock").write_text(write_records(told))
    clone("run on it")
    graph = lineage_graph()
    (added,) = (one for one in made_of(graph, *find(graph, "out/metrics.json")) if isinstance(one, Added))
    name, more = title(graph, added)
    assert name == "data/raw/table.csv.dvc"
    assert more.startswith(git("rev-parse", "--short=7", "HEAD~1"))
    assert "import the table from s3://" in more
    assert "secret" not in more
    Path("data/raw/table.csv").write_bytes(table)
    found = find(graph, "data/raw/table.csv")
    assert found.nodes == [File("data/raw/table.csv", hashlib.md5(table).hexdigest())]
    assert {"prepare", "train", "judge"} == {one.stage for one in used_by(graph, found.nodes) if isinstance(one, Made)}
    Path("data/raw/table.csv").write_bytes(b"edited")
    with pytest.raises(InputError, match=r"data/raw/table\.csv here is not what"):
        find(graph, "data/raw/table.csv")
    Path("data/raw/table.csv.dvc").unlink()
    clone("without the table")
    graph = lineage_graph()
    assert added in made_of(graph, *find(graph, "HEAD~1"))  # as its own commit tells, and not the newest


def test_a_version_leads_on_to_what_was_made_of_its_import(clone: Callable[[str], None]) -> None:
    model = md5("model 0.25")
    repository = {"url": ".", "rev": "cancer@v1.0.0", "rev_lock": git("rev-parse", "second")}
    imported = {"outs": [{"md5": model, "path": "champion"}], "deps": [{"path": "out/model", "repo": repository}]}
    Path("data").mkdir()
    Path("data/champion.dvc").write_text(json.dumps(imported))
    told = records("0.25") | {"score": record("score", {"data/champion": model}, {"out/scored": md5("scored")})}
    Path("dvc.lock").write_text(write_records(told))
    clone("score")
    graph = lineage_graph()
    back = made_of(graph, *find(graph, "out/scored"))
    assert {one.stage for one in back if isinstance(one, Made)} == {"score", "train", "prepare"}
    (added,) = (one for one in back if isinstance(one, Added))
    assert title(graph, added)[1].endswith("score from out/model of . at cancer@v1.0.0")
    assert File("out/scored", md5("scored")) in used_by(graph, find(graph, "out/model").nodes)


def test_bytes_of_another_branch_came_of_what_was_recorded_beside_them(clone: Callable[[str], None]) -> None:
    git("switch", "--quiet", "--create", "third", "origin/other")
    told = records("0.25", "c2", "model 0.25")
    told["judge"]["outs"][0]["md5"] = md5("third")
    Path("dvc.lock").write_text(write_records(told))
    clone("third try")
    git("switch", "--quiet", "main")
    graph = lineage_graph()
    assert stages(made_of(graph, *find(graph, md5("third")))) == {
        ("judge", "third try"),
        ("train", "other code"),  # not that of the dvc.lock here, which wrote the same bytes
        ("prepare", "first try"),
    }


def test_the_tree_of_a_commit_begins_with_what_comes_last() -> None:
    graph = lineage_graph()
    whole = lineage_tree(graph, find(graph, "second"), forward=False)
    assert [str(top.label).startswith("[bold]judge[/]") for top in whole.children] == [True]


def test_of_many_results_the_tree_has_the_newest_and_those_of_a_version() -> None:
    graph, raw = Graph(), File("raw", "0" * 32)
    made = [Made("train", write_block({"raw": raw.md5}, {"model": md5(str(day))})) for day in range(6)]
    for day, one in enumerate(made):
        add_result(graph, one, "", [Commit(f"{day}" * 40, [], day * 86400, "", {}, f"try {day}")])
    (model,) = made[1].files("outs")
    graph.add_edge(model, Registered("cancer@v1"))
    graph.nodes[Registered("cancer@v1")]["tag"] = SimpleNamespace(commit="1" * 40, date="", trailers={})
    console = Console(width=200)
    with console.capture() as captured:
        console.print(lineage_tree(graph, Found([raw], frozenset()), back=False))
    told = captured.get()
    assert [day for day in range(6) if f"try {day}" in told] == [1, 3, 4, 5]
    assert told.index("try 5") < told.index("try 1") < told.index("and 2 older results")


def test_a_chain_of_very_many_stages_is_shown_as_far_as_a_person_would_read() -> None:
    graph = Graph()
    for number in range(1_500):
        read, written = ({f"data/{n}": md5(f"{n}")} for n in (number, number + 1))
        add_result(graph, Made(f"stage{number}", write_block(read, written)), "", [])
    console = Console(width=1_000)
    with console.capture() as captured:
        console.print(lineage_tree(graph, Found([File("data/1500", md5("1500"))], frozenset())))
    told = captured.get()
    assert told.count("stage") == DEEPEST / 2
    assert "and so on: `--json` has all" in told


def test_an_execution_of_a_runner_is_what_ran_in_it_as_its_commit_tells(clone: Callable[[str], None]) -> None:
    Path("dvc.lock").write_text(write_records(records("0.7")))
    ran, cached = StageReport("train", "ran", 1.0, ""), StageReport("judge", "from cache", None, "")
    message = commit_message("run-7", git("rev-parse", "HEAD"), "https://ci.example", "run-7.1", [ran, cached])
    clone(message)
    graph = lineage_graph()
    found = find(graph, "run-7.1")
    assert [one.stage for one in found.nodes if isinstance(one, Made)] == ["train"]
    assert facts(graph, found.nodes[0])["execution"] == "run-7.1"


def test_a_record_that_was_merged_by_lines_is_no_result(clone: Callable[[str], None]) -> None:
    git("switch", "--quiet", "--create", "three", "first")
    Path("dvc.lock").write_text(write_records(records("0.5", "c3")))
    clone("code of its own")
    git("merge", "--quiet", "--no-commit", "--strategy", "ours", "second")
    Path("dvc.lock").write_text(write_records(records("0.25", "c3")))
    clone("merged by lines")
    graph = lineage_graph()
    assert "merged by lines" not in {name for _, name in stages(graph)}
    assert stages(made_of(graph, *find(graph, "out/model"))) == {("train", "second try"), ("prepare", "first try")}


@pytest.mark.parametrize(
    ("now", "spoilt"),
    [("lr: '0.25'", "lr: 2001-99-99"), ("    params:\n      params.yaml:", "    params:\n      other.yaml:\n      p:")],
)
def test_a_record_that_can_not_be_read_hides_no_other(
    now: str,
    spoilt: str,
    tmp_path: Path,
    made_lab: Path,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell(f"git clone --quiet {made_lab} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    lock = Path("dvc.lock").read_text()
    assert now in lock
    Path("dvc.lock").write_text(lock.replace(now, spoilt))
    with pytest.raises(InputError, match=r"dvc\.lock can't be read; `git checkout dvc.lock`"):
        lineage_graph()
    shell("git commit --quiet --no-verify --all --message spoilt", tmp_path / "clone")
    Path("dvc.lock").write_text(lock)
    shell("git commit --quiet --no-verify --all --message mended", tmp_path / "clone")
    graph = lineage_graph()
    assert ("train", "second try") in stages(made_of(graph, *find(graph, "out/metrics.json")))


def test_the_tree_tells_each_thing_once_with_what_was_changed() -> None:
    graph = lineage_graph()
    console = Console(width=200)
    with console.capture() as captured:
        console.print(lineage_tree(graph, find(graph, "out/model")))
    lines = [line.strip("│├└─ ") for line in captured.get().splitlines()]
    metrics = md5(f"metrics {md5('model 0.25')}")
    second, first = (git("rev-parse", "--short=7", name) for name in ("second", "first"))
    assert lines == [
        f"out/model {md5('model 0.25')[:7]}",
        "the same bytes came of 1 other result",
        "made of",
        f"train {second} 2026-01-02 second try [lr=0.25]",
        f"data/out/x.npy {md5('x')[:7]}",
        f"prepare {first} 2026-01-01 first try",
        f"data/raw.csv {md5('raw')[:7]} raw data",
        f"code: lib/prepare.py {md5('p1')[:7]}",
        f"code: lib/train.py {md5('c1')[:7]}",
        "parameters: training.lr=0.25",
        "used by",
        "cancer@v1 it is good; goals: 1 of 1 met",
        "cancer#champion#1 it is better; goals: 1 of 1 met",
        f"judge {second} 2026-01-02 second try",
        f"also: out/metrics.json {metrics[:7]}",
    ]


@pytest.mark.parametrize(
    ("asked", "told"), [("", ["made of", "used by"]), ("--back", ["made of"]), ("--forward", ["used by"])]
)
def test_the_command_shows_both_ways_or_the_one_that_is_asked_for(asked: str, told: list[str]) -> None:
    lines = CliRunner().invoke(app, ["lineage", "out/model", *asked.split()]).stdout.splitlines()
    assert [line.strip("│├└─ ") for line in lines if line.endswith(("made of", "used by"))] == told


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


def test_a_line_past_other_columns_leads_below_their_boxes() -> None:
    graph = Graph()
    first, second, third = (File(name, "0" * 32) for name in "abc")
    graph.add_edges_from([(first, second), (second, third), (first, third)])
    drawn = ElementTree.fromstring(svg(graph))
    rects = [
        {key: float(one.attrib[key]) for key in ("y", "height")} for one in drawn.iter() if one.tag.endswith("}rect")
    ]
    lowest = max(rect["y"] + rect["height"] for rect in rects)
    (past,) = (one.attrib["d"] for one in drawn.iter() if " L" in one.attrib.get("d", ""))
    lane = float(past.split(" L")[1].split()[0].split(",")[1])
    assert lowest < lane < float(drawn.attrib["height"])


def test_a_picture_that_nobody_can_look_at_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.lineage.picture.MOST_BOXES", 3)
    with pytest.raises(InputError, match="the picture would have"):
        show_lineage("out/model", True, True, False, tmp_path / "lineage.svg")
    assert not (tmp_path / "lineage.svg").exists()


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lineage\.png ends with none of \.svg, \.mmd"):
        show_lineage("out/model", True, True, False, tmp_path / "lineage.png")


def test_a_clone_with_a_part_of_the_history_is_told(
    tmp_path: Path, made_lab: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(f"git clone --quiet --depth 1 file://{made_lab} clone", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    show_lineage("out/model", True, True, False, None)
    assert "shallow clone; `git fetch --unshallow`" in capsys.readouterr().err
