"""Servers as part of ``/metrics``: asked at scrape time, each in a thread of its own that nobody waits for too long.

What cannot be asked leaves its metrics out (0 would say "all is well"), is counted, and is logged when it goes and when it
is back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from psycopg.rows import DictRow, dict_row

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog import Kind, Metric
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS, ROWS_LEFT_OUT
from opsconsole_exporters.log import log
from opsconsole_exporters.postgres.target import Target

# Two scrapers, or a person with curl beside one, must not double the load on a server.
CACHE_S = 1.0
CONNECT_TIMEOUT_S = 2
# Below the 10 s that Prometheus gives a scrape.
DEADLINE_S = 5.0
# Rows of one table that are exposed: a server with a database for each of its thousand customers must not be a thousand
# series times the columns.
MOST_ROWS = 200

Connection = psycopg.Connection[DictRow]


@dataclass(frozen=True, slots=True)
class Reading:
    """One sample.  ``labels`` are those after ``server``, in the order of the catalogue."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a server.  A probe that fails does not keep the others from being asked."""

    name: str
    ask: Callable[[Connection], Iterable[Reading]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a collector is about.  ``prepare`` runs on every new connection."""

    name: str
    up: Metric
    probes: tuple[Probe, ...]
    prepare: tuple[str, ...] = ()


class Server:
    """One target and the connection to it, which one thread uses at a time."""

    def __init__(self, subject: Subject, target: Target) -> None:
        self.target = target
        self._subject = subject
        self._connection: Connection | None = None
        self._thread: threading.Thread | None = None
        self._readings: list[Reading] | None = None
        self._failing: set[str] = set()
        self._hangs = False
        # So that the first failure is an increase, and rate() sees it.
        metrics.counter(COLLECTOR_ERRORS).labels(subject.name)

    def start(self) -> None:
        """Begin to read; a reading that still hangs from the last time is left alone."""
        self._hangs = self._thread is not None and self._thread.is_alive()
        if not self._hangs:
            self._readings = None
            self._thread = threading.Thread(target=self._read, name=f"ask-{self.target.server}", daemon=True)
            self._thread.start()

    def finish(self, timeout_s: float) -> Sequence[Reading]:
        """The readings, after at most ``timeout_s``; those of a server that is down say just that."""
        if self._thread is not None:
            self._thread.join(0 if self._hangs else timeout_s)
            if self._thread.is_alive():
                self._failed("connection", TimeoutError(f"no answer within {DEADLINE_S:.0f} s"))
                return [Reading(self._subject.up, (), 0)]
        return self._readings or [Reading(self._subject.up, (), 0)]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self) -> None:
        try:
            connection = self._connect()
            readings = [Reading(self._subject.up, (), 1)]
            for probe in self._subject.probes:
                readings.extend(self._ask(connection, probe))
        except Exception as error:  # noqa: BLE001 - whatever the driver raises, the rest of the page must be served
            self.close()
            self._failed("connection", error)
        else:
            self._succeeded("connection")
            self._readings = readings

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self.target.conninfo,
                autocommit=True,
                row_factory=dict_row,
                prepare_threshold=None,  # PgBouncer's console knows no prepared statements
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="opsconsole-exporter",
            )
            for statement in self._subject.prepare:
                self._connection.execute(statement.encode())
        return self._connection

    def _ask(self, connection: Connection, probe: Probe) -> list[Reading]:
        try:
            readings = list(probe.ask(connection))
        except psycopg.Error as error:
            if connection.closed:
                raise
            self._failed(probe.name, error)
            return []
        self._succeeded(probe.name)
        return readings

    def _failed(self, what: str, error: BaseException) -> None:
        metrics.counter(COLLECTOR_ERRORS).labels(self._subject.name).inc()
        if what not in self._failing:
            self._failing.add(what)
            reason = self.target.explain(error)
            log.warning(f"{self._subject.name} {self.target.server} cannot be asked ({what}): {reason}")

    def _succeeded(self, what: str) -> None:
        if what in self._failing:
            self._failing.discard(what)
            log.info(f"{self._subject.name} {self.target.server} answers again ({what})")


class ServerCollector(Collector):
    """All targets of one subject on one page."""

    def __init__(
        self, subject: Subject, targets: Sequence[Target], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._servers = [Server(subject, target) for target in targets]
        self._clock = clock
        self._lock = threading.Lock()
        self._collected_at = float("-inf")
        self._families: list[Family] = []

    def collect(self) -> Iterable[Family]:
        with self._lock:
            if not 0 <= self._clock() - self._collected_at < CACHE_S:
                self._families = self._collect()
                self._collected_at = self._clock()
            return self._families

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _collect(self) -> list[Family]:
        for server in self._servers:
            server.start()
        end = self._clock() + DEADLINE_S
        families: dict[Metric, Any] = {}
        for server in self._servers:
            for reading in server.finish(max(0.0, end - self._clock())):
                if reading.metric not in families:
                    families[reading.metric] = _family(reading.metric)
                families[reading.metric].add_metric([server.target.server, *reading.labels], reading.value)
        return list(families.values())


def columns(row: Mapping[str, Any], table: Mapping[str, Metric], labels: tuple[str, ...] = ()) -> Iterable[Reading]:
    """Yield a reading for each column of ``row`` that ``table`` knows and that is not NULL."""
    for column, metric in table.items():
        if row.get(column) is not None:
            yield Reading(metric, labels, float(row[column]))


def bounded(rows: Iterable[DictRow], table: str, weight: Callable[[DictRow], float]) -> tuple[list[DictRow], Reading]:
    """The ``MOST_ROWS`` heaviest rows of ``table``, and how many more there are."""
    heaviest = sorted(rows, key=weight, reverse=True)
    return heaviest[:MOST_ROWS], Reading(ROWS_LEFT_OUT, (table,), max(0, len(heaviest) - MOST_ROWS))


def _family(metric: Metric) -> Any:
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
