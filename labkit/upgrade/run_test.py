"""A lab made from the template gets its next versions, and keeps what is its own. The repositories are real ones."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labkit import git_cli
from labkit.git_cli import GitError, git
from labkit.paths import ROOT
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell
from labkit.upgrade.run import OWNERS, check, owned, upgrade

pytestmark = pytest.mark.integration

COMMIT = "git add --all && git commit --quiet --no-verify --allow-empty --message"
# In each, the template appends a line, and the lab has one of its own at the top.
MERGED = {
    ".github/workflows/tests.yml": "#",
    ".gitignore": "#",
    ".pre-commit-config.yaml": "#",
    ".vscode/settings.json": "//",
    "Makefile": "#",
    "Pipfile": "#",
    "conftest.py": "#",
    "lab/docs/testing.md": ">",
    "pyproject.toml": "#",
    "pytest.ini": "#",
}
USERS = ("README.md", "params.yaml", "dvc.yaml", "dvc.lock", "Pipfile.lock", "lib/metrics.py", "goals/goals.yaml")
REMOVED = ".github/dependabot.yml"
MOVED = "runtimes/moved.py"  # to labkit/
EXAMPLE = "lab/processes/example/main.py"
ADDED = "lab/processes/added/main.py"


def append(folder: Path, name: str, line: str) -> None:
    """Add a line to the end of a file, which is made where there is none."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{text}{line}\n", encoding="utf-8")


def prepend(folder: Path, name: str, line: str) -> None:
    """Add a line to the top of a file."""
    file = folder / name
    file.write_text(f"{line}\n{file.read_text(encoding='utf-8')}", encoding="utf-8")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """This repository as it is now, as v0.1.0, and two versions more."""
    folder = tmp_path_factory.mktemp("template")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    append(folder, "README.md", "the template before it had versions")
    shell(f"git init --quiet --initial-branch main && {COMMIT} before", folder)

    append(folder, EXAMPLE, "# of the template")
    append(folder, MOVED, "\n".join(f"NUMBER_{i} = {i}" for i in range(20)))
    shell(f"{COMMIT} one && git tag v0.1.0", folder)

    for name, sign in MERGED.items():
        append(folder, name, f"{sign} two")
    for name in (*USERS, EXAMPLE, "lab/processes/another/main.py", "labkit/cli.py", "labkit/new.py", "runtimes/new.py"):
        append(folder, name, "# two")
    (folder / "labkit/goals_test.py").unlink()
    (folder / REMOVED).unlink()
    (folder / MOVED).rename(folder / "labkit/moved.py")
    shell(f"{COMMIT} two && git tag --annotate v0.2.0 --message two", folder)

    lines = (folder / "Makefile").read_text(encoding="utf-8").splitlines()
    lines.insert(len(lines) // 2, "# three")
    (folder / "Makefile").write_text("\n".join([*lines, ""]), encoding="utf-8")
    append(folder, "labkit/process/files.py", "# three")
    shell(f"{COMMIT} three && git tag v0.3.0-rc1 && git tag v0.10.0", folder)
    shell(
        f"git switch --quiet --create odd && git rm --quiet {OWNERS} && {COMMIT} odd; git switch --quiet main", folder
    )
    return folder


@pytest.fixture(scope="module")
def edited(template: Path, tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """What "Use this template" makes of v0.1.0, with edits in each kind of file, a process less and one more."""
    lab = tmp_path_factory.mktemp("edited") / "lab"
    shell(f"git clone --quiet --branch v0.1.0 {template} {lab} 2>&1 && rm -rf {lab}/.git", template)
    shell(f"git init --quiet --initial-branch main && {COMMIT} 'Initial commit'", lab)
    for name, sign in MERGED.items():
        prepend(lab, name, f"{sign} mine")
    for name in (*USERS, ADDED, "lab/docs/report.md"):
        append(lab, name, "# mine")
    shutil.rmtree((lab / EXAMPLE).parent)
    shell(f"{COMMIT} mine", lab)
    return lab


@pytest.fixture
def lab(edited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that lab, in which this process stands."""
    monkeypatch.setenv("GIT_EDITOR", "true")
    lab = shutil.copytree(edited, tmp_path / "lab", symlinks=True)
    monkeypatch.chdir(lab)
    git("update-index", "-q", "--refresh")  # once, rather than by each command
    return lab


def state() -> tuple[str, ...]:
    """All that an upgrade could change."""
    kept = git("stash", "create")  # a commit, whose hash has the time in it
    return (
        git("for-each-ref"),
        git("status", "--porcelain"),
        kept and git("rev-parse", f"{kept}^{{tree}}"),
        str(Path(".git/MERGE_HEAD").exists()),
    )


def text(name: str) -> str:
    return Path(name).read_text(encoding="utf-8")


def test_what_is_the_template_s_is_merged_and_what_is_the_lab_s_stays(
    lab: Path, template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = git("rev-parse", "HEAD")
    assert upgrade("0.2.0", str(template)) == 0
    for name, sign in MERGED.items():
        assert text(name).startswith(f"{sign} mine\n"), name
        assert text(name).endswith(f"{sign} two\n"), name
        assert git("show", f"HEAD:{name}") + "\n" == text(name)
    assert git("rev-parse", "HEAD:labkit") == git("-C", str(template), "rev-parse", "v0.2.0:labkit")
    assert not Path("labkit/goals_test.py").exists()
    assert text("runtimes/new.py") == "# two\n"
    assert not Path(REMOVED).exists()

    touched = set(git("diff", "--name-only", "--no-renames", before, "HEAD").splitlines())
    assert {name for name in touched if not name.startswith("labkit/")} == {
        *MERGED,
        REMOVED,
        MOVED,
        "runtimes/new.py",
        "labkit.lock",
    }
    assert not Path("lab/processes/another").exists()
    assert git("status", "--porcelain") == ""
    assert git("rev-parse", "HEAD^1") == before
    assert git("log", "-1", "--format=%s") == "Upgrade the template from v0.1.0 to v0.2.0"
    assert git("for-each-ref", "refs/labkit") == ""
    commit = git("-C", str(template), "rev-parse", "v0.2.0^{commit}")
    assert json.loads(text("labkit.lock")) == {"commit": commit, "version": "v0.2.0"}

    told = capsys.readouterr().out.splitlines()
    assert told[0] == "labkit/: 4 files are those of v0.2.0 now"
    others = {f"removed: {REMOVED}", f"removed: {MOVED}", "added: runtimes/new.py"}
    assert {f"merged: {name}" for name in MERGED} | others == set(told[1:-2])
    assert told[-2:] == [
        "`make lock` is needed: Pipfile changed",
        "upgraded from v0.1.0 to v0.2.0, as a merge commit",
    ]


def test_the_next_version_begins_where_the_last_ended(
    lab: Path, template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upgrade("v0.2.0", str(template))
    assert upgrade("v0.2.0", str(template)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to do: this lab has v0.2.0 of the template"
    append(lab, REMOVED, "# mine, after the template has removed its own")
    git("add", REMOVED)
    git("commit", "--quiet", "--no-verify", "--message", "mine again")
    assert upgrade(None, str(template)) == 0
    assert "\n# three\n" in text("Makefile")
    assert git("rev-parse", "HEAD:labkit") == git("-C", str(template), "rev-parse", "v0.10.0:labkit")
    assert text(REMOVED).startswith("# mine")
    assert capsys.readouterr().out.splitlines() == [
        "labkit/: 1 files are those of v0.10.0 now",
        "merged: Makefile",
        "upgraded from v0.2.0 to v0.10.0, as a merge commit",
    ]


@pytest.fixture
def told(lab: Path, template: Path, shell: Shell, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What an upgrade says that ends in conflicts: the lab has edited what the template edits, removes and moves."""
    append(lab, "Makefile", "# mine at the end")
    append(lab, REMOVED, "# mine at the end")
    append(lab, MOVED, "# mine at the end")
    shell(f"{COMMIT} 'mine at the end'", lab)
    assert upgrade("v0.2.0", str(template)) == 1
    return capsys.readouterr().out.splitlines()


def test_a_conflict_is_one_of_git_s(told: list[str]) -> None:
    assert len({line.split(": ")[-1] for line in told}) == len(told)  # each path once
    assert [line for line in told if line.startswith("CONFLICT")] == [
        f"CONFLICT: {name}" for name in (REMOVED, "Makefile", MOVED)
    ]
    assert (
        told[-1]
        == "see `git status`; resolve them, `git add` the files, and `git merge --continue`; or `git merge --abort`"
    )
    assert git("diff", "--name-only", "--diff-filter=U").splitlines() == [REMOVED, "Makefile", MOVED]
    assert "<<<<<<< HEAD\n# mine at the end\n=======\n# two\n>>>>>>> " in text("Makefile")
    assert text(REMOVED).endswith("# mine at the end\n")
    assert text(MOVED).endswith("# mine at the end\n")
    assert "mine" not in text("labkit/moved.py")
    with pytest.raises(
        InputError, match=r"^a merge is under way; `git merge --continue` or `git merge --abort` first$"
    ):
        upgrade("v0.2.0", "nowhere")


@pytest.mark.usefixtures("told")
def test_a_merge_that_is_given_up_leaves_nothing() -> None:
    git("merge", "--abort")
    assert git("status", "--porcelain", "--ignored") == ""
    assert git("log", "-1", "--format=%s") == "mine at the end"
    assert git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("squashed", [False, True])
def test_a_conflict_that_was_resolved_does_not_come_again(template: Path, squashed: bool) -> None:
    before = git("rev-parse", "HEAD")
    Path("Makefile").write_text(git("show", ":2:Makefile") + "\n# resolved\n", encoding="utf-8")
    git("add", "Makefile", REMOVED, MOVED)
    git("merge", "--continue")
    if squashed:
        git("reset", "--quiet", "--soft", before)
        git("commit", "--quiet", "--no-verify", "--message", "Upgrade (#1)")
    assert upgrade("v0.10.0", str(template)) == 0
    assert "\n# three\n" in text("Makefile")
    assert text("Makefile").endswith("# mine at the end\n# resolved\n")
    assert text(REMOVED).endswith("# mine at the end\n")


def test_what_was_changed_in_labkit_is_told_replaced_and_kept_in_history(
    lab: Path, template: Path, capsys: pytest.CaptureFixture[str], shell: Shell
) -> None:
    append(lab, "labkit/cli.py", "# mine")  # the template's change is on the same line
    append(lab, "labkit/goals.py", "# mine")  # the template has not changed it
    append(lab, "labkit/goals_test.py", "# mine")  # the template has removed it
    append(lab, "labkit/mine.py", "# mine")
    Path("labkit/yaml_edit.py").unlink()
    shell(f"{COMMIT} 'mine in labkit'", lab)
    before = git("rev-parse", "HEAD")[:10]
    assert upgrade("v0.2.0", str(template)) == 0
    own = ["labkit/cli.py", "labkit/goals.py", "labkit/goals_test.py", "labkit/mine.py", "labkit/yaml_edit.py"]
    told = capsys.readouterr().out.splitlines()
    assert told[:5] == [f"{name} was changed here; it will be replaced" for name in own]
    assert f"replaced, and kept in history as `git show {before}:FILE`: {', '.join(own)}" in told
    assert git("rev-parse", "HEAD:labkit") == git("-C", str(template), "rev-parse", "v0.2.0:labkit")
    assert git("show", f"{before}:labkit/mine.py") == "# mine"


def test_the_command_says_whether_there_is_a_newer_version(lab: Path, template: Path, shell: Shell) -> None:
    def run(command: str) -> tuple[int, str]:
        done = shell(f"{sys.executable} -m lab upgrade {command}", lab, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    before = state()
    assert run(f"--check --from {template}") == (
        3,
        "v0.10.0 is available; this lab has v0.1.0: `python -m lab upgrade`",
    )
    assert run("--check") == (1, "error: this lab does not know where its template is: give its address, --from URL")
    assert state() == before
    assert run(f"--from {template}")[0] == 0
    assert run(f"--check --from {template}") == (0, "v0.10.0 is the newest")
    assert run(f"v0.2.0 --check --from {template}") == (0, "this lab has v0.2.0")


def test_the_template_s_url_is_kept_and_a_path_is_not(lab: Path, template: Path) -> None:
    url = "https://git.example.com/templates/lab"
    git("config", f"url.{template}.insteadOf", url)
    upgrade("v0.2.0", url)
    assert json.loads(text("labkit.lock"))["template"] == url
    assert check() == 3
    upgrade(None, str(template))
    assert json.loads(text("labkit.lock"))["template"] == url
    assert check() == 0


def test_a_lab_that_was_changed_before_its_first_commit_is_known_by_its_labkit(
    lab: Path, template: Path, shell: Shell
) -> None:
    shell(f"rm -rf .git && git init --quiet --initial-branch main && {COMMIT} all", lab)
    assert upgrade("v0.2.0", str(template)) == 0
    # The commit before v0.1.0 has the same labkit, and is taken.
    before = git("-C", str(template), "rev-parse", "v0.1.0~")
    assert git("log", "-1", "--format=%s") == f"Upgrade the template from {before[:10]} to v0.2.0"
    assert text("Makefile").startswith("# mine\n")
    assert text("Makefile").endswith("# two\n")


def test_a_clone_of_the_template_is_upgraded_from_where_it_left_it(
    lab: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    shell(f"git clone --quiet --branch v0.2.0 {template} clone 2>&1", tmp_path)
    monkeypatch.chdir(tmp_path / "clone")
    append(Path(), "Makefile", "# mine")
    shell(f"git switch --quiet --create main2 && {COMMIT} mine", Path())
    assert check(None, str(template)) == 3
    assert upgrade(None, str(template)) == 0
    assert git("log", "-1", "--format=%s") == "Upgrade the template from v0.2.0 to v0.10.0"


def test_the_version_that_the_lab_came_from_can_be_given(lab: Path, template: Path, shell: Shell) -> None:
    append(lab, "labkit/cli.py", "# mine")
    shell(f"rm -rf .git && git init --quiet --initial-branch main && {COMMIT} all", lab)
    with pytest.raises(InputError, match=r"the files that this lab began with; give the one: --base VERSION$"):
        upgrade("v0.2.0", str(template))
    assert upgrade("v0.2.0", str(template), base="v0.1.0") == 0
    assert git("log", "-1", "--format=%s") == "Upgrade the template from v0.1.0 to v0.2.0"


def in_the_way(lab: Path) -> None:
    append(lab, "runtimes/new.py", "# mine, and Git does not know it")


def made_shallow(lab: Path) -> None:
    git("fetch", "--quiet", "--depth=1", f"file://{lab}", "main")
    Path(".git/shallow").write_text(git("rev-parse", "HEAD") + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (made_shallow, {}, r"this is a shallow clone; `git fetch --unshallow` first"),
        (lambda lab: append(lab, "Makefile", "# new"), {}, r"changed and not committed: Makefile; commit that first"),
        (in_the_way, {}, r"untracked working tree files would be overwritten by merge: runtimes/new\.py"),
        (None, {"version": "v9"}, r"no version 'v9'; its versions: v0\.10\.0, v0\.2\.0, v0\.1\.0; a branch"),
        (None, {"version": "odd"}, rf"[0-9a-f]{{10}} of the template has no {OWNERS}, so there is no upgrade to it"),
        (None, {"base": "v9"}, r"no version 'v9'"),
        (None, {"source": "nowhere"}, r"the template at nowhere can't be fetched \(.*\); correct --from, or try again"),
        (
            None,
            {"source": "https://me:word@git.example.com/lab"},  # pragma: allowlist secret
            r"--from holds a user, a password or a token",
        ),
        (None, {"source": "https://word@git.example.com/lab"}, r"--from holds a user, a password or a token"),
        (None, {"source": None}, r"this lab does not know where its template is: give its address, --from URL"),
        (lambda lab: Path("labkit.lock").write_text("3"), {}, r"labkit\.lock is not as an upgrade writes it"),
    ],
)
def test_an_upgrade_that_can_t_be_changes_nothing(
    lab: Path, template: Path, spoil: Callable[[Path], None] | None, arguments: dict[str, str], message: str
) -> None:
    if spoil:
        spoil(lab)
    before = state()
    with pytest.raises(InputError, match=message) as refused:
        upgrade(**{"source": str(template), **arguments})
    assert "word@" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert state() == before


def test_a_server_that_says_nothing_is_given_up(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_cli, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(git_cli, "ANSWER_SECONDS", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with pytest.raises(InputError, match=r"can't be fetched \(the server of .* never answers\); correct --from"):
            upgrade(source=f"git://127.0.0.1:{server.getsockname()[1]}/template")


def test_a_commit_of_the_lab_s_own_is_no_version(lab: Path, template: Path) -> None:
    with pytest.raises(InputError, match="the template has no version"):
        upgrade(git("rev-parse", "HEAD"), str(template))
    assert check(git("-C", str(template), "rev-parse", "v0.2.0^{commit}")[:12], str(template)) == 3


def test_a_template_that_lost_the_recorded_commit_is_refused(lab: Path, template: Path, shell: Shell) -> None:
    Path("labkit.lock").write_text(json.dumps({"commit": "1" * 40}), encoding="utf-8")
    shell(f"{COMMIT} lock", lab)
    with pytest.raises(InputError, match=r"^labkit\.lock: the template has no commit 1{40}; correct --from, or give"):
        upgrade(None, str(template))


def test_outside_of_a_repository_or_before_the_first_commit_there_is_nothing_to_upgrade(
    lab: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("labkit")
    with pytest.raises(InputError, match="the lab is not at the top of its Git repository"):
        upgrade(None, str(template))
    monkeypatch.chdir(lab)
    shutil.rmtree(".git")
    with pytest.raises(GitError, match="not a git repository"):
        upgrade(None, str(template))
    git("init", "--quiet")
    with pytest.raises(InputError, match="nothing is committed yet"):
        upgrade(None, str(template))


def test_a_merge_that_a_hook_refuses_is_told(lab: Path, template: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hook = Path(".git/hooks/pre-merge-commit")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    assert upgrade("v0.2.0", str(template)) == 1
    assert "or a hook refused it" in capsys.readouterr().out
    hook.unlink()
    git("merge", "--continue")
    assert git("log", "-1", "--format=%s") == "Upgrade the template from v0.1.0 to v0.2.0"


def test_a_stage_runs_again_only_where_a_file_that_it_reads_has_changed(
    lab: Path, template: Path, shell: Shell
) -> None:
    Path("dvc.yaml").write_text(
        "stages:\n  copy:\n    cmd: mkdir -p artifacts && cp lib/metrics.py artifacts\n"
        "    deps: [lib/metrics.py, labkit/process/files.py]\n    params: [project]\n    outs: [artifacts]\n",
        encoding="utf-8",
    )
    Path("dvc.lock").unlink()
    shell(f"dvc repro --quiet && {COMMIT} results", lab)
    upgrade("v0.2.0", str(template))
    assert json.loads(shell("dvc status --json", lab).stdout) == {}
    upgrade(None, str(template))
    assert "labkit/process/files.py" in shell("dvc status --json", lab).stdout


def test_every_path_of_the_template_is_the_template_s_or_the_lab_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = Path(OWNERS).read_text(encoding="utf-8")
    listed = {
        owner: set(git("ls-files", "-z", "--", *owned(owner, text)).split("\0")) - {""} for owner in ("template", "lab")
    }
    assert listed["template"] & listed["lab"] == set()
    assert set(git("ls-files", "-z").split("\0")) - {""} - listed["template"] - listed["lab"] == set(), OWNERS
    assert len(owned("template", text)) + len(owned("lab", text)) == len(
        [line for line in text.splitlines() if line and not line.startswith("#")]
    )
