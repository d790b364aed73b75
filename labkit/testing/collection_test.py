"""What takes seconds to import, a test imports when it runs: whoever runs another need not wait for it."""

import pytest

from labkit.paths import ROOT
from labkit.testing.fixtures import Shell

COLLECT = """
import sys, pytest
ended = pytest.main(["--collect-only", "--quiet", "-p", "no:cacheprovider", "labkit", "runtimes"])
print(int(ended), sorted({"mlflow", "torch"} & sys.modules.keys()))
"""


@pytest.mark.integration
@pytest.mark.nightly
def test_the_machinerys_tests_are_collected_without_mlflow_and_torch(shell: Shell) -> None:
    assert shell(f"python -c '{COLLECT}'", ROOT).stdout.splitlines()[-1] == "0 []"
