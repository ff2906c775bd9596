from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Promtool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """``promtool("check", "rules", path)`` runs it; the test skips where the machine lacks it."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("needs promtool; apt install prometheus")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)

    return run
