"""Which workers live on this host, where the broker is none that could keep their heartbeats.

Each writes its queues into a file of the directory that it shares with its children and the sidecar.  The file counts for
as long as the process lives, so neither a skewed clock nor SIGKILL leaves a ghost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from opsconsole_exporters import multiprocess


@dataclass(frozen=True, slots=True)
class Beat:
    """What a living worker says of itself.  ``processes``: how many tasks its pool can run at once."""

    queues: tuple[str, ...]
    processes: int


def write(directory: Path, queues: Iterable[str], processes: int) -> None:
    """Say that this process is a worker that consumes ``queues`` with so many ``processes``.  Raises ``OSError``."""
    file = _file(directory, os.getpid())
    pending = file.with_suffix(".new")
    pending.write_text(json.dumps({"queues": sorted(queues), "processes": processes}))
    pending.replace(file)


def erase(directory: Path) -> None:
    """Say that this process consumes no more."""
    _file(directory, os.getpid()).unlink(missing_ok=True)


def read(directory: Path) -> list[Beat]:
    """What every worker that lives has said; the files of the dead are removed."""
    found = []
    for file in directory.glob("worker_*.json"):
        pid = file.stem.rpartition("_")[2]
        if not (pid.isdigit() and multiprocess.is_alive(int(pid))):
            file.unlink(missing_ok=True)
            continue
        try:
            said = json.loads(file.read_text())
        except FileNotFoundError:  # it has just ended
            continue
        found.append(Beat(tuple(said["queues"]), int(said["processes"])))
    return found


def _file(directory: Path, pid: int) -> Path:
    return directory / f"worker_{pid}.json"
