"""All that the adapter tells of DVC, compared with a project that DVC made: a DVC of another kind fails here first.

`dvc` itself is the oracle where it tells the same.
"""

import ast
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from labkit.dvc_adapter.folders import files_cached, files_here, files_in_commits, hash_of, not_pulled
from labkit.dvc_adapter.graph import bring_unchanged, kept_inputs, nodes_here, steps_here
from labkit.dvc_adapter.lock_text import parse_lock, written_lock
from labkit.dvc_adapter.repository import open_project
from labkit.dvc_adapter.results import declared_plots, drawn_plots, metrics_of
from labkit.dvc_adapter.revisions import copy_from, not_kept
from labkit.dvc_adapter.settings import all_settings, settings_file, settings_of, write_settings
from labkit.dvc_adapter.states import Stage, declared_here, ran_before, stages_here
from labkit.dvc_adapter.storage import (
    bring,
    cache_folder,
    cached_file,
    default_remote,
    error_code,
    pull,
    push,
    push_stage,
    raw_data,
    raw_data_hashes,
    raw_data_not_cached,
    raw_data_nowhere,
    remotes,
    use_remote,
)
from labkit.dvc_adapter.tables import check_out_absent, give_to_cache, recorded_tables, table_outputs
from labkit.git_cli import git
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.process.flat import flattened
from labkit.testing.damage import damaged_yaml, for_all, refusal
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

# The last stage comes first, and both folders hold a file that .dvcignore names.
DVC_YAML = """
stages:
  judge:
    cmd: wc -c < model > score.json && printf 'n,loss\\n1,0.5\\n' > curve.csv
    deps: [model/weights]
    metrics: [score.json: {cache: false}]
    plots: [curve.csv: {x: n, y: loss, title: The curve}]
  train:
    cmd:
      - mkdir -p model
      - cat raw/a code/load.py > model/weights
    deps: [raw, code]
    params: [lr, other.yaml: ]
    outs: [model]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A project whose pipeline has run, committed and pushed."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    for name, text in {
        "dvc.yaml": DVC_YAML.replace("wc -c < model", "wc -c < model/weights"),
        "params.yaml": "lr: 0.1",
        "other.yaml": "layers: {first: 64}",
        "code/load.py": "x = 1",
        "code/load_test.py": "",
        ".dvcignore": "*_test.py",
        "raw/a": "a",
        "raw/many/b": "b",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shell("git init --quiet && dvc init --quiet && dvc remote add --quiet -d share ../share", folder)
    shell("dvc add --quiet raw/a raw/many && dvc repro --quiet && dvc push --quiet", folder)
    shell("git add --all && git commit --quiet --no-verify -m results", folder)
    return folder


@pytest.fixture(autouse=True)
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to change, with its remote, and this process in it."""
    shutil.copytree(finished.parent / "share", tmp_path / "share")
    folder = Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))
    monkeypatch.chdir(folder)
    return folder


def recorded() -> dict[str, dict[str, str]]:
    """The hash of each path of dvc.lock, by stage."""
    stages = parse_lock(Path("dvc.lock").read_text())
    return {name: {one["path"]: one["md5"] for one in (*s["deps"], *s["outs"])} for name, s in stages.items()}


def states() -> dict[str, Stage]:
    with open_project() as project:
        return {stage.name: stage for stage in stages_here(project)}


def test_notes_of_dvc_that_are_no_database_are_one_line_with_the_remedy(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "notes"))
    with open_project() as opened:
        stages_here(opened)
    databases = [*(tmp_path / "notes").rglob("*.db")]
    assert databases
    for file in databases:
        file.write_text("half written")
    told = r"^DVC's notes: file is not a database; make room .* `dvc config core.site_cache_dir` names$"
    with pytest.raises(InputError, match=told), open_project() as opened:
        stages_here(opened)
    shutil.rmtree(tmp_path / "notes")
    with open_project() as opened:
        assert stages_here(opened)


def test_stages_come_in_order_with_what_is_recorded_of_them(project: Path) -> None:
    train, judge = states().values()
    assert (train.name, judge.name) == ("train", "judge")
    assert (train.upstream, judge.upstream) == ([], ["train"])
    assert train.command == "mkdir -p model\ncat raw/a code/load.py > model/weights"
    hashes = recorded()
    assert {file.path: file.recorded for file in (*train.inputs, *train.outs)} == hashes["train"]
    assert {file.path: file.recorded for file in (*judge.inputs, *judge.outs)} == hashes["judge"]
    assert [file.place for file in train.inputs] == [project / "raw", project / "code"]
    lr, whole_file = train.params
    assert lr == ("params.yaml", {"lr": 0.1}, {"lr": 0.1}, "")
    assert (whole_file.file, whole_file.state) == ("other.yaml", "")
    assert flattened(whole_file.recorded) == flattened(whole_file.here) == {"layers.first": 64}
    assert {out.path: (out.keeps_copy, out.is_cached, out.is_folder, out.was_folder) for out in judge.outs} == {
        "score.json": (False, False, False, False),
        "curve.csv": (True, True, False, False),
    }
    assert [(out.is_cached, out.is_folder, out.is_file, out.was_folder) for out in train.outs] == [
        (True, True, False, True)
    ]
    for stage in (train, judge):
        assert (stage.is_current, stage.ever_ran, stage.always_runs, stage.command_changed) == (
            True,
            True,
            False,
            False,
        )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("rm -r model", {"train": {"model": "deleted"}, "judge": {"model/weights": "deleted"}}),
        ("touch code/new.py", {"train": {"code": "modified"}}),
        ("echo 'lr: 0.2' > params.yaml", {"train": {"params.yaml": "modified"}}),
        ("echo 'layers: {first: 1}' > other.yaml", {"train": {"other.yaml": "modified"}}),
        (
            "rm dvc.lock",
            {"train": dict.fromkeys(("raw", "code", "params.yaml", "other.yaml", "model"), "modified")},
        ),
    ],
)
def test_what_is_not_as_recorded_has_a_state(change: str, told: dict[str, dict[str, str]], shell: Shell) -> None:
    before = states()
    shell(change, Path.cwd())
    after = states()
    for name, expected in told.items():
        stage = after[name]
        found = [(file.path, file.state) for file in (*stage.inputs, *stage.outs)]
        found += [(params.file, params.state) for params in stage.params]
        assert {path: state for path, state in found if state} == expected
        assert (before[name].is_current, stage.is_current) == (True, False)
    oracle = json.loads(shell("dvc status --json", Path.cwd()).stdout)
    assert {name for name, stage in after.items() if not stage.is_current} == oracle.keys()


def test_a_stage_without_its_copy_in_the_cache_is_not_current() -> None:
    shutil.rmtree(".dvc/cache")
    train, judge = states().values()
    assert not train.outs[0].is_cached
    assert not train.is_current
    assert not judge.is_current


def test_flags_of_a_stage(shell: Shell) -> None:
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("  train:", "  train:\n    always_changed: true"))
    assert states()["train"].always_runs
    Path("dvc.yaml").write_text(text.replace("  train:", "  train:\n    frozen: true"))
    assert (states()["train"].inputs, states()["train"].params) == ([], [])
    Path("dvc.yaml").write_text(text.replace("mkdir -p", "mkdir --parents"))
    assert states()["train"].command_changed
    Path("dvc.lock").unlink()
    assert not states()["train"].ever_ran


def test_a_state_that_ran_before_is_known(shell: Shell) -> None:
    with open_project() as project:
        assert ran_before(project, "train")
    Path("params.yaml").write_text("lr: 0.2")
    with open_project() as project:
        assert not ran_before(project, "train")
    shell("dvc repro --quiet", Path.cwd())
    Path("params.yaml").write_text("lr: 0.1")
    with open_project() as project:
        assert ran_before(project, "train")


def test_the_files_of_a_folder_have_the_hash_that_dvc_recorded() -> None:
    hashes = recorded()["train"]
    with open_project() as project:
        code, raw = files_here(project, Path("code").absolute()), files_here(project, Path("raw").absolute())
        assert code.keys() == {"load.py"}
        assert hash_of(code) == hashes["code"]
        assert hash_of(raw) == hashes["raw"]
        model = files_cached(project, hashes["model"])
        assert model == {"weights": hash_of({"": recorded()["judge"]["model/weights"]})}
        assert files_cached(project, "0" * 32 + ".dir") is None


def test_files_of_commits_are_read_without_a_checkout() -> None:
    first = git("rev-parse", "HEAD")
    Path("code/load.py").write_text("x = 2")
    git("-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "--quiet", "--no-verify", "--all", "-m", "more")
    second = git("rev-parse", "HEAD")
    with open_project() as project:
        folders = dict(files_in_commits(project, "code", [second, first]))
        alone = dict(files_in_commits(project, "code/load.py", [first]))
        here = files_here(project, Path("code").absolute())
    assert [*folders] == [second, first]
    assert hash_of(folders[first]) == recorded()["train"]["code"]
    assert folders[second] == here != folders[first]
    assert alone == {first: {"": folders[first]["load.py"]}}


def test_data_that_are_not_pulled_are_known_by_their_dvc_files() -> None:
    with open_project() as project:
        assert not_pulled(project, Path("raw").absolute()) == {}
    Path("raw/a").unlink()
    shutil.rmtree("raw/many")
    with open_project() as project:
        away = not_pulled(project, Path("raw").absolute())
        assert not_pulled(project, Path("raw/a").absolute()) == {"": away["a"]}
    assert away.keys() == {"a", "many"}
    assert (away["many"].endswith(".dir"), away["a"].endswith(".dir")) == (True, False)


def test_metrics_are_those_of_the_revision() -> None:
    Path("score.json").write_text("7")
    with open_project() as project:
        assert metrics_of(project, "workspace") == {"score.json": 7}
        assert metrics_of(project, "HEAD") == {"score.json": 6}


def test_plots_have_their_properties_and_rows() -> None:
    with open_project() as project:
        (plot,) = declared_plots(project)
    assert (plot.properties["title"], plot.properties["x"], plot.properties["y"]) == ("The curve", "n", "loss")
    assert [(row["filename"], row["n"], row["loss"]) for row in plot.rows] == [("curve.csv", "1", "0.5")]
    assert not plot.is_image
    Path("dvc.yaml").write_text(Path("dvc.yaml").read_text() + "plots: [code/image.png]\n")
    Path("code/image.png").write_bytes(b"image")
    with open_project() as project:
        assert {plot.properties["title"]: plot.is_image for plot in declared_plots(project)} == {
            "The curve": False,
            "code/image.png": True,
        }


def test_the_remote_is_used_with_dvcs_settings() -> None:
    with open_project() as project:
        assert default_remote(project) == "share"
        assert Path(remotes(project)["share"]["url"]).name == "share"
    (bucket := Path("../share")).rename("../elsewhere")
    with open_project() as project:
        use_remote(project)
    assert [*bucket.rglob("*")] == []


def test_a_remote_that_gives_back_other_bytes_is_told_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_project() as project:
        repo: Any = project
        monkeypatch.setattr(type(repo.cloud.get_remote().fs), "cat_file", lambda *_: b"other")
        before = {*Path("../share").rglob("*")}
        with pytest.raises(OSError, match="it gives back other bytes than it took"):
            use_remote(project)
    assert {*Path("../share").rglob("*")} == before


def test_raw_data_have_their_hashes_here_and_in_a_commit_and_the_cache_has_their_files(shell: Shell) -> None:
    committed = {"raw/a": recorded_in("raw/a.dvc"), "raw/many": recorded_in("raw/many.dvc")}
    Path("raw/a").unlink()
    Path("raw/a").write_text("other")
    shell("dvc add --quiet raw/a", Path())
    with open_project() as project:
        assert raw_data_hashes(project) == {**committed, "raw/a": recorded_in("raw/a.dvc")}
        assert recorded_in("raw/a.dvc") != committed["raw/a"]
        assert str(cache_folder(project)) == shell("dvc cache dir", Path()).stdout.strip()
    with open_project("HEAD") as project:
        assert raw_data_hashes(project) == committed
        found = cached_file(project, committed["raw/a"])
        assert found is not None
        assert found.read_text() == "a"
        assert cached_file(project, "0" * 32) is None
        out_of_it = f"{committed['raw/a'][:2]}{os.path.relpath('raw/a', found.parent)}"
        assert (found.parent / out_of_it[2:]).is_file()
        assert cached_file(project, out_of_it) is None


def test_what_is_declared_is_told_without_what_was_recorded() -> None:
    Path("dvc.lock").unlink()
    content = Path("dvc.yaml").read_text().replace("    outs: [model]", "    outs: [model]\n    meta: {tolerance: 0.1}")
    each = "  each: {foreach: [a, b], do: {cmd: echo, outs: ['out/${item}']}}\n"
    Path("dvc.yaml").write_text(content + each)
    with open_project() as project:
        assert declared_here(project) == {
            "judge": (["score.json", "curve.csv"], None, False),
            "train": (["model"], {"tolerance": 0.1}, False),
            "each@a": (["out/a"], None, False),
            "each@b": (["out/b"], None, False),
        }


def test_raw_data_are_sought_in_the_cache_and_the_remote(shell: Shell) -> None:
    with open_project() as project:
        assert raw_data(project) == ["raw/a", "raw/many"]
        assert raw_data_not_cached(project) == []
    shutil.rmtree(".dvc/cache")
    with open_project() as project:
        assert raw_data_not_cached(project) == ["raw/a", "raw/many"]
        assert raw_data_nowhere(project) == []
    gone = hash_of({"": recorded_in("raw/a.dvc")})
    next(Path("../share").rglob(gone[2:])).unlink()
    with open_project() as project:
        assert raw_data_nowhere(project) == ["raw/a"]


def recorded_in(file: str) -> str:
    return next(line for line in Path(file).read_text().splitlines() if "md5:" in line).split()[-1]


def test_what_is_pushed_is_counted_and_what_is_nowhere_is_named() -> None:
    assert push(["train"]) == (0, [])
    shutil.rmtree("../share")
    assert push(["train", "judge"])[0] > 0
    shutil.rmtree("../share")
    shutil.rmtree(".dvc/cache")
    assert push(["train"]) == (0, ["model"])


def test_settings_are_read_and_written_by_their_level() -> None:
    remote = {"url": "s3://bucket", "access_key_id": "key"}
    write_settings("local", settings_of("local") | {"remote": {"mine": remote}})
    assert settings_file("local").name == "config.local"
    assert settings_of("local")["remote"] == {"mine": remote}
    assert settings_of("repo")["remote"].keys() == {"share"}
    assert all_settings()["remote"].keys() == {"mine", "share"}
    with pytest.raises(InputError, match="extra keys"):
        write_settings("local", {"remote": {"mine": {"url": "s3://bucket", "nonsense": "1"}}})
    Path(".dvc/config").write_text("[core")
    with pytest.raises(InputError, match=r"git checkout \.dvc/config"):
        all_settings()


def test_steps_are_what_dvc_repro_looks_at_and_what_it_passes_over(shell: Shell) -> None:
    with open_project() as project:
        steps = steps_here(project)
    assert sorted(step.name for step in steps[:2]) == ["raw/a.dvc", "raw/many.dvc"]
    train, judge = steps[2:]
    assert (train.name, sorted(train.needs)) == ("train", ["raw/a.dvc", "raw/many.dvc"])
    assert (judge.name, judge.needs, judge.command.partition(" ")[0]) == ("judge", ["train"], "wc")
    assert [out.name for out in judge.outs] == ["score.json", "curve.csv"]
    assert all(step.is_fresh for step in steps)
    assert "up to date" in shell("dvc repro --dry", Path.cwd()).stdout
    Path("params.yaml").write_text("lr: 0.2")
    with open_project() as project:
        assert [step.is_fresh for step in steps_here(project)] == [True, True, False, False]
    assert "Running stage 'train'" in shell("dvc repro --dry", Path.cwd()).stdout


def test_nodes_are_the_stages_with_what_they_read_and_write() -> None:
    with open_project() as project:
        train, judge = nodes_here(project)
        assert kept_inputs(project, "train") == ["raw/a", "raw/many"]
        assert kept_inputs(project, "judge") == ["model/weights"]
    assert (train.name, train.needs, train.inputs, train.outputs) == ("train", [], ["raw", "code"], ["model"])
    assert (judge.needs, judge.inputs, judge.outputs) == (["train"], ["model/weights"], ["score.json", "curve.csv"])
    assert train.hindrances == []
    assert judge.hindrances == ["score.json: `cache: false` keeps it from the remote; remove that"]


def test_what_did_not_change_is_brought_from_the_remote() -> None:
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("model")
    Path("curve.csv").unlink()
    with open_project() as project:
        bring_unchanged(project)
    assert Path("model/weights").read_text() == "ax = 1"
    assert Path("curve.csv").exists()


def test_tables_are_read_from_the_cache_given_to_it_and_put_where_they_belong() -> None:
    with open_project() as project:
        assert table_outputs(project) == ["score.json", "curve.csv"]
        ((path, contents),) = recorded_tables(project)
        assert (path, contents) == ("curve.csv", {"": b"n,loss\n1,0.5\n"})
        shutil.rmtree(".dvc/cache")
        Path("curve.csv").unlink()
        md5 = recorded()["judge"]["curve.csv"]
        assert [*recorded_tables(project)] == []
        assert not give_to_cache(project, md5, {"": b"n,loss\n1,0.4\n"})
        assert give_to_cache(project, md5, contents)
        check_out_absent(project, ["curve.csv"])
    assert Path("curve.csv").read_bytes() == contents[""]


def test_outputs_come_from_the_remote_and_go_there_and_are_drawn() -> None:
    weights, curve = (recorded()[stage][path] for stage, path in (("judge", "model/weights"), ("judge", "curve.csv")))
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("model")
    with open_project() as project:
        bring(project, {curve})
        assert cached_file(project, curve) is not None
        assert cached_file(project, weights) is None
        pull(project, ["model"])
        assert Path("model/weights").exists()
        shutil.rmtree("../share")
        push_stage(project, "train")
        assert not_kept(project, "HEAD", "train") == []
        assert not_kept(project, "HEAD", "judge") == ["curve.csv"]
        Path("curve.csv").write_text("n,loss\n1,0.25\n")
        (plot,) = drawn_plots(project, {"HEAD": "then", "workspace": "now"})
    assert (plot.file, "0.25" in plot.specification, "0.5" in plot.specification) == ("curve.csv", True, True)


def test_an_error_of_s3_is_told_by_its_code() -> None:
    error = OSError()
    error.__cause__ = ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")
    assert (error_code(error), error_code(OSError())) == ("AccessDenied", "")


def test_everything_that_the_adapter_offers_is_named_here() -> None:
    here = Path(__file__)
    tests = "".join(test.read_text(encoding="utf-8") for test in here.parent.glob("*_test.py"))
    others = [file for top in ("labkit", "runtimes") for file in (ROOT / top).rglob("*.py")]
    used = "".join(file.read_text(encoding="utf-8") for file in others if file.parent != here.parent)
    offered = [
        node.name
        for module in here.parent.glob("*.py")
        if not module.name.endswith("_test.py")
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    asked = [name for name in offered if re.search(rf"\b{name}\(|\bimport .*\b{name}\b", used)]
    assert [name for name in asked if not re.search(rf"\b{name}\b", tests)] == []


def test_dvc_lock_is_written_as_dvc_writes_it() -> None:
    text = Path("dvc.lock").read_text()
    assert written_lock(parse_lock(text)) == text
    assert parse_lock("") == {}
    for broken in ("stages: [", "[1]", "stages: 3"):
        with pytest.raises(ValueError, match=r"no dvc\.lock"):
            parse_lock(broken)


@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("file", ["dvc.yaml", "dvc.lock", "params.yaml"])
def test_a_damaged_file_is_read_or_refused_in_dvcs_words(file: str, count: int) -> None:
    def read() -> None:
        with open_project() as project:
            stages_here(project)

    def check(content: bytes) -> None:
        Path(file).write_bytes(content)
        told.append(refusal(read, names=""))

    told: list[str] = []
    for_all(damaged_yaml(Path(file).read_text()), count, check, explore=count > 100)
    assert any(told)


def test_an_error_of_dvcs_is_one_line_in_its_words() -> None:
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text("lr: &a [*a]")
    with pytest.raises(InputError, match=r"^DVC: .*recursion"), open_project() as project:
        stages_here(project)
    Path("params.yaml").write_text(params)
    Path("dvc.yaml").write_text("stages: [")
    with pytest.raises(InputError, match=r"^DVC: .*dvc.yaml.*; `dvc status` tells more$"), open_project() as project:
        stages_here(project)
    os.chdir("/")
    with pytest.raises(InputError, match="DVC: "), open_project():
        pass


def test_a_commit_from_before_the_lab_was_connected_is_read_though_the_key_names_a_remote_that_it_lacks(
    project: Path, tmp_path: Path, shell: Shell
) -> None:
    shell("dvc remote add --quiet later s3://lab/dvc && git commit -qm connected .dvc/config", project)
    shell("dvc remote modify --local later access_key_id key", project)
    with open_project() as opened:
        copy_from(opened, "HEAD~1", "score.json", tmp_path / "score.json")
    with open_project("HEAD~1") as opened:
        assert remotes(opened)["later"]["url"] == "s3://lab/dvc"


def test_files_of_a_commit_are_those_of_then_from_the_remote_too_and_whole_or_not_at_all(
    project: Path, tmp_path: Path, shell: Shell
) -> None:
    shell(
        "echo b > raw/a && dvc repro --quiet && dvc commit --quiet --force raw/a.dvc && git rm -q --cached score.json",
        project,
    )
    shell("git commit -qam new", project)
    shutil.rmtree(project / ".dvc" / "cache")
    with open_project() as opened:
        assert not_kept(opened, "HEAD~1", "train") == []
        assert not_kept(opened, "HEAD", "train") == ["model"]
        assert not_kept(opened, "HEAD~1", "judge") == []
        assert not_kept(opened, "HEAD", "judge") == ["score.json"]  # curve.csv is as it was
        for path in ("model", "params.yaml", "score.json"):
            copy_from(opened, "HEAD~1", path, tmp_path / path)
        for path in ("model", "nowhere", "../share", "/model"):
            with pytest.raises(FileNotFoundError):
                copy_from(opened, "HEAD", path, tmp_path / "lost")
    assert (tmp_path / "model" / "weights").read_text() == "ax = 1"
    assert (tmp_path / "params.yaml").read_text() == "lr: 0.1"
    assert not (tmp_path / "lost").exists()


def test_a_file_of_a_folder_is_what_was_recorded_or_refused(project: Path, tmp_path: Path, shell: Shell) -> None:
    weights = project / "model" / "weights"
    with open_project() as opened:
        copy_from(opened, "HEAD", "model/weights", tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes() == weights.read_bytes()
    weights.unlink()  # the cache may have the same file
    weights.write_text("other")
    shell("git add --force model/weights && git commit --quiet --no-verify -m tracked", project)
    with (
        open_project() as opened,
        pytest.raises(InputError, match=r"^model/weights of \w+ has other bytes than dvc\.lock"),
    ):
        copy_from(opened, "HEAD", "model/weights", tmp_path / "other")
    assert not (tmp_path / "other").exists()
