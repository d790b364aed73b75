import pytest
import torch

from lab.processes.train_dnn_pytorch.device import chosen_device
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest


@pytest.mark.parametrize("there_is_one", [True, False])
def test_the_cpu_is_the_cpu_whatever_the_machine_has(monkeypatch: pytest.MonkeyPatch, there_is_one: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there_is_one)

    assert chosen_device("cpu") == torch.device("cpu")


# What torch says of itself is set here: one machine has one build of it.
@pytest.mark.parametrize(
    ("build", "said"), [(None, "is the CPU build;"), ("13.0", r"for CUDA 13\.0 finds no device \(`nvidia-smi`")]
)
def test_cuda_where_torch_can_t_use_it_is_refused_with_the_reason_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, build: str | None, said: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(InputError, match=rf"^params\.yaml: training\.device is cuda, but torch \S+ {said}") as refused:
        chosen_device("cuda")

    assert "; set it to cpu, or run where there is a CUDA device" in str(refused.value)
    assert "\n" not in str(refused.value)
