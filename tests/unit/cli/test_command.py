"""How the command begins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_HUGE_PAGES = "import numpy; print(numpy._core.multiarray._get_madvise_hugepage())"


@pytest.mark.skipif(sys.platform != "linux", reason="NumPy asks for huge pages on Linux only")
@pytest.mark.parametrize("ours", [False, True])
def test_numpy_asks_for_no_huge_pages_in_processes_of_ours(ours: bool) -> None:
    begin = "from signaldesk.__main__ import undisturbed; undisturbed()\n" if ours else ""
    given = {name: value for name, value in os.environ.items() if name != "NUMPY_MADVISE_HUGEPAGE"}
    found = subprocess.check_output([sys.executable, "-c", begin + _HUGE_PAGES], env=given, text=True)
    assert found.strip() == str(not ours)
