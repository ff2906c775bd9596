"""``slow-database``: each query of the web tier carries its own wait into PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .board import switches
from .switches import Fault

SHORTEST_S, LONGEST_S = 0.6, 1.0


def install() -> None:
    """Wrap the queries of every connection this process opens from now on."""
    connection_created.connect(_wrap, dispatch_uid="demo_app.faults.database")


def _wrap(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if _wait_in_postgres not in connection.execute_wrappers:
        connection.execute_wrappers.append(_wait_in_postgres)


def _wait_in_postgres(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if many or not switches().is_on(Fault.SLOW_DATABASE):
        return execute(sql, params, many, context)
    # One round trip with two statements: whatever times the query, here or in the server, sees one slow query.
    # Django's psycopg cursors bind on the client, so two statements are allowed; the second one's rows are wanted.
    wait_s = random.uniform(SHORTEST_S, LONGEST_S)  # noqa: S311  a delay, not a secret
    result = execute(f"SELECT pg_sleep({wait_s:.3f}); {sql}", params, many, context)
    context["cursor"].nextset()
    return result
