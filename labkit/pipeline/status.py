"""What `dvc repro` would run, and why: dvc.lock held against the code, the parameters and the data that are here.

    python -m lab status

Nothing is run, pulled or written, and nothing needs to have been pulled.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc.stage.cache import RunCacheNotFoundError
from dvc_data.hashfile.build import build
from dvc_data.hashfile.hash import file_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from rich.console import Console
from rich.markup import escape

from labkit.paths import ROOT
from labkit.pipeline.dependencies import NO_STAGES
from labkit.pipeline.forged import forged_here
from labkit.pipeline.stages import duration, in_order, process_of, project, upstream_of
from labkit.process.params import CommonParams, read_params
from labkit.tracking.journal import JOURNALS, last_seconds

MOST_NAMES = 5  # of changed files, packages: more are counted
LONGEST_VALUE = 60

Verdict = Literal["runs", "may run", "cached", "restored", "not here", "current"]
Files = dict[str, str]  # md5 by path


class Recorded(NamedTuple):
    """A commit in which a path is as dvc.lock recorded it, and the path's files there."""

    rev: str
    files: Files


LookUp = Callable[[str, str], Recorded | None]  # by path and hash


class StageStatus(NamedTuple):
    """What `dvc repro` would do with a stage, why, and how long its process took when it last ran."""

    stage: str
    verdict: Verdict
    reasons: list[str]
    seconds: float | None


def print_status() -> None:
    """Print a line for each stage that is not up to date, and one on the whole.

    Raises InputError when dvc.yaml, params.yaml or a file is wrong.
    """
    console = Console(soft_wrap=True, highlight=False)
    os.chdir(ROOT)
    read_params(CommonParams)  # what every run refuses
    for forged in forged_here():
        remedy = "python -m lab mend" if forged.certain else f"dvc repro --force --single-item {forged.stage}"
        console.print(f"[bold red]{escape(forged.stage)}[/]: {escape(str(forged))}: `{escape(remedy)}`")
    stages = pipeline_status()
    for stage in stages:
        if stage.verdict != "current":
            console.print(line(stage))
    console.print(conclusion(stages) if stages else NO_STAGES)


def line(stage: StageStatus) -> str:
    """One stage as rich's markup."""
    said = [*stage.reasons]
    if stage.seconds is not None and stage.verdict in ("runs", "may run", "not here"):
        said.append(f"took {duration(stage.seconds)} last time")
    return f"[bold]{escape(stage.stage)}[/]: {escape('; '.join(said))}"


def conclusion(stages: list[StageStatus]) -> str:
    """What would run, in one sentence."""
    names = {verdict: [stage for stage in stages if stage.verdict == verdict] for verdict in ("runs", "may run")}
    if not any(names.values()):
        away = any(stage.verdict == "not here" for stage in stages)
        return "Nothing would run once they are pulled." if away else "Nothing would run."
    known = [stage.seconds for stage in stages if stage.verdict in names and stage.seconds is not None]
    parts = [f"{len(names['runs'])} of {len(stages)} stages would run"]
    parts += [f"{len(names['may run'])} may"] if names["may run"] else []
    parts += [f"{duration(sum(known))} together, by last time"] if known else []
    return f"{', '.join(parts)}."


def pipeline_status(journals: Path = JOURNALS) -> list[StageStatus]:
    """The status of each stage, in the order of the pipeline. Raises InputError when dvc.yaml or a file is wrong."""
    here, elsewhere = last_seconds(journals), seconds_in_git()
    found: dict[PipelineStage, StageStatus] = {}
    with project() as repo:
        look_up = in_commits(repo)
        for stage in in_order(repo):
            upstream = {other: found[other] for other in upstream_of(repo, stage)}
            verdict, reasons = judge(repo, stage, upstream, look_up)
            seconds = here.get(process_of(stage), elsewhere.get(stage.addressing))
            found[stage] = StageStatus(stage.addressing, verdict, reasons, seconds)
    return list(found.values())


def judge(
    repo: Repo,
    stage: PipelineStage,
    upstream: Mapping[PipelineStage, StageStatus],
    look_up: LookUp,
) -> tuple[Verdict, list[str]]:
    """What would be done with a stage, and why, when that is known of those before it."""
    inputs = [] if stage.frozen else stage.deps
    made = {dep: out for dep in inputs for other in upstream for out in other.outs if _overlap(dep, out)}
    doubtful = []
    for other, before in upstream.items():
        read = [str(dep) for dep, out in made.items() if out.stage is other]
        if read and before.verdict in ("runs", "may run", "cached"):
            clause = f"input {read[0]} comes" if len(read) == 1 else f"inputs {some(read)} come"
            doubtful.append(f"its {clause} from {before.stage}")
    if not any(file.hash_info for file in (*stage.deps, *stage.outs)):
        return "runs", ["never ran"]
    reasons = ["its command changed"] if stage.changed_stage() else []
    if stage.always_changed or stage.is_callback:
        reasons.append("runs each time (always_changed)")
    for dep in inputs:
        if dep in made:
            reasons += _other_version(dep, made[dep])
        else:
            reasons += dep_changes(repo, dep, look_up)
    reasons += [f"new output {out}" for out in stage.outs if not out.hash_info]
    lost = [out for out in stage.outs if out.hash_info and not out.use_cache and out.workspace_status()]
    reasons += [f"its output {out} changed, and DVC keeps no copy" for out in lost]
    if reasons:
        if not doubtful and not lost and in_run_cache(repo, stage):
            return "cached", [*reasons, "this state ran before: restored from the cache"]
        return "runs", reasons
    if doubtful and not _lost_for_good(repo, stage):
        return "may run", [f"may run again: {', '.join(doubtful)}"]
    return _outs_here(repo, stage)


def _lost_for_good(repo: Repo, stage: PipelineStage) -> bool:
    """Whether outs are not in the cache, and no remote is there to have them."""
    remote = repo.config["core"].get("remote") or repo.config["remote"]
    return not remote and any(out.use_cache and out.changed_cache() for out in stage.outs)


def _outs_here(repo: Repo, stage: PipelineStage) -> tuple[Verdict, list[str]]:
    """What becomes of a stage whose record holds."""
    if _lost_for_good(repo, stage):
        return "runs", ["its outputs are not in the cache, and there is no DVC remote to pull them from"]
    kept = [out for out in stage.outs if out.use_cache]
    if any(out.changed_cache() for out in kept):
        if any(out.workspace_status() for out in kept):
            return "not here", ["its outputs are not here: `dvc pull`, or `dvc repro` runs it again"]
        return "not here", ["its outputs are not in the cache: `dvc pull`, or `dvc repro` runs it again"]
    if changed := [f"{out} is {next(iter(status.values()))}" for out in kept if (status := out.workspace_status())]:
        return "restored", [f"{some(changed)}: restored from the cache"]
    return "current", []


def _overlap(dep: Output, out: Output) -> bool:
    """Whether one is the other, or lies in it."""
    one, other = Path(dep.fs_path), Path(out.fs_path)
    return one.is_relative_to(other) or other.is_relative_to(one)


def _other_version(dep: Output, out: Output) -> list[str]:
    """Whether dvc.lock's record is of another input than the stage before it recorded as its output."""
    if not dep.hash_info:
        return [f"new dependency {dep}"]
    whole = dep.fs_path == out.fs_path  # else a part of an output, or a folder that holds one: known where it is here
    differs = dep.hash_info != out.hash_info if whole else dep.exists and dep.changed_checksum()
    return [f"its input {dep} is another than it has seen"] if differs else []


def dep_changes(repo: Repo, dep: Output, look_up: LookUp) -> list[str]:
    """How a parameter file, a file or a folder differs from what dvc.lock recorded of it."""
    if isinstance(dep, ParamsDependency):
        return list(param_changes(dep))
    if not dep.hash_info:
        return [f"new dependency {dep}"]
    absent = pulled_later(repo, dep)
    if not dep.exists:
        return [] if absent.get("") == dep.hash_info.value else [f"{dep} is missing"]
    status = dep.workspace_status()
    if not status:
        return []
    wanted = str(dep.hash_info.value)
    if not dep.hash_info.isdir or not dep.isdir():
        recorded = look_up(str(dep), wanted) if dep.isfile() else None
        return [f"{dep} changed{_packages(recorded, dep, '')}"]
    now = files_here(repo, dep.fs_path)
    whole = now | {path: md5 for path, md5 in absent.items() if path not in now}
    if tree_hash(whole) == wanted:
        return []  # as soon as the data are pulled
    if any(md5.endswith(".dir") for md5 in absent.values()) and unchanged_since_lock(str(dep)):
        return []  # what a folder holds is not known before it is pulled, but its `.dvc` file is here
    recorded = look_up(str(dep), wanted)
    before = recorded.files if recorded else _cached_files(dep)
    if before is None:
        return [f"{dep} changed"]
    changes = [
        f"{path}{_packages(recorded, dep, path)}"
        for path in sorted(before.keys() & whole.keys())
        if before[path] != whole[path]
    ]
    changes += [f"{path} added" for path in sorted(whole.keys() - before.keys())]
    changes += [f"{path} removed" for path in sorted(before.keys() - whole.keys())]
    return [f"{dep} changed: {some(changes)}"]


def param_changes(dep: ParamsDependency) -> Iterator[str]:
    """Each parameter that differs, by its dotted name, as `old -> new`."""
    recorded = dep.hash_info.value if dep.hash_info else {}
    where = "" if dep.def_path == ParamsDependency.DEFAULT_PARAMS_FILE else f"{dep}: "
    yield from differences(recorded, dep.read_params(), where)


def differences(recorded: Any, params: Any, where: str = "") -> Iterator[str]:
    """Each parameter that differs, by its dotted name, as `old -> new`; `where` stands before it."""
    before, now = _leaves(recorded), _leaves(params)
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            yield f"{where}{name} removed (was {_value(before[name])})"
        elif name not in before:
            yield f"{where}{name} added: {_value(now[name])}"
        elif before[name] != now[name]:
            yield f"{where}{name} {_value(before[name])} -> {_value(now[name])}"


def in_run_cache(repo: Repo, stage: PipelineStage) -> bool:
    """Whether DVC has the outs of just this state, from an earlier run."""
    trial = repo.stage.load_one(stage.path, stage.name)
    try:
        trial.save_deps()
        for out in trial.outs:
            out.hash_info = HashInfo()  # else DVC compares with dvc.lock alone
        repo.stage_cache.restore(trial, dry=True)
    except (RunCacheNotFoundError, DvcException):
        return False
    return True


def pulled_later(repo: Repo, dep: Output) -> Files:
    """The data of `.dvc` files at or below a dependency that are not here, by their paths below it."""
    return {
        Path(out.fs_path).relative_to(dep.fs_path).as_posix().removeprefix("."): str(out.hash_info.value)
        for out in repo.index.outs
        if out.stage.is_data_source and Path(out.fs_path).is_relative_to(dep.fs_path) and not out.exists
    }


def unchanged_since_lock(path: str) -> bool:
    """Whether Git's files at a path are still those of the commit that last wrote dvc.lock."""
    made = _git("log", "-1", "--format=%H", "--", "dvc.lock").strip()
    differing = _git("diff", "--name-only", made, "--", path)
    return bool(made) and not differing + _git("ls-files", "--others", "--exclude-standard", "--", path)


def files_here(repo: Repo, folder: str) -> Files:
    """The files of a folder in the workspace, as DVC sees them."""
    _, _, tree = build(repo.cache.local, folder, repo.fs, "md5", ignore=repo.dvcignore, dry_run=True)
    return _files_of(tree)


def tree_hash(files: Files) -> str:
    """DVC's hash of a folder with these files."""
    tree = Tree.from_list([{"relpath": path, "md5": md5} for path, md5 in files.items()], hash_name="md5")
    tree.digest()
    return str(tree.hash_info.value)


def in_commits(repo: Repo) -> LookUp:
    """Look up code by its hash in the commits where it may well be: HEAD, and where dvc.lock was made."""
    told = _git("rev-parse", "HEAD") + _git("log", "-1", "--format=%H %P", "--", "dvc.lock")
    commits = list(dict.fromkeys(told.split()))

    def look_up(path: str, wanted: str) -> Recorded | None:
        for rev in repo.brancher(revs=commits):
            if rev == "workspace":
                continue
            top = repo.fs.join(repo.root_dir, path)
            found = [top] if repo.fs.isfile(top) else repo.dvcignore.find(repo.fs, top)
            files = {
                "" if file == top else "/".join(repo.fs.relparts(file, top)): file_md5(file, repo.fs) for file in found
            }
            if wanted in (files.get(""), tree_hash(files)):
                return Recorded(rev, files)
        return None

    return look_up


def seconds_in_git() -> dict[str, float]:
    """How long each process took when it last ran anywhere, by the trailers of results commits."""
    seconds: dict[str, float] = {}
    told = _git("log", "--max-count=200", "--grep=^Ran: ", "--format=%(trailers:key=Ran,valueonly)")
    for stage, number in re.findall(r"^(\S+) \((\d+(?:\.\d+)?) s\)$", told, re.MULTILINE):
        seconds.setdefault(stage, float(number))
    return seconds


def _cached_files(dep: Output) -> Files | None:
    tree = dep.get_obj()
    return _files_of(tree) if isinstance(tree, Tree) else None


def _files_of(tree: Any) -> Files:
    return {"/".join(key): str(hash_info.value) for key, _, hash_info in tree}


def _packages(recorded: Recorded | None, dep: Output, path: str) -> str:
    """Which packages have another version in a Pipfile.lock below a dependency; nothing where that is not known."""
    file = Path(str(dep), path)
    if recorded is None or file.name != "Pipfile.lock":
        return ""
    try:
        old, new = (
            _versions(text) for text in (_git("show", f"{recorded.rev}:./{file}"), file.read_text(encoding="utf-8"))
        )
    except (ValueError, KeyError, AttributeError):  # a merge conflict, say
        return ""
    changes = [
        f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    return f" ({some(changes)})" if changes else ""


def _versions(lock: str) -> dict[str, str]:
    return {
        name: package.get("version", "").removeprefix("==") for name, package in json.loads(lock)["default"].items()
    }


def some(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _leaves(params: Any, prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in (params or {}).items():
        inner = isinstance(value, Mapping) and value
        leaves |= _leaves(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return leaves


def _value(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[:LONGEST_VALUE]}…"


def _git(*arguments: str) -> str:
    """What Git prints; nothing where it has no answer, as outside of a repository or before the first commit."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout
