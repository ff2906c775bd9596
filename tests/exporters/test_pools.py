"""psycopg's pools on a real PostgreSQL, by threads and by asyncio; and Django's connections without a pool."""

from __future__ import annotations

import copy

import psycopg
import pytest
from django.db import OperationalError, connections
from opsconsole_exporters.catalog.pools import (
    CONNECTION_CREATE,
    CONNECTION_CREATE_ERRORS,
    POOL_CONNECTIONS,
    POOL_IDLE_MAX,
    POOL_IDLE_MIN,
    POOL_MAX,
    POOL_TIMEOUTS,
    POOL_USE,
    POOL_WAIT,
)
from opsconsole_exporters.django.pools import time_opening
from opsconsole_exporters.pools import PoolGauges, watch_pool
from prometheus_client import REGISTRY
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

pytestmark = pytest.mark.real

LABEL = "db_client_connection_pool_name"


def value(name, pool, **labels):
    return REGISTRY.get_sample_value(str(name), {LABEL: pool, **labels}) or 0


@pytest.fixture
def conninfo(database):
    return psycopg.conninfo.make_conninfo(host=database["HOST"], user=database["USER"], dbname=database["NAME"])


def test_waits_and_uses_are_timed_one_by_one_and_the_rest_is_sampled(conninfo, until):
    with ConnectionPool(conninfo, min_size=1, max_size=2, timeout=0.2) as pool:
        watch_pool(pool, "threads")
        for _ in range(3):
            with pool.connection() as connection:
                connection.execute("SELECT pg_sleep(0.05)")
        assert value(POOL_WAIT.count, "threads") == value(POOL_USE.count, "threads") == 3
        assert value(POOL_USE.sum, "threads") >= 0.15

        with pool.connection(), pool.connection():
            until("two used", lambda: value(POOL_CONNECTIONS, "threads", db_client_connection_state="used") == 2)
            with pytest.raises(PoolTimeout):
                pool.getconn()
        assert value(POOL_WAIT.count, "threads") == 6, "the one that was not served has waited too"
        assert value(POOL_USE.count, "threads") == 5
        until("the timeout", lambda: value(POOL_TIMEOUTS, "threads") == 1)
        assert [value(metric, "threads") for metric in (POOL_MAX, POOL_IDLE_MAX, POOL_IDLE_MIN)] == [2, 2, 1]
        assert value(CONNECTION_CREATE.count, "threads") == 2
        assert value(CONNECTION_CREATE.sum, "threads") > 0
    until("a pool that is closed", lambda: value(POOL_MAX, "threads") == 0)


async def test_an_asynchronous_pool_is_watched_alike(conninfo):
    async with AsyncConnectionPool(conninfo, min_size=1, max_size=1, open=False) as pool:
        watch_pool(pool, "tasks")
        for _ in range(2):
            async with pool.connection() as connection:
                await connection.execute("SELECT 1")
        assert value(POOL_WAIT.count, "tasks") == value(POOL_USE.count, "tasks") == 2


def test_watching_twice_times_once(conninfo):
    with ConnectionPool(conninfo, min_size=1) as pool:
        watch_pool(pool, "twice")
        watch_pool(pool, "twice")
        with pool.connection():
            pass
        assert value(POOL_WAIT.count, "twice") == 1


def test_the_one_switch_leaves_the_pool_as_it_is(conninfo, monkeypatch):
    monkeypatch.setenv("OPSCONSOLE_EXPORTERS_DISABLED", "1")
    with ConnectionPool(conninfo, min_size=1) as pool:
        watch_pool(pool, "off")
        with pool.connection():
            pass
    assert value(POOL_WAIT.count, "off") == 0


def test_what_is_no_pool_disturbs_nobody(caplog):
    watch_pool(object(), "nothing")
    assert "connection pool metrics failed" in caplog.text


def test_connections_opened_within_one_look_share_their_mean():
    gauges = PoolGauges("sums")
    gauges.update({"connections_num": 4, "connections_ms": 200, "connections_errors": 1})
    gauges.update({"connections_num": 5, "connections_ms": 260, "connections_errors": 1})
    assert value(CONNECTION_CREATE.count, "sums") == 5
    assert value(CONNECTION_CREATE.sum, "sums") == pytest.approx(0.26)
    assert value(CONNECTION_CREATE_ERRORS, "sums") == 1
    gauges.update({"connections_num": 1, "connections_ms": 10})  # a new pool, which counts from 0
    assert value(CONNECTION_CREATE.count, "sums") == 6


def test_django_without_a_pool_counts_each_connection_it_opens_or_fails_to(database, django_db_blocker, request):
    time_opening()
    time_opening()
    for alias, host in (("opened", database["HOST"]), ("refused", "/nowhere")):
        connections.settings[alias] = copy.deepcopy(connections.settings["default"]) | {**database, "HOST": host}
        connections.settings[alias]["OPTIONS"] = {}
        request.addfinalizer(lambda alias=alias: (connections[alias].close(), connections.settings.pop(alias)))
    with django_db_blocker.unblock():
        for _ in range(3):
            connections["opened"].ensure_connection()
            connections["opened"].close()
        with pytest.raises(OperationalError):
            connections["refused"].ensure_connection()
    assert value(CONNECTION_CREATE.count, "opened") == 3
    assert value(CONNECTION_CREATE_ERRORS, "refused") == 1
    assert value(CONNECTION_CREATE.count, "refused") == 0
