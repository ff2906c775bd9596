"""Small queries: the same answers as ever, or none at all."""

from __future__ import annotations

import numpy as np
import pytest

from opsconsole.promql import small
from opsconsole.promql.engine import Engine
from opsconsole.promql.limits import LimitExceeded
from opsconsole.promql.parse import parse
from opsconsole.promql.result import Matrix, Scalar
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head
from opsconsole.storage.history import History
from opsconsole.storage.pushed import PushedStore

NOW_MS = 1_764_000_000_000
TARGET = Labels.of(job="web", instance="a:1")


class _Unread:
    """A store that nobody may have to read."""

    def select(self, *_: object) -> list[object]:
        raise AssertionError("the head is complete")


@pytest.fixture
def engine() -> Engine:
    """1,200 series of ``requests_total`` and one ``up``, for ten minutes every 15 s."""
    head = Head()
    series = [
        Labels.of(TARGET, __name__="up"),
        *(Labels.of(TARGET, __name__="requests_total", path=str(number)) for number in range(1200)),
    ]
    for second in range(-600, 1, 15):
        head.append(TARGET, NOW_MS + second * 1000, series, np.arange(1201.0) * (600 + second))
    history = History(head, _Unread(), PushedStore())
    return Engine(history, at_hand=history.at_hand)


@pytest.mark.parametrize(
    "query",
    [
        "1+1",
        "-1",
        "vector(1)",
        "up",
        "up == 1 or vector(3)",
        'sum by (job) (rate(requests_total{path=~"1."}[5m]))',
        'requests_total{path="7"} offset 1m',
        "up[1m]",
        "nothing",
    ],
)
def test_a_small_query_is_answered_the_same_at_once_when_it_was_asked_before(engine, query):
    expected = engine.instant(query, NOW_MS)
    found = engine.at_once.instant(query, NOW_MS)
    if isinstance(expected, Scalar):
        assert found == expected
        return
    assert isinstance(found, Matrix)
    assert list(found.labels) == list(expected.labels)
    np.testing.assert_array_equal(found.timestamps, expected.timestamps)
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.present, expected.present)


def test_a_small_range_is_answered_at_once_too(engine):
    span = NOW_MS - 300_000, NOW_MS, 15_000
    expected = engine.range("up * 2", *span)
    np.testing.assert_array_equal(engine.at_once.range("up * 2", *span).values, expected.values)


@pytest.mark.parametrize(
    "query",
    [
        'label_replace(up, "a", "$1", "job", "(.*)")',
        "max_over_time(up[5m:1s])",
        "topk(1, up)",
        " + ".join(["up"] * 7),
    ],
)
def test_what_samples_do_not_bound_is_not_small(engine, query):
    engine.instant(query, NOW_MS)
    with pytest.raises(small.NotSmall):
        engine.at_once.instant(query, NOW_MS)


def test_a_new_query_is_not_small(engine):
    engine.instant("up", NOW_MS)
    with pytest.raises(small.NotSmall):
        engine.at_once.instant("up + 0 * 17", NOW_MS)


def test_selectors_that_were_never_looked_up_are_not_at_hand(engine):
    query = 'requests_total{path=~".*5"} > 17'
    parse(query)
    with pytest.raises(small.NotSmall):
        engine.at_once.instant(query, NOW_MS)
    engine.instant(query, NOW_MS)
    assert engine.at_once.instant(query, NOW_MS).labels


@pytest.mark.parametrize("query", ["requests_total", 'sum(rate(requests_total{path=~"[1-5].."}[10m]))'])
def test_many_series_or_samples_stop_it(engine, query):
    engine.instant(query, NOW_MS)
    with pytest.raises(LimitExceeded):
        engine.at_once.instant(query, NOW_MS)


def test_a_span_that_the_head_does_not_hold_is_at_hand_when_it_was_read():
    head, read = Head(), []

    class Store:
        def select(self, *_: object) -> list[object]:
            read.append(1)
            return []

    head.load(Store(), NOW_MS)
    read.clear()
    history = History(head, Store())
    engine = Engine(history, at_hand=history.at_hand)
    parse("up offset 1d")
    with pytest.raises(small.NotSmall):
        engine.at_once.instant("up offset 1d", NOW_MS)
    assert read == []
    engine.instant("up offset 1d", NOW_MS)
    assert len(engine.at_once.instant("up offset 1d", NOW_MS).labels) == 0
    assert read == [1]


def test_who_has_nothing_at_hand_answers_nothing_at_once(engine):
    assert Engine(_Unread()).at_once is None
    assert engine.looking_back(60_000).at_once is not None
