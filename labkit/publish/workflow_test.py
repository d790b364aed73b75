"""What the workflow files promise where no run here can show it: act ignores triggers, limits and permissions."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell

WORKFLOWS = ROOT / ".github" / "workflows"
TESTS = WORKFLOWS / "tests.yml"
VERIFY = WORKFLOWS / "verify.yml"
LABKIT = WORKFLOWS / "labkit.yml"
PULL_REQUEST = WORKFLOWS / "pull_request.yml"
WIDE: dict[Any, Any] = yaml.safe_load((WORKFLOWS / "wide.yml").read_text(encoding="utf-8"))
# PyYAML reads the key `on` as true.
EXPERIMENTS: dict[Any, Any] = yaml.safe_load((WORKFLOWS / "experiments.yml").read_text(encoding="utf-8"))
JOB = EXPERIMENTS["jobs"]["experiment"]
STEPS = {step.get("name", step.get("uses")): step for step in JOB["steps"]}


@pytest.mark.unittest
def test_only_a_tag_starts_an_experiment() -> None:
    assert EXPERIMENTS[True] == {"push": {"tags": ["run-example-*"]}, "workflow_dispatch": None}
    assert JOB["if"] == "startsWith(github.ref, 'refs/tags/run-example-')"


@pytest.mark.integration
def test_each_night_a_tag_moves_to_the_main_branch_and_its_run_is_asked_for(tmp_path: Path, shell: Shell) -> None:
    workflow: dict[Any, Any] = yaml.safe_load((WORKFLOWS / "nightly.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["ask"]
    assert job["if"] == "vars.LAB_NIGHTLY == 'run'"
    assert job["permissions"] == {"contents": "write", "actions": "write"}
    shell("git init --quiet --bare origin && git clone --quiet origin lab && mkdir bin", tmp_path)
    gh = tmp_path / "bin/gh"  # GitHub is not here
    gh.write_text('#!/bin/sh\necho "$@" >> asked\n')
    gh.chmod(0o755)
    path = shell("echo $PATH", tmp_path).stdout.strip()
    for night in ("first", "second"):
        shell(f"git commit --quiet --allow-empty -m {night} && git push --quiet", tmp_path / "lab")
        for step in job["steps"][1:]:
            shell(step["run"], tmp_path / "lab", PATH=f"{gh.parent}:{path}", GITHUB_REPOSITORY="sandbox/lab")
        assert shell("git log -1 --format=%s run-example-nightly", tmp_path / "origin").stdout.strip() == night
    asked = "workflow run experiments.yml --repo sandbox/lab --ref run-example-nightly\n"
    assert (tmp_path / "lab/asked").read_text() == 2 * asked


@pytest.mark.unittest
@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_no_name_that_someone_chose_is_pasted_into_a_script(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.unittest
@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.yml")), ids=lambda file: file.name)
def test_actions_are_pinned_and_keep_no_credentials(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
    actions = [step for job in jobs for step in job["steps"] if "uses" in step]
    assert actions
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in actions)
    assert all(step["with"]["persist-credentials"] is False for step in actions if "checkout" in step["uses"])


@pytest.mark.unittest
def test_an_experiment_sees_the_whole_history_and_is_never_cancelled() -> None:
    assert JOB["steps"][0]["with"]["fetch-depth"] == 0
    assert EXPERIMENTS["concurrency"] == {"group": "experiments-${{ github.ref }}", "cancel-in-progress": False}


@pytest.mark.unittest
def test_the_pipelines_limit_leaves_time_to_publish_before_the_token_dies() -> None:
    assert STEPS["Run"]["timeout-minutes"] + 30 < JOB["timeout-minutes"] < 24 * 60
    assert STEPS["Publish"]["if"].startswith("always()")


@pytest.mark.unittest
def test_publishing_knows_whether_the_pipeline_was_cancelled() -> None:
    assert STEPS["Publish"]["env"]["LAB_RUN_OUTCOME"] == f"${{{{ steps.{STEPS['Run']['id']}.outcome }}}}"


@pytest.mark.unittest
def test_only_publishing_and_commenting_have_the_token() -> None:
    assert EXPERIMENTS["permissions"] == {}
    holders = [name for name, step in STEPS.items() if "github.token" in str(step)]
    assert holders == ["Publish", "Comment on the pull request"]
    assert "github.token" not in str(JOB["env"])


@pytest.mark.unittest
def test_secrets_are_given_to_the_steps_that_use_them_and_not_to_what_installs_packages() -> None:
    assert "secrets." not in str(JOB["env"])
    holders = {name: set(re.findall(r"secrets\.(\w+)", str(step))) for name, step in STEPS.items()}
    used = {name: secrets for name, secrets in holders.items() if secrets}
    key, login = ("MINIO_ACCESS_KEY_ID", "MINIO_SECRET_ACCESS_KEY"), ("USERNAME", "PASSWORD")
    everything = {*key, *(f"MLFLOW_TRACKING_{part}" for part in login)}
    assert used.pop("Comment on the pull request") == {*key}
    assert used == dict.fromkeys(("Check the services", "Run", "Publish"), everything)


@pytest.mark.integration
def test_publishing_brings_its_own_identity_and_gives_git_the_token(tmp_path: Path, shell: Shell) -> None:
    secrets = dict.fromkeys(re.findall(r"secrets\.\w+", str(STEPS["Publish"])), "a-value")
    filled = {"github.token": "a-token", "github.server_url": "https://github.com", **secrets}
    step = {name: str(value) for name, value in STEPS["Publish"]["env"].items()}
    for key, value in filled.items():
        step = {name: text.replace(f"${{{{ {key} }}}}", value) for name, text in step.items()}
    unset = "unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL"
    commit = "git commit --quiet --allow-empty -m results"
    shell("git init --quiet && git config user.useConfigOnly true", tmp_path)
    assert "tell me who you are" in shell(f"{unset}; {commit}", tmp_path, check=False, HOME=str(tmp_path)).stderr
    nobody = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **step}
    shell(commit, tmp_path, **nobody)
    assert "github-actions[bot]" in shell("git log --format='%an %cn'", tmp_path, **nobody).stdout
    ask = "printf 'protocol=https\\nhost=%s\\n\\n' {} | GIT_TERMINAL_PROMPT=0 git credential fill"
    assert "password=a-token" in shell(ask.format("github.com"), tmp_path, **nobody).stdout
    assert shell(ask.format("elsewhere.example"), tmp_path, check=False, **nobody).returncode != 0


@pytest.mark.unittest
def test_stages_as_jobs_run_level_by_level_and_are_published_by_the_last() -> None:
    assert WIDE[True] == {"push": {"tags": ["run-wide-*"]}}
    jobs = WIDE["jobs"]
    levels = [name for name in jobs if name.startswith("level-")]
    assert [*jobs] == ["plan", *levels, "publish"]
    assert [jobs[name]["needs"] for name in levels] == ["plan", *(["plan", before] for before in levels[:-1])]
    for number, name in enumerate(levels):
        place = f"fromJSON(needs.plan.outputs.levels)[{number}]"
        assert jobs[name]["strategy"] == {"fail-fast": False, "matrix": {"stage": f"${{{{ {place} }}}}"}}
        assert jobs[name].get("if") == (f"{place} != null" if number else None)
        assert jobs[name]["steps"] is jobs[levels[0]]["steps"]
    assert jobs["publish"]["needs"] == ["plan", *levels]  # of a pipeline that is less deep, some are skipped
    assert jobs["publish"]["if"] == "${{ !cancelled() && needs.plan.result == 'success' }}"  # a level may have failed
    assert f"--most {len(levels)})" in jobs["plan"]["steps"][-1]["run"]
    assert all(job["environment"] == JOB["environment"] for job in jobs.values())
    holders = {step["name"] for job in jobs.values() for step in job["steps"] if "github.token" in str(step)}
    assert holders == {"Run", "Publish", "Comment on the pull request"}


@pytest.mark.unittest
def test_the_labs_tests_run_on_every_push_and_all_tests_in_the_template() -> None:
    tests: dict[Any, Any] = yaml.safe_load(TESTS.read_text(encoding="utf-8"))
    assert {"push": {"branches": ["**"]}, "pull_request": None}.items() <= tests[True].items()
    job = tests["jobs"]["tests"]
    assert job["steps"][-1]["run"] == 'make "$TESTS"'
    assert job["env"]["TESTS"] == "${{ github.event.repository.is_template && 'test-all' || 'test' }}"
    assert job["if"] == "github.event_name != 'schedule' || github.event.repository.is_template"


@pytest.mark.unittest
def test_a_forged_record_turns_each_push_and_pull_request_red() -> None:
    steps = yaml.safe_load(TESTS.read_text(encoding="utf-8"))["jobs"]["tests"]["steps"]
    assert steps[0]["with"]["fetch-depth"] == 0
    (check,) = [step for step in steps if "mend" in step.get("run", "")]
    assert (
        check["run"].splitlines()[-1] == ".venv/bin/python -m lab mend --check"
    )  # by `bash -e`: its exit code is last
    assert check.keys() == {"name", "run"}  # no `if`, no `continue-on-error`


@pytest.mark.unittest
def test_on_a_machine_of_ones_own_dvc_s_site_cache_is_in_the_checkout() -> None:
    verify = yaml.safe_load(VERIFY.read_text(encoding="utf-8"))["jobs"]["verify"]["steps"]
    for script in (STEPS["Set up"]["run"], next(step["run"] for step in verify if step.get("name") == "Set up")):
        assert re.search(r"mkdir -p -m 700 \.lab\b", script)
        assert re.search(r'echo "DVC_SITE_CACHE_DIR=\$PWD/\.lab/dvc"', script)
        assert '>> "$GITHUB_ENV"' in script


@pytest.mark.unittest
def test_the_machinerys_tests_run_in_a_lab_where_the_machinery_changes() -> None:
    labkit: dict[Any, Any] = yaml.safe_load(LABKIT.read_text(encoding="utf-8"))
    assert labkit[True].keys() == {"push", "pull_request"}
    for event in labkit[True].values():
        assert [path for path in event["paths"] if not list(ROOT.glob(path))] == []
        assert {"labkit/**", "runtimes/**"} <= set(event["paths"])
    assert labkit["jobs"]["tests"]["steps"][-1]["run"] == "make test-all"


@pytest.mark.unittest
@pytest.mark.parametrize("file", [TESTS, LABKIT, PULL_REQUEST], ids=lambda file: file.name)
def test_tests_and_pull_requests_need_no_secret_and_no_machine_of_ones_own(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert all(job["runs-on"].startswith("ubuntu-") for job in yaml.safe_load(text)["jobs"].values())


@pytest.mark.unittest
def test_a_pull_request_runs_with_its_own_rights_and_gives_the_token_to_the_comment_alone() -> None:
    workflow: dict[Any, Any] = yaml.safe_load(PULL_REQUEST.read_text(encoding="utf-8"))
    assert workflow[True].keys() == {"pull_request"}  # never pull_request_target, which has the base's rights
    assert [path for path in workflow[True]["pull_request"]["paths"] if not list(ROOT.glob(path))] == []
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["changes"]
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert [step["name"] for step in job["steps"] if "github.token" in str(step)] == ["Show what it changes"]


@pytest.mark.unittest
def test_a_verification_is_started_by_hand_and_has_no_secret_for_the_code_that_it_runs() -> None:
    text = VERIFY.read_text(encoding="utf-8")
    verify: dict[Any, Any] = yaml.safe_load(text)
    assert verify[True].keys() == {"workflow_dispatch"}
    assert verify[True]["workflow_dispatch"]["inputs"]["machine"]["options"] == ["ubuntu-24.04", "self-hosted"]
    assert "secrets" not in text
    assert "environment:" not in text
    assert "github.token" not in text
    assert verify["permissions"] == {}
    assert verify["jobs"]["verify"]["permissions"] == {"contents": "read"}


@pytest.mark.unittest
def test_what_signs_a_receipt_runs_no_code_of_the_revision() -> None:
    job = yaml.safe_load(VERIFY.read_text(encoding="utf-8"))["jobs"]["attest"]
    assert job["permissions"] == {"id-token": "write", "attestations": "write"}
    assert [step["uses"].split("@")[0] for step in job["steps"]] == ["actions/download-artifact", "actions/attest"]
    assert job["needs"] == "verify"
    assert "needs.verify.outputs.receipt" in job["if"]


@pytest.mark.integration
@pytest.mark.parametrize("exit_code", [0, 1, 2])
def test_a_verification_shows_its_page_and_passes_on_its_exit_code(
    exit_code: int, tmp_path: Path, shell: Shell
) -> None:
    """The step runs as GitHub runs it, by `bash -e`, with another program in the verifier's place."""
    script = yaml.safe_load(VERIFY.read_text(encoding="utf-8"))["jobs"]["verify"]["steps"][-2]["run"]
    (tmp_path / "step.sh").write_text(script, encoding="utf-8")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    # Bad input leaves no receipt.
    write = "mkdir receipt && echo '{}' > receipt/a.json; " if exit_code < 2 else ""
    python.write_text(f'#!/bin/sh\necho "$@" > called; echo the page; {write}exit {exit_code}\n', encoding="utf-8")
    python.chmod(0o755)
    done = shell("bash -e step.sh", tmp_path, check=False, REVISION="$(touch x)", GITHUB_STEP_SUMMARY="summary")
    assert done.returncode == exit_code
    assert (tmp_path / "called").read_text().strip() == "-m lab verify --to receipt -- $(touch x)"
    assert not (tmp_path / "x").exists()
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("the page\n")
    assert ("{}" in summary) == (exit_code < 2)


@pytest.mark.integration
def test_a_checkout_on_windows_has_the_same_bytes(new_lab: Callable[[], Path], tmp_path: Path, shell: Shell) -> None:
    lab = new_lab()
    shell(f"git clone --quiet --config core.autocrlf=true {lab} {tmp_path / 'clone'}", tmp_path)
    for name in ("dvc.yaml", "params.yaml", "labkit/process/files.py", "lab/processes/prepare_data/Pipfile.lock"):
        assert (tmp_path / "clone" / name).read_bytes() == (lab / name).read_bytes()
    shell("echo > .gitattributes && git add . && git commit --quiet -m none", lab)
    shell(f"git clone --quiet --config core.autocrlf=true {lab} {tmp_path / 'naive'}", tmp_path)
    assert b"\r\n" in (tmp_path / "naive" / "params.yaml").read_bytes()
