"""Memory and evictions of the Redis or Valkey server behind a cache, from its ``INFO`` at scrape time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.core.cache import caches
from opentelemetry.instrumentation.utils import suppress_instrumentation
from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from opsconsole_exporters.catalog import Kind, Metric
from opsconsole_exporters.catalog import cache as names
from opsconsole_exporters.django.background import Background, latest

# Two scrapers, or a person with curl beside one, must not double the load on the server.
FRESH_S = 1.0
STALE_S = 60.0
TIMEOUT_S = 2.0

_FIELDS: Mapping[Metric, str] = {
    names.CACHE_MEMORY: "used_memory",
    names.CACHE_MEMORY_MAX: "maxmemory",
    names.CACHE_EVICTED: "evicted_keys",
    names.CACHE_EXPIRED: "expired_keys",
    names.CACHE_KEYSPACE_HITS: "keyspace_hits",
    names.CACHE_KEYSPACE_MISSES: "keyspace_misses",
    names.CACHE_CLIENTS: "connected_clients",
}


class CacheServerCollector(Collector):
    """One server an alias; an alias is left out while its server does not answer, and a field that it does not know."""

    def __init__(self, aliases: Iterable[str]) -> None:
        self._known = {
            alias: Background(
                "cache server",
                f"the server of cache {alias!r}",
                partial(read_info, alias),
                fresh_s=FRESH_S,
                stale_s=STALE_S,
            )
            for alias in aliases
        }

    def collect(self) -> Iterable[Family]:
        found = latest(self._known)
        for metric, field in _FIELDS.items():
            family = _family(metric)
            for alias, info in found.items():
                if isinstance(value := info.get(field), int | float):
                    family.add_metric([alias], value)
            yield family


def cache_server_collectors() -> Sequence[Collector]:
    aliases = [alias for alias, settings in caches.settings.items() if _is_redis(settings)]
    return [CacheServerCollector(aliases)] if aliases else []


def read_info(alias: str) -> Mapping[str, Any] | None:
    """The server's ``INFO``, over a connection of its own.  Raises what the driver raises."""
    client = _client(caches[alias])
    if client is None:
        return None
    pool = client.connection_pool
    with_timeouts = {**pool.connection_kwargs, "socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    own = type(pool)(connection_class=pool.connection_class, max_connections=1, **with_timeouts)
    try:
        # A service that traces its driver wants no trace of one span each scrape.
        with suppress_instrumentation():
            info: Mapping[str, Any] = type(client)(connection_pool=own).info()
        return info
    finally:
        own.disconnect()


def _is_redis(settings: Mapping[str, Any]) -> bool:
    location = settings.get("LOCATION") or ""
    first = location if isinstance(location, str) else next(iter(location), "")
    return str(first).split("://")[0] in {"redis", "rediss", "unix", "valkey", "valkeys"}


def _client(backend: Any) -> Any:
    """The driver's client: of Django's own backend, or of django-redis and django-valkey; None of any other."""
    own: Any = getattr(backend, "_cache", None)
    if hasattr(own, "get_client"):
        return own.get_client(None, write=True)
    other: Any = getattr(backend, "client", None)
    return other.get_client(write=True) if hasattr(other, "get_client") else None


def _family(metric: Metric) -> GaugeMetricFamily | CounterMetricFamily:
    kind = GaugeMetricFamily if metric.kind is Kind.GAUGE else CounterMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)
