"""The page of a run: what came of it, against the results before. Markdown for GitHub's job summary and for a terminal.

Outputs of stages that did not finish are not shown: the files there belong to an earlier run.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from hashlib import md5
from pathlib import Path
from typing import Any, NamedTuple

from labkit.dvc_adapter.repository import Project, open_project
from labkit.dvc_adapter.results import declared_plots, metrics_of
from labkit.dvc_adapter.states import Stage, stages_here
from labkit.git_cli import GitError, file_in, git
from labkit.github import github_run, was_cancelled
from labkit.goals import GOALS_FILE, Verdict, tally, verdicts
from labkit.paths import lies_in
from labkit.pipeline.changes import changes_since
from labkit.pipeline.dependencies import NO_STAGES
from labkit.pipeline.input_changes import param_changes, some
from labkit.pipeline.leaderboard import Leaderboard, models, read_leaderboard
from labkit.pipeline.records import read_records, records_of
from labkit.pipeline.remote import limit_waiting
from labkit.pipeline.remote_watchdog import while_remote_answers
from labkit.pipeline.stages import duration
from labkit.pipeline.warnings import read_warnings
from labkit.process.errors import InputError
from labkit.process.flat import is_number, leaves
from labkit.report.data import data_section
from labkit.report.intervals import INTERVAL, interval_text
from labkit.report.markdown import Plot, code, draw, link, plain, table
from labkit.report.outcomes import StageReport, machines, reports_of
from labkit.tracking.journal import JOURNALS, TrackedRun, runs_of_execution

LOOK_SECONDS = 5.0  # results before that neither the cache nor a remote that answers has are not waited for
MOST_BYTES = 1_000_000  # GitHub takes 1 MiB for each step
DONE = ("ran", "from cache")


class Publication(NamedTuple):
    """What came of publishing, as Markdown; whether it failed; and which runs MLflow has not got yet, and why."""

    where: str
    failed: bool = False
    pending: Sequence[tuple[str, str]] = ()


class Row(NamedTuple):
    """Where numbers stand: a metrics file, and the part of it that holds them."""

    file: str
    part: str


Metrics = dict[Row, dict[str, Any]]


def run_page(
    execution: str, rev: str = "HEAD", journals: Path = JOURNALS, publication: Publication | None = None
) -> str:
    """The results that are here, as those of the pipeline execution `execution`, beside those that `rev` recorded.

    Raises InputError when dvc.yaml is wrong.
    """
    with open_project() as project:
        states = stages_here(project)
        stages = reports_of(states, execution, journals)
        outs = {state.name: [out.path for out in state.outs] for state in states}
        missing = [out for stage in stages if stage.outcome not in DONE for out in outs[stage.stage]]
        limit_waiting(project)  # for what the cache lacks of the results before
        here, before = read_metrics(project, "workspace", missing), read_metrics(project, rev)
        plots, images = read_plots(project, missing)
    goals, mistake = judged_goals(missing)
    board, unknown = known_leaderboard()
    first = [state.name for state in states if not state.upstream]
    sections = [
        f"## {plain(run.tag if (run := github_run()) else 'Results')}",
        headline(stages, here, before, goals, board) + unpublished(publication),
        f"**No model is shown as selected**: {plain(unknown)}" if unknown else "",
        warnings_section(missing),
        data_section(rev, missing),
        metrics_section(here, before, rev, changed_inputs(rev, first), missing, board),
        goals_section(goals, mistake),
        *(draw(plot) for plot in plots),
        images_section(images, outs, stages),
        stages_section(stages, changed_in(rev) | tried_params(states, stages)),
        links_section(),
        publication_section(publication, runs_of_execution(execution, journals)),
    ]
    return shortened([section for section in sections if section], MOST_BYTES)


def unpublished(publication: Publication | None) -> str:
    """Where publishing failed, that it did."""
    return " **Not published**." if publication and publication.failed else ""


def tried_params(states: list[Stage], stages: list[StageReport]) -> dict[str, str]:
    """The parameters of each stage that did not succeed that differ from its last record."""
    undone = {stage.stage for stage in stages if stage.outcome not in DONE}
    return {
        state.name: some([code(change) for params in state.params for change in param_changes(params)])
        for state in states
        if state.name in undone
    }


def read_metrics(project: Project, rev: str, missing: list[str] | None = None) -> Metrics:
    """The metrics of a revision, without those files that are not here or belong to `missing`.

    A revision before `dvc.lock` has none. What it recorded, and neither cache nor remote have, is a row of no numbers.
    """
    recorded = recorded_outs(rev)
    try:
        files = while_remote_answers(lambda: metrics_of(project, rev), LOOK_SECONDS, 1)
    except RuntimeError:  # whatever a remote, or a commit without DVC, raises: there is nothing to compare with
        return {Row(out, ""): {} for out in recorded}
    found: Metrics = {}
    for file, content in files.items():
        # DVC reads from its cache what the workspace lacks.
        if missing is not None and (not Path(file).exists() or lies_in(file, missing)):
            continue
        if lies_in(file, recorded) and (content is None or (missing is None and differs_in_git(rev, file, recorded))):
            found[Row(file, "")] = {}
            continue
        for part, metrics in _parts(content).items():
            found[Row(file, part)] = metrics
    return found


def recorded_outs(rev: str) -> dict[str, str]:
    """The outputs that the dvc.lock of a revision names, with DVC's hashes; none where there is none."""
    try:
        records = read_records(records_of(rev))
    except (GitError, InputError):
        return {}
    return {out["path"]: str(out.get("md5", "")) for record in records.values() for out in record.get("outs", [])}


def differs_in_git(rev: str, file: str, recorded: dict[str, str]) -> bool:
    """Whether Git's bytes of an output differ from dvc.lock: DVC prefers what Git tracks to its cache."""
    content = file_in(rev, file)
    return content is not None and md5(content).hexdigest() != recorded.get(file)  # of a folder, Git has no business


def changed_outputs(states: list[Stage]) -> list[str]:
    """The outputs that are here with other bytes than dvc.lock records."""
    return [out.path for stage in states for out in stage.outs if out.recorded and out.state == "modified"]


def read_plots(project: Project, missing: list[str]) -> tuple[list[Plot], list[str]]:
    """The plots of dvc.yaml whose files are here and not `missing`: those with rows, a series each; and the images."""
    plots, images = [], []
    for properties, datapoints, is_image in declared_plots(project):
        series: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in datapoints:
            if Path(row["filename"]).exists() and not lies_in(row["filename"], missing):
                series.setdefault((row["filename"], row.get("field", "")), []).append(row)
        if is_image:
            images += [file for file, _ in series]
            continue
        for (_, field), rows in series.items():
            title = properties["title"] if len(series) == 1 else f"{properties['title']}: {field}"
            y = field if field in rows[0] else properties["y"]
            plots.append(Plot(title, properties.get("template") or "linear", properties["x"], y, rows))
    return plots, images


def headline(
    stages: list[StageReport],
    here: Metrics,
    before: Metrics,
    goals: list[Verdict],
    board: Leaderboard | None,
) -> str:
    """The run in one line."""
    if not stages:
        return NO_STAGES
    selection, test = (Row(board.selected.as_posix() if board else "", part) for part in ("", "test"))
    undone = [f"{code(stage.stage)} {stage.outcome}" for stage in stages if stage.outcome not in DONE]
    word = "Cancelled" if was_cancelled() else "Incomplete"
    said = [f"**{word}**: {', '.join(undone)}" if undone else "**Complete**"]
    if selected := here.get(selection, {}).get("selected"):
        old = before.get(selection, {}).get("selected", selected)
        said.append(f"{code(str(selected))} selected" + (f" (before: {code(str(old))})" if old != selected else ""))
    metric = here.get(selection, {}).get("metric")
    if metric in here.get(test, {}):
        said.append(f"{code(metric)} on its test rows {change(here[test], before.get(test, {}), metric)}")
    if goals:
        said.append(f"goals: {tally(goals)}")
    return "; ".join(said) + "."


def known_leaderboard() -> tuple[Leaderboard | None, str]:
    """Where the models are compared, if the lab has any; or what is wrong with that."""
    try:
        return read_leaderboard(), ""
    except InputError as error:
        return None, str(error)


def warnings_section(missing: list[str]) -> str:
    """What the stages warn of, as far as it is not `missing`; or what is wrong with that."""
    try:
        warnings = read_warnings(missing)
    except InputError as error:
        warnings = [str(error)]
    return "### Warnings\n\n" + "\n".join(f"- {plain(warning)}" for warning in warnings) if warnings else ""


def metrics_section(
    here: Metrics, before: Metrics, rev: str, inputs: list[str], missing: list[str], board: Leaderboard | None
) -> str:
    """Every model's metrics with their signed changes, new, removed and not made models told; the best first."""
    now, old = with_numbers(here), with_numbers(before)
    away = [row.file for row, metrics in before.items() if not metrics]
    if not now:
        return ""
    names = list(dict.fromkeys(name for numbers in now.values() for name in numbers))
    best = board.selected.as_posix() if board else ""
    selected = here.get(Row(best, ""), {}).get("selected")
    lines = []
    for row in [*ordered(list(now), board), *(row for row in old if row not in now)]:
        note, numbers, against = compared(row, now, old, missing, away)
        changes = (change(numbers, against, name) + interval_text(numbers, name) for name in names)
        lines.append([named(row, best, selected) + note, *changes])
    said = compared_with(now, old, _short(rev), inputs, away)
    if any(interval_text(numbers, name) for numbers in now.values() for name in names):
        said += f" {INTERVAL}"
    return f"### Metrics\n\n{said}\n\n" + table(["model" if board else "", *map(code, names)], lines)


def compared(
    row: Row, now: Metrics, old: Metrics, missing: list[str], away: list[str]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """What a row of only one side is called, the numbers to show of it, and those to compare them with."""
    if row in now:
        word = " (earlier results not available)" if lies_in(row.file, away) else " (new)"
        return word if old and row not in old else "", now[row], old.get(row, {})
    return (" (not made)", {}, {}) if lies_in(row.file, missing) else (" (removed)", old[row], {})


def ordered(rows: list[Row], board: Leaderboard | None) -> list[Row]:
    """The selected model first, then the others, the best first; what is not a model keeps its place after them."""
    rank = {model: place for place, model in enumerate(_ranking(board))}
    selected = board.selected.as_posix() if board else ""
    return sorted(rows, key=lambda row: -1 if row.file == selected else rank.get(Path(row.file).stem, len(rank)))


def compared_with(now: Metrics, old: Metrics, commit: str, inputs: list[str], away: list[str]) -> str:
    """What the changes are against, and which inputs changed too."""
    if not old and away:
        return f"The results of {commit} are not available: neither DVC's cache nor its remote has them."
    if not old:
        return f"No results of {commit} can be read here."
    said = f"All are as in {commit}." if now == old else f"Changes are against the results of {commit}."
    if data := [path for path in inputs if not any(lies_in(row.file, [path]) for row in now)]:  # and no metrics
        said += f" {', '.join(map(code, data))} changed too, and models of different data do not compare."
    return said


def change(now: dict[str, Any], before: dict[str, Any], name: str) -> str:
    """A value, and how it differs from the value before, where there was one."""
    if not isinstance(value := now.get(name), int | float):
        return ""
    shown = f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, int) else f"{value:.4f}"
    if not isinstance(old := before.get(name), int | float):
        return shown
    difference = value - old
    if difference == 0 or (math.isnan(value) and math.isnan(old)):
        return f"{shown} (=)"
    return f"{shown} ({difference:+.4f})" if abs(difference) >= 0.0001 else f"{shown} ({difference:+.1e})"


def changed_inputs(rev: str, first: list[str]) -> list[str]:
    """What the first stages made otherwise than in `rev`: all models were trained or tested on it."""
    try:
        old = read_records(records_of(rev))
        now = read_records(Path("dvc.lock").read_bytes())
    except (GitError, InputError, FileNotFoundError):
        return []
    return [
        out["path"]
        for stage in first
        if stage in old and stage in now
        for out in now[stage].get("outs", [])
        if out not in old[stage].get("outs", [])
    ]


def judged_goals(missing: list[str]) -> tuple[list[Verdict], str]:
    """The goals, judged by what is not `missing`; or what is wrong with them."""
    if not GOALS_FILE.exists():
        return [], ""
    try:
        return verdicts(lambda file: lies_in(file, missing)), ""
    except InputError as error:
        return [], str(error)


def goals_section(goals: list[Verdict], mistake: str) -> str:
    """Each goal, what was reached, what was wanted."""
    if mistake:
        return f"### Goals\n\n**Not judged**: {plain(mistake)}"
    lines = []
    for one in goals:
        goal, reached = one.goal, plain(one.unknown) if one.met is None else f"{one.value:.4f}"
        word = "**missed**" if one.word == "missed" else one.word
        lines.append([plain(goal.goal), word, reached, plain(goal.threshold), code(goal.metric)])
    return "### Goals\n\n" + table(["goal", "", "reached", "wanted", "metric"], lines) if lines else ""


def images_section(images: list[str], outs: dict[str, list[str]], stages: list[StageReport]) -> str:
    """Where to see the plots that are images, which a summary can't show."""
    lines = []
    for stage in stages:
        if shown := [out for out in outs[stage.stage] if any(lies_in(image, [out]) for image in images)]:
            where = link("its run in MLflow", stage.url) if stage.url else "the stage's last run in MLflow"
            lines.append(f"- {code(stage.stage)}: {', '.join(map(code, shown))}, in {where}")
    return "### Images\n\n" + "\n".join(lines) if lines else ""


def stages_section(stages: list[StageReport], changed: dict[str, str]) -> str:
    """What ran, what it did otherwise than before, how long it took, and its run in MLflow."""
    lines = [
        [
            code(stage.stage),
            outcome(stage),
            changed.get(stage.stage, ""),
            "" if stage.seconds is None else duration(stage.seconds),
            link("run in MLflow", stage.url) if stage.url else "",
        ]
        for stage in stages
    ]
    made_on = "".join(f"\n\nMade on {plain(machine)}." for machine in machines(stages))
    return "### Stages\n\n" + table(["stage", "", "changed", "took", ""], lines) + made_on if lines else ""


def changed_in(rev: str) -> dict[str, str]:
    """The parameters and inputs of each stage that differ from those that `rev` recorded."""
    try:
        return {one.stage: some([*map(code, one.params), *map(plain, one.others)]) for one in changes_since(rev)}
    except (GitError, InputError):
        return {}


def outcome(stage: StageReport) -> str:
    """A stage's outcome, and why it failed."""
    if stage.outcome in DONE:
        return stage.outcome
    return f"**{stage.outcome}**" + (f": {code(stage.reason)}" if stage.reason else "")


def links_section() -> str:
    """The run and its commit on GitHub, where this is one."""
    run = github_run()
    if run is None:
        return ""
    commit = git("rev-parse", "HEAD")
    return f"{link('This run', run.url)} of {link(commit[:7], f'{run.repository_url}/commit/{commit}')}"


def publication_section(publication: Publication | None, runs: list[TrackedRun]) -> str:
    """Where the results went, or why nowhere; and what MLflow has not got of them."""
    said = [publication.where] if publication else []
    said += [
        f"Not in MLflow yet, the next run sends it: {code(process)}: {plain(reason)}"
        for process, reason in dict.fromkeys(publication.pending if publication else ())
    ]
    said += [
        f"MLflow has not got all of {code(run.stage)}: it lacks {plain(run.lacking)}" for run in runs if run.lacking
    ]
    return "### Publication\n\n" + "\n".join(f"- {line}" for line in said) if said else ""


def shortened(sections: list[str], most: int) -> str:
    """The sections as one text of at most `most` bytes; the longest are left out first, and that is said."""
    kept = list(sections)
    while len(text := "\n\n".join(kept) + "\n") and len(text.encode()) > most:
        longest = max(range(len(kept)), key=lambda number: len(kept[number].encode()))
        title = kept[longest].splitlines()[0].lstrip("# ")[:100]
        kept[longest] = f"{plain(title)}: left out, {len(kept[longest].encode())} bytes are too many."
    return text


def _parts(metrics: Any) -> dict[str, dict[str, Any]]:
    """The mappings of a metrics file by their dotted names, each with its own values."""
    if metrics is None:
        return {}
    parts: dict[str, dict[str, Any]] = {}
    for (*part, name), value in leaves(metrics if isinstance(metrics, dict) else {"value": metrics}):
        parts.setdefault(".".join(part), {})[name] = value
    return parts


def with_numbers(found: Metrics) -> Metrics:
    """The rows that have numbers, and these alone."""
    numbers = {
        row: {name: value for name, value in metrics.items() if is_number(value)} for row, metrics in found.items()
    }
    return {row: own for row, own in numbers.items() if own}


def named(row: Row, best: str, selected: Any) -> str:
    """What a row is called; a star where it is of the selected model."""
    if row == Row(best, "test") and selected:
        return f"★ {code(str(selected))} on its test rows"
    name = Path(row.file).stem
    return ("★ " if name == selected else "") + code(f"{name}: {row.part}" if row.part else name)


def _ranking(board: Leaderboard | None) -> list[str]:
    """The models, best first."""
    with suppress(InputError):
        return [row["model"] for row in models(board)] if board else []
    return []


def _short(rev: str) -> str:
    try:
        return code(git("rev-parse", "--short", rev))
    except GitError:
        return code(rev)
