"""PostgreSQL servers, under the names of postgres_exporter where it has one; ``server`` tells several apart.

postgres_exporter gives the counters of ``pg_stat_database`` no ``_total``, and boards ask for them so.  A counter of
prometheus-client cannot be named like that, so they are exposed as gauges; ``rate()`` does not mind.
"""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

_SERVER = ("server",)
_DATABASE = ("server", "datname")
_STATEMENT = ("server", "datname", "user", "queryid")

PG_UP = Metric("pg_up", Kind.GAUGE, _SERVER, "Whether PostgreSQL answers: 1 or 0.")

PG_STATIC = Metric(
    "pg_static", Kind.GAUGE, ("server", "version", "short_version"), "Always 1; the labels have PostgreSQL's version."
)


def _setting(name: str, text: str, unit: str = "") -> Metric:
    return Metric(f"pg_settings_{name}", Kind.GAUGE, _SERVER, text, unit=unit)


PG_MAX_CONNECTIONS = _setting("max_connections", "The most connections the server takes, the reserved ones included.")

# By their names in ``pg_settings``; ``shared_buffers`` counts pages there, and the collector makes bytes of them.
SETTINGS = {
    "max_connections": PG_MAX_CONNECTIONS,
    "superuser_reserved_connections": _setting(
        "superuser_reserved_connections", "Connections that only superusers may take."
    ),
    "reserved_connections": _setting(
        "reserved_connections", "Connections kept for members of pg_use_reserved_connections (PostgreSQL 16 and newer)."
    ),
    "max_locks_per_transaction": _setting("max_locks_per_transaction", "Room in the lock table for each connection."),
    "shared_buffers": _setting("shared_buffers_bytes", "Size of the buffer cache.", "bytes"),
}

PG_ACTIVITY = Metric(
    "pg_stat_activity_count", Kind.GAUGE, ("server", "datname", "state"), "Client connections by what they do."
)

PG_LONGEST_TRANSACTION = Metric(
    "pg_stat_activity_max_tx_duration",
    Kind.GAUGE,
    ("server", "datname", "state"),
    "Seconds the longest open transaction has run.",
    unit="seconds",
)

PG_WAITING = Metric(
    "opsconsole_pg_waiting_connections",
    Kind.GAUGE,
    ("server", "datname", "wait_event_type"),
    "Client connections that run a query and wait, by what for (Lock, IO, LWLock, ...).",
)

PG_BLOCKED = Metric(
    "opsconsole_pg_blocked_connections",
    Kind.GAUGE,
    _DATABASE,
    "Client connections that wait for a lock which another one holds.",
)

PG_LOCKS = Metric("pg_locks_count", Kind.GAUGE, ("server", "datname", "mode"), "Locks held or waited for, by mode.")

PG_DATABASE_SIZE = Metric(
    "pg_database_size_bytes", Kind.GAUGE, _DATABASE, "Size of the database on disk.", unit="bytes"
)


def _stat(name: str, text: str, unit: str = "") -> Metric:
    return Metric(f"pg_stat_database_{name}", Kind.GAUGE, _DATABASE, text, unit=unit)


# Columns of ``pg_stat_database``.
DATABASE_STATS = {
    "numbackends": _stat("numbackends", "Connections to the database."),
    "xact_commit": _stat("xact_commit", "Transactions committed since the statistics were reset."),
    "xact_rollback": _stat("xact_rollback", "Transactions rolled back since the statistics were reset."),
    "blks_read": _stat("blks_read", "Pages read from disk (or the system's cache) since the reset."),
    "blks_hit": _stat("blks_hit", "Pages found in the buffer cache since the reset."),
    "tup_returned": _stat("tup_returned", "Rows scanned since the reset."),
    "tup_fetched": _stat("tup_fetched", "Rows fetched by index since the reset."),
    "tup_inserted": _stat("tup_inserted", "Rows inserted since the reset."),
    "tup_updated": _stat("tup_updated", "Rows updated since the reset."),
    "tup_deleted": _stat("tup_deleted", "Rows deleted since the reset."),
    "conflicts": _stat("conflicts", "Queries cancelled by recovery on a standby since the reset."),
    "deadlocks": _stat("deadlocks", "Deadlocks since the reset."),
    "temp_files": _stat("temp_files", "Temporary files that queries made since the reset."),
    "temp_bytes": _stat("temp_bytes", "Bytes that queries wrote to temporary files since the reset.", "bytes"),
}

PG_STATEMENT_CALLS = Metric(
    "pg_stat_statements_calls_total",
    Kind.COUNTER,
    _STATEMENT,
    "Calls of the statements that have cost most time; the others are left out.",
)

PG_STATEMENT_SECONDS = Metric(
    "pg_stat_statements_seconds_total",
    Kind.COUNTER,
    _STATEMENT,
    "Seconds those statements ran.",
    unit="seconds",
)

PG_STATEMENT_ROWS = Metric(
    "pg_stat_statements_rows_total", Kind.COUNTER, _STATEMENT, "Rows those statements returned or changed."
)

PG_STATEMENT_TEXT = Metric(
    "pg_stat_statements_query_id",
    Kind.GAUGE,
    ("server", "queryid", "query"),
    "Always 1; the label has the beginning of the statement, without its values.",
)

LABELS = {
    "server": labels.SERVER,
    "version": "What `version()` says: one for each server.",
    "short_version": "Number of PostgreSQL's version: one for each server.",
    "datname": f"Name of the database, empty for connections to none: {labels.ASKED}",
    "state": "State of the connection as PostgreSQL has it (`active`, `idle in transaction`, ...): one of its few, or `unknown`.",
    "wait_event_type": "Kind of wait as PostgreSQL has it (`Lock`, `IO`, ...): one of its few.",
    "mode": "Mode of the lock as PostgreSQL has it (`AccessShareLock`, ...): one of its nine.",
    "user": "Role that ran the statement, of the 20 statements that have cost most time.",
    "queryid": "PostgreSQL's number for a statement without its values: the 20 that have cost most time.",
    "query": "Beginning of the statement, without its values: the 20 that have cost most time.",
}

METRICS = (
    PG_UP,
    PG_STATIC,
    *SETTINGS.values(),
    PG_ACTIVITY,
    PG_LONGEST_TRANSACTION,
    PG_WAITING,
    PG_BLOCKED,
    PG_LOCKS,
    PG_DATABASE_SIZE,
    *DATABASE_STATS.values(),
    PG_STATEMENT_CALLS,
    PG_STATEMENT_SECONDS,
    PG_STATEMENT_ROWS,
    PG_STATEMENT_TEXT,
)
