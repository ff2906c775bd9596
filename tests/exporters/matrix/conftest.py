"""Every way to deploy the watched service, started by one name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from opsconsole_exporters.catalog.http import HTTP_LATENCY, HTTP_RESPONSES

from tests.exporters.conftest import Launcher, Process, find_free_port, wait_for

_GUNICORN = ("gunicorn", "--no-control-socket", "-c", "{config}", "-b", "127.0.0.1:{port}", "-w", "2")
_UVICORN = ("uvicorn", "watched.asgi:application", "--port", "{port}", "--no-access-log")

DEPLOYMENTS = {
    "gunicorn sync": (*_GUNICORN, "watched.wsgi"),
    "gunicorn threads": (*_GUNICORN, "--threads", "4", "watched.wsgi"),
    "gunicorn uvicorn": (*_GUNICORN, "-k", "uvicorn.workers.UvicornWorker", "watched.asgi:application"),
    "uvicorn": _UVICORN,
    # A reload is given up when a new worker needs longer than the check allows, 5 s by default: too short on a busy machine.
    "uvicorn workers": (*_UVICORN, "--workers", "2", "--timeout-worker-healthcheck", "60"),
    "daphne": ("daphne", "-p", "{port}", "--no-server-name", "watched.asgi:application"),
}


@pytest.fixture
def deploy(launch: Launcher) -> Callable[..., Process]:
    """``deploy("gunicorn sync", "--max-requests", "100")`` starts the service that way and waits until it answers."""

    def run(deployment: str, *arguments: str, **environment: str) -> Process:
        port = find_free_port()
        config = launch.folder / "gunicorn.conf.py"
        config.write_text("from opsconsole_exporters.gunicorn import *\n")
        command = [part.format(port=port, config=config) for part in DEPLOYMENTS[deployment]]
        process = launch.run("-W", "ignore", "-m", *command, *arguments, port=port, **environment)
        wait_for(deployment, process.answers)
        return process

    return run


@pytest.fixture
def never_going_down() -> Callable[[Process], AbstractContextManager[None]]:
    """Scrapes without pause while the block runs; fails if a counter was ever lower than it had been before."""

    @contextmanager
    def watch(process: Process) -> Iterator[None]:
        done, fallen = threading.Event(), []
        pages: list[int] = []

        def scrape() -> None:
            highest: dict[Any, float] = {}
            while not done.is_set():
                try:
                    page = process.scrape()
                except (OSError, AssertionError):  # a server that is being replaced
                    continue
                pages.append(1)
                for (name, labels), value in page.samples.items():
                    if name in {str(HTTP_RESPONSES), HTTP_LATENCY.count, HTTP_LATENCY.sum}:
                        if value < highest.get((name, labels), 0.0):
                            fallen.append((name, dict(labels), highest[name, labels], value))
                        highest[name, labels] = value
                done.wait(0.3)

        thread = threading.Thread(target=scrape)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
        assert len(pages) > 1, "nobody could scrape"
        assert not fallen, fallen[:5]

    return watch
