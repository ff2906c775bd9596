"""PgBouncer's admin console, under the names of pgbouncer_exporter; the label ``server`` tells several poolers apart.

A table for each ``SHOW`` command: its columns and the metrics they become.  A column that a version of PgBouncer lacks
leaves its metric out.
"""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

_SERVER = ("server",)
_POOL = ("server", "database", "user")
_DATABASE = ("server", "name", "host", "port", "database", "force_user", "pool_mode")
_STATS = ("server", "database")

PGBOUNCER_UP = Metric("pgbouncer_up", Kind.GAUGE, _SERVER, "Whether the admin console of PgBouncer answers: 1 or 0.")

PGBOUNCER_VERSION = Metric(
    "pgbouncer_version_info", Kind.GAUGE, ("server", "version"), "Always 1; the label has the version of PgBouncer."
)


def _pool(name: str, text: str, unit: str = "") -> Metric:
    return Metric(f"pgbouncer_pools_{name}", Kind.GAUGE, _POOL, text, unit=unit)


def _database(name: str, text: str) -> Metric:
    return Metric(f"pgbouncer_databases_{name}", Kind.GAUGE, _DATABASE, text)


def _stat(name: str, text: str, unit: str = "") -> Metric:
    return Metric(f"pgbouncer_stats_{name}_total", Kind.COUNTER, _STATS, text, unit=unit)


def _list(name: str, text: str) -> Metric:
    return Metric(f"pgbouncer_{name}", Kind.GAUGE, _SERVER, text)


CLIENT_ACTIVE = _pool("client_active_connections", "Clients that have a server connection, or wait for nothing.")
CLIENT_WAITING = _pool("client_waiting_connections", "Clients that wait for a server connection.")
CLIENT_MAXWAIT = _pool("client_maxwait_seconds", "Seconds the client at the head of the queue has waited.", "seconds")
SERVER_ACTIVE = _pool("server_active_connections", "Server connections that a client uses.")
SERVER_IDLE = _pool("server_idle_connections", "Server connections ready for the next client.")

# SHOW POOLS.  ``maxwait`` is whole seconds; the collector adds ``maxwait_us`` to it.
POOLS = {
    "cl_active": CLIENT_ACTIVE,
    "cl_waiting": CLIENT_WAITING,
    "cl_active_cancel_req": _pool("client_active_cancel_connections", "Clients whose cancel request is on its way."),
    "cl_waiting_cancel_req": _pool("client_waiting_cancel_connections", "Clients whose cancel request waits."),
    "sv_active": SERVER_ACTIVE,
    "sv_active_cancel": _pool("server_active_cancel_connections", "Server connections that carry a cancel request."),
    "sv_being_canceled": _pool("server_being_canceled_connections", "Server connections whose query is cancelled."),
    "sv_idle": SERVER_IDLE,
    "sv_used": _pool("server_used_connections", "Server connections idle so long that they are checked before use."),
    "sv_tested": _pool("server_testing_connections", "Server connections being checked or reset."),
    "sv_login": _pool("server_login_connections", "Server connections logging in."),
    "maxwait": CLIENT_MAXWAIT,
}

DATABASE_POOL_SIZE = _database("pool_size", "The most server connections of each pool (one user on one database).")

# SHOW DATABASES.
DATABASES = {
    "pool_size": DATABASE_POOL_SIZE,
    "reserve_pool": _database("reserve_pool", "Server connections more when clients wait too long."),
    "reserve_pool_size": _database("reserve_pool", "Server connections more when clients wait too long."),
    "max_connections": _database("max_connections", "The most server connections to the database; 0 is no limit."),
    "current_connections": _database("current_connections", "Server connections to the database."),
    "paused": _database("paused", "Whether the database is paused: 1 or 0."),
    "disabled": _database("disabled", "Whether the database takes no new connections: 1 or 0."),
}

# SHOW STATS.  PgBouncer's times are microseconds; ``unit`` says which columns the collector divides.
STATS = {
    "total_requests": _stat("queries", "Queries, as PgBouncer before 1.8 counts them."),
    "total_query_count": _stat("queries_pooled", "Queries that went through PgBouncer."),
    "total_xact_count": _stat("sql_transactions_pooled", "Transactions that went through PgBouncer."),
    "total_received": _stat("received_bytes", "Bytes received from clients.", "bytes"),
    "total_sent": _stat("sent_bytes", "Bytes sent to clients.", "bytes"),
    "total_query_time": _stat("queries_duration_seconds", "Seconds of queries on servers.", "seconds"),
    "total_xact_time": _stat("server_in_transaction_seconds", "Seconds servers were in transactions.", "seconds"),
    "total_wait_time": _stat("client_wait_seconds", "Seconds clients waited for a server connection.", "seconds"),
    "total_server_assignment_count": _stat("server_assignments", "Times a client was given a server connection."),
    "total_client_parse_count": _stat("client_parses", "Prepared statements that clients made."),
    "total_server_parse_count": _stat("server_parses", "Prepared statements made on servers."),
    "total_bind_count": _stat("binds", "Prepared statements bound for execution."),
}

# SHOW LISTS.
LISTS = {
    "databases": _list("databases", "Databases that PgBouncer knows."),
    "users": _list("users", "Users that PgBouncer knows."),
    "pools": _list("pools", "Pools: pairs of user and database."),
    "free_clients": _list("free_clients", "Free client slots."),
    "used_clients": _list("used_clients", "Clients connected."),
    "login_clients": _list("login_clients", "Clients logging in."),
    "free_servers": _list("free_servers", "Free server slots."),
    "used_servers": _list("used_servers", "Server connections open."),
    "dns_names": _list("cached_dns_names", "Host names in the DNS cache."),
    "dns_zones": _list("cached_dns_zones", "Zones in the DNS cache."),
    "dns_queries": _list("in_flight_dns_queries", "DNS queries without an answer yet."),
}

MAX_CLIENT_CONNECTIONS = _list("config_max_client_connections", "The most clients that may connect.")

# SHOW CONFIG.
CONFIG = {
    "max_client_conn": MAX_CLIENT_CONNECTIONS,
    "max_user_connections": _list(
        "config_max_user_connections", "The most server connections of a user; 0 is no limit."
    ),
}

LABELS = {
    "server": labels.SERVER,
    "version": "Version of PgBouncer: one for each server.",
    "database": f"Database of the pool: {labels.ASKED}",
    "user": f"User of the pool: {labels.ASKED}",
    "name": f"Database as clients name it: {labels.ASKED}",
    "host": "Host of the database's server: one for each database.",
    "port": "Port of the database's server: one for each database.",
    "force_user": "User that PgBouncer logs in as, whoever the client is, empty for none: one for each database.",
    "pool_mode": "`session`, `transaction` or `statement`, empty for the server's own: one for each database.",
}

METRICS = tuple(
    dict.fromkeys(
        (
            PGBOUNCER_UP,
            PGBOUNCER_VERSION,
            *POOLS.values(),
            *DATABASES.values(),
            *STATS.values(),
            *LISTS.values(),
            *CONFIG.values(),
        )
    )
)
