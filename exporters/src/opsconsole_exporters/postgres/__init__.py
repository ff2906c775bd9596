"""Servers that speak PostgreSQL's protocol and live outside the service: PostgreSQL itself, PgBouncer, pgvector."""

from __future__ import annotations

try:
    import psycopg  # noqa: F401 - the reason why this package may not be importable
except ImportError as error:
    raise ImportError(
        "opsconsole_exporters.postgres needs psycopg; pip install 'opsconsole-exporters[postgres]'", name="psycopg"
    ) from error
