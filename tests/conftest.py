"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings

from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.commit import CommitPolicy
from opsconsole.storage.spans import SpanStore

# Django reads its settings once a process, so the folder of this run's records is chosen before any test is imported.
os.environ["OPSCONSOLE_DATA_DIR"] = tempfile.mkdtemp(prefix="opsconsole-tests-")
os.environ["DJANGO_SETTINGS_MODULE"] = "opsconsole.config.settings"
if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # In memory SQLite knows no waiting writers, and our records have several threads.
    database = Path(os.environ["OPSCONSOLE_DATA_DIR"]) / "tests.sqlite3"
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(database)
django.setup()

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """``program("promtool")`` is its path; the test skips where the machine lacks it."""

    def find(name: str) -> str:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if path is None:
            pytest.skip(f"needs {name}, which is not on this machine")
        return path

    return find


@pytest.fixture(scope="session")
def span_store(embedded_engine: ClickHouse) -> Iterator[SpanStore]:
    """Traces in that engine, committed without the wait that makes batches larger."""
    store = SpanStore(embedded_engine, CommitPolicy(what="spans", batch=1000, pending=1000, delay_s=0.01))
    yield store
    store.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffled or not, the acceptance tests come last and in order: they share one demo, which the last one stops.

    Where several processes share the tests, a file stays with one of them, for its servers, and so do the acceptance tests,
    which then come first: they take longest.
    """
    acceptance = [item for item in items if "acceptance" in item.path.parts]
    acceptance.sort(key=lambda item: (str(item.path), item.reportinfo()[1] or 0))
    others = [item for item in items if "acceptance" not in item.path.parts]
    for item in others:
        item.add_marker(pytest.mark.xdist_group(str(item.path)))
    for item in acceptance:
        item.add_marker(pytest.mark.xdist_group("acceptance"))
    items[:] = acceptance + others if hasattr(config, "workerinput") else others + acceptance


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """``eventually(check, timeout_s, what)`` returns the first true value of ``check``, or fails with ``what``."""

    def wait(check: Callable[[], Any], timeout_s: float = 20, what: str = "the condition holds") -> Any:
        deadline = time.monotonic() + timeout_s
        while True:
            if value := check():
                return value
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout_s:.0f} s: {what}")
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def embedded_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """The one embedded engine of this process: it serves one folder for as long as the process lives."""
    store = ClickHouse.open("", tmp_path_factory.mktemp("telemetry"))
    yield store
    store.close()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Where every program must be there (CI), a skip for want of one is a failure of the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("OPSCONSOLE_REQUIRE_PROGRAMS") and reporter is not None:
        for report in reporter.stats.get("skipped", []):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if "needs " in reason:
                reporter.write_line(f"\n{report.nodeid} skipped, and here it must not: {reason}", red=True)
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
    result = yield
    shutil.rmtree(os.environ["OPSCONSOLE_DATA_DIR"], ignore_errors=True)
    return result
