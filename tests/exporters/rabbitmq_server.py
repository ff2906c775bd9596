"""A real RabbitMQ with ports, names and files of its own, its own port mapper, and the management plugin."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kombu

from tests.exporters.conftest import DEADLINE_S, find_free_port, wait_for


@dataclass(frozen=True)
class RabbitMQ:
    """``url`` is for AMQP, ``management`` is its management API's, with user and password."""

    url: str
    management: str


@contextlib.contextmanager
def running(program: Callable[[str], str], folder: Path) -> Iterator[RabbitMQ]:
    """Debian's server, until the block ends."""
    server = program("rabbitmq-server")
    # Debian's own script insists on a user; the one it wraps does not.
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    port, distribution, mapper, management = (find_free_port() for _ in range(4))
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"watched{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (folder / "plugins").write_text("[rabbitmq_management].\n")
    (folder / "rabbitmq.conf").write_text(
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
        "collect_statistics_interval = 200\n"  # ms; 5,000 by default
    )
    with (folder / "output").open("wb") as output:
        mapping = subprocess.Popen([program("epmd")], env=environment, stdout=output, stderr=output)
        # The server would start one of its own that nobody stops.
        wait_for("its port mapper", lambda: listens(mapper))
        popen = subprocess.Popen(
            [str(inner) if inner.exists() else server],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        url = f"amqp://guest:guest@127.0.0.1:{port}//"

        def answers() -> bool:
            assert popen.poll() is None, (folder / "output").read_text()
            with contextlib.suppress(OSError), kombu.Connection(url, connect_timeout=5) as connection:
                connection.connect()
                return True
            return False

        try:
            wait_for("RabbitMQ", answers, 2 * DEADLINE_S)
            yield RabbitMQ(url, f"http://guest:guest@127.0.0.1:{management}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(popen.pid, signal.SIGKILL)
            popen.wait(DEADLINE_S)
            mapping.kill()
            mapping.wait(DEADLINE_S)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
