"""The page in a browser that reaches nothing, by light and in the dark."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray

from labkit.compare import page as page_module
from labkit.compare.gather import ANEW, Param, gather_differences
from labkit.compare.page import write_page
from labkit.compare.sides import find_side
from labkit.git_cli import git
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(name="page")
def written(lab: Path) -> Path:
    """The page of two commits."""
    write_page(gather_differences(find_side("one"), find_side("two")), lab / "page.html")
    return lab / "page.html"


def looked_at(page: Path, scheme: int) -> NDArray[np.uint8]:
    """What a browser without a network shows: rows, columns, and red, green and blue."""
    unreachable = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")
    shot = page.parent / f"{scheme}.png"
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *unreachable),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
        *(f"--user-data-dir={page.parent / 'profile'}", f"--blink-settings=preferredColorScheme={scheme}"),
        *("--window-size=1000,2400", f"--screenshot={shot}", page.as_uri()),
    ]
    subprocess.run(command, capture_output=True, timeout=120)
    seen: NDArray[np.uint8] = np.rint(imread(shot)[:, :, :3] * 255).astype(np.uint8)
    return seen


def colours(shown: NDArray[np.uint8]) -> set[tuple[int, ...]]:
    """The colours of what is seen, but for those of a few dots."""
    found, counts = np.unique(shown.reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(colour.tolist()) for colour in found[counts > 20]}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to look at the page with")
@pytest.mark.nightly
def test_a_browser_without_a_network_shows_it_by_light_and_in_the_dark(page: Path) -> None:
    light, dark = looked_at(page, 1), looked_at(page, 0)
    assert light[0, [0, -1]].tolist() == [[255, 255, 255]] * 2
    assert dark[0, [0, -1]].tolist() == [[13, 17, 23]] * 2
    assert (31, 35, 40) in colours(light)  # letters
    assert (240, 246, 252) in colours(dark)
    for shown in (light, dark):
        assert (255, 255, 255) in colours(shown)  # a plot's ground, in the dark too
        assert (31, 119, 180) in colours(shown)  # and matplotlib's blue


def test_it_has_tables_with_heads_and_plots_with_words(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for title in ("Code", "Parameters", "Stages", "Data: out/report.json", "On the same test rows", "Metrics", "Plots"):
        assert f"<h2>{title}</h2>" in text
    assert "Try &lt;one&gt;<br>" in text  # nobody's words are markup
    assert text.count("<img ") == text.count(' alt="out/dots.png, ') == 2
    one, two = (git("rev-parse", "--short=7", name) for name in ("one", "two"))
    for name in (f"A ({one})", f"B ({two})"):
        assert f"<figcaption>{name}</figcaption>" in text
        assert f">{name}<" in text.split("<svg")[1]


def test_what_predicts_another_column_is_not_drawn_over_the_other_nor_compared_by_metrics(lab: Path) -> None:
    found = gather_differences(find_side("one"), find_side("two"))
    write_page(found._replace(params=[Param("data.target", "price", "rent")]), lab / "page.html")
    text = (lab / "page.html").read_text(encoding="utf-8")
    assert ANEW.replace("'", "&#39;") in text
    assert "<td>out: test</td>" not in text
    assert "<figcaption>B (" in text
    assert "A (" not in text


@pytest.mark.nightly
def test_an_image_that_is_the_same_is_only_named(lab: Path) -> None:
    write_page(gather_differences(find_side("two"), find_side("numbers")), lab / "page.html")
    text = (lab / "page.html").read_text(encoding="utf-8")
    assert "<img " not in text
    assert "<p>The same in both: out/dots.png.</p>" in text


@pytest.mark.nightly
def test_a_plot_that_is_not_what_dvc_lock_records_is_not_shown(lab: Path, shell: Shell) -> None:
    Path("out/curve.csv").write_text("epoch,loss\n1,0.1\n2,0.0\n")
    shell("git add --force out/curve.csv && git commit --quiet -m forged && git tag forged", lab)
    write_page(gather_differences(find_side("two"), find_side("forged")), lab / "page.html")
    text = (lab / "page.html").read_text(encoding="utf-8")
    assert "<svg" not in text
    assert "has other bytes than dvc.lock there records of out/curve.csv" in text


@pytest.mark.nightly
def test_where_the_plots_are_nowhere_that_is_told(lab: Path) -> None:
    found = gather_differences(find_side("one"), find_side("two"))
    for place in (".dvc/cache", "../share", "out"):
        shutil.rmtree(place)
    write_page(found, lab / "page.html")
    text = (lab / "page.html").read_text(encoding="utf-8")
    assert "out/dots.png of one (" in text
    assert "<svg" not in text


def test_plots_that_a_remote_does_not_give_are_told_without_its_password(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("https://me:S3CRET@host/x is away")  # pragma: allowlist secret

    monkeypatch.setattr(page_module, "while_remote_answers", fail)
    write_page(gather_differences(find_side("one"), find_side("two")), lab / "page.html")
    assert "the plots are not available: https://host/x is away" in (lab / "page.html").read_text()
