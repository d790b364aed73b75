"""What a person sees of a training."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.processes.train_dnn_pytorch.densenet import History


@contextmanager
def show_progress(epochs: int) -> Iterator[Callable[[History], None]]:
    """Yield what to call after each epoch: a bar on a terminal, else a line for each tenth of the epochs."""
    if not sys.stdout.isatty():
        yield lambda history: _print_tenths(history, epochs)
        return
    from rich.progress import Progress  # only here: a runner would import it for nothing

    with Progress() as bar:
        task = bar.add_task("training", total=epochs)
        yield lambda history: bar.update(task, completed=history["epoch"][-1], description=_line(history))


def _print_tenths(history: History, epochs: int) -> None:
    epoch = int(history["epoch"][-1])
    if epoch * 10 // epochs > (epoch - 1) * 10 // epochs:
        print(f"epoch {epoch}/{epochs}: {_line(history)}", flush=True)


def _line(history: History) -> str:
    return f"loss {history['training_loss'][-1]:.4f}, validation {history['validation_loss'][-1]:.4f}"
