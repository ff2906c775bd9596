"""Traces as a list and as a waterfall."""

from __future__ import annotations

import pytest

from opsconsole.web.trace import duration_text, parse_ms

LIST = "/traces/?from=now-15m&to=now"


def names(text: str) -> list[str]:
    return [part.split("<")[0] for part in text.split("<code>")[1:]]


def test_the_newest_stands_first(person, store_trace):
    store_trace("GET old", ago_s=60)
    store_trace("GET new", ago_s=1)
    assert names(person.get(LIST).text) == ["GET new", "GET old"]


def test_the_slowest_stands_first_when_asked_for(person, store_trace):
    store_trace("GET quick", duration_ms=50)
    store_trace("GET slow", duration_ms=1420)
    text = person.get(f"{LIST}&tab=slowest").text
    assert names(text) == ["GET slow", "GET quick"]
    assert "1.42 s" in text


def test_errors_are_a_list_of_their_own(person, store_trace):
    store_trace("GET fine")
    store_trace("GET broken", failed=True)
    assert names(person.get(f"{LIST}&tab=errors").text) == ["GET broken"]


def test_the_list_narrows_by_service_name_and_duration(person, store_trace):
    store_trace("GET quick", duration_ms=50)
    store_trace("GET slow", duration_ms=900)
    assert names(person.get(f"{LIST}&min=0.5s").text) == ["GET slow"]
    assert names(person.get(f"{LIST}&name=GET quick").text) == ["GET quick"]
    assert "No trace fits" in person.get(f"{LIST}&service=nobody").text


def test_a_duration_that_is_none_is_said_and_nothing_breaks(person):
    answer = person.get(f"{LIST}&min=soon")
    assert answer.status_code == 400
    assert "write it like 500ms or 1.5s" in answer.text


def test_without_traces_the_page_says_how_to_send_some(person):
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://console.example" in person.get(LIST).text


def test_the_filter_refetches_the_list_alone(person, store_trace):
    store_trace("GET cart")
    answer = person.get(LIST, headers={"hx-request": "true"})
    assert "<nav" not in answer.text
    assert names(answer.text) == ["GET cart"]


def test_a_trace_shows_each_span_with_its_query(person, store_trace):
    trace_id = store_trace("GET cart", duration_ms=120, failed=True, sql="SELECT price FROM product")
    text = person.get(f"/traces/{trace_id}/").text
    assert text.count('<details class="span"') == 2
    assert "<pre>SELECT price FROM product</pre>" in text
    assert "it broke" in text
    assert "120 ms" in text


def test_a_trace_that_was_never_stored_is_not_there(person):
    assert person.get(f"/traces/{'ab' * 16}/").status_code == 404
    assert person.get("/traces/no-trace/").status_code == 404


@pytest.mark.parametrize(
    ("text", "ms"), [("", 0), ("500ms", 500), ("1.5s", 1500), ("2 m", 120_000), ("250", 250), ("10us", 0.01)]
)
def test_a_duration_is_read_with_or_without_its_unit(text, ms):
    assert parse_ms(text) == pytest.approx(ms)


@pytest.mark.parametrize("text", ["soon", "-1s", "1h", "ms", "1e9s"])
def test_a_duration_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="write it like"):
        parse_ms(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 µs"),
        (450_000, "450 µs"),
        (8_100_000, "8.1 ms"),
        (312e6, "312 ms"),
        (1.42e9, "1.42 s"),
        (120e9, "2.0 min"),
    ],
)
def test_a_duration_is_written_in_three_digits(ns, text):
    assert duration_text(ns) == text
