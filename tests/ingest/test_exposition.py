from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from opsconsole.ingest.exposition import ExpositionParser, MalformedExposition
from opsconsole.series.labels import Labels

TARGET = Labels.of(job="shop", instance="a:1")


def parse(text: str, **options: bool) -> dict[str, float]:
    exposition = ExpositionParser().parse(text.encode(), **options)
    return {str(labels): float(value) for labels, value in zip(exposition.labels, exposition.values, strict=True)}


names = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True).filter(lambda name: not name.startswith("__"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.dictionaries(
        names.filter(lambda name: not name.endswith(("_total", "_created", "_info", "_bucket", "_count", "_sum"))),
        st.tuples(st.lists(names, unique=True, max_size=3), st.lists(st.tuples(st.lists(texts, min_size=3), numbers))),
        max_size=4,
    )
)
def test_what_the_prometheus_client_writes_is_read_as_its_own_parser_reads_it(
    metrics: dict[str, tuple[list[str], list[tuple[list[str], float]]]],
) -> None:
    registry = CollectorRegistry()
    for name, (label_names, rows) in metrics.items():
        gauge = Gauge(name, 'help with \\ and "quotes"\n', label_names, registry=registry)
        for values, number in rows:
            (gauge.labels(*values[: len(label_names)]) if label_names else gauge).set(number)
    body = generate_latest(registry)
    expected = [
        (Labels.of({"__name__": sample.name, **sample.labels}), sample.value)
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    ]
    parser = ExpositionParser()
    for _ in range(2):  # read anew, then by what is remembered
        exposition = parser.parse(body)
        assert list(exposition.labels) == [labels for labels, _ in expected]
        for mine, (_, theirs) in zip(exposition.values, expected, strict=True):
            assert mine == theirs or (math.isnan(mine) and math.isnan(theirs))


@given(st.binary(max_size=60) | st.text('a1{}=",\\ #\n.e+-\t_NaInf', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_with_one_line(body: bytes) -> None:
    parser = ExpositionParser(TARGET)
    parser.parse(b"a 1\n")
    try:
        exposition = parser.parse(body)
    except MalformedExposition as refused:
        error = refused
    else:
        assert len(exposition.labels) == len(exposition.values) == len(set(exposition.labels))
        return
    assert "\n" not in str(error)
    assert str(error).startswith(f"line {error.line}: ")


def test_an_unchanged_series_gives_the_same_objects() -> None:
    parser = ExpositionParser(TARGET)
    first = parser.parse(b'a{x="1"} 1\nb 2\n')
    second = parser.parse(b'# HELP a text\na{x="1"} 3\nb 4\n')
    assert second.labels is first.labels
    assert second.values.tolist() == [3.0, 4.0]
    third = parser.parse(b'a{x="1"} 3\nc 4\nb 5\n')
    assert third.labels[0] is first.labels[0]
    assert [labels.metric for labels in third.labels] == ["a", "c", "b"]


def test_series_that_change_places_follow_their_values() -> None:
    parser = ExpositionParser()
    parser.parse(b"a 1\nb 2\n")
    exposition = parser.parse(b"b 3\na 4\n")
    assert [labels.metric for labels in exposition.labels] == ["b", "a"]
    assert exposition.values.tolist() == [3.0, 4.0]


def test_labels_of_the_target_win_and_exposed_ones_are_kept_aside() -> None:
    (labels,) = ExpositionParser(TARGET).parse(b'a{job="mine",exported_job="theirs",x="1"} 1\n').labels
    assert labels == Labels.of(
        __name__="a", job="shop", instance="a:1", exported_exported_job="mine", exported_job="theirs", x="1"
    )


def test_a_timestamp_is_read_over_and_not_taken_for_the_value() -> None:
    parser = ExpositionParser()
    assert parser.parse(b"a 1 1764000000000\n").values.tolist() == [1.0]
    assert parser.parse(b"a 2 1764000002000\n").values.tolist() == [2.0]
    assert parser.parse(b"a 3\n").values.tolist() == [3.0]
    assert parser.parse(b"a 4 1764000002000\n").values.tolist() == [4.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("+Inf", math.inf), ("-Inf", -math.inf), ("Inf", math.inf), ("1e-3", 0.001), (".5", 0.5), ("5.", 5.0)],
)
def test_values_as_go_writes_them(text: str, value: float) -> None:
    assert parse(f"a {text}\n") == {"a": value}


def test_spaces_tabs_comments_and_a_missing_last_newline_are_fine() -> None:
    text = '# a comment\n#TYPE?\n\n \t\na\t1\nb { x = "1" , y="2", } \t 2 \n# HELP b x\nc 3'
    assert parse(text) == {"a": 1.0, 'b{x="1", y="2"}': 2.0, "c": 3.0}


def test_an_empty_label_is_no_label() -> None:
    assert parse('a{x=""} 1\n') == {"a": 1.0}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a 1\nb{ 2\n", "line 2: no label at ' 2'"),
        (b"a\n", "line 1: no value after 'a'"),
        (b"a 1_0\n", "line 1: no value after 'a'"),
        ("a \u0661\n".encode(), "line 1: no value after 'a'"),
        (b"a 0x10\n", "line 1: no value after 'a'"),
        (b"a 1 2 3\n", "line 1: unexpected '3' after the value of 'a'"),
        (b"1a 2\n", "line 1: no metric name at '1a 2'"),
        (b'a{x="1} 2\n', "line 1: no label at"),
        (b'a{x="1",x="2"} 2\n', "line 1: label x stands there twice"),
        (b'a{x="1",y="2"} 1\nb 1\na{y="2",x="1"} 2\n', 'line 3: series a{x="1", y="2"} stands in line 1 already'),
        (b"a 1\nb\xff 2\n", "line 2: not UTF-8"),
        (b"<!doctype html>\n", "line 1: no metric name at '<!doctype html>'"),
    ],
)
def test_a_malformed_body_is_refused_whole_with_its_line(body: bytes, message: str) -> None:
    parser = ExpositionParser()
    parser.parse(b"a 1\n")
    with pytest.raises(MalformedExposition) as refused:
        parser.parse(body)
    assert message in str(refused.value)
    assert parser.parse(b"a 5\n").values.tolist() == [5.0]


def test_openmetrics_is_read_with_its_exemplars_set_aside() -> None:
    registry = CollectorRegistry()
    Counter("hits", "help", registry=registry).inc(3, exemplar={"trace_id": "abc"})
    Histogram("latency", "help", registry=registry, buckets=[1]).observe(0.5, exemplar={"trace_id": "x # y"})
    found = parse(generate_openmetrics(registry).decode(), openmetrics=True)
    assert found["hits_total"] == 3.0
    assert found['latency_bucket{le="1.0"}'] == 1.0


@pytest.mark.parametrize("text", ["a 1\n", "a 1\n# EOF\nb 2\n", ""])
def test_openmetrics_that_is_cut_off_is_refused(text: str) -> None:
    with pytest.raises(MalformedExposition, match="must end with '# EOF'"):
        parse(text, openmetrics=True)
