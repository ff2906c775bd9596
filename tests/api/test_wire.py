"""The encoders in columns against the obvious one, for any number, any gap and any label."""

from __future__ import annotations

import math
from decimal import Decimal
from urllib.parse import parse_qs, urlencode

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opsconsole.api import counts, wire
from opsconsole.api.numbers import instants, number, numbers, plain, seconds
from opsconsole.api.parameters import form_of
from opsconsole.promql.result import Matrix
from opsconsole.series.labels import Labels

# Where Prometheus, Python and orjson begin to write an exponent, and their neighbours.
_EDGES = [
    sign * near
    for edge in (1e-6, 1e-5, 1e-4, 1e15, 1e16, 1e17, 1e21, 2.0**53, 5e-324, 1.7976931348623157e308)
    for near in (edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf))
    for sign in (1, -1)
]
_NUMBERS = st.one_of(
    st.floats(), st.sampled_from([*_EDGES, 0.0, -0.0, math.nan, math.inf, -math.inf]), st.integers(-9, 9).map(float)
)
_SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=6)


@st.composite
def matrices(draw) -> Matrix:
    """With gaps; every series has a value, as an engine's result has."""
    values = draw(arrays.arrays(np.float64, _SHAPES, elements=_NUMBERS))
    present = draw(arrays.arrays(np.bool_, values.shape))
    present[np.arange(len(values)), draw(st.integers(0, values.shape[1] - 1))] = True
    first_ms = draw(st.integers(-10_000_000, 2_000_000_000_000))
    steps = draw(st.lists(st.sampled_from([1, 15, 999, 1000, 1001, 15_000]), min_size=1, max_size=1) | st.none())
    step = steps[0] if steps else 1000
    timestamps = first_ms + step * np.arange(values.shape[1], dtype=np.int64)
    texts = draw(st.lists(st.text(max_size=3), min_size=len(values), max_size=len(values)))
    labels = [Labels.of(row=f"{text}{row}") for row, text in enumerate(texts)]
    return Matrix(labels, timestamps, values, present)


@given(matrices())
def test_a_matrix_is_what_one_would_write_by_hand(result):
    expected = {
        labels: [
            [_plain_json(at_ms), number(v)] for at_ms, v, here in zip(result.timestamps, row, mask, strict=True) if here
        ]
        for labels, row, mask in zip(result.labels, result.values.tolist(), result.present, strict=True)
    }
    data = orjson.loads(wire.matrix(result))
    assert data["resultType"] == "matrix"
    assert [(Labels.of(series["metric"]), series["values"]) for series in data["result"]] == list(expected.items())


@given(
    st.integers(1, 40),
    st.integers(1, 300),
    st.sampled_from([1, 9, 10, 1000, (1 << 32) - 1]),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_whole_numbers_are_written_as_all_others_are(rows, columns, most, seed, complete):
    random = np.random.default_rng(seed)
    values = random.integers(0, most + 1, (rows, columns)).astype(np.float64)
    present = complete | (random.random(values.shape) < 0.8)
    values[~present] = np.nan
    heads = [b'"],[%d,"' % (1_700_000_000 + column) for column in range(columns)]
    assert counts.are_counts(values, present) is (values.size >= 256)
    written = [
        b"".join(head + number(value).encode() for head, value, here in zip(heads, row, mask, strict=True) if here)
        for row, mask in zip(values.tolist(), present.tolist(), strict=True)
    ]
    assert list(counts.rows_of(heads, values, present)) == written


@pytest.mark.parametrize("other", [-1.0, -0.0, 0.5, 2.0**32, math.inf, math.nan])
def test_one_number_that_is_no_count_makes_a_matrix_none(other):
    values = np.ones((4, 100))
    assert counts.are_counts(values, values > 0)
    values[2, 50] = other
    assert not counts.are_counts(values, np.ones((4, 100), dtype=bool))


@given(matrices())
def test_a_vector_keeps_the_order_of_the_engine(result):
    data = orjson.loads(wire.vector(result))
    stamp = _plain_json(result.timestamps[-1])
    assert [(Labels.of(row["metric"]), row["value"]) for row in data["result"]] == [
        (labels, [stamp, number(value)])
        for labels, value in zip(result.labels, result.values[:, -1].tolist(), strict=True)
    ]


def test_an_answer_without_series_is_an_empty_list():
    empty = Matrix([], np.array([1000]), np.empty((0, 1)), np.empty((0, 1), dtype=bool))
    assert wire.matrix(empty) == b'{"resultType":"matrix","result":[]}'
    assert wire.vector(empty) == b'{"resultType":"vector","result":[]}'


@given(arrays.arrays(np.float64, _SHAPES, elements=_NUMBERS))
def test_columns_are_written_as_single_numbers_are(values):
    assert [[text.decode() for text in row] for row in numbers(values)] == [
        [number(value) for value in row] for row in values.tolist()
    ]


@given(_NUMBERS)
def test_a_number_reads_back_the_same_in_either_form(value):
    for text in (number(value), plain(value)):
        assert np.array_equal(float(text), value, equal_nan=True)
        assert math.copysign(1, float(text)) == math.copysign(1, value) or math.isnan(value)
    assert "e" not in plain(value)


@pytest.mark.parametrize(
    ("value", "as_point", "as_scalar"),
    [  # what Prometheus 2.42 answers to vector(x) and to x
        (1e30, "1e+30", "1" + "0" * 30),
        (1e21, "1e+21", "1" + "0" * 21),
        (1e20, "1" + "0" * 20, "1" + "0" * 20),
        (1.2345678901234568e17, "123456789012345680", "123456789012345680"),
        (1e-6, "0.000001", "0.000001"),
        (9e-7, "9e-07", "0.0000009"),
        (-0.0, "-0", "-0"),
        (3.0, "3", "3"),
    ],
)
def test_numbers_are_prometheus_to_the_letter(value, as_point, as_scalar):
    assert (number(value), plain(value)) == (as_point, as_scalar)


@given(st.lists(st.integers(-(10**13), 10**13), max_size=5), st.integers(0, 999))
def test_instants_are_seconds(found, fraction):
    for timestamps in (found, [at_ms // 1000 * 1000 + fraction for at_ms in found]):
        texts = [text.decode() for text in instants(np.array(timestamps, dtype=np.int64))]
        assert texts == [seconds(at_ms) for at_ms in timestamps]
        assert [Decimal(text) * 1000 for text in texts] == timestamps


def test_labels_that_are_remembered_stay_bounded_and_right(monkeypatch):
    monkeypatch.setattr(wire, "_METRICS_KEPT", 3)
    monkeypatch.setattr(wire, "_METRICS", {})
    for number_of_row in range(10):
        labels = [Labels.of(row=str(number_of_row))]
        result = Matrix(labels, np.array([0]), np.ones((1, 1)), np.ones((1, 1), dtype=bool))
        for _ in range(2):
            (series,) = orjson.loads(wire.vector(result))["result"]
            assert series["metric"] == {"row": str(number_of_row)}
        assert len(wire._METRICS) <= 3


def _plain_json(at_ms: int) -> float:
    return orjson.loads(seconds(int(at_ms)))


@given(st.one_of(st.text("abä=&+% 2BF;", max_size=20), st.lists(st.tuples(st.text(), st.text())).map(urlencode)))
def test_a_form_is_read_as_everybody_reads_it(text):
    assert form_of(text) == parse_qs(text, keep_blank_values=True)
