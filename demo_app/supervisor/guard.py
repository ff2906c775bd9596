"""A second process that ends every group when the supervisor dies without doing it, even by SIGKILL.

The kernel's parent-death signal reaches only direct children, and only asks.  The guard knows all groups, waits, and
kills what is left.  It learns of the supervisor's death by the end of a pipe that nobody else holds.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from .group import Group, end
from .part import StopOrder


class Guard:
    """Forks at once: make it before any thread, event loop or child exists."""

    def __init__(self) -> None:
        read_end, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _guard(read_end)
        os.close(read_end)

    def add(self, group: Group) -> None:
        self._tell(f"+ {group.pgid} {int(group.stop_signal)} {int(group.stop_order)}\n")

    def remove(self, pgid: int) -> None:
        """Forget a group that has ended: its number may belong to a stranger tomorrow."""
        self._tell(f"- {pgid}\n")

    def close(self) -> None:
        """Let the guard end what is still known to it, and wait for it."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)

    def _tell(self, line: str) -> None:
        os.write(self._pipe, line.encode())


def _guard(read_end: int) -> NoReturn:
    os.setsid()  # Ctrl-C in the terminal is for the supervisor
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)  # whoever reads the supervisor's output must see its end
    groups: dict[int, Group] = {}
    with os.fdopen(read_end) as lines:
        for line in lines:
            act, pgid, *rest = line.split()
            if act == "+":
                groups[int(pgid)] = Group(int(pgid), signal.Signals(int(rest[0])), StopOrder(int(rest[1])))
            else:
                groups.pop(int(pgid), None)
    end(groups.values())
    os._exit(0)
