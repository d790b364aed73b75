import platform
from pathlib import Path

import pytest

from labkit.launch.kernels import Choice
from labkit.launch.machine import Machine, described, other_bytes, refuse_missing_device, this_machine
from labkit.process.errors import InputError

pytestmark = pytest.mark.unittest

XEON = Machine("x86_64", "GenuineIntel", "avx512")
PORTABLE = {"prepare": Choice(), "train": Choice()}


@pytest.mark.parametrize(
    ("cpuinfo", "vendor", "instructions"),
    [
        (
            "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse4_2 avx avx2 avx512f\n",
            "GenuineIntel",
            "avx512",
        ),
        ("vendor_id\t: AuthenticAMD\nflags\t\t: sse4_2 avx avx2\nvendor_id\t: B\n", "AuthenticAMD", "avx2"),
        ("vendor_id\t: GenuineIntel\nflags\t\t: sse4_2 avx\n", "GenuineIntel", "avx"),
        ("processor\t: 0\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\n", "0x41", "sve"),
        ("", "unknown", "unknown"),
    ],
)
def test_the_processor_is_read(tmp_path: Path, cpuinfo: str, vendor: str, instructions: str) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert this_machine(tmp_path / "cpuinfo") == Machine(platform.machine(), vendor, instructions)


def test_where_nothing_can_be_read_little_is_known(tmp_path: Path) -> None:
    assert this_machine(tmp_path / "absent") == Machine(platform.machine(), "unknown", "unknown")


def test_cuda_is_refused_where_no_driver_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    refuse_missing_device("train", Choice())
    with pytest.raises(InputError, match="train has device: cuda, and no NVIDIA driver is here; set it to cpu"):
        refuse_missing_device("train", Choice("portable", "cuda"))


def test_a_machine_is_described_with_device_and_kernels() -> None:
    assert described(XEON, Choice("native", "cuda")) == "x86_64 GenuineIntel avx512, cuda, native kernels"


@pytest.mark.parametrize(
    ("machine", "choices", "told"),
    [
        (XEON, PORTABLE, []),
        (Machine("x86_64", "unknown", "unknown"), PORTABLE, []),
        (
            Machine("aarch64", "0x41", "neon"),
            PORTABLE,
            ["results made on aarch64 are not byte-identical to those made on x86-64: compare by tolerance"],
        ),
        (
            Machine("x86_64", "GenuineIntel", "avx"),
            PORTABLE,
            ["results made without AVX2 (avx) are not byte-identical to those made with it: compare by tolerance"],
        ),
        (
            XEON,
            PORTABLE | {"train": Choice("native", "cuda")},
            [
                "train ran with this processor's own kernels, and another kind of processor gives other bytes: "
                "compare by tolerance",
                "train ran on cuda, and a CPU gives other bytes: compare by tolerance",
            ],
        ),
        (Machine("arm64", "unknown", "unknown"), {}, []),  # nothing ran
    ],
)
def test_where_bytes_are_others_it_is_said_and_nowhere_else(
    machine: Machine, choices: dict[str, Choice], told: list[str]
) -> None:
    assert other_bytes(machine, choices) == told
