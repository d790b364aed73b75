import pytest

from lab.processes.train_dnn_pytorch.progress import show_progress

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize(
    ("epochs", "shown"), [(3, [1, 2, 3]), (10, [*range(1, 11)]), (25, [3, 5, 8, 10, 13, 15, 18, 20, 23, 25])]
)
def test_a_log_gets_a_line_for_each_tenth_of_the_epochs(
    capsys: pytest.CaptureFixture[str], epochs: int, shown: list[int]
) -> None:
    with show_progress(epochs) as show:
        for epoch in range(1, epochs + 1):
            show({"epoch": [epoch], "training_loss": [0.5], "validation_loss": [0.25]})

    assert capsys.readouterr().out.splitlines() == [
        f"epoch {epoch}/{epochs}: loss 0.5000, validation 0.2500" for epoch in shown
    ]
