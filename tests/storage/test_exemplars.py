from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.storage.exemplars import Exemplar, ExemplarRefusal, ExemplarStore, SeriesExemplars

SERIES = [Labels.of(__name__="latency_bucket", le=bound) for bound in "123"]


def exemplar(timestamp_ms: int, trace: str = "a", value: float = 1.0) -> Exemplar:
    return Exemplar(Labels.of(trace_id=trace), value, timestamp_ms)


def test_exemplars_are_found_by_series_and_time_both_ends_included() -> None:
    store = ExemplarStore()
    store.append((SERIES[1], exemplar(at)) for at in (10, 20, 30))
    store.append([(SERIES[0], exemplar(20, "b"))])
    assert store.select([], 20, 30) == [
        SeriesExemplars(SERIES[0], [exemplar(20, "b")]),
        SeriesExemplars(SERIES[1], [exemplar(20), exemplar(30)]),
    ]
    assert store.select([Matcher("le", Operator.EQUAL, "2")], 0, 19) == [SeriesExemplars(SERIES[1], [exemplar(10)])]
    assert store.select([Matcher("le", Operator.EQUAL, "3")], 0, 99) == []


def test_what_is_not_newer_is_counted_and_not_kept() -> None:
    store = ExemplarStore()
    store.append((SERIES[0], one) for one in (exemplar(20), exemplar(20), exemplar(20, "b"), exemplar(10)))
    assert store.select([], 0, 99) == [SeriesExemplars(SERIES[0], [exemplar(20)])]
    assert store.state.refused == {ExemplarRefusal.DUPLICATE: 1, ExemplarRefusal.OUT_OF_ORDER: 2}
    assert (store.state.exemplars, store.state.series) == (1, 1)


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(1, 8))
def test_the_newest_of_all_are_kept(order: list[int], capacity: int) -> None:
    store = ExemplarStore(capacity)
    appended = [(SERIES[series], exemplar(at)) for at, series in enumerate(order)]
    store.append(appended)
    kept = appended[-capacity:]
    assert store.select([], 0, 99) == [
        SeriesExemplars(series, mine) for series in SERIES if (mine := [one for of, one in kept if of == series])
    ]
    assert store.state.exemplars == len(kept)
    assert store.state.series == len({series for series, _ in kept})


def test_a_store_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity is 0; it must be more than 0"):
        ExemplarStore(0)
