"""The pages in a browser that reaches nothing, by light and in the dark: they work, and what is hostile is text."""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labkit.git_cli import git
from labkit.site.build import build_site
from labkit.site.conftest import BRANCH, HOSTILE, predict, write_results
from labkit.testing.chromium import CHROMIUM, Page, browser

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to look at the pages with"),
]

# Of each text that is seen, its colour and that of what it stands on: by the formula of WCAG 2, 1.4.3.
FAINT = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) => one / 255)
      .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "white";
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.closest("svg, script, style")) continue;
    const [one, other] = [light(getComputedStyle(node).color), light(ground(node))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${texts.currentNode.data.trim()}: ${contrast}`);
  }
  return found;
})()"""
QUESTIONS = "[...document.querySelectorAll('tbody tr:not([hidden]) .question > a')].map((one) => one.innerText)"
BY_DATE = ["Results of run-2", "Is 0.05 better?", f"What of {HOSTILE}?", "Does it learn faster?", "Does a forest do?"]


class _Markup(HTMLParser):
    """The links, ids and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append((tag, told))
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        self.ids |= {value for name, value in attrs if name == "id" and value}


@pytest.fixture(name="page", scope="module")
def opened() -> Iterator[Page]:
    """One browser for all."""
    with browser() as page:
        yield page


@pytest.fixture(name="site")
def made(made_lab: Path) -> Path:
    """The site, which no test here changes."""
    return made_lab / "site"


@pytest.mark.parametrize("dark", [False, True])
def test_every_page_is_shown_without_complaint_request_or_faint_letters(page: Page, site: Path, dark: bool) -> None:
    pages = [site / "index.html", site / "champion.html", *site.glob("experiments/*.html")]
    assert len(pages) == 7
    for file in pages:
        page.complaints.clear()
        page.requests.clear()
        page.open(file.as_uri(), dark)
        assert page.run("getComputedStyle(document.documentElement).backgroundColor") == (
            "rgb(15, 18, 22)" if dark else "rgb(255, 255, 255)"
        )
        assert page.run(FAINT) == []
        assert page.run("document.documentElement.scrollWidth") <= 1400
        assert page.complaints == []
        assert page.requests
        assert [url for url in page.requests if not url.startswith((site.as_uri(), "data:,"))] == []


def test_what_is_hostile_is_text(page: Page, site: Path, made_lab: Path) -> None:
    page.open((site / "index.html").as_uri())
    row = page.run("[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)")[2]
    for text in (f"What of {HOSTILE}?", BRANCH, HOSTILE):
        assert text in row
    assert page.run("document.querySelectorAll('script').length") == 1
    page.open(next(file for file in site.glob("experiments/*.html") if "A body" in file.read_text()).as_uri())
    assert page.run("document.querySelectorAll('main script, main b, main i').length") == 0
    assert f"A body, <i>{HOSTILE}</i>" in page.run("document.body.innerText")
    assert HOSTILE in page.run("document.querySelector('figure svg').textContent")


def test_the_table_is_sorted_and_filtered(page: Page, site: Path) -> None:
    def press(head: str) -> None:
        page.run(f"[...document.querySelectorAll('th button')].find((one) => one.innerText === '{head}').click()")

    def sort_of(head: str) -> object:
        heads = f"[...document.querySelectorAll('thead th')].find((one) => one.innerText === '{head}')"
        return page.run(f"{heads}.getAttribute('aria-sort')")

    def search(words: str) -> None:
        page.run(f"search.value = '{words}'; search.dispatchEvent(new Event('input'))")

    page.open((site / "index.html").as_uri())
    assert page.run(QUESTIONS) == BY_DATE
    press("value")
    assert sort_of("value") == "descending"
    assert page.run(QUESTIONS) == [BY_DATE[place] for place in (1, 2, 4, 0, 3)]
    press("value")
    assert sort_of("value") == "ascending"
    assert page.run(QUESTIONS) == [BY_DATE[place] for place in (3, 0, 4, 2, 1)]
    press("change")
    assert sort_of("value") is None
    assert page.run(QUESTIONS) == [BY_DATE[place] for place in (2, 3, 0, 1, 4)]  # what has none comes last
    search("MAIN better")
    assert page.run(QUESTIONS) == ["Is 0.05 better?"]
    search("unproven")
    assert page.run(QUESTIONS) == ["Results of run-2"]
    assert page.run("count.innerText") == "1 of 5"
    search("")
    assert len(page.run(QUESTIONS)) == 5


def test_without_a_script_the_table_is_whole_and_nothing_waits_for_one(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert '<p class="filter" hidden>' in text
    assert len(re.findall("<tr", text)) == 6
    for file in site.glob("experiments/*.html"):
        assert "<script" not in file.read_text(encoding="utf-8")
        assert "script-src" not in file.read_text(encoding="utf-8")


def test_every_link_leads_somewhere_and_images_and_tables_can_be_read_aloud(site: Path) -> None:
    for file in site.rglob("*.html"):
        markup = _Markup(file.read_text(encoding="utf-8"))
        for link in markup.links:
            place, _, anchor = link.partition("#")
            if place != "data:,":
                target = (file.parent / place).resolve() if place else file
                assert target.is_file(), link
                assert not anchor or anchor in _Markup(target.read_text(encoding="utf-8")).ids, link
        names = [tag for tag, _ in markup.tags]
        assert [names.count(name) for name in ("h1", "header", "main", "nav", "footer")] == [1] * 5
        assert [told for tag, told in markup.tags if tag == "th" and "scope" not in told] == []
        assert [told for tag, told in markup.tags if tag == "img" and not told.get("alt")] == []


def test_a_narrow_screen_scrolls_tables_alone(page: Page, site: Path) -> None:
    for file in (site / "index.html", *site.glob("experiments/*.html")):
        page.open(file.as_uri(), width=390)
        assert page.run("document.documentElement.scrollWidth") <= 390


def test_no_letters_of_a_plot_are_cut(page: Page, site: Path, made_lab: Path) -> None:
    page.open((site / f"experiments/{git('-C', str(made_lab), 'rev-parse', 'first')}.html").as_uri())
    cut = """[...document.querySelectorAll('figure svg text')].filter(text => text.getBoundingClientRect().right >
        text.ownerSVGElement.getBoundingClientRect().right + 1).map(text => text.textContent).join()"""
    assert page.run("document.querySelectorAll('figure svg text').length") > 9
    assert page.run(cut) == ""


def test_the_report_of_the_data_is_that_of_the_newest_results(site: Path, made_lab: Path) -> None:
    newest = git("-C", str(made_lab), "rev-parse", "lied")
    assert f'content="0; url=experiments/{newest}.html#data"' in (site / "data.html").read_text(encoding="utf-8")


def test_plots_of_another_target_are_not_drawn_over_one_another(lab: Path) -> None:
    for lr, column in ((0.2, "mine"), (0.1, "mine"), (0.3, "another")):
        write_results(lr, 50)
        predict(column)
        git("commit", "--quiet", "--all", "--message", column)
    build_site(Path("site"))
    over, alone = (
        Path(f"site/experiments/{git('rev-parse', name)}.html").read_text("utf-8") for name in ("HEAD~1", "HEAD")
    )
    assert ">before</text>" in over
    assert ">before</text>" not in alone
    assert "out/curve.csv, drawn" in alone


@pytest.mark.nightly
def test_a_lab_without_models_goals_and_plots_has_pages_too(page: Page, lab: Path) -> None:
    shutil.rmtree("site")
    for name in ("dvc.yaml", "goals/goals.yaml"):
        Path(name).write_text("", encoding="utf-8")
    lock = Path("dvc.lock").read_text(encoding="utf-8")
    Path("dvc.lock").write_text(lock.replace("make train", "make it"), encoding="utf-8")
    git("commit", "--quiet", "--all", "--message", "bare")
    build_site(Path("site"))
    page.open(Path(f"site/experiments/{git('rev-parse', 'HEAD')}.html").absolute().as_uri())
    assert page.run("document.querySelector('h1').innerText") == "bare"
