from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from opsconsole.ingest.exposition import NO_TIMESTAMP, Exposition, ExpositionParser, MalformedExposition
from opsconsole.ingest.limits import IngestLimits
from opsconsole.ingest.number import NotANumber, read_number, read_numbers
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

settings.register_profile("ingest", deadline=None)  # a busy machine is no failure
settings.load_profile("ingest")

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
        (b"a\n", "line 1: series 'a': no value"),
        (b"a 1_0\n", "line 1: series 'a': no value"),
        ("a \u0661\n".encode(), "line 1: series 'a': no value"),
        (b"a 0x10\n", "line 1: series 'a': no value"),
        (b"a 1 2 3\n", "line 1: series 'a': unexpected '3' after the value"),
        (b"1a 2\n", "line 1: no metric name at '1a 2'"),
        (b'a{x="1} 2\n', "line 1: no label at"),
        (b'a{x="1",x="2"} 2\n', "line 1: label x stands there twice"),
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


OPENMETRICS = b"""# TYPE hits counter
# HELP hits Visits, \\\\ and \\n.
hits_total{view="/a"} 3.0 # {trace_id="ab"} 1.0 1764000000.5
hits_created{view="/a"} 1.764e+09
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="1"} 2 # {trace_id="cd"} 0.5
wait_seconds_bucket{le="+Inf"} 2
# TYPE temperature gauge
temperature{"room.name"="\\"a} \\\\"} -1.5 1764000000.25
{"my.metric",x="1"} NaN
# EOF
"""
TEXT = b"""# HELP hits_total Visits, \\\\ and \\n.
# TYPE hits_total counter
hits_total{view="/a"} 3.0
hits_total{view="} 1"} 4e-05 1764000000000

  # a comment
wait_seconds_bucket { le = "1.0" , } 2
quiet{} -Inf
{"my.metric",x="1"} NaN
"""


def everything(exposition: Exposition) -> tuple[object, ...]:
    """But what depends on the body before: which exemplars and series are new."""
    timestamps = None if exposition.timestamps is None else exposition.timestamps.tolist()
    bits = exposition.values.view(np.int64).tolist()
    return tuple(exposition.labels), bits, timestamps, exposition.metadata, exposition.duplicates


def outcome(parser: ExpositionParser, body: bytes, *, openmetrics: bool) -> tuple[object, ...] | str:
    try:
        return everything(parser.parse(body, openmetrics=openmetrics))
    except MalformedExposition as refused:
        return str(refused)


edits = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.integers(0, 3),
        st.sampled_from(
            [b"", b" ", b"\n", b'"', b"{", b"}", b"1", b"#", b"\\", b"e", b"\t", b"-", b"\xff", b",x=", b" 5"]
        )
        | st.binary(max_size=3),
    ),
    max_size=4,
)


def mutated(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for anywhere, cut, put in changes:
        position = anywhere % (len(body) + 1)
        body = body[:position] + put + body[position + cut :]
    return body


@settings(max_examples=400)
@given(st.booleans(), st.lists(edits, min_size=1, max_size=4))
def test_what_is_remembered_changes_nothing(openmetrics: bool, bodies: list[list[tuple[int, int, bytes]]]) -> None:
    body = OPENMETRICS if openmetrics else TEXT
    steady = ExpositionParser(TARGET)
    steady.parse(body, openmetrics=openmetrics)
    for changes in bodies:
        body = mutated(body, changes)
        assert outcome(steady, body, openmetrics=openmetrics) == outcome(
            ExpositionParser(TARGET), body, openmetrics=openmetrics
        )


numerals = st.from_regex(rb"[-+]?[0-9]{0,20}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,3})?", fullmatch=True) | st.floats().map(
    lambda number: repr(number).encode()
)


@given(st.lists(numerals | st.text("0123456789.eE+-xinfNa_", max_size=6).map(str.encode), max_size=5))
def test_many_numbers_are_read_as_each_one_is(texts: list[bytes]) -> None:
    expected = [read_number(text) for text in texts]
    array = pa.array([b"skipped", *texts, b"too"], pa.large_binary())[1:-1]
    if None in expected:
        with pytest.raises(NotANumber) as refused:
            read_numbers(array)
        assert refused.value.position == expected.index(None)
    else:
        assert read_numbers(array).view(np.int64).tolist() == np.array(expected, float).view(np.int64).tolist()


def test_openmetrics_brings_exemplars_timestamps_and_metadata() -> None:
    parser = ExpositionParser()
    first = parser.parse(OPENMETRICS, 1_764_000_001_000, openmetrics=True)
    by_name = {str(labels): value for labels, value in zip(first.labels, first.values.tolist(), strict=True)}
    assert by_name['hits_total{view="/a"}'] == 3.0
    assert by_name['wait_seconds_bucket{le="1.0"}'] == 2.0
    assert Labels.of({"__name__": "temperature", "room.name": '"a} \\'}) in first.labels
    assert Labels.of({"__name__": "my.metric", "x": "1"}) in first.labels
    assert first.timestamps is not None
    assert first.timestamps.tolist() == [*[NO_TIMESTAMP] * 4, 1_764_000_000_250, NO_TIMESTAMP]
    assert [(labels.metric, exemplar) for labels, exemplar in first.exemplars] == [
        ("hits_total", Exemplar(Labels.of(trace_id="ab"), 1.0, 1_764_000_000_500)),
        ("wait_seconds_bucket", Exemplar(Labels.of(trace_id="cd"), 0.5, 1_764_000_001_000)),
    ]
    assert first.metadata == {
        "hits": Metadata("counter", "Visits, \\ and \n."),
        "wait_seconds": Metadata("histogram", "", "seconds"),
        "temperature": Metadata("gauge"),
    }
    again = parser.parse(OPENMETRICS.replace(b" 2 #", b" 3 #").replace(b"ab", b"ef"), openmetrics=True)
    assert [exemplar.labels.get("trace_id") for _, exemplar in again.exemplars] == ["ef"]
    assert again.metadata is first.metadata
    assert (first.added, again.added) == (6, 0)


def test_an_exemplar_that_is_too_long_is_left_out() -> None:
    body = f'a_total 1 # {{x="{"y" * 128}"}} 1\n# EOF\n'.encode()
    exposition = ExpositionParser().parse(body, openmetrics=True)
    assert (exposition.exemplars, exposition.long_exemplars, exposition.values.tolist()) == ([], 1, [1.0])


def test_the_first_of_two_samples_of_a_series_counts() -> None:
    parser = ExpositionParser()
    for value in (1.0, 3.0):
        exposition = parser.parse(f'a{{x="1",y="2"}} {value}\nb 1\na{{y="2",x="1"}} 2\n'.encode())
        assert exposition.values.tolist() == [value, 1.0]
        assert exposition.duplicates == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a\t1\n# EOF\n", "line 1: series 'a': no value"),
        (b"a  1\n# EOF\n", "line 1: series 'a': no value"),
        (b"a 1\n\n# EOF\n", "line 2: no metric name at ''"),
        (b"# so\n# EOF\n", "line 1: OpenMetrics has no comment like '# so'"),
        (b"# TYPE a thing\n# EOF\n", "line 1: 'thing' is no type of a metric"),
        (b"# UNIT a_bytes seconds\n# EOF\n", "line 1: unit 'seconds' is not the end of the name a_bytes"),
        (b'a 1 # {x="1"}\n# EOF\n', "line 1: no exemplar at"),
        (b"a 1 soon\n# EOF\n", "line 1: series 'a': no timestamp at 'soon'"),
        (b'{x="1"} 1\n# EOF\n', "line 1: no metric name at"),
    ],
)
def test_openmetrics_that_is_malformed_is_refused_with_its_line(body: bytes, message: str) -> None:
    with pytest.raises(MalformedExposition) as refused:
        ExpositionParser().parse(body, openmetrics=True)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'a{x="1",y="2"} 1\n', "line 1: a has 5 labels, over the limit of 4"),
        (b'a{longer_yet="1"} 1\n', "line 1: label longer_yet… has a name of 10 characters, over the limit of 8"),
        (b'a{x="123456789"} 1\n', "line 1: label x has a value of 9 characters, over the limit of 8"),
    ],
)
def test_labels_over_a_limit_are_refused(body: bytes, message: str) -> None:
    limits = IngestLimits(label_count=4, label_name_length=8, label_value_length=8)
    with pytest.raises(MalformedExposition) as refused:
        ExpositionParser(TARGET, limits).parse(body)
    assert message in str(refused.value)


def test_of_several_faults_the_first_is_named_whatever_is_remembered() -> None:
    steady = ExpositionParser(TARGET)
    steady.parse(b"a 1\nb 2\nc 3\n")
    with pytest.raises(MalformedExposition, match="line 1"):
        steady.parse(b"a\n{} 2\nc 3\n")
