"""The engine as its callers use it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.result import Matrix, Scalar, String
from opsconsole.series.block import NAN_SAMPLE, Block
from opsconsole.series.labels import Labels

UP = Labels.of(__name__="up", job="web")
DOWN = Labels.of(__name__="down", job="web")


def test_an_instant_query_has_one_column(block, engine) -> None:
    result = engine(block({UP: [1, 2, 3]})).instant("up", 20_000)
    assert isinstance(result, Matrix)
    assert list(result.labels) == [UP]
    assert result.timestamps.tolist() == [20_000]
    assert result.last.tolist() == [2.0]


def test_a_scalar_has_no_labels(engine) -> None:
    assert engine().instant("time() + 1", 20_000) == Scalar(20_000, 21.0)
    over_time = engine().range("time() * 2", 0, 20_000, 10_000)
    assert list(over_time.labels) == [Labels()]
    assert over_time.values.tolist() == [[0.0, 20.0, 40.0]]


def test_a_range_includes_both_ends_and_is_sorted_by_labels(block, engine) -> None:
    result = engine(block({UP: [1, 2, 3], DOWN: [4, 5, 6]})).range('{job="web"}', 0, 30_000, 15_000)
    assert list(result.labels) == [DOWN, UP]
    assert result.timestamps.tolist() == [0, 15_000, 30_000]
    assert result.values.tolist() == [[4, 5, 6], [1, 2, 3]]


def test_a_range_vector_alone_is_its_samples(block, engine) -> None:
    source = engine(block({UP: [1, None, 3, 4]}), block({DOWN: [7]}, start_ms=20_000))
    result = source.instant('{job="web"}[31s]', 45_000)
    assert result.timestamps.tolist() == [15_000, 20_000, 30_000, 45_000]
    assert dict(zip(result.labels, result.present.tolist(), strict=True)) == {
        UP: [False, False, True, True],
        DOWN: [False, True, False, False],
    }


def test_a_series_without_a_value_is_left_out_and_a_nan_is_a_value(block, engine) -> None:
    result = engine(block({UP: [0, 0], DOWN: [None, None]})).range('{job="web"} / 0', 0, 15_000, 15_000)
    assert list(result.labels) == [Labels.of(job="web")]
    assert np.isnan(result.values).all()
    assert result.present.all()


def test_a_nan_sample_is_no_staleness_marker(block, engine) -> None:
    asked = engine(block({UP: [1, NAN_SAMPLE], DOWN: [1, None]}))
    assert list(asked.instant('{job="web"}', 15_000).labels) == [UP]
    assert asked.instant("count_over_time(up[1m])", 15_000).last.tolist() == [2]
    assert asked.instant("count_over_time(down[1m])", 15_000).last.tolist() == [1]


def test_a_series_in_several_blocks_is_one_series(block, engine) -> None:
    before = block({UP: [1, 2, 3], DOWN: [1, 1, 1]})
    after = block({UP: [4, 5, 6]}, start_ms=45_000)
    asked = engine(before, after)
    assert asked.range("increase(up[45s])", 60_000, 60_000, 1000).values.tolist() == [[3.0]]
    assert asked.instant("count_over_time(down[10m])", 75_000).last.tolist() == [3]
    assert asked.instant("up", 40_000).last.tolist() == [3]


def test_names_that_take_turns_are_joined_when_they_lose_their_name(block, engine) -> None:
    old = block({Labels.of(__name__="a"): [1, 2, None]})
    new = block({Labels.of(__name__="b"): [None, None, 3]})
    result = engine(old, new).range('-{__name__=~"a|b"}', 0, 30_000, 15_000)
    assert list(result.labels) == [Labels()]
    assert result.values.tolist() == [[-1, -2, -3]]


@pytest.mark.parametrize(
    ("span", "said"), [((0, 10, 0), "step must be positive, not 0 ms"), ((10, 0, 1), "end must not be before start")]
)
def test_instants_that_make_no_range_are_refused(engine, span: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        engine().range("1", *span)


def test_an_ambiguous_match_names_the_operator(block, engine) -> None:
    asked = engine(block({UP: [1], Labels.of(__name__="up", job="api"): [1]}))
    with pytest.raises(PromQLError, match=r"^found duplicate series for the match group \{\} on the right") as raised:
        asked.instant("up / on() up", 0)
    assert raised.value.position == 3


def test_a_remark_names_the_place_that_gave_rise_to_it_once(block, engine) -> None:
    asked = engine(block({UP: [1, 2], Labels.of(__name__="up", job="api"): [1, 2], DOWN: [3, 4]}))
    infos = asked.instant("rate(up[1m])\n  + on(job) increase(up[1m])", 15_000).infos
    said = 'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up"'
    assert infos == (f"{said} (1:6)", f"{said} (2:22)")
    assert asked.range("rate(up[1m])", 0, 30_000, 15_000).infos == (f"{said} (1:6)",)
    assert asked.instant("rate(up[1m]) * 0 + rate(up[2ms])", 60_000).infos == ()


@pytest.mark.parametrize("query", ["up[5m]", "'text'"])
def test_what_has_no_value_at_an_instant_cannot_be_asked_for_a_range(engine, query: str) -> None:
    with pytest.raises(PromQLError):
        engine().range(query, 0, 10, 1)


def test_the_lookback_is_open_on_the_left(block, engine) -> None:
    asked = engine(block({UP: [1]}))
    assert asked.range("up", 299_000, 301_000, 1000).present.tolist() == [[True, False, False]]
    assert Engine(MemorySource([block({UP: [1]})]), lookback_ms=5_000).instant("up", 5_000).values.size == 0


def test_a_string_is_an_answer_at_an_instant(engine) -> None:
    assert engine().instant("('a' # b\n)", 20_000) == String(20_000, "a")


def test_a_subquery_alone_is_its_instants(block, engine) -> None:
    result = engine(block({UP: [1, 2, 3]})).instant("(up * 2)[30s:10s]", 30_000)
    assert result.timestamps.tolist() == [10_000, 20_000, 30_000]
    assert result.values.tolist() == [[2, 4, 6]]


def test_a_query_that_is_too_deep_is_refused(engine) -> None:
    with pytest.raises(PromQLError, match="nested more than 200 levels deep"):
        engine().instant(" + ".join("1" * 5000), 0)


WORDS = st.sampled_from([
    "up", "down", "nothing", "sum", "rate", "topk", "histogram_quantile", "label_replace", "absent", "predict_linear", "by", "on",
    "ignoring", "group_left", "bool", "offset", "@", "start()", "(", ")", "(", ")", "[5m]", "[5m:1m]", "[", "]", "{", "}", ",",
    "{job='web'}", "=", "=~", "+", "-", "*", "/", "^", "==", "and", "or", "unless", "1", "NaN", "-Inf", "5m", "'a'", "job",
    "(up)", "(up[1m])", "(2, up)", "vector", "(1)", "count_values", "('x', up)", "quantile_over_time", "(2, up[1m])", "1e99",
    "sort", "limitk", "limit_ratio", "day_of_month", "(up * 1e30)", "clamp", "(up, 1, NaN)",
])  # fmt: skip


@settings(max_examples=500)
@given(st.lists(WORDS, min_size=1, max_size=9))
def test_any_words_are_answered_or_refused_in_one_line(words: list[str]) -> None:
    rows = [Labels.of(__name__="up", job="web"), Labels.of(__name__="up", job="db"), Labels.of(__name__="down", le="1")]
    values = np.array([[1.0, 2.0, np.nan], [np.inf, NAN_SAMPLE, -1.0], [0.0, 1e308, 1e308]])
    asked = Engine(MemorySource([Block(rows, np.arange(3, dtype=np.int64) * 15_000, values)]))
    said = ""
    for ask in (lambda query: asked.instant(query, 40_000), lambda query: asked.range(query, 0, 60_000, 7_000)):
        try:
            ask(" ".join(words))
        except PromQLError as error:
            said += str(error)
    assert "\n" not in said


CELLS = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.just(NAN_SAMPLE), st.integers(0, 9).map(float))


@given(
    values=arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 24)), elements=CELLS),
    start=st.integers(-60, 400),
    steps=st.integers(0, 8),
    step=st.integers(1, 97),
    query=st.sampled_from([
        "x", "rate(x[1m])", "increase(x[31s])", "delta(x[2m])", "irate(x[1m])", "min_over_time(x[1m])",
        "max_over_time(x[45s])", "avg_over_time(x[2m])", "sum_over_time(x[2m])", "changes(x[2m])",
        "sum by (odd) (x)", "avg(x)", "max by (odd) (x)", "quantile(0.4, x)", "topk(2, x)", "bottomk by (odd) (1, x)",
        "x > 3 or -x", "x / on(n) x", "stddev(x)", "absent(x)", "max_over_time(x[1m:7s])", "count_values('v', x)",
    ]),
)  # fmt: skip
def test_a_range_query_is_the_instant_queries_of_its_steps(values, start, steps, step, query) -> None:
    labels = [Labels.of(__name__="x", n=str(row), odd=str(row % 2)) for row in range(len(values))]
    asked = Engine(MemorySource([Block(labels, np.arange(values.shape[1], dtype=np.int64) * 15_000, values)]))
    matrix = asked.range(query, start * 1000, (start + steps * step) * 1000, step * 1000)
    for column, at_ms in enumerate(matrix.timestamps.tolist()):
        instant = asked.instant(query, at_ms)
        expected = dict(zip(instant.labels, instant.values[:, 0], strict=True))
        shown = {
            labels: row[column]
            for labels, row, present in zip(matrix.labels, matrix.values, matrix.present, strict=True)
            if present[column]
        }
        assert shown.keys() == expected.keys()
        for each, value in shown.items():
            np.testing.assert_allclose(value, expected[each], rtol=1e-9, atol=1e-6)
