"""The page of `dvc plots show` draws its plots in a browser that reaches nothing."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from labkit.dvc_adapter.settings import settings_of, write_settings
from labkit.report.offline_plots import NAME, install
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DVC_YAML = """
plots:
  - lines.csv: {x: epoch, y: loss}
  - bars.csv: {template: bar_horizontal, x: importance, y: column}
  - rows.csv: {template: confusion, x: predicted, y: actual}
"""
TABLES = {
    "lines.csv": "epoch,loss\n1,0.9\n2,0.4\n3,0.3\n",
    "bars.csv": "column,importance\narea,0.4\nrooms,-0.1\n",
    "rows.csv": "actual,predicted\nyes,yes\nno,yes\nno,no\n",
}


@pytest.fixture(name="project")
def project_with_plots(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a plot of each kind that a lab has, in the working folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    shell("git init --quiet && dvc init --quiet", folder)
    for name, text in {"dvc.yaml": DVC_YAML, **TABLES}.items():
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    return folder


def drawn(page: Path) -> list[str]:
    """The words in each plot that a browser without a network draws."""
    unreachable = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9")
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *unreachable),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={page.parent / 'profile'}", "--virtual-time-budget=20000", "--dump-dom", page.as_uri()),
    ]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    return [" ".join(re.findall(r"<text[^>]*>([^<]+)", plot)) for plot in seen.split('class="marks"')[1:]]


@pytest.mark.nightly
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to look at the page with")
def test_a_browser_without_a_network_draws_every_plot(project: Path, shell: Shell) -> None:
    install()
    shell("dvc plots show --quiet", project)
    page = (project / "dvc_plots/index.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?https?:""", page[: page.index("</head>")])
    lines, bars, rows = drawn(project / "dvc_plots/index.html")
    assert "loss" in lines
    assert "epoch" in lines
    assert "area rooms" in bars
    assert "no yes" in rows
    assert "predicted" in rows


@pytest.mark.nightly
def test_the_other_settings_of_the_clone_stay_and_git_sees_nothing(project: Path, shell: Shell) -> None:
    ignored = Path(".dvc/.gitignore")
    ignored.write_text(f"{ignored.read_text()}/{NAME}\n")
    before = shell("git status --porcelain --untracked-files=all", project).stdout
    own = settings_of("local") | {"core": {"site_cache_dir": "/notes"}, "plots": {"out_dir": "pages"}}
    write_settings("local", own)
    install()
    first = Path(".dvc", NAME).read_bytes()
    install()
    assert settings_of("local") == own | {"plots": {"out_dir": "pages", "html_template": NAME}}
    assert Path(".dvc/config.local").stat().st_mode & 0o077 == 0
    assert Path(".dvc", NAME).read_bytes() == first
    assert shell("git status --porcelain --untracked-files=all", project).stdout == before
