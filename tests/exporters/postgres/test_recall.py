"""Searches by pgvector's querysets on a real pgvector: what they count, and how much of the truth they find."""

from __future__ import annotations

import contextlib
import copy
import random
import threading

import psycopg
import pytest
from django.db import connections, models
from opsconsole_exporters.catalog.vector import (
    VECTOR_MISSING_ROWS,
    VECTOR_PLANS,
    VECTOR_RECALL_EXPECTED,
    VECTOR_RECALL_MATCHED,
    VECTOR_RECALL_SCANS,
    VECTOR_RECALL_SKIPPED,
    VECTOR_SEARCH_DURATION,
    VECTOR_SEARCH_ERRORS,
    VECTOR_SEARCH_ROWS,
    VECTOR_SHORT_RESULTS,
)
from opsconsole_exporters.django import recall
from opsconsole_exporters.django.vector import asearch, search
from opsconsole_exporters.vector import searching
from pgvector.django import CosineDistance, L2Distance, VectorField
from prometheus_client import REGISTRY

pytestmark = pytest.mark.real

ALIAS = "recall"
ROWS, DIMENSIONS = 2000, 16


class Thing(models.Model):
    kind = models.IntegerField()
    embedding = VectorField(dimensions=DIMENSIONS)

    class Meta:
        app_label = "exporters_recall"
        managed = False
        db_table = "thing"


@pytest.fixture(scope="module")
def things(database, django_db_blocker):
    """2000 random vectors with an hnsw index for the Euclidean distance, as a database of Django."""
    settings = copy.deepcopy(connections.settings["default"])
    settings |= {**database, "OPTIONS": {}, "CONN_MAX_AGE": 0}
    connections.settings[ALIAS] = settings
    chance = random.Random(7)
    with django_db_blocker.unblock():
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute(f"CREATE TABLE thing (id serial PRIMARY KEY, kind int, embedding vector({DIMENSIONS}))")
            with cursor.copy("COPY thing (kind, embedding) FROM STDIN") as rows:
                for number in range(ROWS):
                    rows.write_row((number % 100, str([round(chance.gauss(0, 1), 4) for _ in range(DIMENSIONS)])))
            cursor.execute("CREATE INDEX ON thing USING hnsw (embedding vector_l2_ops)")
            cursor.execute("ANALYZE thing")
        yield Thing.objects.using(ALIAS)
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("DROP TABLE thing")
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]


@pytest.fixture
def counted():
    """``counted(METRIC, "collection", ...)``: how much was added to a series since the test began."""
    before = {(s.name, tuple(s.labels.items())): s.value for f in REGISTRY.collect() for s in f.samples}

    def read(metric, *labels, name=None):
        key = dict(zip(metric.labels, labels, strict=True))
        value = REGISTRY.get_sample_value(name or metric.name, key) or 0
        return value - before.get((name or metric.name, tuple(key.items())), 0)

    return read


@pytest.fixture
def checked(things):
    """Checks one search at once, with the settings of the connection that searched."""
    with contextlib.closing(recall.connect(ALIAS)) as connection:

        def check(collection, queryset):
            rows = list(queryset)
            recall.perform(connection, recall.Check.of(collection, queryset, rows))
            return rows

        yield check


def ef_search(value):
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"SET hnsw.ef_search = {value}")


def nearest(things, number=1, distance=L2Distance):
    return things.order_by(distance("embedding", [float(number % 3)] * DIMENSIONS))


def test_a_search_counts_its_rows_and_its_time(things, counted):
    rows = search(nearest(things)[:10], "ten")
    assert [type(row) for row in rows] == [Thing] * 10
    assert counted(VECTOR_SEARCH_DURATION, "ten", name=VECTOR_SEARCH_DURATION.count) == 1
    assert counted(VECTOR_SEARCH_ROWS, "ten") == 10
    assert counted(VECTOR_SHORT_RESULTS, "ten") == counted(VECTOR_MISSING_ROWS, "ten") == 0


def test_a_condition_that_the_index_applies_too_late_makes_short_results(things, counted):
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_sort = off")
    rows = search(nearest(things.filter(kind=3))[:10], "filtered")
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("RESET ALL")
    assert len(rows) < 10 < len(things.filter(kind=3))
    assert counted(VECTOR_SHORT_RESULTS, "filtered") == 1
    assert counted(VECTOR_MISSING_ROWS, "filtered") == 10 - len(rows)


def test_a_poor_search_has_a_poor_recall_and_an_exact_one_has_all(things, counted, checked):
    for number in range(3):
        ef_search(1)
        checked("poor", nearest(things, number)[:10])
        ef_search(1000)
        checked("good", nearest(things, number)[:10])
        checked("sequential", nearest(things, number, CosineDistance)[:10])
    ef_search(40)
    recall_of = {
        name: counted(VECTOR_RECALL_MATCHED, name) / counted(VECTOR_RECALL_EXPECTED, name)
        for name in ("poor", "good", "sequential")
    }
    assert recall_of["poor"] < 0.9 < recall_of["good"] <= 1
    assert recall_of["sequential"] == 1
    assert counted(VECTOR_RECALL_SCANS, "postgres", "thing") == 18


def test_a_search_by_another_distance_than_the_indexes_is_seen_in_its_plan(things, counted, checked):
    checked("planned", nearest(things)[:5])
    checked("planned", nearest(things, distance=CosineDistance)[:5])
    assert counted(VECTOR_PLANS, "planned", "vector_index") == counted(VECTOR_PLANS, "planned", "other") == 1


def test_an_annotated_distance_with_relations_and_conditions_can_be_checked(things, counted, checked):
    annotated = things.filter(kind__lt=50).annotate(far=L2Distance("embedding", [0.5] * DIMENSIONS)).order_by("far")
    checked("annotated", annotated[:7])
    assert counted(VECTOR_RECALL_EXPECTED, "annotated") == 7


@pytest.mark.parametrize(
    "form",
    [
        nearest,
        lambda things: nearest(things)[5:10],
        lambda things: nearest(things).values("pk")[:5],
        lambda things: things.order_by(L2Distance("embedding", [0.0] * DIMENSIONS).desc())[:5],
        lambda things: things.all()[:5],
    ],
    ids=["without a limit", "a later page", "values", "the farthest", "no order"],
)
def test_a_search_of_another_form_is_not_checked(things, form):
    queryset = form(things)
    with pytest.raises(recall.UnsupportedError):
        recall.Check.of("odd", queryset, list(queryset))


def test_sampled_searches_are_checked_in_a_thread_and_by_a_connection_of_their_own(things, counted, until, monkeypatch):
    sampler = recall.Sampler(1.0)
    monkeypatch.setattr(recall, "_sampler", lambda pid: sampler)
    assert search(nearest(things)[:10], "sampled")
    until("the check", lambda: counted(VECTOR_RECALL_EXPECTED, "sampled") == 10)
    assert "opsconsole-recall" in {thread.name for thread in threading.enumerate()}
    search(nearest(things)[:10], "sampled")  # within the same second
    assert counted(VECTOR_RECALL_SKIPPED, "sampled", "failed") == 0
    sampler.close()


def test_a_check_that_fails_is_counted_and_the_search_is_not_disturbed(things, counted, until, monkeypatch):
    sampler = recall.Sampler(1.0)
    monkeypatch.setattr(recall, "_sampler", lambda pid: sampler)
    monkeypatch.setattr(recall, "TIMEOUT_MS", -1)  # PostgreSQL refuses it
    assert len(search(nearest(things)[:10], "failing")) == 10
    until("the failure", lambda: counted(VECTOR_RECALL_SKIPPED, "failing", "failed") == 1)
    sampler.close()


def test_the_sample_is_bounded_by_its_share_and_by_its_rate():
    assert not recall.Sampler(0.0).wants(now=5)
    every = recall.Sampler(1.0)
    assert [every.wants(now) for now in (10.0, 10.5, 10.9, 11.0, 11.5)] == [True, False, False, True, False]


async def test_an_asynchronous_search_is_counted_alike(things, counted):
    assert len(await asearch(nearest(things)[:3], "later")) == 3
    assert counted(VECTOR_SEARCH_ROWS, "later") == 3


def test_plain_sql_is_measured_by_a_with_statement(counted):
    with searching("plain", limit=5) as found:
        found.rows = 3
    with contextlib.suppress(psycopg.Error), searching("plain", limit=5):
        raise psycopg.OperationalError
    assert counted(VECTOR_MISSING_ROWS, "plain") == 2
    assert counted(VECTOR_SEARCH_ERRORS, "plain") == 1
    assert counted(VECTOR_SEARCH_DURATION, "plain", name=VECTOR_SEARCH_DURATION.count) == 1


def test_rows_that_are_equally_far_count_whichever_was_returned():
    exact = [(1, 0.1), (2, 0.5), (3, 0.5)]
    assert recall.matched([1, 4, 5], exact, {1: 0.1, 4: 0.5, 5: 0.5}) == 3
    assert recall.matched([1, 4, 6], exact, {1: 0.1, 4: 0.5, 6: 0.7}) == 2
    assert recall.matched([9], exact, {}) == 0, "a row that is gone by now"
    assert recall.matched([], [], {}) == 0
    assert recall.matched([1, 2], [(3, float("nan")), (4, float("nan"))], {}) == 2
