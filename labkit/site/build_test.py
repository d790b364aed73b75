"""Only what is new is made, nothing is pulled, nobody's folder is touched, and a message is not believed."""

import shutil
from pathlib import Path

import pytest

from labkit.compare.sides import find_side
from labkit.git_cli import git
from labkit.lineage.show import around, as_json, lineage_of
from labkit.process.errors import InputError
from labkit.proof.receipt import write_statement
from labkit.proof.receipt_test import DIFFERENT, SAME, statement
from labkit.report.page import recorded_outs
from labkit.site.build import BuiltPage, build_site
from labkit.site.conftest import DVC_YAML, write_results
from labkit.site.page import Row
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration


def built(capsys: pytest.CaptureFixture[str]) -> str:
    """Build the site again; how many pages were made."""
    build_site(Path("site"))
    return capsys.readouterr().out.partition("; ")[2].partition(" pages")[0]


def page(revision: str) -> str:
    return Path("site/experiments", f"{git('rev-parse', f'{revision}^{{commit}}')}.html").read_text(encoding="utf-8")


def row(revision: str) -> Row:
    file = Path("site/experiments", f"{git('rev-parse', f'{revision}^{{commit}}')}.json")
    return BuiltPage.model_validate_json(file.read_bytes()).row


def everything(folder: str) -> dict[str, tuple[int, bytes]]:
    files = [
        file for file in Path(folder).rglob("*") if file.is_file() and file.parent.name in ("experiments", "images")
    ]
    return {str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


def test_a_row_has_the_model_its_metric_the_change_and_how_sure_that_is(lab: Path) -> None:
    assert row("first") == Row(
        model="forest", metric="accuracy", value=50 / 60, goals="1 of 1 met", judged=True, all_met=True, has_data=True
    )
    told = row("worse")
    assert told.change == pytest.approx(-20 / 60)
    assert told.low is not None
    assert told.high is not None
    assert told.low < -20 / 60 < told.high < 0
    assert (told.verdict, told.missed, told.goals) == ("worse", True, "0 of 1 met")
    assert row("hostile").verdict == "noise"
    assert row("lied").value == pytest.approx(40 / 60)  # not what its message says


def test_on_other_data_a_metric_is_another_and_has_not_changed(
    lab: Path, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    for rows, change in ((500, None), (500, pytest.approx(0.05))):
        write_results(0.02, 40 + (change is not None) * 3, rows=rows)
        shell("git add --all && git commit --quiet -m another", lab)
        built(capsys)
        assert row("HEAD").value is not None
        assert row("HEAD").change == change


def test_only_what_is_new_is_made(lab: Path, capsys: pytest.CaptureFixture[str], shell: Shell) -> None:
    before = everything("site")
    assert built(capsys) == "0"
    assert everything("site") == before
    write_results(0.02, 55)
    shell("git add --all && git commit --quiet -m another", lab)
    assert built(capsys) == "1"
    assert {name: content for name, content in everything("site").items() if name in before} == before
    assert ">another</a>" in Path("site/index.html").read_text(encoding="utf-8")
    newest = git("rev-parse", "HEAD")
    assert f"experiments/{newest}.html#data" in Path("site/data.html").read_text(encoding="utf-8")
    shell("git reset --quiet --hard HEAD~1", lab)
    assert built(capsys) == "0"
    assert everything("site") == before


def test_a_page_whose_making_was_cut_short_is_made_again(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = git("rev-parse", "worse")
    Path("site/experiments", f"{commit}.json").write_text("{", encoding="utf-8")
    Path("site/experiments", f".{commit}.4711.html").write_text("half", encoding="utf-8")
    assert built(capsys) == "1"
    assert row("worse").verdict == "worse"
    assert not [*Path("site/experiments").glob(".*")]


def test_a_receipt_renews_its_page_and_is_held_against_the_repository(
    lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commit = git("rev-parse", "worse")
    receipt = write_statement(statement(DIFFERENT, SAME)).replace("c" * 40, commit)
    Path(".lab/receipts").mkdir(parents=True)
    Path(".lab/receipts", f"{commit[:12]}.json").write_text(receipt, encoding="utf-8")
    assert built(capsys) == "1"
    assert ">differs from judge on</strong>" in page("worse")
    assert "Contradicted here: the tree of commit" in page("worse")
    assert "could not be checked" not in page("worse")  # its model is not in the cache, which contradicts nothing
    Path(".lab/receipts", f"{commit[:12]}.json").write_text("{}", encoding="utf-8")
    assert built(capsys) == "1"
    assert "There is no receipt" in page("worse")


def test_nothing_is_pulled_and_what_comes_later_is_shown_then(
    lab: Path, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    write_results(0.02, 20, "unheard")
    Path("lab/results/out/models.csv").unlink()
    Path("lab/results/out/metrics.json").unlink()
    shell("dvc remote add -q -d share $(realpath ..)/share && git add --all && git commit -q -m another", lab)
    shell("cp -r .dvc/cache ../share && rm -r .dvc/cache", lab)
    assert built(capsys) == "1"  # what the others show, they still show
    assert row("HEAD") == Row(goals="not judged", has_data=True)
    lacking = next(line for line in page("HEAD").splitlines() if "Not here: " in line)
    for file in ("out/dots.png", "out/metrics.json", "out/models.csv", "out/predictions.csv"):
        assert file in lacking
    assert "unheard" not in page("HEAD")  # DVC would read them at the remote
    assert "0.333" not in page("HEAD")
    assert built(capsys) == "0"
    md5 = recorded_outs("lied")["out/predictions.csv"]
    before = Path("files/md5", md5[:2], md5[2:])
    shell(f"cp -r ../share/. .dvc/cache && rm .dvc/cache/{before}", lab)
    assert built(capsys) == "1"
    assert (row("HEAD").value, row("HEAD").change, row("HEAD").low) == (20 / 60, -20 / 60, None)
    assert "Not here: " not in page("HEAD")
    assert "Not here of the one before: out/predictions.csv." in page("HEAD")
    shell(f"cp ../share/{before} .dvc/cache/{before}", lab)
    assert built(capsys) == "1"
    assert row("HEAD").verdict == "worse"
    assert "Not here" not in page("HEAD")


def test_a_copy_in_git_that_is_not_what_dvc_lock_records_is_not_shown(lab: Path, shell: Shell) -> None:
    metrics = Path("lab/results/out/metrics.json")
    write_results(0.01, 45)
    metrics.write_text(metrics.read_text(encoding="utf-8").replace("0.75", "0.99"), encoding="utf-8")
    shell("git add --all && git commit --quiet -m forged && rm -r .dvc/cache", lab)
    build_site(Path("site"))
    assert row("HEAD") == Row(goals="not judged", has_data=True)
    assert "0.99" not in page("HEAD")


@pytest.mark.parametrize(
    ("name", "text", "told", "new"),
    [
        ("dvc.yaml", "stages: [", "dvc.yaml", "2"),  # the other is that of the champion, whose name is in dvc.yaml
        ("dvc.yaml", DVC_YAML.replace("cmd: make data", "cmd: make other"), "the record of data is not of this", "1"),
        ("goals/goals.yaml", "nonsense", "its goals can", "1"),
    ],
)
def test_what_can_not_be_read_of_a_commit_is_told_on_its_page_alone(
    lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str], name: str, text: str, told: str, new: str
) -> None:
    write_results(0.02, 55)
    Path(name).write_text(text, encoding="utf-8")
    shell("git add --all && git commit --quiet -m broken", lab)
    assert built(capsys) == new
    assert told in page("HEAD")
    assert row("worse").value == 0.5


def test_somebody_elses_folder_is_left_alone(lab: Path) -> None:
    Path("theirs").mkdir()
    Path("theirs/thesis.txt").write_text("all of it", encoding="utf-8")
    for folder in ("theirs", "theirs/thesis.txt"):
        with pytest.raises(InputError, match="is not empty, and not a site of this lab; name another folder"):
            build_site(Path(folder))
    assert [file.name for file in Path("theirs").iterdir()] == ["thesis.txt"]


def test_without_results_and_without_a_commit_there_is_a_page_that_says_so(lab: Path, shell: Shell) -> None:
    shell("git checkout --quiet empty && git branch --list --format='%(refname:short)' > ../names", lab)
    for name in Path("../names").read_text(encoding="utf-8").splitlines():
        if not name.startswith("("):
            git("branch", "--quiet", "-D", name)
    shutil.rmtree("site")
    build_site(Path("site"))
    assert "No commit has results in dvc.lock yet" in Path("site/index.html").read_text(encoding="utf-8")
    assert "There is no report of the data here" in Path("site/data.html").read_text(encoding="utf-8")


def test_no_page_or_lineage_tells_a_password_of_a_commit_or_a_parameter(lab: Path) -> None:
    git("checkout", "--quiet", "--orphan", "alone")  # the first results of a history tell all parameters
    write_results(0.07, 41)
    address = "https://me:{}@host/table".format("S3CRET")
    lock = Path("dvc.lock").read_text(encoding="utf-8")
    Path("dvc.lock").write_text(lock.replace("lr: 0.07", f"lr: {address}"), encoding="utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", f"Read {address}\n\nIt is at {address}")
    build_site(Path("site"))
    pages = "".join(page.read_text(encoding="utf-8") for page in Path("site").rglob("*.html"))
    assert "Read https://host/table" in pages
    assert "<td>https://host/table</td>" in pages
    told = as_json(around(*lineage_of("HEAD")))
    assert "Read https://host/table" in told
    assert '"lr": "https://host/table"' in told
    assert find_side("HEAD").subject == "Read https://host/table"
    assert "S3CRET" not in pages + told
