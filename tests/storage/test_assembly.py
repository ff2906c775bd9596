"""Rows of the store become blocks: every sample once, in its place, whatever is missing, doubled or unwanted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.promql.limits import Budget, Limits, TimedOut
from opsconsole.series.labels import Labels
from opsconsole.storage.assembly import Rows, Wanted, blocks
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.samples import series_id_of

SAMPLES = st.dictionaries(
    st.integers(0, 9), st.lists(st.integers(1, 8), min_size=1, max_size=10).map(sorted), max_size=10
)


@given(SAMPLES, st.sets(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 2), min_size=10, max_size=10))
def test_every_wanted_sample_is_in_its_place(
    stored: dict[int, list[int]], wanted_ids: set[int], target_of: list[int]
) -> None:
    """An instant may be stored twice, and series of one target need not share a single one."""
    flat = [(number, instant) for number in sorted(stored) for instant in stored[number]]
    rows = Rows(
        np.array([number for number, _ in flat], dtype=np.uint64),
        np.array([instant for _, instant in flat], dtype=np.int64),
        np.array([number * 100.0 + instant for number, instant in flat]),
    )
    ids = sorted(wanted_ids)
    labels = [Labels.of(n=str(number)) for number in ids]
    wanted = Wanted(np.array(ids, dtype=np.uint64), labels, np.array([target_of[number] for number in ids]))
    found = {}
    targets = []
    for block in blocks(wanted, rows):
        assert (np.diff(block.timestamps) > 0).all()
        numbers = [int(each.get("n")) for each in block.labels]
        targets += list({target_of[number] for number in numbers})
        for number, values in zip(numbers, block.values, strict=True):
            there = ~np.isnan(values)
            assert number not in found
            found[number] = dict(zip(block.timestamps[there].tolist(), values[there].tolist(), strict=True))
    assert len(targets) == len(set(targets)), "one block a target"
    assert found == {
        number: {instant: number * 100.0 + instant for instant in stored[number]} for number in ids if number in stored
    }


def test_ids_keep_the_series_of_a_metric_and_its_targets_together() -> None:
    series = [
        Labels.of(__name__=metric, job="web", instance=f"a:{target}", view=str(view))
        for view in range(20)
        for target in range(5)
        for metric in ("up", "hits", "errors")
    ]
    ordered = [(labels.metric, labels.get("instance")) for labels in sorted(series, key=series_id_of)]
    changes = sum(one != other for one, other in pairwise(ordered))
    assert changes == 14, "15 pairs of metric and target, each in one piece"
    assert len({series_id_of(labels) for labels in series}) == len(series)
    assert all(0 <= series_id_of(labels) < 1 << 64 for labels in series)


def test_the_engine_stops_a_query_when_its_time_is_up(clickhouse: ClickHouse) -> None:
    with pytest.raises(TimedOut, match="query timed out"):
        clickhouse.arrow("SELECT sum(sipHash64(number)) AS x FROM numbers(1000000000000)", Budget(Limits(seconds=0.2)))
    assert clickhouse.arrow("SELECT 1 AS x", Budget(Limits()))["x"].to_pylist() == [1]


def test_a_statement_may_name_more_series_than_the_engine_parses_by_default(clickhouse: ClickHouse) -> None:
    ids = ", ".join(str((1 << 63) + number) for number in range(20_000))
    assert clickhouse.arrow(f"SELECT count() AS n FROM samples WHERE id IN ({ids})")["n"].to_pylist() == [0]
