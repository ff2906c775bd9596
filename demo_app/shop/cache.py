"""Django's Valkey cache with one connection pool a process.

Under ASGI each request has its own cache object, and Django's own backend gives each of those its own connection pool:
every page would open, authenticate and drop a connection, which was a tenth of the web tier's CPU time here.
"""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class SharedPoolClient(RedisCacheClient):
    _shared_pools: dict[int, Any] = {}  # noqa: RUF012  shared on purpose

    def __init__(self, servers: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(servers, *args, **kwargs)
        self._pools = self._shared_pools


class SharedPoolCache(RedisCache):
    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SharedPoolClient
