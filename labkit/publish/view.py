"""MLflow as a view: exactly one run for each result that dvc.lock records, whatever MLflow has lost.

    python -m lab publish                  the results of HEAD
    python -m lab publish --rev some-tag
    python -m lab publish --all            those of every commit: an empty server is filled again

A run is known by its tag `lab.record`, the md5 of the record. The live run of a result gets that tag; where there is
none, one is made from the result's files. Whatever ends this in the middle, run again it goes on from there.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.storage import bring, cached_file, default_remote, remotes
from labkit.dvc_adapter.tables import give_to_cache
from labkit.file_lock import locked
from labkit.git_cli import GitError, file_in
from labkit.paths import HOME
from labkit.pipeline.tables import take_tables
from labkit.process.credentials import without_credentials
from labkit.process.errors import InputError
from labkit.publish.kept import Kept
from labkit.publish.occurrences import Result, all_results, results_here, results_of
from labkit.publish.replay import process_of_result
from labkit.publish.run_data import RunData, read_run_data
from labkit.tracking.journal import JOURNALS, first_event, journals
from labkit.tracking.tracker import configure, deliver

if TYPE_CHECKING:
    from labkit.publish.runs import View  # which imports MLflow

DELIVERY_SECONDS = 30.0


def publish(revision: str = "HEAD", everything: bool = False) -> int:
    """Show the results of a revision, or all, in MLflow; print what was done, and return the exit code.

    Raises InputError where there is no such revision, or MLflow does not answer.
    """
    found = all_results() if everything else results_of(revision)
    deliver(DELIVERY_SECONDS, JOURNALS)  # else a run on its way would be taken for lost
    done, problems = show(found)
    told = ", ".join(f"{number} {what}" for what, number in sorted(done.items()))
    print(f"results in MLflow: {told or 'none'}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


def show(results: Sequence[Result], ask_remote: bool = True) -> tuple[Counter[str], list[str]]:
    """Make MLflow hold one run for each result; return what became of how many, and what lacks, a line each.

    Raises InputError where MLflow does not answer.
    """
    configure()
    from labkit.publish.runs import View  # it imports MLflow, which reads what was just set
    from labkit.tracking.uploader import explain

    done: Counter[str] = Counter()
    problems: list[str] = []
    with _alone(), open_project() as project:
        try:
            view = View(results, _remote_of(project))
            unheld = [*_linked(view, results, project, done, problems)]
            for result, kept, told, known in _fetched(project, unheld, problems, ask_remote):
                lacking = view.make(result, kept, told, known)
                problems += [f"{_named(result)}: {path}: {why}" for path, why in lacking.items()]
                done["made from files"] += 1
        except (InputError, GitError):
            raise
        except Exception as error:  # of whatever kind MLflow raises
            raise InputError(f"{explain(error)}; run it again, and it goes on from there") from None
    return done, problems


def shown_in_mlflow(results: Sequence[Result], ask_remote: bool = True) -> list[str]:
    """Show results where a failure must stop nothing; return what is not in MLflow, and why, a line each."""
    try:
        return show(results, ask_remote)[1]
    except (InputError, GitError) as error:
        return [" ".join(str(error).split())]


def _linked(
    view: "View", results: Sequence[Result], project: Project, done: Counter[str], problems: list[str]
) -> Iterator[tuple[Result, Kept]]:
    """Link the results to the runs that are there; yield those that have none, or not a whole one."""
    on_their_way = _on_their_way()
    for result in results:
        kept = Kept(project, result.record)
        outcome = view.find(result, kept)
        if outcome:
            done[outcome] += 1
        elif result.key in on_their_way:
            problems.append(f"{_named(result)}: its run is not in MLflow yet; `python -m lab track` sends it")
        else:
            yield result, kept


def _on_their_way() -> set[str]:
    """The results here whose processes have journals that are not in MLflow yet."""
    processes = set()
    for journal in journals(JOURNALS):
        with suppress(FileNotFoundError, ValueError, KeyError):  # carried since, or damaged
            processes.add(first_event(journal)["tags"]["lab.stage"])
    return {one.key for one in results_here() if process_of_result(one) in processes} if processes else set()


def _fetched(
    project: Project, unheld: Sequence[tuple[Result, Kept]], problems: list[str], ask_remote: bool
) -> Iterator[tuple[Result, Kept, RunData, dict[str, str]]]:
    """The results with what is told of them, once their files are in the cache, and what of them lacks."""
    _bring(project, [(result, kept.first()) for result, kept in unheld], problems, ask_remote)
    ready = [(result, kept, *read_run_data(result, kept)) for result, kept in unheld]
    needed = [(result, {one.md5 for one in told.all_artifacts()}) for result, _, told, _ in ready]
    _bring(project, needed, problems, ask_remote)
    for result, _, told, _ in ready:
        _take_from_git(project, result, told)
    yield from ready


def _bring(project: Project, needed: Sequence[tuple[Result, set[str]]], problems: list[str], ask_remote: bool) -> None:
    """Have DVC's cache hold what results need: tables from the copies in Git, all else from the remote."""
    lacking = [result for result, hashes in needed if not all(cached_file(project, md5) for md5 in hashes)]
    for commit in dict.fromkeys(result.commits[0].name for result in lacking if result.commits):
        take_tables(project, commit)
    if not ask_remote or not lacking:
        return
    try:
        bring(project, {md5 for _, hashes in needed for md5 in hashes})
    except Exception as error:  # each kind of remote raises its own
        words = without_credentials(" ".join(f"{type(error).__name__}: {error}".split())[:300])
        if (problem := f"DVC's remote can't be asked: {words}; `python -m lab doctor` tells more") not in problems:
            problems.append(problem)


def _take_from_git(project: Project, result: Result, told: RunData) -> None:
    """Have DVC's cache hold what the run has of files that Git keeps, as the commit of its code has them."""
    for file in told.all_artifacts() if result.commits else ():
        if not cached_file(project, file.md5) and (content := file_in(result.commits[0].code, file.path)) is not None:
            give_to_cache(project, file.md5, {"": content})


def _remote_of(project: Project) -> str:
    return str(remotes(project).get(default_remote(project), {}).get("url", ""))


def _named(result: Result) -> str:
    """Name a result for people."""
    return f"{result.stage} of {result.commits[0].name[:10]}" if result.commits else f"{result.stage} here"


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other process of this machine publishes for the lab: two would make a run twice."""
    folder = HOME / ".lab"
    folder.mkdir(mode=0o700, exist_ok=True)
    with locked(folder / "publish.lock"):
        yield
