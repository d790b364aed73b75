"""An output that DVC keeps no copy of is refused before anything is trained, and the words tell how to mend it."""

from pathlib import Path

import pytest

from labkit.doctor.clone import check_settings
from labkit.pipeline.uncached import refuse_nested, refuse_uncached, uncached_outputs
from labkit.process.errors import InputError
from labkit.testing.fixtures import Shell

REFUSAL = (
    "dvc.yaml: stages.score.metrics: write `- of all.json` alone and run `git rm -r --cached 'of all.json'`; "
    "dvc.yaml: stages.lose.outs: write `- model` alone; "
    "dvc.yaml: stages.draw.plots: rows.csv: remove `cache: false`: "
    "with `cache: false` DVC keeps no copy, and no other machine gets it"
)
MEND = "s/- of all.json:/- of all.json/; s/- model:/- model/; s/, cache: false//; / cache: false/d"


@pytest.mark.unittest
@pytest.mark.parametrize(
    ("stage", "found"),
    [
        ({"outs": ["a", {"b": {"cache": True}}, {"c": {"persist": True}}, {"d": None}]}, []),
        (
            {"metrics": [{"a": {"cache": False}}], "plots": [{"b": {"x": "e", "cache": False}}]},
            ["metrics a", "plots b"],
        ),
        ({"foreach": ["x"], "do": {"wdir": "sub", "outs": [{"${item}": {"cache": False}}]}}, ["outs sub/${item}"]),
        ({"outs": "a", "metrics": None, "plots": [["a"], 1]}, []),
        ("nonsense", []),
        (None, []),
    ],
)
def test_every_output_that_says_so_is_found(stage: object, found: list[str]) -> None:
    assert [f"{kind} {out}" for kind, _, out in uncached_outputs(stage)] == found


@pytest.mark.integration
def test_it_is_refused_before_training_and_what_the_words_say_mends_it(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shell("git init --quiet && dvc init --quiet && echo '{}' > 'of all.json'", tmp_path)
    for name, kind, file in (("score", "-M", "'of all.json'"), ("lose", "-O", "model"), ("draw", "-O", "rows.csv")):
        shell(f'dvc stage add --quiet -n {name} {kind} {file} "echo 1 > {file}"', tmp_path)
    text = Path("dvc.yaml").read_text()
    draw = text[text.index("  draw:") :].replace("outs:", "plots:")
    draw = draw.replace("rows.csv:\n        cache: false", "rows.csv: {x: epoch, cache: false}")
    Path("dvc.yaml").write_text(text[: text.index("  draw:")] + draw)
    shell("git add --all && git commit --quiet -m lab", tmp_path)
    with pytest.raises(InputError) as refused:
        refuse_uncached()
    assert str(refused.value) == REFUSAL
    assert REFUSAL in check_settings().found
    shell(f"sed -i '{MEND}' dvc.yaml && git rm --quiet -r --cached 'of all.json'", tmp_path)
    refuse_uncached()
    shell("dvc repro --quiet", tmp_path)
    assert shell("dvc status", tmp_path).stdout == "Data and pipelines are up to date.\n"
    shell("git add --force 'of all.json'", tmp_path)
    told = (
        "^of all.json: Git tracks what a stage writes and DVC keeps, .* `git rm -r --cached 'of all.json'`, and commit$"
    )
    with pytest.raises(InputError, match=told):
        refuse_uncached()


@pytest.mark.integration
def test_what_git_tracks_of_an_output_is_refused_before_its_first_run(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outs = "[../../elsewhere, made: {persist: true}]"
    Path("dvc.yaml").write_text(f"stages: {{a: {{cmd: a, wdir: sub, outs: {outs}}}}}")
    shell("git init --quiet && mkdir -p sub/made && echo 1 > sub/made/note && git add --all", tmp_path)
    with pytest.raises(InputError, match=r"^sub/made/note: Git tracks what a stage writes"):
        refuse_uncached()
    shell("git rm --quiet -r --cached sub/made/note", tmp_path)
    refuse_uncached()


@pytest.mark.integration
def test_stages_of_another_folder_are_refused_once_they_take_part(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = "{cmd: cat ../raw > made, deps: [../raw], outs: [made]"
    shell("git init --quiet && dvc init --quiet && mkdir sub && echo 1 > raw", tmp_path)
    Path("sub/dvc.yaml").write_text(f"stages: {{make: {stage}}}}}")
    Path("dvc.yaml").write_text("stages: {use: {cmd: cat raw > used, deps: [raw], outs: [used]}}")
    refuse_nested()
    Path("dvc.yaml").write_text("stages: {use: {cmd: cat sub/made > used, deps: [sub/made], outs: [used]}}")
    told = r"^sub/dvc\.yaml:make: only records of the root's dvc\.lock .* root's dvc\.yaml, with `wdir: FOLDER`$"
    with pytest.raises(InputError, match=told):
        refuse_nested()
    assert "sub/dvc.yaml:make" in check_settings().found
    Path("sub/dvc.yaml").unlink()
    used = "use: {cmd: cat sub/made > used, deps: [sub/made], outs: [used]}"
    Path("dvc.yaml").write_text(f"stages: {{make: {stage}, wdir: sub}}, {used}}}")
    refuse_nested()
    shell("dvc repro --quiet", tmp_path)
