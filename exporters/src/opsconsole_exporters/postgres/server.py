"""A PostgreSQL server by its own statistics, on PostgreSQL 15 to 18.

The user needs to be a member of ``pg_monitor``; without it others' sessions have no state and no text.
"""

from __future__ import annotations

from collections.abc import Iterable

from opsconsole_exporters.catalog.postgres import (
    DATABASE_STATS,
    PG_ACTIVITY,
    PG_BLOCKED,
    PG_DATABASE_SIZE,
    PG_LOCKS,
    PG_LONGEST_TRANSACTION,
    PG_STATEMENT_CALLS,
    PG_STATEMENT_ROWS,
    PG_STATEMENT_SECONDS,
    PG_STATEMENT_TEXT,
    PG_STATIC,
    PG_UP,
    PG_WAITING,
    SETTINGS,
)
from opsconsole_exporters.postgres.collector import Connection, Probe, Reading, Subject, bounded, columns
from opsconsole_exporters.postgres.statements import TOP, public_text

# A page of PostgreSQL's buffer cache is in the setting ``block_size``; read with it.
_SETTINGS = """
SELECT name, CASE unit WHEN '8kB' THEN setting::bigint * 8192 ELSE setting::bigint END AS value
FROM pg_settings WHERE name = ANY (%s)
"""

# Of the server's own processes only clients count: they are what max_connections limits.
_ACTIVITY = """
SELECT coalesce(datname, '') AS datname, coalesce(state, 'unknown') AS state, count(*) AS sessions,
       max(extract(epoch FROM clock_timestamp() - xact_start)) AS longest_s
FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1, 2
"""

# Clients that wait for the next command or in a client's network are not in anybody's way.
_WAITING = """
SELECT coalesce(datname, '') AS datname, wait_event_type, count(*) AS sessions
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND state = 'active' AND wait_event_type NOT IN ('Activity', 'Client')
GROUP BY 1, 2
"""

# pg_blocking_pids takes the lock manager's locks, so it is asked only of those that wait for a lock.
_BLOCKED = """
SELECT coalesce(d.datname, '') AS datname,
       count(a.pid) FILTER (WHERE cardinality(pg_blocking_pids(a.pid)) > 0) AS sessions
FROM pg_database d LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.wait_event_type = 'Lock'
WHERE d.datallowconn AND NOT d.datistemplate GROUP BY 1
"""

_LOCKS = """
SELECT d.datname, l.mode, count(*) AS locks
FROM pg_locks l JOIN pg_database d ON d.oid = l.database GROUP BY 1, 2
"""

_DATABASES = """
SELECT s.*, CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END AS size_bytes
FROM pg_stat_database s JOIN pg_database d ON d.oid = s.datid WHERE NOT d.datistemplate
"""

_STATEMENTS_SCHEMA = """
SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'pg_stat_statements'
"""

_STATEMENTS = """
SELECT d.datname, r.rolname AS "user", s.queryid, min(s.query) AS query,
       sum(s.calls) AS calls, sum(s.total_exec_time) / 1000 AS seconds, sum(s.rows) AS rows
FROM {schema}.pg_stat_statements s
JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
WHERE s.queryid IS NOT NULL
GROUP BY 1, 2, 3 ORDER BY seconds DESC LIMIT {top}
"""


def version(connection: Connection) -> Iterable[Reading]:
    for row in connection.execute("SELECT version() AS version, current_setting('server_version') AS short"):
        yield Reading(PG_STATIC, (row["version"], row["short"].partition(" ")[0]), 1)


def settings(connection: Connection) -> Iterable[Reading]:
    rows = connection.execute(_SETTINGS, (list(SETTINGS),))
    yield from columns({row["name"]: row["value"] for row in rows}, SETTINGS)


def activity(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(connection.execute(_ACTIVITY), "pg_stat_activity", lambda row: row["sessions"])
    yield left_out
    for row in rows:
        labels = (row["datname"], row["state"])
        yield Reading(PG_ACTIVITY, labels, row["sessions"])
        yield Reading(PG_LONGEST_TRANSACTION, labels, float(row["longest_s"] or 0))


def waiting(connection: Connection) -> Iterable[Reading]:
    for row in connection.execute(_WAITING):
        yield Reading(PG_WAITING, (row["datname"], row["wait_event_type"]), row["sessions"])


def blocked(connection: Connection) -> Iterable[Reading]:
    rows, _ = bounded(connection.execute(_BLOCKED), "pg_blocking_pids", lambda row: row["sessions"])
    for row in rows:
        yield Reading(PG_BLOCKED, (row["datname"],), row["sessions"])


def locks(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(connection.execute(_LOCKS), "pg_locks", lambda row: row["locks"])
    yield left_out
    for row in rows:
        yield Reading(PG_LOCKS, (row["datname"], row["mode"]), row["locks"])


def databases(connection: Connection) -> Iterable[Reading]:
    rows, left_out = bounded(
        connection.execute(_DATABASES), "pg_stat_database", lambda row: row["xact_commit"] + row["xact_rollback"]
    )
    yield left_out
    for row in rows:
        labels = (row["datname"],)
        yield from columns(row, DATABASE_STATS, labels)
        yield from columns(row, {"size_bytes": PG_DATABASE_SIZE}, labels)


def statements(connection: Connection) -> Iterable[Reading]:
    """The most expensive statements, where the extension is installed in the database that was named."""
    schema = connection.execute(_STATEMENTS_SCHEMA).fetchone()
    if schema is None:
        return
    texts: dict[str, str] = {}
    for row in connection.execute(_STATEMENTS.format(schema=schema["schema"], top=TOP).encode()):
        labels = (row["datname"], row["user"], str(row["queryid"]))
        texts.setdefault(labels[2], public_text(row["query"]))
        yield Reading(PG_STATEMENT_CALLS, labels, float(row["calls"]))
        yield Reading(PG_STATEMENT_SECONDS, labels, float(row["seconds"]))
        yield Reading(PG_STATEMENT_ROWS, labels, float(row["rows"]))
    for queryid, text in texts.items():
        yield Reading(PG_STATEMENT_TEXT, (queryid, text), 1)


SUBJECT = Subject(
    name="postgres",
    up=PG_UP,
    probes=tuple(
        Probe(ask.__name__, ask)
        for ask in (version, settings, activity, waiting, blocked, locks, databases, statements)
    ),
    # A server in trouble must not be asked questions that never end.
    prepare=("SET statement_timeout = '2s'", "SET default_transaction_read_only = on"),
)
