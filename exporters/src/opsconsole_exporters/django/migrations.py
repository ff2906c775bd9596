"""Migrations that each database lacks, asked of the database itself: what was true at start is wrong after a deployment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from opentelemetry.instrumentation.utils import suppress_instrumentation
from prometheus_client import Metric as Family
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from opsconsole_exporters.catalog import Metric
from opsconsole_exporters.catalog.database import MIGRATIONS_APPLIED, MIGRATIONS_UNAPPLIED
from opsconsole_exporters.django.background import Background, latest
from opsconsole_exporters.django.database import unobserved

# Django's own plan costs milliseconds of CPU in a large project, and the answer changes with deployments only.
FRESH_S = 60.0
STALE_S = 300.0
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Migrations:
    applied: int
    unapplied: int


class MigrationCollector(Collector):
    """The migrations of the aliases that anybody migrates; an alias is left out while its are not known."""

    def __init__(self, aliases: Iterable[str]) -> None:
        self._known = {
            alias: Background(
                "migrations",
                f"the migrations of database {alias!r}",
                partial(read_migrations, alias),
                fresh_s=FRESH_S,
                stale_s=STALE_S,
            )
            for alias in aliases
        }

    def collect(self) -> Iterable[Family]:
        found = latest(self._known)
        yield _family(MIGRATIONS_UNAPPLIED, {alias: each.unapplied for alias, each in found.items()})
        yield _family(MIGRATIONS_APPLIED, {alias: each.applied for alias, each in found.items()})


def read_migrations(alias: str) -> Migrations | None:
    """Ask the database, in a thread of our own; None when nobody migrates it.  Raises what Django and the driver raise."""
    connection = _own_connection(alias)
    # Neither a trace of one span each minute, nor a query that the service has not made.
    with suppress_instrumentation(), unobserved(connection):
        # Django's recorder asks some of its questions through the ORM, which takes the thread's connection of that alias:
        # that would be one of the pool, and the thread ends without giving it back.
        connections[alias] = connection
        try:
            # A database without the table is new if it is the default one; another was made by somebody else.
            if alias != DEFAULT_DB_ALIAS and not MigrationRecorder(connection).has_table():
                return None
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            return Migrations(applied=len(executor.loader.applied_migrations or ()), unapplied=len(plan))
        finally:
            connection.close()
            del connections[alias]


def migration_collectors() -> Sequence[Collector]:
    aliases = [alias for alias in connections.settings if _can_be_asked(alias)]
    return [MigrationCollector(aliases)] if aliases else []


def _can_be_asked(alias: str) -> bool:
    settings = connections.settings[alias]
    # Every connection to SQLite in memory is another, empty database.
    in_memory = settings["ENGINE"].endswith("sqlite3") and ":memory:" in str(settings["NAME"])
    return not in_memory and settings["ENGINE"] != "django.db.backends.dummy"


def _own_connection(alias: str) -> BaseDatabaseWrapper:
    """A connection outside the pool, which may be exhausted just now, and outside the host's transactions."""
    template: Any = connections[alias]  # of this thread, and never connected
    settings = {**template.settings_dict, "CONN_MAX_AGE": 0}
    options = {name: value for name, value in (settings.get("OPTIONS") or {}).items() if name != "pool"}
    if template.vendor in {"postgresql", "mysql"}:
        options.setdefault("connect_timeout", CONNECT_TIMEOUT_S)
    connection: BaseDatabaseWrapper = type(template)({**settings, "OPTIONS": options}, alias)
    return connection


def _family(metric: Metric, values: Mapping[str, int]) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for alias, value in values.items():
        family.add_metric([alias], value)
    return family
