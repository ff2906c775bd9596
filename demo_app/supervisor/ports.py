"""Find free loopback ports, and say so when a wanted one is taken."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import repeat

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """The message names the port."""


def free(count: int, preferred: Sequence[int] = ()) -> list[int]:
    """Return ``count`` different ports that nobody listens on at this moment, the preferred ones where they are free."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        wishes = [*preferred, *repeat(0, count)]
        for one, wanted in zip(sockets, wishes, strict=False):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind((HOST, wanted))
            except (OSError, OverflowError):
                one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def claim(port: int) -> int:
    """Return ``port`` if it can be listened on, or a free one for 0.  Raises ``PortTakenError``."""
    if port == 0:
        return free(1)[0]
    with socket.socket() as probe:
        # As servers do: connections of the last run that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise PortTakenError(f"port {port} cannot be used: {error.args[-1]}") from error
    return port
