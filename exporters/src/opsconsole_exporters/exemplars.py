"""Exemplars: from a bucket of a histogram to the trace of one request that fell into it, also with several processes.

prometheus-client's shared files have no room for exemplars and drop them.  So each process keeps the latest of every
bucket, so many at most, and writes them every few seconds into a file of its own beside the metrics; whoever answers a
scrape in OpenMetrics' format adds them.  They are examples: one that is lost between two writings is no loss.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opentelemetry import trace
from prometheus_client import Metric as Family
from prometheus_client import values
from prometheus_client.samples import Exemplar

from opsconsole_exporters import multiprocess, workerprocess
from opsconsole_exporters.process.sampling import every_second

MOST = 500
WRITE_EVERY_S = 3.0
# A trace that is older is of no use to whoever looks at what is happening; the file of a process that has ended goes then.
KEEP_S = 600.0

_FILE = "exemplars_{}.json"


class Kept:
    """The latest exemplars of one process by the key that prometheus-client gives a bucket in its shared files."""

    def __init__(self) -> None:
        self._by_key: dict[str, Exemplar] = {}
        self._lock = threading.Lock()
        self._changed = False
        self._written_at = float("-inf")

    def remember(self, key: str, exemplar: Exemplar) -> None:
        with self._lock:
            self._by_key.pop(key, None)  # so that the first is always the oldest
            self._by_key[key] = exemplar
            if len(self._by_key) > MOST:
                del self._by_key[next(iter(self._by_key))]
            self._changed = True

    def write_when_due(self, now: float) -> None:
        """Write if something is new and the last writing is long enough ago; ``now`` in seconds of any clock."""
        if self._changed and now - self._written_at >= WRITE_EVERY_S:
            self._written_at = now
            self.write()

    def write(self) -> None:
        """Replace this process's file, at once or not at all.  Raises ``OSError``."""
        directory = multiprocess.directory()
        if directory is None or not self._changed:
            return
        with self._lock:
            self._changed = False
            rows = [(key, one.labels, one.value, one.timestamp) for key, one in self._by_key.items()]
        file = directory / _FILE.format(os.getpid())
        fresh = file.with_suffix(f".{threading.get_native_id()}.new")
        fresh.write_text(json.dumps(rows))
        fresh.replace(file)


_kept = Kept()


def of_current_span() -> dict[str, str] | None:
    """The exemplar to observe with: the ids of the span that is current, if its trace is kept."""
    return of_span(trace.get_current_span())


def of_span(span: trace.Span) -> dict[str, str] | None:
    """The ids of a span that somebody will find; an exemplar of a trace that was not kept leads nowhere."""
    at = span.get_span_context()
    if not at.trace_flags.sampled:
        return None
    return {"trace_id": trace.format_trace_id(at.trace_id), "span_id": trace.format_span_id(at.span_id)}


def keep() -> None:
    """Let the values in shared files keep their exemplars.  Nothing to do for a process that answers for itself."""
    shared: Any = values.ValueClass
    if shared._multiprocess:  # noqa: SLF001 - prometheus-client says so of itself nowhere else
        shared.set_exemplar = _set_exemplar
        workerprocess.on_start("exemplars", _start)


def attach(families: Iterable[Family], directory: Path, now: float) -> list[Family]:
    """The families with the latest exemplars of all processes that share ``directory``; ``now`` in unix seconds."""
    _kept.write()
    latest = read(directory, now)
    families = list(families)
    for family in families:
        if latest and family.type in {"histogram", "counter"}:
            family.samples = [
                sample._replace(exemplar=latest.get((sample.name, frozenset(sample.labels.items()))))
                for sample in family.samples
            ]
    return families


def read(directory: Path, now: float) -> dict[tuple[str, frozenset[tuple[str, str]]], Exemplar]:
    """The latest exemplar of every bucket by its sample's name and labels; removes files of the dead that are too old."""
    latest: dict[tuple[str, frozenset[tuple[str, str]]], Exemplar] = {}
    for file in directory.glob(_FILE.format("*")):
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            if now - file.stat().st_mtime > KEEP_S and not multiprocess.is_alive(_pid(file)):
                file.unlink()
                continue
            for key, labels, value, timestamp in json.loads(file.read_text()):
                _, name, bucket, _ = json.loads(key)
                known = latest.get(at := (name, frozenset(bucket.items())))
                if known is None or float(known.timestamp or 0.0) < timestamp:
                    latest[at] = Exemplar(labels, value, timestamp)
    return {at: exemplar for at, exemplar in latest.items() if now - float(exemplar.timestamp or now) <= KEEP_S}


def _set_exemplar(self: Any, exemplar: Exemplar) -> None:
    _kept.remember(self._key, exemplar)


def _start() -> None:
    every_second("exemplars", lambda: _kept.write_when_due(time.monotonic()))


def _pid(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _forget() -> None:
    """A child's exemplars are its own."""
    global _kept
    _kept = Kept()


os.register_at_fork(after_in_child=_forget)
