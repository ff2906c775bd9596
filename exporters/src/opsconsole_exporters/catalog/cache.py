"""Django's caches: django-prometheus' names as the service sees them, redis_exporter's names for the server behind."""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

OPERATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_KEYS = ("backend", "alias", "pattern")

CACHE_GETS = Metric("django_cache_get_total", Kind.COUNTER, _KEYS, "Keys that were asked for.")

CACHE_HITS = Metric("django_cache_get_hits_total", Kind.COUNTER, _KEYS, "Keys that were found; a stored None is found.")

CACHE_MISSES = Metric("django_cache_get_misses_total", Kind.COUNTER, _KEYS, "Keys that were not found.")

CACHE_FAILS = Metric("django_cache_get_fail_total", Kind.COUNTER, _KEYS, "Keys whose look-up raised.")

CACHE_DURATION = Metric(
    "django_cache_operation_duration_seconds",
    Kind.HISTOGRAM,
    ("alias", "operation", "pattern"),
    "Seconds a cache operation took, failed ones included.",
    OPERATION_BUCKETS,
    unit="seconds",
)

CACHE_ERRORS = Metric(
    "django_cache_errors_total",
    Kind.COUNTER,
    ("alias", "operation", "type"),
    "Cache operations that raised, by type.",
)

_SERVER = ("alias",)

CACHE_MEMORY = Metric("redis_memory_used_bytes", Kind.GAUGE, _SERVER, "Memory the server uses.", unit="bytes")

CACHE_MEMORY_MAX = Metric(
    "redis_memory_max_bytes", Kind.GAUGE, _SERVER, "Memory the server may use; 0 without a limit.", unit="bytes"
)

CACHE_EVICTED = Metric(
    "redis_evicted_keys_total", Kind.COUNTER, _SERVER, "Keys the server has dropped for want of memory."
)

CACHE_EXPIRED = Metric("redis_expired_keys_total", Kind.COUNTER, _SERVER, "Keys the server has dropped at their time.")

CACHE_KEYSPACE_HITS = Metric(
    "redis_keyspace_hits_total", Kind.COUNTER, _SERVER, "Look-ups of any client that found their key."
)

CACHE_KEYSPACE_MISSES = Metric(
    "redis_keyspace_misses_total", Kind.COUNTER, _SERVER, "Look-ups of any client that found nothing."
)

CACHE_CLIENTS = Metric("redis_connected_clients", Kind.GAUGE, _SERVER, "Clients connected to the server.")

LABELS = {
    "backend": "Class of the cache's backend: as many as `CACHES` names.",
    "alias": "Alias in `CACHES`: as many as are configured.",
    "pattern": (
        "What the key is for, never the key: `view`, `fragment`, `session`, one of the at most 20 names of "
        "`OPSCONSOLE_CACHE_PATTERNS`, or `other`."
    ),
    "operation": "Method of Django's cache interface (`get`, `set_many`, ...): as many as that has.",
    "type": labels.EXCEPTION,
}

METRICS = (
    CACHE_GETS,
    CACHE_HITS,
    CACHE_MISSES,
    CACHE_FAILS,
    CACHE_DURATION,
    CACHE_ERRORS,
    CACHE_MEMORY,
    CACHE_MEMORY_MAX,
    CACHE_EVICTED,
    CACHE_EXPIRED,
    CACHE_KEYSPACE_HITS,
    CACHE_KEYSPACE_MISSES,
    CACHE_CLIENTS,
)
