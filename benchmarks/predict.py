"""`python -m lab predict` on ever more rows: `python -m benchmarks.predict [ROWS ...]`. Memory stays what it is."""

import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "data/processed/example_rows.csv"
COUNTS = (100_000, 1_000_000, 10_000_000)
BLOCK = 10_000  # rows that are written at once


def write_rows(file: Path, rows: int) -> None:
    """Write the example's rows again and again, so many as there are to be."""
    header, *lines = EXAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    block = "".join((lines * BLOCK)[:BLOCK])
    with file.open("w", encoding="utf-8") as out:
        out.write(header)
        for _ in range(rows // BLOCK):
            out.write(block)


def main() -> None:
    """Measure each count and print one table; the memory is the most of any so far, so that it must not grow."""
    table = Table("rows", "MB of CSV", "s", "rows/s", "most memory, MiB")
    for rows in [int(word) for word in sys.argv[1:]] or COUNTS:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "rows.csv"
            write_rows(file, rows)
            start = time.perf_counter()
            words = [sys.executable, "-m", "lab", "predict", str(file), "--to", f"{folder}/answers.csv"]
            subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
            took = time.perf_counter() - start
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            size = file.stat().st_size / 1e6
        table.add_row(f"{rows:,}", f"{size:,.0f}", f"{took:.1f}", f"{rows / took:,.0f}", f"{memory:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
