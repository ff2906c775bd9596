"""A console that is really served, for raw sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest


class Console:
    def __init__(self, repository: Path, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "log"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPSCONSOLE_", "DJANGO_"))}
        paths = f"{repository}:{repository / 'exporters' / 'src'}"
        self.environment = clean | {
            "PYTHONPATH": paths,
            "OPSCONSOLE_API_TOKEN": "secret-of-this-test",
            "OPSCONSOLE_QUERY_SECONDS": "600",
        }
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "opsconsole", "serve", "--port", str(self.port)),
                    *("--data-dir", str(folder / "data")),
                ],
                cwd=repository,
                env=self.environment,
                stderr=output,
            )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def says(self, sent: bytes) -> bytes:
        """Everything until it closes."""
        with self.connect() as connection:
            connection.sendall(sent)
            return b"".join(iter(lambda: self.received(connection), b""))

    @staticmethod
    def received(connection: socket.socket) -> bytes:
        """What came next; nothing once it is closed, however rudely."""
        try:
            return connection.recv(65_536)
        except ConnectionError:  # closed with bytes of ours unread
            return b""

    def alive(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/api/v1/query?query=1%2B1"
        return httpx.get(url, headers={"Authorization": "Bearer secret-of-this-test"}, timeout=20).status_code == 200


@pytest.fixture(scope="module")
def console(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, eventually: Callable[..., Any]
) -> Iterator[Console]:
    started = Console(repository, tmp_path_factory.mktemp("door"))

    def ready() -> bool:
        assert started.process.poll() is None, started.log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{started.port}/healthz/ready").status_code == 200
        except httpx.HTTPError:
            return False

    eventually(ready, 60, "the console is ready")
    yield started
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(timeout=30) == 0
    assert "Traceback" not in started.log.read_text()
