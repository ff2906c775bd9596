"""PgBouncer by its admin console: ``SHOW POOLS``, ``STATS``, ``LISTS``, ``DATABASES``, ``CONFIG`` and ``VERSION``.

The user needs to be in ``stats_users``.  psycopg sends statements without parameters by the simple protocol, the only one
that the console speaks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from opsconsole_exporters.catalog.pgbouncer import (
    CONFIG,
    DATABASES,
    LISTS,
    PGBOUNCER_UP,
    PGBOUNCER_VERSION,
    POOLS,
    STATS,
)
from opsconsole_exporters.postgres.collector import Connection, Probe, Reading, Subject, bounded, columns

# The console itself is a database of this name in every answer.
CONSOLE = "pgbouncer"
_MICROSECONDS = 1e-6


def pools(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(
        (row for row in connection.execute("SHOW POOLS") if row["database"] != CONSOLE),
        "pools",
        lambda row: float(row["cl_waiting"]) * 1e6 + float(row["cl_active"]),
    )
    yield left_out
    for row in rows:
        wait_s = float(row["maxwait"]) + float(row.get("maxwait_us") or 0) * _MICROSECONDS
        yield from columns(row | {"maxwait": wait_s}, POOLS, (row["database"], row["user"]))


def databases(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(
        (row for row in connection.execute("SHOW DATABASES") if row["name"] != CONSOLE),
        "databases",
        lambda row: float(row["current_connections"]),
    )
    yield left_out
    for row in rows:
        labels = tuple(
            _text(row.get(column)) for column in ("name", "host", "port", "database", "force_user", "pool_mode")
        )
        yield from columns(row, DATABASES, labels)


def stats(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(
        (row for row in connection.execute("SHOW STATS") if row["database"] != CONSOLE),
        "stats",
        lambda row: float(row["total_query_count"]),
    )
    yield left_out
    for row in rows:
        for reading in columns(row, STATS, (row["database"],)):
            factor = _MICROSECONDS if reading.metric.unit == "seconds" else 1
            yield Reading(reading.metric, reading.labels, reading.value * factor)


def lists(connection: Connection) -> Iterable[Reading]:
    yield from columns({row["list"]: row["items"] for row in connection.execute("SHOW LISTS")}, LISTS)


def config(connection: Connection) -> Iterable[Reading]:
    yield from columns({row["key"]: row["value"] for row in connection.execute("SHOW CONFIG")}, CONFIG)


def version(connection: Connection) -> Iterable[Reading]:
    for row in connection.execute("SHOW VERSION"):
        found = re.search(r"\d+(?:\.\d+)+", row["version"])
        yield Reading(PGBOUNCER_VERSION, (found[0] if found else row["version"],), 1)


def _text(value: object) -> str:
    return "" if value is None else str(value)


SUBJECT = Subject(
    name="pgbouncer",
    up=PGBOUNCER_UP,
    probes=tuple(
        Probe(f"SHOW {ask.__name__.upper()}", ask) for ask in (pools, databases, stats, lists, config, version)
    ),
)
