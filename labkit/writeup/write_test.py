"""The report of a commit: the same bytes each time, its figures those of their sources, and hostile words text."""

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from labkit.figures.check import all_faults
from labkit.figures.notation import figures_in
from labkit.figures.values import paired_intervals
from labkit.git_cli import git
from labkit.process.errors import InputError
from labkit.site.conftest import HOSTILE, predict, write_results
from labkit.testing.fixtures import Shell
from labkit.writeup.pictures import slug
from labkit.writeup.write import write_report


def everything() -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in Path("lab/docs").rglob("*") if file.is_file()}


@pytest.mark.unittest
def test_a_name_is_made_of_the_first_words() -> None:
    assert slug("Does `it` learn: faster?") == "does-it-learn-faster"
    assert slug("../../etc") == "etc"
    assert slug(" ... ") == ""
    assert slug("twelve words " * 9) == "twelve-words-twelve-words-twelve-words-twelve"
    assert len(slug("x" * 99)) == 50


@pytest.mark.integration
def test_the_same_commit_gives_the_same_bytes_whatever_came_after(lab: Path, shell: Shell) -> None:
    place = write_report("run-1")
    assert place == Path("lab/docs/reports/2027-01-15_run-1.md")
    before = everything()
    pictures = [f"{place.with_suffix('')}/{name}.svg" for name in ("out-curve", "out-models")]
    assert sorted(before) == [str(place), *pictures]
    shutil.rmtree("lab/docs")
    write_results(0.01, 10)
    shell("git add --all && git commit --quiet -m later && git tag run-1-again run-1", lab)
    shell("git switch --quiet --detach hostile", lab)
    assert write_report(git("rev-parse", "run-1")) == place
    assert everything() == before
    assert write_report("run-1") == place


@pytest.mark.integration
def test_it_has_the_question_and_the_answers_each_with_its_source(lab: Path) -> None:
    text = write_report("run-1").read_text(encoding="utf-8")
    told = re.sub("<!--=.*?-->", "", text)
    for line in (
        "# Is 0.05 better?",
        "| `training.lr` | `0.2` | `0.05` |",
        "| rows read | 900 |",
        "| age | number | 0 | 1 | 4 | 9 |  |",
        "| city | category | 0 |  |  |  | `a`, `b`, `c`, 5 in all |",
        "| ★ `forest` on its test rows | 0.9667 [0.886, 0.991] | 60 |",
        "| it knows both | met | `test.accuracy` | 0.9667 | ≥ 0.7 |",
        "Only DVC keeps `out/dots.png`: ",
    ):
        assert line in told
    change = r"\| `accuracy` \| 0\.5000 \| 0\.9667 \| \+0\.4667 \[\+(0\.\d{4}), \+(0\.\d{4})\] \| better \|"
    assert (ends := re.search(change, told))
    assert float(ends[1]) < 0.4667 < float(ends[2])
    tables = [line for line in text.splitlines() if line.startswith("|")]
    bare = [re.sub(r"[^ |[]+<!--=.*?-->|`[^`]*`", "", line) for line in tables]
    assert [line for line in bare if re.search(r"\d", line)] == []
    assert len([*figures_in(text)]) == 23
    assert all_faults()[0] == []
    assert "Not to be relied on" not in told
    assert "Not here" not in told


@pytest.mark.integration
def test_another_target_is_not_compared_with_the_one_before(lab: Path) -> None:
    for lr, column in ((0.2, "target"), (0.3, "mine")):
        write_results(lr, 50)
        predict(column)
        git("commit", "--quiet", "--all", "--message", "My own table")
    text = write_report("HEAD").read_text(encoding="utf-8")
    assert "| `data.target` | `target`<!--=" in text
    assert "## Against the results before\n\nThe two predict different columns:" in text


@pytest.mark.integration
def test_a_figure_that_somebody_changed_is_told(lab: Path) -> None:
    place = write_report("run-1")
    text = place.read_text(encoding="utf-8")
    place.write_text(
        text.replace("0.9667<!--= out/metrics.json#test.accuracy", "0.9767<!--= out/metrics.json#test.accuracy", 1)
    )
    (fault,) = all_faults()[0]
    line = next(number for number, line in enumerate(text.splitlines(), 1) if "★" in line)
    assert (fault.file, fault.figure.line, fault.wanted) == (str(place), line, "0.9667")
    with pytest.raises(InputError, match="somebody wrote in it"):
        write_report("run-1")
    assert "0.9767" in place.read_text(encoding="utf-8")
    assert write_report("run-1", Path("elsewhere/other.md")).read_text(encoding="utf-8") == text.replace(
        f"({place.stem}/", "(other/"
    )


@pytest.mark.integration
def test_the_first_results_tell_all_parameters(lab: Path) -> None:
    text = re.sub("<!--=.*?-->", "", write_report("first").read_text(encoding="utf-8"))
    assert "| `training.epochs` | `3` |\n| `training.lr` | `0.1` |" in text
    assert "> It is the plainest model." in text
    assert "Against the results before" not in text


@pytest.mark.integration
def test_what_is_hostile_is_text(lab: Path) -> None:
    text = write_report("hostile").read_text(encoding="utf-8")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z]\w*)", html)}
    assert not tags & {"script", "b", "i"}
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in html
    assert all_faults()[0] == []


@pytest.mark.integration
def test_the_plots_are_pictures_by_themselves(lab: Path) -> None:
    place = write_report("hostile")
    pictures = [*place.with_suffix("").glob("*.svg")]
    assert len(pictures) == 2
    for picture in pictures:
        assert ElementTree.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert f"]({place.stem}/{picture.name})" in place.read_text(encoding="utf-8")


@pytest.mark.integration
def test_without_the_cache_it_says_what_is_missing_and_the_rest_stays(lab: Path) -> None:
    with_cache = write_report("run-1").read_text(encoding="utf-8")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("lab/docs")
    paired_intervals.cache_clear()
    text = write_report("run-1").read_text(encoding="utf-8")
    assert "- out/predictions.csv: neither in Git nor in DVC's cache" in text
    assert "how sure the differences are" in text
    lacking = text[text.index("## Not here") : text.index("## Reproduce")]
    rest = re.sub(r" \[\+[^]]*low\([^]]*\] \| better", " | ", with_cache)
    note = with_cache[
        with_cache.index("Brackets hold the 95% interval of the diff") : with_cache.index("`python -m lab compare")
    ]
    assert "Holm" in note
    assert text.replace(lacking, "") == rest.replace(note, "")
    Path("lab/docs/reports/2027-01-15_run-1.md").write_text(with_cache, encoding="utf-8")
    assert [fault.is_sure for fault in all_faults()[0]] == [False, False]


@pytest.mark.integration
def test_a_message_that_lies_is_not_believed(lab: Path) -> None:
    text = write_report("lied").read_text(encoding="utf-8")
    assert "## Not to be relied on\n\n- Its message claims what its results do not say" in text
    assert "0.9999" not in text


@pytest.mark.integration
def test_a_later_commit_means_the_results_that_it_has(lab: Path, shell: Shell) -> None:
    Path("notes.md").write_text("notes\n", encoding="utf-8")
    shell("git add notes.md && git commit --quiet -m notes", lab)
    assert write_report("HEAD").read_text(encoding="utf-8").startswith("# Results of run-2")


@pytest.mark.integration
def test_neither_title_nor_name_tells_a_password(lab: Path, shell: Shell) -> None:
    write_results(0.7, 20)
    address = "https://" + "me:hunter2@host"
    shell(f"git add --all && git commit --quiet -m 'Rows of {address}' -m 'With password=hunter2'", lab)
    place = write_report("HEAD")
    assert place.stem.endswith("_rows-of-https-host")
    assert "hunter2" not in place.read_text(encoding="utf-8")


@pytest.mark.integration
def test_where_there_is_no_report_it_says_why_and_writes_nothing(lab: Path, shell: Shell) -> None:
    for revision, words in (("nonsense", "'nonsense' is not a commit here"), ("empty", "has no results in dvc.lock")):
        with pytest.raises(InputError, match=words):
            write_report(revision)
    with pytest.raises(InputError, match="is not Markdown"):
        write_report("first", Path("report.html"))
    Path("folder.md").mkdir()
    with pytest.raises(InputError, match="is not Markdown"):
        write_report("first", Path("folder.md"))
    shell("git switch --quiet --detach hostile && git switch --quiet -c lost", lab)
    write_results(0.7, 20)
    shell("git add --all && git commit --quiet -m lost && git tag lost-one && git switch --quiet main", lab)
    shell("git branch --quiet -D lost", lab)
    with pytest.raises(InputError, match="is on no branch: `git branch NAME"):
        write_report("lost-one")
    assert not Path("lab/docs").exists()
