"""From matrices to what a panel gets; no engine, no console."""

from __future__ import annotations

import numpy as np
import pytest

from dashboards.model import Kind, Panel, Query
from opsconsole.operations.frames import MAX_BUCKETS, MAX_SERIES, legend, shape
from opsconsole.promql.result import Matrix
from opsconsole.series.labels import Labels, LabelSets
from signals.model import Signal
from signals.unit import Unit

SIGNAL = Signal("s", "s", "up", Unit.COUNT, (), "What s means.")
GAP = None


def panel(kind: Kind = Kind.LINE, *legends: str, key: str = "", bar: int | None = None) -> Panel:
    queries = tuple(Query(SIGNAL, text, bar=index == bar) for index, text in enumerate(legends or ("",)))
    return Panel("p", "p", kind, queries, width=4, height=4, key=key)


def matrix(rows: dict[Labels, list[float | None]]) -> Matrix:
    values = np.array([[np.nan if value is None else value for value in row] for row in rows.values()], dtype=float)
    width = len(next(iter(rows.values()), [0]))
    values = values.reshape(len(rows), width)
    present = np.array([[value is not None for value in row] for row in rows.values()], dtype=bool)
    return Matrix(list(rows), np.arange(width) * 1000, values, present.reshape(len(rows), width))


def names(cells) -> list[str]:
    return [series.name for series in cells.series]


def test_gaps_nans_and_infinities_are_null():
    cells = shape(panel(), [matrix({Labels.of(job="a"): [1.0, GAP, np.nan, np.inf, -np.inf, 2.0]})])
    assert cells.columns() == [[1.0, None, None, None, None, 2.0]]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, 0.3),
        (1 / 3, 0.333333),
        (1234567.891, 1234570.0),
        (-0.000123456789, -0.000123457),
        (0.0, 0.0),
        (1e300, 1e300),
        (5e-324, 5e-324),
        (1e22 / 3, 3.33333e21),
    ],
)
def test_numbers_keep_six_significant_digits(value, shown):
    assert shape(panel(), [matrix({Labels(): [value]})]).newest() == [shown]


def test_a_legend_takes_labels_as_they_are_and_no_others():
    labels = Labels.of(job="{x}", queue="mail")
    assert legend("{job} {queue} {missing}!", labels) == "{x} mail !"
    assert legend("{0} {queue.__class__}", labels) == " {queue.__class__}"
    assert legend("", labels) == str(labels)


def test_series_stand_in_the_order_of_queries_and_labels_whatever_their_values():
    first = matrix({Labels.of(job="b"): [9.0], Labels.of(job="a"): [1.0]})
    second = matrix({Labels.of(job="a"): [5.0]})
    cells = shape(panel(Kind.LINE, "one {job}", "two {job}"), [first, second])
    assert names(cells) == ["one a", "one b", "two a"]
    assert cells.newest() == [1.0, 9.0, 5.0]


def test_a_full_panel_shows_the_highest_and_says_how_many_are_hidden():
    rows = {Labels.of(n=f"{n:02}"): [float(n)] for n in range(MAX_SERIES + 5)}
    cells = shape(panel(Kind.LINE, "{n}"), [matrix(rows)])
    assert names(cells) == [f"{n:02}" for n in range(5, MAX_SERIES + 5)]
    assert cells.hidden == 5


def test_in_a_full_panel_lines_stay_while_they_have_values_and_silent_ones_give_way():
    rows = {Labels.of(n=f"{n:02}"): [float(n)] for n in range(MAX_SERIES)}
    known = shape(panel(Kind.LINE, "{n}"), [matrix(rows)]).series
    rows[Labels.of(n="00")] = [GAP]
    rows[Labels.of(n="x")] = [1000.0]
    rows[Labels.of(n="y")] = [999.0]
    cells = shape(panel(Kind.LINE, "{n}"), [matrix(rows)], known)
    assert names(cells) == [*(f"{n:02}" for n in range(1, MAX_SERIES)), "x"]
    assert cells.hidden == 2


def test_a_line_that_fell_silent_keeps_its_place_as_a_gap():
    known = shape(panel(), [matrix({Labels.of(job="a"): [1.0], Labels.of(job="b"): [2.0]})]).series
    cells = shape(panel(), [matrix({Labels.of(job="b"): [3.0]})], known)
    assert cells.series == known
    assert cells.newest() == [None, 3.0]


@pytest.mark.parametrize("count", [1, 3, MAX_SERIES, MAX_SERIES + 5])
@pytest.mark.parametrize("gaps", [0, 0.3])
def test_a_panel_that_looks_as_before_is_shaped_as_if_it_were_new(count, gaps):
    random = np.random.default_rng(count)
    labels = LabelSets(Labels.of(n=f"{n:02}") for n in random.permutation(count))
    fewer, single = LabelSets(labels[1:]), LabelSets(labels[:1])
    before = None
    for sets in (labels, labels, labels, fewer, fewer, labels, labels):
        values = np.where(random.random((len(sets), 1)) < gaps, np.nan, random.random((len(sets), 1)))
        matrices = [
            Matrix(sets, np.array([1000]), values, np.ones(values.shape, dtype=bool)),
            Matrix(single, np.array([1000]), np.ones((1, 1)), np.ones((1, 1), dtype=bool)),
        ]
        known = before.series if before else ()
        again, new = (shape(panel(Kind.LINE, "{n}", "two {n}"), matrices, known, each) for each in (before, None))
        assert (again.series, again.hidden) == (new.series, new.hidden)
        np.testing.assert_array_equal(again.values, new.values)
        before = again


def test_a_heatmap_gets_what_each_bucket_holds_alone_in_ascending_order():
    rows = {
        Labels.of(le="+Inf"): [10.0, 9.0, GAP],
        Labels.of(le="10"): [10.0, 6.0, 5.0],
        Labels.of(le="0.5"): [4.0, 7.0, GAP],
        Labels.of(le="1"): [7.0, 7.0, 5.0],
    }
    cells = shape(panel(Kind.HEATMAP, "{le}"), [matrix(rows)])
    assert names(cells) == ["0.5", "1", "10", "+Inf"]
    assert cells.columns() == [[4.0, 7.0, None], [3.0, 0.0, 5.0], [3.0, 0.0, 0.0], [0.0, 2.0, None]]


def test_a_heatmap_refuses_more_buckets_than_a_histogram_can_have():
    rows = {Labels.of(le=str(n)): [float(n)] for n in range(MAX_BUCKETS + 1)}
    with pytest.raises(ValueError, match=f"{MAX_BUCKETS + 1} buckets"):
        shape(panel(Kind.HEATMAP), [matrix(rows)])


def test_a_table_keeps_whole_rows_the_highest_first():
    count = 4 + 3  # the panel is four units high
    first = matrix({Labels.of(view=f"{n:02}"): [float(n)] for n in range(count)})
    second = matrix({Labels.of(view=f"{n:02}"): [float(-n)] for n in range(count)})
    cells = shape(panel(Kind.TABLE, "a", "b", key="view"), [first, second])
    top = [f"{n:02}" for n in range(count - 1, 2, -1)]
    assert [(series.query, series.labels.get("view")) for series in cells.series] == [
        *((0, view) for view in top),
        *((1, view) for view in top),
    ]
    assert cells.hidden == 3
    by_bar = shape(panel(Kind.TABLE, "a", "b", key="view", bar=1), [first, second])
    assert by_bar.series[0].labels.get("view") == "00"


def test_a_panel_without_any_series_is_empty_and_not_an_error():
    cells = shape(panel(), [matrix({})])
    assert (cells.series, cells.columns(), cells.newest(), cells.hidden) == ((), [], [], 0)
