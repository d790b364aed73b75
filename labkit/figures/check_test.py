"""Figures are held to results that dvc.lock records, in commits and here; what is wrong is told, and mended."""

import json
import shutil
from hashlib import md5
from pathlib import Path

import pytest

from labkit.dvc_adapter.folders import hash_of
from labkit.figures.check import all_faults, bound_files, check_figures, update_figures
from labkit.git_cli import git
from labkit.pipeline.records import commit_of, write_records
from labkit.process.errors import InputError
from labkit.testing.fixtures import IDENTITY, Shell

pytestmark = pytest.mark.integration

METRICS, TABLE, FOLDER = "out/metrics.json", "out/models.csv", "out/all"
PAGE = """\
# A page\r
The f1 is 0.95<!--= out/metrics.json#test.f1 -->, of `forest`<!--= out/metrics.json#selected -->.
| 95.0 %<!--= out/models.csv#forest.f1 --> | **113**<!--= out/metrics.json#test.rows --> rows |
| 2<!--= out/metrics.json#folds --> | 3<!--= params.yaml#training.epochs --> | 0.5<!--= out/all/tree.json#f1 --> |
It was 0.90<!--= lab/results/out/metrics.json#test.f1 @first -->, and is now
better by +0.05<!--= out/metrics.json#test.f1 - out/metrics.json#test.f1 @first -->.
[0.901<!--= low(out/metrics.json#test.accuracy) -->, 0.981<!--= high(out/metrics.json#test.accuracy) -->]
No new line at the end: ü 1<!--= out/metrics.json#runs.one.n -->"""


def write_results(f1: float, selected: str = "forest") -> None:
    """What a run and `python -m lab tables` leave for Git."""
    told = {
        "selected": selected, "test": {"f1": f1, "accuracy": 0.9557, "rows": 113}, "folds": [f1, f1],
        "runs": [{"name": "one", "n": 1}], "nothing": None,
    }  # fmt: skip
    files = {
        METRICS: json.dumps(told),
        TABLE: f"model,f1\nforest,{f1}\ntwice,1\ntwice,2\n",
        f"{FOLDER}/tree.json": json.dumps({"f1": 0.5}),
    }
    for file, text in files.items():
        Path("lab/results", file).parent.mkdir(parents=True, exist_ok=True)
        Path("lab/results", file).write_text(text)
    hashes = {file: md5(text.encode(), usedforsecurity=False).hexdigest() for file, text in files.items()}
    folder = hash_of({"tree.json": hashes.pop(f"{FOLDER}/tree.json")})
    outs = [{"path": file, "md5": digest} for file, digest in sorted({**hashes, FOLDER: folder}.items())]
    outs.append({"path": "out/away.json", "md5": "0" * 32})
    Path("dvc.lock").write_text(write_records({"train": {"cmd": "train", "outs": outs}}))


def commit(tag: str) -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message", tag)
    git("tag", tag)


@pytest.fixture(scope="module")
def made_lab(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A lab with two commits of results, and a page of the second."""
    place = tmp_path_factory.mktemp("figures")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        shell("git init --quiet --initial-branch main && dvc init --quiet", place)
        Path("params.yaml").write_text("training: {epochs: 3}\n")
        write_results(0.9)
        commit("first")
        write_results(0.95)
        Path("page.md").write_bytes(PAGE.encode())
        commit("second")
    return place


@pytest.fixture(autouse=True)
def lab(made_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that, in which this process stands."""
    shutil.copytree(made_lab, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def faults() -> list[str]:
    return [str(fault) for fault in all_faults()[0]]


def fault(text: str) -> str:
    """The one fault of a page."""
    Path("page.md").write_text(text)
    (found,) = faults()
    return found


def test_a_true_page_is_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_figures([]) == 0
    assert capsys.readouterr().out == "12 figures: 0 are not what they claim\n"


def test_other_results_are_told_by_line_and_mended_to_a_byte(capsys: pytest.CaptureFixture[str]) -> None:
    write_results(0.98765, "tree")
    commit("third")
    Path("page.md").chmod(0o640)
    assert check_figures([]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "page.md:2: 0.95 is shown, out/metrics.json#test.f1 is 0.98765: 0.99"
    assert told[1] == "page.md:2: forest is shown, out/metrics.json#selected is tree: tree"
    assert told[2] == "page.md:3: 95.0 % is shown, out/models.csv#forest.f1 is 0.98765: 98.8 %"
    assert told[-2:] == [
        "`python -m lab report --update` writes what the sources say",
        "12 figures: 4 are not what they claim",
    ]
    assert Path("page.md").read_bytes() == PAGE.encode()
    assert update_figures([]) == 0
    mended = PAGE.replace("0.95<!", "0.99<!", 1).replace("`forest`", "`tree`").replace("95.0 %", "98.8 %")
    assert Path("page.md").read_bytes() == mended.replace("+0.05", "+0.09").encode()
    assert Path("page.md").stat().st_mode & 0o777 == 0o640
    assert check_figures([]) == 0
    assert git("status", "--porcelain") == " M page.md"


def test_of_a_commit_later_results_are_no_matter() -> None:
    told = "0.90<!--= out/metrics.json#test.f1 @first --> 3<!--= params.yaml#training.epochs @first -->\n"
    Path("page.md").write_text(told)
    Path("params.yaml").write_text("training: {epochs: 4}\n")
    write_results(0.5)
    assert faults() == []
    Path("page.md").write_text("0.91<!--= out/metrics.json#test.f1 @first -->\n")
    assert faults() == ["page.md:1: 0.91 is shown, out/metrics.json#test.f1 @first is 0.9: 0.90"]


def test_a_commit_that_no_other_clone_will_have_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """An amended commit is still here, and nowhere else."""
    git("commit", "--quiet", "--allow-empty", "--message", "a report is made of this")
    of = git("rev-parse", "--short=10", "HEAD")
    Path("page.md").write_text(f"0.95<!--= out/metrics.json#test.f1 @{of} -->\n")
    assert faults() == []
    git("commit", "--quiet", "--allow-empty", "--amend", "--message", "and amended")
    assert f"{of} is in no branch or tag" in faults()[0]
    Path("page.md").write_text(f"0.95<!--= out/metrics.json#test.f1 @{of} -->\n" * 3 + "9<!--= gone.json#a -->")
    capsys.readouterr()
    assert check_figures([]) == 1
    lost, other, *_ = capsys.readouterr().out.splitlines()
    assert lost.startswith("page.md:1: 0.95 has no source: ")
    assert lost.endswith(" (and 2 more figures of the file)")
    assert other.startswith("page.md:4: 9 has no source: gone.json")
    Path("page.md").write_text(f"0.95<!--= out/metrics.json#test.f1 @{of} -->\n")
    git("tag", "kept", of)
    assert faults() == []
    git("tag", "--delete", "kept")
    git("checkout", "--quiet", "--detach", of)
    assert faults() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1<!--= out/none.json#a -->", "out/none.json is neither in Git nor a result that dvc.lock records"),
        ("1<!--= out/none.json#a @first -->", "out/none.json of "),
        ("1<!--= out/metrics.json#test.f2 -->", "no 'f2' among f1, accuracy, rows"),
        ("1<!--= out/metrics.json#test.f1.low -->", "has no keys"),
        ("1<!--= out/metrics.json#folds.2 -->", "no '2' in a list of 2"),
        ("1<!--= out/metrics.json#test -->", "names no single value"),
        ("1<!--= out/models.csv#twice.f1 -->", "is not there"),
        ("1<!--= out/models.csv#twice -->", "names no single value"),
        ("1<!--= out/metrics.json#nothing -->", "it is 'None', which is no number"),
        ("1<!--= out/metrics.json#test.f1 @gone -->", "there is no commit gone here"),
        ("1<!--= out/metrics.json#test.f1 @HEAD~1 -->", "HEAD~1 is another commit after the next one; write "),
        ("1<!--= out/metrics.json#an f1 (b) -->", "%20 for a space, %28 for ( and"),
        ("1 kg<!--= out/metrics.json#test.f1 -->", "a unit behind it"),
        ("1<!--= out/metrics.json#test.f1 @--all -->", "there is no commit --all here"),
        ("1<!--= ../secret.json#a -->", "is not a path from the root of the lab"),
        ("1<!--= /etc/passwd#a -->", "is not a path from the root of the lab"),
        ("1<!--= dvc.yaml -->", "write it as FILE#KEY"),
        ("1<!--= page.md#a -->", "is not JSON, YAML or CSV"),
        ("1<!--= out/metrics.json#selected -->", "write a word in `code`"),
        ("word<!--= out/metrics.json#selected -->", "follows no figure"),
        ("0.5<!--= low(out/metrics.json#test.f1) -->", "has no interval: only"),
        ("0.5<!--= low(out/metrics.json#test.f1 - out/metrics.json#test.f1 @first) -->", "give both commits"),
        ("0.5<!--= out/metrics.json#selected - out/metrics.json#test.f1 -->", "is no number"),
    ],
)
def test_what_has_no_source_is_told_in_words_and_left(text: str, words: str) -> None:
    assert words in fault(f"{text}\n")
    assert update_figures([]) == 1
    assert Path("page.md").read_text() == f"{text}\n"


def test_a_word_may_be_nothing_or_a_list_and_a_number_in_code_is_one() -> None:
    keys = {"None": "nothing", "[0.95, 0.95]": "folds", "113": "test.rows", "0.950": "test.f1"}
    Path("page.md").write_text("".join(f"`{told}`<!--= {METRICS}#{key} -->\n" for told, key in keys.items()))
    assert faults() == []
    assert ": 113 is shown, out/metrics.json#nothing is None: None" in fault(f"`113`<!--= {METRICS}#nothing -->")


def test_a_copy_that_dvc_lock_does_not_record_is_not_believed() -> None:
    Path("lab/results", METRICS).write_text('{"test": {"f1": 1.0}}')
    assert "lab/results/out/metrics.json is not what dvc.lock records" in fault("1.0<!--= out/metrics.json#test.f1 -->")
    commit("forged")
    assert "is not what dvc.lock records" in fault("1.0<!--= out/metrics.json#test.f1 @forged -->")
    Path("lab/results", FOLDER, "tree.json").write_text('{"f1": 1.0}')
    assert "lab/results/out/all is not what dvc.lock records" in fault("1.0<!--= out/all/tree.json#f1 -->")


def test_a_file_in_lab_results_that_no_run_made_and_a_link_are_no_sources() -> None:
    for name in ("lab/results/mine.json", "outside.json"):
        Path(name).write_text('{"a": 1}')
    Path("link.json").symlink_to("outside.json")
    git("add", "lab/results", "link.json")
    assert "neither in Git nor a result" in fault("1<!--= lab/results/mine.json#a -->")
    assert "neither in Git nor a result" in fault("1<!--= link.json#a -->")


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("a.json", '{"b": 2, "b": 1}', "b"),
        ("a.csv", "name,b,b\nx,2,1\n", "x.b"),
        ("a.json", '[{"name": "x", "b": 1}, {"name": "x", "b": 2}]', "x.b"),
    ],
)
def test_what_is_said_twice_is_said_by_nobody(file: str, text: str, key: str) -> None:
    Path(file).write_text(text)
    git("add", file)
    assert "1 has no source" in fault(f"1<!--= {file}#{key} -->")


def test_a_commit_is_what_its_hash_says() -> None:
    first, second = git("rev-parse", "first"), git("rev-parse", "second")
    text = f"0.95<!--= {METRICS}#test.f1 @{first[:10]} -->"
    git("replace", first, second)
    assert "is 0.9: 0.90" in fault(text)
    git("tag", "--annotate", "--message", "x", "mine", first)
    assert commit_of(git("rev-parse", "mine")) == first
    git("branch", first[:10], second)
    assert "a branch or tag has this name" in fault(text)
    assert "^second" in fault(f"0.95<!--= {METRICS}#test.f1 @^second -->")


def test_what_is_elsewhere_is_no_fault(capsys: pytest.CaptureFixture[str], tmp_path: Path, shell: Shell) -> None:
    assert "is neither in lab/results nor in DVC's cache" in fault("1<!--= out/away.json#a -->")
    assert check_figures([]) == 0
    assert capsys.readouterr().out == "1 figures: 0 are not what they claim, 1 can't be checked here\n"
    first = git("rev-parse", "first")
    Path("page.md").write_text(f"1<!--= out/metrics.json#test.f1 @{first} -->\n")
    commit("third")
    shell(f"git clone --quiet --depth 1 file://{tmp_path} shallow", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "shallow")
        assert "`git fetch --unshallow`" in faults()[0]
        assert check_figures([]) == 0


def test_before_there_are_results_none_are_held_to_them() -> None:
    Path("dvc.lock").unlink()
    git("rm", "-r", "--quiet", "--cached", "lab/results", "dvc.lock")
    Path("page.md").write_text("1<!--= out/metrics.json#test.f1 --> 3<!--= params.yaml#training.epochs -->\n")
    assert "there are no results yet" in faults()[0]
    assert check_figures([]) == 0


def test_a_file_that_git_does_not_track_is_no_source() -> None:
    Path("mine.json").write_text('{"a": 1}')
    assert "neither in Git" in fault("1<!--= mine.json#a -->")


def test_new_pages_are_checked_too_and_ignored_ones_are_not() -> None:
    Path("new.md").write_text("1<!--= params.yaml#training.epochs -->")
    Path(".gitignore").write_text("ignored.md\n")
    Path("ignored.md").write_text("2<!--= params.yaml#training.epochs -->")
    assert sorted(map(str, bound_files())) == ["new.md", "page.md"]
    assert len(faults()) == 1


def test_no_name_and_no_byte_hides_a_page() -> None:
    Path(".gitignore").write_text("ignored.md\n")
    Path(".gitattributes").write_text("binary.md binary\n")
    names = ["UP.MD", "binary.md", "ignored.md", "long.markdown", "nul.md", "page.md"]
    for name in names:
        Path(name).write_text("2<!--= params.yaml#training.epochs -->\0")
    git("add", "--force", "--all")
    Path("link.md").symlink_to("page.md")
    assert sorted(map(str, bound_files())) == names
    assert len(faults()) == len(names)


def test_words_of_a_result_move_no_cursor_and_tell_no_password() -> None:
    Path("params.yaml").write_text('word: "a\\e[31m"\nurl: "https://me:{}@host/x"\n'.format("secret"))
    assert "\x1b" not in fault("`b`<!--= params.yaml#word -->")
    assert "secret" not in fault("`b`<!--= params.yaml#url -->")


def test_a_file_that_can_t_be_read_is_told() -> None:
    with pytest.raises(InputError, match=r"none\.md can't be read"):
        check_figures([Path("none.md")])
    Path("latin.md").write_bytes(b"\xfc")
    with pytest.raises(InputError, match=r"latin\.md is not UTF-8 at byte 1"):
        check_figures([Path("latin.md")])
