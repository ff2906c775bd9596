"""The shape of a statement, and what a request remembers of its queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opsconsole_exporters.django.fingerprint import fingerprint, normalise
from opsconsole_exporters.django.queries import REPEATED, SHAPES, RequestQueries


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT a FROM t WHERE id = %s", "SELECT a FROM t WHERE id = ?"),
        ("SELECT a FROM t WHERE id = 17 AND b = 'it''s'", "SELECT a FROM t WHERE id = ? AND b = ?"),
        ("SELECT a FROM t WHERE id IN (%s, %s,%s)", "SELECT a FROM t WHERE id IN (?)"),
        ("SELECT a FROM t WHERE id IN (%(a)s, $2, ?)", "SELECT a FROM t WHERE id IN (?)"),
        (
            'INSERT INTO "t2" ("a1", "b") VALUES (%s, NOW()), (%s, NOW())',
            'INSERT INTO "t2" ("a1", "b") VALUES (?, NOW())',
        ),
        ("SELECT  a\n FROM t -- why\n/* traceparent='00-1' */ WHERE x < 1.5e3", "SELECT a FROM t WHERE x < ?"),
        ("SELECT \"odd 7 'name'\" FROM `t 1`", "SELECT \"odd 7 'name'\" FROM `t 1`"),
        ("SELECT T3.a1 FROM t T3", "SELECT T3.a1 FROM t T3"),
    ],
)
def test_values_comments_and_lists_do_not_matter(sql, shape):
    assert normalise(sql) == shape.strip()


@given(st.lists(st.integers() | st.text("abc'% \n"), min_size=1))
def test_no_value_survives(values):
    literals = [str(abs(each)) if isinstance(each, int) else "'" + each.replace("'", "''") + "'" for each in values]
    found = fingerprint(f"SELECT a FROM t WHERE b IN ({', '.join(literals)})")
    assert found == fingerprint("SELECT a FROM t WHERE b IN (%s, %s)") or len(values) == 1
    assert set(found.text.partition(" IN ")[2]) <= set("(?)")


@pytest.mark.parametrize("sql", ['SAVEPOINT "s1"', "SET search_path TO x", "", "   ", "CREATE TABLE t (a int)"])
def test_what_reads_no_rows_has_no_shape(sql):
    assert not fingerprint(sql).is_of_rows


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        ('SELECT "a"."id" FROM "shop_product" AS "a" WHERE b = %s', "SELECT shop_product"),
        ("(select 1 from only t) union (select 2 from u)", "SELECT t"),
        ('INSERT INTO "shop_order" ("a") VALUES (%s)', "INSERT shop_order"),
        ("update `t 1` set a = 1", "UPDATE t 1"),
        ("DELETE FROM public.t", "DELETE public.t"),
        ("SELECT 1", "SELECT"),
        ('SAVEPOINT "s1"', "SAVEPOINT"),
        ("", "SQL"),
    ],
)
def test_a_statement_is_called_by_what_it_does_and_its_first_table(sql, summary):
    assert fingerprint(sql).summary == summary


def test_a_statement_of_any_length_is_read_in_part_and_kept_in_part():
    found = fingerprint("SELECT a FROM t WHERE " + " OR ".join(f"column_{n} = 1" for n in range(100_000)))
    assert len(found.text) <= 1000


def test_a_shape_is_repeated_once_it_ran_five_times():
    queries = RequestQueries()
    told = [queries.add(f"SELECT a FROM t WHERE id = {n}", 0.5) for n in range(REPEATED + 2)]
    queries.add("SELECT b FROM u", 9.0)
    assert [shape is not None for shape in told] == [False] * (REPEATED - 1) + [True, False, False]
    assert (queries.count, queries.repeated, queries.seconds) == (REPEATED + 3, REPEATED + 1, 12.5)
    (worst,) = queries.worst(5)
    assert (worst.count, worst.seconds, worst.fingerprint.text) == (7, 3.5, "SELECT a FROM t WHERE id = ?")


def test_four_are_not_repeated():
    queries = RequestQueries()
    assert [queries.add("SELECT 1", 0.1) for _ in range(REPEATED - 1)] == [None] * 4
    assert (queries.repeated, queries.worst(5)) == (0, [])


def test_a_request_remembers_a_bounded_number_of_shapes():
    queries = RequestQueries()
    for number in range(SHAPES * 2):
        for _ in range(REPEATED):
            queries.add(f"SELECT a FROM t{number}", 0.0)
    assert queries.count == SHAPES * 2 * REPEATED
    assert len(queries.worst(SHAPES * 2)) == SHAPES
