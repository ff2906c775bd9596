"""``POST /api/v1/write`` into a real embedded store, and out again by PromQL."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import BoundedSemaphore

import pyarrow as pa
import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.api import receive
from opsconsole.operations import query
from opsconsole.operations.console import Console, install
from opsconsole.storage.clickhouse import StoreError

from .conftest import NOW_MS

pytestmark = pytest.mark.django_db(transaction=True)

PROTOBUF = "application/x-protobuf"
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
Samples = Sequence[tuple[float, int]]


def varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def series(labels: Mapping[str, str], samples: Samples = (), more: bytes = b"") -> bytes:
    """A ``TimeSeries`` as Prometheus writes it: labels first, a zero left out."""
    pairs = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels.items())
    points = b"".join(
        field(2, (b"\x09" + struct.pack("<d", value) if value != 0 else b"") + b"\x10" + varint(at_ms))
        for value, at_ms in samples
    )
    return field(1, pairs + points + more)


def push(client: Client, *parts: bytes, **headers: str) -> tuple[int, str]:
    body = pa.compress(b"".join(parts), codec="snappy", asbytes=True)
    answer = client.post(
        "/api/v1/write", body, content_type=PROTOBUF, headers={"content-encoding": "snappy", **headers}
    )
    return answer.status_code, answer.content.decode()


def raw(console: Console, selector: str) -> list[list[tuple[int, float]]]:
    """The samples of each series in the last hour."""
    result = query.instant(console, f"{selector}[1h]", NOW_MS + 600_000)
    return [
        list(zip(result.timestamps[present].tolist(), values[present].tolist(), strict=True))
        for values, present in zip(result.values, result.present, strict=True)
    ]


JOB = {"__name__": "m", "instance": "i", "job": "j"}


def test_what_was_acknowledged_is_found_at_once_and_in_the_store(pusher, pushed_into, embedded_engine):
    for at_ms, value in ((NOW_MS, 1.5), (NOW_MS + 1000, 0.0), (NOW_MS + 2000, float("nan"))):
        assert push(pusher, series(JOB, [(value, at_ms)]), series(JOB | {"__name__": "n"}, [(7, at_ms)])) == (204, "")
    assert raw(pushed_into, "m")[0][:2] == [(NOW_MS, 1.5), (NOW_MS + 1000, 0.0)]
    assert raw(pushed_into, "n") == [[(NOW_MS, 7), (NOW_MS + 1000, 7), (NOW_MS + 2000, 7)]]
    assert embedded_engine.rows("SELECT count(), uniqExact(id) FROM samples") == [(7, 3)]
    assert pushed_into.receivers.intake.pushed.sheets == 1


def test_a_series_of_several_samples_in_any_order(pusher, pushed_into):
    samples = [(float(n), NOW_MS + n * 1000) for n in range(5)]
    assert push(pusher, series(JOB, samples[::-1]))[0] == 204
    assert push(pusher, series(JOB, [(5.0, NOW_MS + 5000), (6.0, NOW_MS + 6000)]))[0] == 204
    assert raw(pushed_into, "m") == [[(NOW_MS + n * 1000, float(n)) for n in range(7)]]


def test_the_same_sample_again_is_accepted_and_another_value_refused(pusher, pushed_into):
    assert push(pusher, series(JOB, [(1, NOW_MS)]))[0] == 204
    assert push(pusher, series(JOB, [(1, NOW_MS)]))[0] == 204
    other = series(JOB | {"__name__": "other"}, [(3, NOW_MS)])
    status, text = push(pusher, series(JOB, [(2, NOW_MS)]), other)
    assert status == 400
    assert text == (
        f'duplicate sample for timestamp {NOW_MS} of m{{instance="i", job="j"}} '
        "(samples not taken: 1 duplicate; all others were)\n"
    )
    assert raw(pushed_into, "m") == [[(NOW_MS, 1)]]
    assert raw(pushed_into, "other") == [[(NOW_MS, 3)]]
    state = pushed_into.receivers.intake.pushed
    assert (state.repeated, state.refused) == (1, {"duplicate": 1})


def test_a_late_sample_finds_its_place_and_one_too_late_is_refused(pusher, pushed_into):
    other = JOB | {"__name__": "other"}
    for at_ms in (NOW_MS - 900_000, NOW_MS - 120_000, NOW_MS):
        assert push(pusher, series(JOB, [(at_ms % 1000 + 1, at_ms)]), series(other, [(1, at_ms)]))[0] == 204
    assert push(pusher, series(JOB, [(9, NOW_MS - 60_000), (8, NOW_MS - 61_000)]))[0] == 204
    assert push(pusher, series(JOB, [(9, NOW_MS - 60_000)]))[0] == 204
    status, text = push(pusher, series(JOB, [(9, NOW_MS - 700_000)]))
    assert (status, text.startswith("out of order sample")) == (400, True)
    expected = [
        (NOW_MS - 900_000, 1),
        (NOW_MS - 120_000, 1),
        (NOW_MS - 61_000, 8),
        (NOW_MS - 60_000, 9),
        (NOW_MS, 1),
    ]
    assert raw(pushed_into, "m") == [expected]
    assert len(raw(pushed_into, "other")[0]) == 3
    assert pushed_into.receivers.intake.pushed.late == 2


def test_a_stale_marker_ends_a_series_at_once(pusher, pushed_into):
    for n in range(3):
        push(pusher, series(JOB, [(n, NOW_MS + n * 1000)]), series(JOB | {"__name__": "n"}, [(n, NOW_MS + n * 1000)]))
    assert push(pusher, series(JOB, [(STALE, NOW_MS + 3000)]))[0] == 204
    assert len(query.instant(pushed_into, "n", NOW_MS + 4000).labels) == 1
    assert len(query.instant(pushed_into, "m", NOW_MS + 4000).labels) == 0
    assert len(query.instant(pushed_into, "m", NOW_MS + 2500).labels) == 1


@pytest.mark.parametrize(
    ("labels", "at_ms", "sentence"),
    [
        (JOB, NOW_MS + 601_000, "too far in the future"),
        (JOB, NOW_MS - 31 * 86_400_000, "older than what is kept"),
        (JOB, -1, "older than what is kept"),
        ({"job": "j"}, NOW_MS, "no metric name"),
        ({"__name__": "m", "": "x"}, NOW_MS, "a label without a name"),
        ({"__name__": "m", "x": "y" * 70_000}, NOW_MS, "more than 65,536 bytes"),
        ({"__name__": "up", "job": "web", "instance": "127.0.0.1:8001"}, NOW_MS, "the console scrapes this series"),
    ],
)
def test_what_is_not_taken_is_said_in_one_line_and_the_rest_taken(pusher, pushed_into, labels, at_ms, sentence):
    good = series(JOB | {"__name__": "good"}, [(1, NOW_MS)])
    status, text = push(pusher, series(labels, [(1, at_ms)]), good)
    assert status == 400
    assert sentence in text
    assert text.count("\n") == 1
    assert raw(pushed_into, "good") == [[(NOW_MS, 1)]]


def test_a_rule_of_a_scraped_target_may_be_pushed(pusher, pushed_into):
    labels = {"__name__": "job:up:avg", "job": "web", "instance": "127.0.0.1:8001"}
    assert push(pusher, series(labels, [(1, NOW_MS)]))[0] == 204


def test_native_histograms_are_refused_by_name_and_the_samples_beside_them_taken(pusher, pushed_into):
    status, text = push(pusher, series(JOB, (), more=field(4, b"\x08\x01")), series(JOB, [(1, NOW_MS)]))
    assert (status, "native histograms are not supported" in text, "1 native_histogram" in text) == (400, True, True)
    assert raw(pushed_into, "m") == [[(NOW_MS, 1)]]


def test_exemplars_and_metadata_are_kept(pusher, pushed_into):
    trace = field(1, field(1, b"trace_id") + field(2, b"abc"))
    exemplar = field(3, trace + b"\x11" + struct.pack("<d", 0.5) + b"\x18" + varint(NOW_MS))
    said = field(3, b"\x08\x01" + field(2, b"m") + field(4, b"What it counts.") + field(5, b"seconds"))
    assert push(pusher, series(JOB, [(1, NOW_MS)], more=exemplar), said)[0] == 204
    (found,) = pushed_into.exemplars.select((), 0, NOW_MS)
    assert (found.labels.metric, found.exemplars[0].value, found.exemplars[0].labels.as_dict()) == (
        "m",
        0.5,
        {"trace_id": "abc"},
    )
    (metadata,) = pushed_into.metadata.find("m")["m"]
    assert (metadata.type, metadata.help, metadata.unit) == ("counter", "What it counts.", "seconds")


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status", "sentence"),
    [
        (b"\x80", PROTOBUF, "snappy", 400, "no valid snappy block"),
        (b"\xff" * 9, PROTOBUF, "snappy", 400, "no valid snappy block"),
        (b"\xff\xff\xff\xff\x0f", PROTOBUF, "snappy", 413, "send smaller batches"),
        (b"\x05\x10hello", PROTOBUF, "snappy", 400, "prometheus.WriteRequest"),
        (b"\x50\x10hello", PROTOBUF, "snappy", 400, "is it cut off"),
        (b"{}", "application/json", "snappy", 415, "send application/x-protobuf"),
        (b"\0", PROTOBUF, "gzip", 415, "send snappy"),
        (b"\0", f"{PROTOBUF};proto=io.prometheus.write.v2.Request", "snappy", 415, "send remote write 1.0"),
        (bytes(32_000_001), PROTOBUF, "snappy", 413, "send smaller batches"),
    ],
)
def test_what_is_no_request_is_refused_in_one_line(pusher, pushed_into, body, content_type, encoding, status, sentence):
    answer = pusher.post("/api/v1/write", body, content_type=content_type, headers={"content-encoding": encoding})
    assert (answer.status_code, answer["Content-Type"]) == (status, "text/plain; charset=utf-8")
    text = answer.content.decode()
    assert sentence in text
    assert text.count("\n") == 1


def test_the_first_version_may_be_named_and_nothing_may_be_in_it(pusher, pushed_into):
    kind = f"{PROTOBUF};proto=prometheus.WriteRequest"
    assert pusher.post("/api/v1/write", b"\0", content_type=kind).status_code == 204


def test_a_token_of_scope_ingest_is_needed(reader, person, pushed_into):
    for client in (reader, person, Client()):
        answer = client.post("/api/v1/write", b"", content_type=PROTOBUF)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_too_many_at_once_are_asked_to_come_again_in_the_way_senders_obey(pusher, pushed_into, monkeypatch):
    monkeypatch.setattr(receive, "_places", BoundedSemaphore(1))
    receive._places.acquire()
    answer = pusher.post("/api/v1/write", b"\0", content_type=PROTOBUF)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    receive._places.release()


def test_what_could_not_be_stored_is_not_seen_and_taken_when_it_comes_again(pusher, pushed_into, monkeypatch):
    samples = pushed_into.receivers.intake._samples
    with monkeypatch.context() as patched:
        patched.setattr(samples, "append_pushed", _refuse)
        status, text = push(pusher, series(JOB, [(1, NOW_MS)]))
    assert (status, "retry in 5 s" in text) == (503, True)
    assert raw(pushed_into, "m") == []
    assert push(pusher, series(JOB, [(1, NOW_MS)]))[0] == 204
    assert raw(pushed_into, "m") == [[(NOW_MS, 1)]]


def _refuse(*_: object, **__: object) -> None:
    raise StoreError("the disk is full")


def test_a_console_that_only_reads_says_so(pusher, console):
    install(replace(console, receivers=None))
    status, text = push(pusher, series(JOB, [(1, NOW_MS)]))
    assert (status, "METRICS_URL" in text) == (400, True)


GOOD = b"".join(series(JOB | {"n": str(n)}, [(n, NOW_MS)]) for n in range(3))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_whatever_comes_there_is_an_answer_and_no_half_of_a_refused_request(pusher, pushed_into, data):
    body = bytearray(GOOD)
    for _ in range(data.draw(st.integers(0, 4))):
        position = data.draw(st.integers(0, max(0, len(body) - 1)))
        match data.draw(st.sampled_from(["flip", "cut", "insert", "double"])):
            case "flip" if body:
                body[position] = data.draw(st.integers(0, 255))
            case "cut":
                del body[position:]
            case "insert":
                body[position:position] = data.draw(st.binary(max_size=12))
            case _:
                body += body[position:]
    packed = pa.compress(bytes(body), codec="snappy", asbytes=True)
    if data.draw(st.booleans()):
        packed = packed[: data.draw(st.integers(0, len(packed)))] + data.draw(st.binary(max_size=4))
    encoding = data.draw(st.sampled_from(["snappy", "snappy", "snappy", "", "gzip"]))
    before = _stored(pushed_into)
    answer = pusher.post("/api/v1/write", packed, content_type=PROTOBUF, headers={"content-encoding": encoding})
    assert answer.status_code in {204, 400, 413, 415}, answer.content
    if answer.status_code != 204 and b"samples not taken" not in answer.content:
        assert _stored(pushed_into) == before


def _stored(console: Console) -> int:
    return console.receivers.intake.pushed.series
