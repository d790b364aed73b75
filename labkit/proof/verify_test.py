"""A pipeline of two stages is verified for real: in a clone, by DVC, from its raw data alone."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit.git_cli import git
from labkit.proof.receipt import Statement, read_statement
from labkit.proof.rerun import clean_clone, remove_outputs
from labkit.proof.verify import verify_revision
from labkit.testing.fixtures import Shell

pytestmark = pytest.mark.integration

DVC_YAML = """
stages:
  judge:
    cmd: echo '{"loss":' $(cat model/weights) '}' > score.json && echo judge >> "${RAN:-/dev/null}"
    deps: [model]
    metrics: [score.json]
    meta: {tolerance: 0.1}
  train:
    cmd: mkdir model && cat raw/numbers > model/weights && echo train >> "${RAN:-/dev/null}"
    deps: [raw]
    outs: [model]
"""
RECEIPT = Path("receipt")
Change = Callable[[dict[str, Any]], object]


def make(lab: Path, shell: Shell) -> Path:
    """A lab with results, committed; all is in DVC's cache, and its raw data in a remote beside it too."""
    (lab / "raw").mkdir(parents=True)
    for name, text in {
        "raw/numbers": "1.25\n",
        "dvc.yaml": DVC_YAML.replace("${RAN", "\\${RAN"),  # else DVC takes it for a variable of its own
        ".dvcignore": ".lab\n",
        ".gitignore": "/.lab/\n/receipt/\n",
        "Pipfile.lock": "{}",
    }.items():
        (lab / name).write_text(text)
    shell("git init --quiet --initial-branch main && dvc init --quiet", lab)
    shell("dvc remote add --quiet --default share ../share && dvc add --quiet raw/numbers && dvc repro --quiet", lab)
    shell("dvc push --quiet raw/numbers && git add --all && git commit --quiet --no-verify -m results", lab)
    return lab


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory, shell: Shell) -> Path:
    """A lab of which a receipt was made where only the remote had the raw data. Nothing may be changed here."""
    lab = make(tmp_path_factory.mktemp("verified") / "lab", shell)
    # The model, which is the same bytes, is taken away with them: nothing of it can be restored.
    kept_raw_data(lab).rename(lab.parent / "kept")
    ran = lab.parent / "ran"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(lab)
        patch.setenv("RAN", str(ran))
        patch.setenv("DVC_STAGE", "not of this run")
        assert verify_revision("main", to=RECEIPT) == 0
    assert ran.read_text() == "train\njudge\n"
    (lab.parent / "kept").rename(kept_raw_data(lab))
    return lab


@pytest.fixture
def lab(verified: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, without the remote, and with this process in it."""
    copy = Path(shutil.copytree(verified, tmp_path / "lab", symlinks=True))
    monkeypatch.chdir(copy)
    return copy


def receipt_of(folder: Path) -> Statement:
    """The receipt written last."""
    receipt = max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return read_statement(receipt.read_bytes(), receipt)


def kept_raw_data(lab: Path) -> Path:
    """Where DVC's cache has the raw data."""
    md5 = hashlib.md5(b"1.25\n").hexdigest()
    return lab / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def in_cache(lab: Path, text: str) -> str:
    """Put a file into DVC's cache; return its md5."""
    md5 = hashlib.md5(text.encode()).hexdigest()
    place = lab / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return md5


def test_a_commit_is_reproduced_from_its_raw_data(verified: Path) -> None:
    receipt = receipt_of(verified / RECEIPT)
    assert [(one.name, one.verdict) for one in receipt.outcomes] == [
        ("train: model", "reproduced"),
        ("judge: score.json", "reproduced"),
    ]
    made = {one.name: one.digest["sha256"] for one in receipt.subject[1:]}
    outputs = ("model/weights", "score.json")
    assert made == {name: hashlib.sha256((verified / name).read_bytes()).hexdigest() for name in outputs}
    read = {one.name: one.digest for one in receipt.predicate.configuration}
    assert read["raw/numbers"]["sha256"] == hashlib.sha256(b"1.25\n").hexdigest()
    assert "reproduced" in (verified / RECEIPT / f"{receipt.commit[:12]}.md").read_text()
    assert list((verified / ".lab").glob("verify-*")) == []


def test_a_forged_record_differs_from_its_stage_on(lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    lock = lab / "dvc.lock"
    was = hashlib.md5((lab / "score.json").read_bytes()).hexdigest()
    assert was in lock.read_text()
    lock.write_text(lock.read_text().replace(was, in_cache(lab, '{"loss": 1.26}\n')))
    shell("git commit --quiet --no-verify -a -m forged", lab)
    assert verify_revision(to=RECEIPT) == 1
    receipt = receipt_of(lab / RECEIPT)
    assert [(one.name, one.verdict) for one in receipt.outcomes] == [
        ("train: model", "reproduced"),
        ("judge: score.json", "differs"),
    ]
    [file] = receipt.outcomes[1].files
    assert file.largest == pytest.approx(0.01)
    assert file.tolerances == pytest.approx(0.01 / 0.126)  # a tenth of what is recorded
    assert receipt.predicate.result == "FAILED"
    told = capsys.readouterr().out
    assert "differs from judge on" in told
    assert "0.0794 times its tolerance" in told
    assert verify_revision(receipt=next((lab / RECEIPT).glob(f"{receipt.commit[:12]}.json"))) == 1


@pytest.mark.parametrize(
    ("is_damaged", "told"),
    [
        (False, "neither in DVC's cache nor in the remote: raw/numbers"),
        (True, "other bytes than their hash says: raw/numbers"),
    ],
)
def test_without_its_raw_data_nothing_runs_and_nothing_is_guessed(
    lab: Path, is_damaged: bool, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = kept_raw_data(lab)
    raw.chmod(0o600)
    raw.write_text("1.26\n")
    raw.chmod(0o444)  # as DVC leaves what it has checked, and then believes
    if not is_damaged:
        raw.unlink()
    monkeypatch.setenv("RAN", str(lab / "ran"))
    assert verify_revision(to=RECEIPT) == 2
    receipt = receipt_of(lab / RECEIPT)
    assert {one.verdict for one in receipt.outcomes} == {"could not check"}
    assert receipt.predicate.result == "WARNED"
    page, line = capsys.readouterr()
    assert told in page
    assert line.endswith(f"; the receipt is {next(RECEIPT.glob('*.json'))}\n")
    assert not (lab / "ran").exists()
    assert raw.exists() == is_damaged  # whatever of it can be saved is left
    assert verify_revision(receipt=lab / RECEIPT / f"{receipt.commit[:12]}.json") == 2


def test_a_stage_that_fails_could_not_be_checked(lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell("sed -i 's/mkdir model/exit 3/' dvc.yaml && git commit --quiet --no-verify -a -m fails", lab)
    assert verify_revision(to=RECEIPT) == 2
    told = capsys.readouterr().out
    assert "its stage did not run to its end" in told
    assert "failed to reproduce 'train'" in told


@pytest.mark.parametrize("way", ["frozen", pytest.param("persist", marks=pytest.mark.nightly)])
def test_an_output_that_git_has_and_no_run_made_is_not_reproduced(
    lab: Path, shell: Shell, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    was = hashlib.md5((lab / "score.json").read_bytes()).hexdigest()
    (lab / "score.json").unlink()
    (lab / "score.json").write_text('{"loss": 0.001}\n')
    changes = {"  judge:\n": "  judge:\n    frozen: true\n"}
    if way == "persist":
        keeping = "> other; test -e score.json || mv other score.json"
        changes = {"> score.json": keeping, "[score.json]": "[{score.json: {persist: true, cache: false}}]"}
    changes[was] = in_cache(lab, '{"loss": 0.001}\n')
    for file in (lab / "dvc.yaml", lab / "dvc.lock"):
        text = file.read_text()
        for old, new in changes.items():
            text = text.replace(old, new) if old != "  judge:\n" or file.name == "dvc.yaml" else text
        file.write_text(text)
    shell("git add --force score.json && git commit --quiet --no-verify -a -m made-up", lab)
    assert verify_revision(to=RECEIPT) == (2 if way == "frozen" else 1)
    [_, outcome] = receipt_of(lab / RECEIPT).outcomes
    assert outcome.verdict == ("could not check" if way == "frozen" else "differs")
    assert ("its stage is frozen, so that nothing ran; `dvc unfreeze judge`" in outcome.reason) == (way == "frozen")


def test_the_clone_knows_neither_the_folder_it_came_from_nor_removes_what_is_not_its_own(lab: Path) -> None:
    (lab / "kept").mkdir()
    with clean_clone("main") as clone:
        assert git("-C", str(clone), "remote") == ""
        (clone / "link").symlink_to(lab)
        (clone / "own").mkdir()
        (clone / "own" / "out").touch()
        remove_outputs(clone, ["link/kept", "../../../kept", str(lab / "kept"), "own", "absent"])
        assert not (clone / "own").exists()
    assert (lab / "kept").exists()


@pytest.mark.parametrize("revision", ["no-such-tag", "--help", "HEAD:dvc.yaml", "HEAD~7", "a b"])
def test_an_unknown_revision_is_refused(lab: Path, revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_revision(revision) == 2
    assert "is not a commit here" in capsys.readouterr().err


def test_a_revision_with_changes_that_no_commit_has_is_refused(
    lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    (lab / "dvc.yaml").write_text(DVC_YAML + "# changed\n")
    assert verify_revision("main") == 2
    assert "dvc.yaml: changed since main" in capsys.readouterr().err


def test_a_commit_without_results_and_a_wrong_tolerance_are_refused(
    lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell("sed -i 's/tolerance: 0.1/tolerance: none/' dvc.yaml && git commit --quiet --no-verify -a -m wrong", lab)
    assert verify_revision() == 2
    assert "dvc.yaml: stages.judge.meta.tolerance is 'none'; give a positive number" in capsys.readouterr().err
    shell("git rm --quiet dvc.lock && git commit --quiet --no-verify -m none", lab)
    assert verify_revision() == 2
    assert "has no dvc.lock" in capsys.readouterr().err


def test_a_fault_of_the_verifier_is_no_verdict(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.proof.verify.run_again", lambda *_: 1 / 0)
    assert verify_revision() == 2


def test_a_receipt_holds_as_far_as_its_files_are_here(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [receipt] = (lab / RECEIPT).glob("*.json")
    assert verify_revision(receipt=receipt) == 0
    assert verify_revision("main", receipt=receipt) == 0
    assert "all of it holds here" in capsys.readouterr().out
    shutil.rmtree(lab / ".dvc" / "cache")
    assert verify_revision(receipt=receipt) == 2
    assert "the sha256 of 3 files could not be checked: DVC's cache does not have" in capsys.readouterr().out


def test_a_receipt_of_another_commit_is_refused(lab: Path, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    [receipt] = (lab / RECEIPT).glob("*.json")
    shell("git commit --quiet --no-verify --allow-empty -m another", lab)
    assert verify_revision("HEAD", receipt=receipt) == 1
    assert "contradicted: it is of commit" in capsys.readouterr().out
    assert verify_revision("HEAD~1", receipt=receipt) == 0
    shell("git checkout --quiet --orphan other && git commit --quiet --no-verify -m other", lab)
    shell("git branch -D main && git reflog expire --expire=now --all && git gc --quiet --prune=now", lab)
    assert verify_revision(receipt=receipt) == 2
    assert "is not here; `git fetch` may bring it" in capsys.readouterr().out


@pytest.mark.parametrize(("of", "kind"), [("main^{tree}", "tree"), ("made", "tag")])
def test_a_receipt_of_what_is_no_commit_is_refused(
    lab: Path, tmp_path: Path, shell: Shell, of: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell("git tag --annotate --message x made", lab)
    [receipt] = (lab / RECEIPT).glob("*.json")
    content = json.loads(receipt.read_text())
    content["subject"][0]["digest"]["gitCommit"] = git("rev-parse", of)
    (tmp_path / "tampered.json").write_text(json.dumps(content))
    assert verify_revision(receipt=tmp_path / "tampered.json") == 1
    assert f" is a {kind}, and no commit" in capsys.readouterr().out


def _configured(receipt: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in receipt["predicate"]["configuration"] if one["name"] == name)
    return found


def _outcomes(receipt: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _configured(receipt, "dvc.lock")["annotations"]["outcomes"]
    return found


def _left_out(receipt: dict[str, Any]) -> None:
    del _outcomes(receipt)[1], receipt["subject"][2], receipt["predicate"]["passedTests"][1]


def _other_result(receipt: dict[str, Any]) -> None:
    md5, sha256 = hashlib.md5(b"other").hexdigest(), hashlib.sha256(b"other").hexdigest()
    receipt["subject"][2]["digest"] = {"md5": md5, "sha256": sha256}
    _outcomes(receipt)[1].update(recorded=md5, made=md5)


NOUGHTS = "0" * 64


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it["predicate"].update(result="FAILED"), "its result is not what its outcomes say"),
        (lambda it: it["predicate"]["passedTests"].pop(), "its passed_tests is not"),
        (lambda it: _outcomes(it)[0].update(recorded=NOUGHTS), "its hashes say otherwise"),
        (lambda it: _outcomes(it)[0].update(verdict="differs"), "its hashes say otherwise"),
        (lambda it: it["subject"][0]["digest"].update(gitTree=NOUGHTS[:40]), "not the one that it names"),
        (lambda it: it["subject"][1]["digest"].update(md5=NOUGHTS[:32]), "are not those of the hash"),
        (lambda it: it["subject"][1]["digest"].update(sha256=NOUGHTS), "model/weights here has another sha256"),
        (lambda it: it["subject"].pop(), "are not those of the hash"),
        (lambda it: it["subject"].append({**it["subject"][1], "name": "other"}), "no output is made of other"),
        (lambda it: _configured(it, "dvc.lock")["digest"].update(sha256=NOUGHTS), "dvc.lock of the commit has another"),
        (lambda it: _configured(it, "raw/numbers")["digest"].update(md5=NOUGHTS[:32]), "its raw data are not those"),
        (lambda it: _configured(it, "raw/numbers")["digest"].update(sha256=NOUGHTS), "numbers here has another sha256"),
        (
            lambda it: it["predicate"]["configuration"].remove(_configured(it, "Pipfile.lock")),
            "it does not name Pipfile.lock of the commit, which decides the bytes",
        ),
        (_left_out, "judge: score.json: dvc.lock of the commit does not record"),
        (_other_result, "judge: score.json: dvc.lock of the commit does not record"),
    ],
)
def test_a_tampered_receipt_is_refused(
    lab: Path, tmp_path: Path, change: Change, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [receipt] = (lab / RECEIPT).glob("*.json")
    content = json.loads(receipt.read_text())
    change(content)
    (tmp_path / "tampered.json").write_text(json.dumps(content))
    assert verify_revision(receipt=tmp_path / "tampered.json") == 1
    assert told in capsys.readouterr().out


@pytest.mark.nightly
def test_the_example_is_reproduced_in_environments_of_its_own(finished_lab: Path, tmp_path: Path, shell: Shell) -> None:
    lab = shutil.copytree(finished_lab, tmp_path / "lab", symlinks=True)
    before = (lab / "mlflow.db").read_bytes()
    shell("python -m lab verify", lab)
    receipt = receipt_of(lab / ".lab" / "receipts")
    made = {name.rpartition("-")[0] for name in receipt.verifier.environments}
    assert made == {path.parent.name for path in lab.glob("lab/processes/*/Pipfile.lock")}
    assert {one.verdict for one in receipt.outcomes} == {"reproduced"}
    assert (lab / "mlflow.db").read_bytes() == before
    shell(f"python -m lab verify HEAD --receipt .lab/receipts/{receipt.commit[:12]}.json", lab)
    assert shell("git status --porcelain", lab).stdout == ""
