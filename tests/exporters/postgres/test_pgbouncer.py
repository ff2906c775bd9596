"""The collector on a real PgBouncer: the names of pgbouncer_exporter, and a pooler that goes and comes back."""

from __future__ import annotations

import contextlib
import threading

import psycopg
import pytest
from opsconsole_exporters.catalog.pgbouncer import (
    CLIENT_ACTIVE,
    CLIENT_MAXWAIT,
    CLIENT_WAITING,
    CONFIG,
    DATABASE_POOL_SIZE,
    LISTS,
    MAX_CLIENT_CONNECTIONS,
    PGBOUNCER_UP,
    PGBOUNCER_VERSION,
    POOLS,
    SERVER_ACTIVE,
    STATS,
)
from opsconsole_exporters.postgres.pgbouncer import SUBJECT
from psycopg.conninfo import make_conninfo

pytestmark = pytest.mark.real

POOL = ("main", "shop", "postgres")  # the user is the one that the database line names


@pytest.fixture
def shop(pgbouncer):
    """Connects as the service would, through the pooler."""
    conninfo = make_conninfo(pgbouncer, user="shop", dbname="shop")
    with contextlib.ExitStack() as stack:

        def connect():
            return stack.enter_context(contextlib.closing(psycopg.connect(conninfo, prepare_threshold=None)))

        yield connect


def test_clients_beyond_the_pool_wait_and_say_how_long(pgbouncer, shop, asking, values, until):
    holding = [shop() for _ in range(2)]
    for connection in holding:
        connection.execute("SELECT 1")
    waiting = threading.Thread(target=shop().execute, args=("SELECT 1",))
    waiting.start()
    collector = asking(SUBJECT, main=pgbouncer)
    until("a client that waits", lambda: values(collector, CLIENT_WAITING).get(POOL) == 1)
    until("its wait", lambda: values(collector, CLIENT_MAXWAIT)[POOL] > 0)
    up, active, servers, size = values(collector, PGBOUNCER_UP, CLIENT_ACTIVE, SERVER_ACTIVE, DATABASE_POOL_SIZE)
    assert (up[("main",)], active[POOL], servers[POOL]) == (1, 2, 2)
    assert {labels[1]: value for labels, value in size.items()} == {"shop": 2}
    for connection in holding:
        connection.rollback()
    waiting.join()
    until("nobody to wait", lambda: values(collector, CLIENT_WAITING)[POOL] == 0)


def test_every_column_of_this_version_has_its_name(pgbouncer, shop, asking, values, until):
    with shop() as connection:
        connection.execute("SELECT 1")
    collector = asking(SUBJECT, main=pgbouncer)
    names = {sample.name for family in collector.collect() for sample in family.samples}
    # What came with later versions than Debian 12's 1.18 may be absent; what is older may not.
    later = {"cl_active_cancel_req", "sv_active_cancel", "sv_being_canceled", "reserve_pool_size", "reserve_pool"}
    assert {metric.name for column, metric in POOLS.items() if column not in later} <= names
    assert {metric.name for metric in LISTS.values()} <= names
    assert {metric.name for metric in CONFIG.values()} <= names
    assert values(collector, MAX_CLIENT_CONNECTIONS) == {("main",): 77}
    ((_, version),) = values(collector, PGBOUNCER_VERSION)
    assert version.startswith("1.")


def test_statistics_are_counters_in_seconds(pgbouncer, shop, asking, values, until):
    collector = asking(SUBJECT, main=pgbouncer)
    queries, in_queries = STATS["total_query_count"], STATS["total_query_time"]
    key = ("main", "shop")
    before = [found.get(key, 0) for found in values(collector, queries, in_queries)]
    with shop() as connection:
        connection.execute("SELECT pg_sleep(0.2)")
    after = until("the statistics", lambda: _grown(values(collector, queries, in_queries), before[0], key))
    assert 0.2 <= after[1][key] - before[1] < 60


def _grown(found, before, key):
    return found if found[0].get(key, 0) > before else None


def test_a_pooler_that_is_down_is_counted_and_leaves_everything_else_out(asking, values, caplog, pgbouncer):
    nobody = make_conninfo(pgbouncer, port=1)
    collector = asking(SUBJECT, main=pgbouncer, lost=nobody)
    for _ in range(3):
        up, pools = values(collector, PGBOUNCER_UP, MAX_CLIENT_CONNECTIONS)
        assert up == {("main",): 1, ("lost",): 0}
        assert set(pools) == {("main",)}
    assert caplog.text.count("pgbouncer lost cannot be asked") == 1


def test_a_wrong_password_is_not_told_to_the_log(asking, values, caplog, pgbouncer):
    collector = asking(SUBJECT, main=make_conninfo(pgbouncer, password="wr0ng-secret"))
    assert values(collector, PGBOUNCER_UP) == {("main",): 0}
    assert "wr0ng-secret" not in caplog.text
    assert "cannot be asked" in caplog.text
