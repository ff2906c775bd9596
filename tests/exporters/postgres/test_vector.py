"""The catalogs of a real pgvector: columns and indexes that are missing, invalid, on an expression, or for another distance."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.catalog.vector import (
    VECTOR_EXTENSION,
    VECTOR_INDEX_INFO,
    VECTOR_INDEX_PRESENT,
    VECTOR_INDEX_RIGHT,
    VECTOR_INDEX_SCANS,
    VECTOR_INDEX_SIZE,
    VECTOR_INDEX_VALID,
    VECTOR_TABLE_DEAD,
    VECTOR_TABLE_ROWS,
    VECTOR_TABLE_SEQ_SCANS,
    VECTOR_UP,
)
from opsconsole_exporters.postgres.vector import Distance, Expectation, subject
from prometheus_client import REGISTRY
from psycopg.conninfo import make_conninfo

pytestmark = pytest.mark.real

COLUMN = ("main", "vectors", "item", "embedding")
TABLE = COLUMN[:3]


@pytest.fixture(params=["postgres_16", "postgres_18"])
def conninfo(request):
    """A database with a table of 200 vectors, for one test."""
    server = request.getfixturevalue(request.param)
    with contextlib.closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute("DROP DATABASE IF EXISTS vectors WITH (FORCE)")
        connection.execute("CREATE DATABASE vectors")
    conninfo = make_conninfo(server, dbname="vectors")
    with contextlib.closing(psycopg.connect(conninfo, autocommit=True)) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE TABLE item (id serial PRIMARY KEY, embedding vector(3))")
        connection.execute("CREATE TABLE plain (id serial PRIMARY KEY, numbers real[])")
        connection.execute(
            "INSERT INTO item (embedding) SELECT ARRAY[n, n % 7, 1]::vector FROM generate_series(1, 200) n"
        )
    yield conninfo
    with contextlib.closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute("DROP DATABASE vectors WITH (FORCE)")


@pytest.fixture
def run(conninfo):
    with contextlib.closing(psycopg.connect(conninfo, autocommit=True)) as connection:
        yield connection.execute


def errors():
    return REGISTRY.get_sample_value(str(COLLECTOR_ERRORS), {"collector": "vector"}) or 0


def expecting(*texts):
    return subject(tuple(Expectation.parse(text) for text in texts))


def test_a_column_without_an_index_is_told_apart_from_tables_without_vectors(conninfo, asking, values):
    collector, before = asking(expecting("item.embedding=cosine"), main=conninfo), errors()
    up, present, valid, right = values(
        collector, VECTOR_UP, VECTOR_INDEX_PRESENT, VECTOR_INDEX_VALID, VECTOR_INDEX_RIGHT
    )
    assert (up, present, valid) == ({("main",): 1}, {COLUMN: 0}, {COLUMN: 0})
    assert right == {(*COLUMN, "<=>"): 0}
    ((server, database, version),) = values(collector, VECTOR_EXTENSION)
    assert (server, database, version[:2]) == ("main", "vectors", "0.")
    assert errors() == before


@pytest.mark.parametrize("method", ["hnsw (embedding vector_cosine_ops)", "ivfflat (embedding vector_cosine_ops)"])
def test_an_index_is_right_for_the_distance_of_its_operator_class_only(conninfo, run, asking, values, method):
    run(f"CREATE INDEX by_embedding ON item USING {method}")
    run("CREATE INDEX by_id ON item (id)")
    right, wrong = (asking(expecting(f"item.embedding={name}"), main=conninfo) for name in ("cosine", "l2"))
    assert values(right, VECTOR_INDEX_VALID) == {COLUMN: 1}
    assert values(right, VECTOR_INDEX_RIGHT) == {(*COLUMN, "<=>"): 1}
    assert values(wrong, VECTOR_INDEX_RIGHT) == {(*COLUMN, "<->"): 0}
    info, size = values(right, VECTOR_INDEX_INFO, VECTOR_INDEX_SIZE)
    assert set(info) == {(*TABLE, "by_embedding", "embedding", method.split()[0], "vector_cosine_ops", "<=>")}
    assert size[*TABLE, "by_embedding"] >= 8192


def test_an_index_that_was_not_finished_is_present_and_not_valid(conninfo, run, asking, values):
    run("CREATE INDEX by_embedding ON item USING hnsw (embedding vector_l2_ops)")
    run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_embedding'::regclass")
    collector = asking(expecting("item.embedding=l2"), main=conninfo)
    assert values(collector, VECTOR_INDEX_PRESENT, VECTOR_INDEX_VALID, VECTOR_INDEX_RIGHT) == [
        {COLUMN: 1},
        {COLUMN: 0},
        {(*COLUMN, "<->"): 0},
    ]


def test_scans_and_dead_rows_are_counted(conninfo, run, asking, values, until):
    run("CREATE INDEX by_embedding ON item USING hnsw (embedding vector_l2_ops)")
    collector = asking(subject(), main=conninfo)
    metrics = (VECTOR_TABLE_SEQ_SCANS, VECTOR_INDEX_SCANS, VECTOR_TABLE_DEAD, VECTOR_TABLE_ROWS)
    before = values(collector, *metrics)
    run("SET enable_seqscan = off")
    run("SELECT id FROM item ORDER BY embedding <-> '[1,2,3]' LIMIT 5").fetchall()
    run("SET enable_seqscan = on")
    run("SET enable_indexscan = off")
    run("SELECT id FROM item ORDER BY embedding <-> '[1,2,3]' LIMIT 5").fetchall()
    run("SET enable_bitmapscan = off")
    run("DELETE FROM item WHERE id <= 50")
    run("SELECT pg_stat_force_next_flush()")

    def grown():
        seq, index, dead, rows = values(collector, *metrics)
        return (
            seq[TABLE] >= before[0][TABLE] + 1
            and index[*TABLE, "by_embedding"] == 1
            and (dead[TABLE], rows[TABLE]) == (50, 150)
        )

    until("the statistics", grown)


def test_an_index_on_an_expression_belongs_to_its_column(conninfo, run, asking, values):
    run("CREATE INDEX shifted ON item USING hnsw (((embedding + '[0,0,1]'::vector)::vector(3)) vector_ip_ops)")
    collector = asking(expecting("item.embedding=ip"), main=conninfo)
    assert values(collector, VECTOR_INDEX_VALID, VECTOR_INDEX_RIGHT) == [{COLUMN: 1}, {(*COLUMN, "<#>"): 1}]


def test_a_table_outside_the_search_path_has_its_schema_in_its_name(conninfo, run, asking, values):
    run("CREATE SCHEMA other")
    run("CREATE TABLE other.item (embedding vector(3))")
    assert {labels[2] for labels in values(asking(subject(), main=conninfo), VECTOR_INDEX_VALID)} == {
        "item",
        "other.item",
    }


def test_a_server_without_the_extension_has_nothing_to_say_and_no_error(postgres_15, asking, values):
    before = errors()
    up, *others = values(asking(subject(), main=postgres_15), VECTOR_UP, VECTOR_EXTENSION, VECTOR_INDEX_VALID)
    assert (up, others) == ({("main",): 1}, [{}, {}])
    assert errors() == before


class TestExpectation:
    def test_a_table_may_have_its_schema(self):
        assert Expectation.parse("shop.item.embedding=ip") == Expectation("shop.item", "embedding", Distance.IP)

    @pytest.mark.parametrize("text", ["", "item", "item.embedding", "item.embedding=near", "=cosine", "embedding=l2"])
    def test_anything_else_is_refused_with_what_to_write(self, text):
        with pytest.raises(ValueError, match=r"is not table\.column=distance with a distance of l2, cosine"):
            Expectation.parse(text)
