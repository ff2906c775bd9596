"""The directory through which several processes answer one scrape (``PROMETHEUS_MULTIPROC_DIR``).

prometheus-client gives every process its own files there.  The files of counters and histograms outlive their process,
so that no counter ever goes down; the files of gauges must not, or a killed worker would be counted for ever.
All processes that use a directory must see each other's pids (one host, or one container).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from opsconsole_exporters.log import log

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_warned = False


def directory() -> Path | None:
    """The shared directory, or None when every process answers for itself."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


def prepare() -> None:
    """Create the directory: prometheus-client expects it before the first metric.  Raises ``OSError`` if it cannot."""
    if (shared := directory()) is not None:
        shared.mkdir(parents=True, exist_ok=True)


def drop_dead_gauges() -> None:
    """Remove the live gauges of processes that no longer exist."""
    if (shared := directory()) is None:
        return
    for file in shared.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not is_alive(int(pid)):
            file.unlink(missing_ok=True)


def drop_gauges_of(pid: int) -> None:
    """Remove the live gauges of a process that is known to have ended."""
    if (shared := directory()) is not None:
        for file in shared.glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether a process runs under ``pid``; one that has ended and was not yet waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True  # a system without /proc: believe the signal
    # "pid (name) state ...": the name may itself hold spaces and brackets.
    return stat.rpartition(")")[2].split()[0] != "Z"


def likely_workers(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """How many workers a server was told to start, by its command line or by ``WEB_CONCURRENCY``; 1 if by neither."""
    found = re.search(r"(?:^| )(?:-w|--workers)[ =]?(\d+)(?: |$)", " ".join(arguments))
    told = found[1] if found else environment.get("WEB_CONCURRENCY", "")
    return int(told) if told.isdigit() else 1


def warn_if_missing(consequence: str) -> None:
    """Say in one line what will be wrong when several processes share no directory; a forked child says it no more."""
    global _warned
    if directory() is None and not _warned:
        _warned = True
        log.warning(f"opsconsole-exporters: {VARIABLE} is not set: {consequence}; set it to an empty directory")
