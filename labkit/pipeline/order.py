"""Order the entries of dvc.lock and .gitignore, which DVC appends as stages end."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.dvc_adapter.graph import Step
from labkit.pipeline.records import read_records, write_records
from labkit.process.files import replacing


@contextmanager
def ordered_as_by_repro(steps: list[Step]) -> Iterator[None]:
    """Leave each dvc.lock and .gitignore as they would be had `dvc repro` run the steps one by one."""
    order: defaultdict[Path, list[str]] = defaultdict(list)
    for step in steps:
        dvc_yaml, _, stage = step.name.rpartition(":")
        order[Path(dvc_yaml or "dvc.yaml").with_suffix(".lock")].append(stage)
        for out in step.outs:
            order[out.with_name(".gitignore")].append(f"/{out.name}")
    before = {file: _entries(file) for file in order}
    try:
        yield
    finally:
        for file, names in order.items():
            _sort_added(file, before[file], {name: number for number, name in enumerate(names)})


def _sort_added(file: Path, before: list[str], place: dict[str, int]) -> None:
    entries = _entries(file)
    kept, added = entries[: len(before)], entries[len(before) :]
    in_order = sorted(added, key=lambda name: place.get(name, -1))
    if kept != before or added == in_order:
        return
    if file.suffix == ".lock":
        records = read_records(file.read_bytes())
        text = write_records({name: records[name] for name in [*kept, *in_order]})
    else:
        text = "".join(f"{line}\n" for line in [*kept, *in_order])
    with replacing(file) as beside:
        beside.write_text(text, encoding="utf-8")


def _entries(file: Path) -> list[str]:
    """The stages of a dvc.lock, or the lines of a .gitignore."""
    if not file.exists():
        return []
    return [*read_records(file.read_bytes())] if file.suffix == ".lock" else file.read_text("utf-8").splitlines()
