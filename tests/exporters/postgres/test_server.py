"""The collector on PostgreSQL 15 and 18: connections, locks, databases, and the most expensive statements."""

from __future__ import annotations

import contextlib
import threading

import psycopg
import pytest
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.catalog.postgres import (
    DATABASE_STATS,
    PG_ACTIVITY,
    PG_BLOCKED,
    PG_DATABASE_SIZE,
    PG_LOCKS,
    PG_LONGEST_TRANSACTION,
    PG_MAX_CONNECTIONS,
    PG_STATEMENT_CALLS,
    PG_STATEMENT_TEXT,
    PG_STATIC,
    PG_UP,
    PG_WAITING,
)
from opsconsole_exporters.postgres.server import SUBJECT
from opsconsole_exporters.postgres.statements import LONGEST_TEXT, TOP, public_text
from prometheus_client import REGISTRY

pytestmark = pytest.mark.real


@pytest.fixture(params=["postgres_15", "postgres_18"])
def conninfo(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def connect():
    with contextlib.ExitStack() as stack:
        yield lambda conninfo: stack.enter_context(contextlib.closing(psycopg.connect(conninfo, autocommit=True)))


def errors():
    return REGISTRY.get_sample_value(str(COLLECTOR_ERRORS), {"collector": "postgres"}) or 0


def test_a_server_says_what_it_is_and_how_much_room_it_has(conninfo, asking, values, connect):
    collector, before = asking(SUBJECT, main=conninfo), errors()
    up, static, most, size = values(collector, PG_UP, PG_STATIC, PG_MAX_CONNECTIONS, PG_DATABASE_SIZE)
    shown = connect(conninfo).execute("SHOW max_connections").fetchone()[0]
    assert (up, most) == ({("main",): 1}, {("main",): float(shown)})
    assert {labels[2].split(".")[0] for labels in static} <= {"15", "18"}
    assert size["main", "postgres"] > 1_000_000
    assert errors() == before, "no probe may fail on this version"


def test_a_transaction_left_open_and_the_sessions_it_blocks_are_seen(conninfo, asking, values, connect, until):
    connect(conninfo).execute("CREATE TABLE IF NOT EXISTS stock (id int PRIMARY KEY, left_over int)")
    connect(conninfo).execute("INSERT INTO stock VALUES (1, 5) ON CONFLICT DO NOTHING")
    holder, waiter = connect(conninfo), connect(conninfo)
    holder.execute("BEGIN")
    holder.execute("UPDATE stock SET left_over = 4 WHERE id = 1")
    thread = threading.Thread(target=lambda: waiter.execute("UPDATE stock SET left_over = 3 WHERE id = 1"))
    thread.start()
    collector = asking(SUBJECT, main=conninfo)
    key = ("main", "postgres")
    until("the blocked session", lambda: values(collector, PG_BLOCKED)[key] == 1)
    waiting, activity, longest, locks = values(collector, PG_WAITING, PG_ACTIVITY, PG_LONGEST_TRANSACTION, PG_LOCKS)
    assert waiting[*key, "Lock"] == 1
    assert activity[*key, "idle in transaction"] == 1
    assert longest[*key, "idle in transaction"] > 0
    assert locks[*key, "RowExclusiveLock"] >= 2
    holder.execute("COMMIT")
    thread.join()
    assert values(collector, PG_BLOCKED)[key] == 0


def test_transactions_are_counted_under_the_name_that_boards_know(conninfo, asking, values, connect, until):
    collector, commits = asking(SUBJECT, main=conninfo), DATABASE_STATS["xact_commit"]
    assert str(commits) == "pg_stat_database_xact_commit"
    before = values(collector, commits)["main", "postgres"]
    with connect(conninfo) as connection:
        for _ in range(5):
            connection.execute("SELECT 1")
    until("the commits", lambda: values(collector, commits)["main", "postgres"] >= before + 5)


def test_the_most_expensive_statements_are_shown_and_no_more(postgres_15, asking, values, connect):
    connection = connect(postgres_15)
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    connection.execute("ALTER ROLE shop PASSWORD 'never-show-this'")
    for number in range(30):
        connection.execute(f"SELECT {', '.join('1' for _ in range(number + 1))}")
    connection.execute("SELECT pg_sleep(0.3) AS slowest WHERE 4711 = 4711")
    calls, texts = values(asking(SUBJECT, main=postgres_15), PG_STATEMENT_CALLS, PG_STATEMENT_TEXT)
    assert len(calls) == TOP
    shown = [text for _, _, text in texts]
    (slowest,) = [text for text in shown if "slowest" in text]
    assert slowest == "SELECT pg_sleep($1) AS slowest WHERE $2 = $3"
    assert not any("never-show-this" in text for text in shown)


def test_without_the_extension_the_statements_are_absent(postgres_18, asking, values):
    before = errors()
    assert values(asking(SUBJECT, main=postgres_18), PG_STATEMENT_CALLS) == {}
    assert errors() == before


def test_a_question_that_fails_leaves_the_others(postgres_15, asking, values, connect, caplog):
    connection = connect(postgres_15)
    connection.execute("DROP ROLE IF EXISTS poor")
    connection.execute("CREATE ROLE poor LOGIN")
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    connection.execute("REVOKE SELECT ON pg_stat_statements FROM public")
    try:
        collector, before = asking(SUBJECT, main=psycopg.conninfo.make_conninfo(postgres_15, user="poor")), errors()
        up, calls = values(collector, PG_UP, PG_STATEMENT_CALLS)
        assert (up, calls, errors() - before) == ({("main",): 1}, {}, 1)
        assert "cannot be asked (statements): permission denied" in caplog.text
    finally:
        connection.execute("GRANT SELECT ON pg_stat_statements TO public")


class TestPublicText:
    def test_a_statement_that_may_hold_a_password_shows_two_words(self):
        assert public_text("ALTER ROLE shop PASSWORD 'geheim'") == "ALTER ROLE …"

    def test_a_long_one_is_cut(self):
        text = public_text("SELECT " + "x, " * 200)
        assert (len(text), text[-1]) == (LONGEST_TEXT, "…")

    def test_lines_become_one(self):
        assert public_text("SELECT\n  1") == "SELECT 1"
