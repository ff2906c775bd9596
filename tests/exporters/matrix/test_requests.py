"""After known requests the counters are the truth, whichever server runs the workers and however these come and go.

What was answered is counted, exactly once.  A request that a dying worker left without an answer may have been counted or
not; nobody can know, and it is the only latitude.
"""

from __future__ import annotations

import contextlib
import os
import signal
from itertools import cycle, islice

import psutil
import pytest
from opsconsole_exporters.catalog.http import HTTP_ACTIVE, HTTP_EXCEPTIONS, HTTP_LATENCY, HTTP_REQUESTS, HTTP_RESPONSES

from tests.exporters.conftest import Process, Scrape
from tests.exporters.matrix.conftest import DEPLOYMENTS
from tests.exporters.matrix.load import Books, ask, interrupted

pytestmark = pytest.mark.real

REQUESTS = {"gunicorn uvicorn": 10_000}
FEWER = 600
"""Ten thousand where sync and async views meet; the others differ in how they start and stop, not in how they count."""

VIEWS = ("plain", "later", "lookup", "boom")
# Mostly small answers; one in a hundred is an exception that a middleware handles, one an exception that nobody does.
MIX = (*("/plain/", "/later/", "/later/") * 32, "/plain/", "/later/", "/lookup/", "/boom/")
SEVERAL_WORKERS = ("gunicorn sync", "gunicorn threads", "gunicorn uvicorn", "uvicorn workers")


def paths(count: int) -> list[str]:
    return list(islice(cycle(MIX), count))


def workers(web: Process) -> list[int]:
    """The pids of the processes that answer; uvicorn has a child beside them that only cleans up."""
    pids = []
    for child in psutil.Process(web.popen.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, whether or not it was waited for
            if "resource_tracker" not in "".join(child.cmdline()):
                pids.append(child.pid)
    return pids


def assert_exact(page: Scrape, books: Books) -> None:
    """Nothing broke off, so every number is known."""
    assert not books.unanswered
    for (path, status), count in books.answered.items():
        view = path.strip("/") if status != 404 else "<unnamed view>"
        assert page.value(HTTP_RESPONSES, status=str(status), view=view, method="GET") == count
    for view in VIEWS:
        count = books.of(f"/{view}/")
        assert page.sum(HTTP_REQUESTS, view=view) == count
        assert page.value(HTTP_LATENCY.count, view=view, method="GET") == count
        assert page.value(HTTP_LATENCY.bucket, view=view, method="GET", le="+Inf") == count
    assert page.value(HTTP_EXCEPTIONS, type="ZeroDivisionError") == books.with_status(500)
    assert page.value(HTTP_ACTIVE) == 0


def assert_counted(page: Scrape, books: Books) -> None:
    """What was answered is counted once, and of what was not, at most that."""
    for (path, status), count in books.answered.items():
        if status != 404:
            counted = page.value(HTTP_RESPONSES, status=str(status), view=path.strip("/"), method="GET")
            assert count <= counted <= count + books.unanswered[path], (path, status)
    assert books.with_status(500) <= page.value(HTTP_EXCEPTIONS, type="ZeroDivisionError")
    assert page.value(HTTP_ACTIVE) == 0


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_counters_are_the_truth(deploy, until, never_going_down, deployment):
    web = deploy(deployment)
    books = ask(web.port, [*paths(REQUESTS.get(deployment, FEWER)), "/no/such/page/"])
    for _ in range(4):  # whichever worker answers
        assert_exact(web.scrape(), books)
    if deployment not in SEVERAL_WORKERS:
        return

    first = workers(web)

    def reload() -> None:
        until("a worker in the place of the killed one", lambda: len(now := workers(web)) == 2 and first[0] not in now)
        web.popen.send_signal(signal.SIGHUP)

    acts = {FEWER // 3: lambda: os.kill(first[0], signal.SIGKILL), FEWER * 2 // 3: reload}
    with never_going_down(web):
        ask(web.port, interrupted(paths(FEWER), acts), books)
        until("two other workers", lambda: len(now := workers(web)) == 2 and not {*now} & {*first})
        ask(web.port, paths(FEWER), books)
    assert_counted(web.scrape(), books)


def test_workers_that_are_replaced_after_some_requests_lose_no_count(deploy, never_going_down, launch):
    web = deploy("gunicorn sync", "--preload", "--max-requests", "100")
    with never_going_down(web):
        books = ask(web.port, paths(FEWER))
    assert_counted(web.scrape(), books)
    assert len(list(launch.multiproc_dir.glob("counter_*.db"))) > 4
