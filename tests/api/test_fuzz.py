"""Whatever is sent to the API: never a 500, always Prometheus' JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from django.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opsconsole.operations.access import create_token
from tests.api.conftest import NOW_MS

pytestmark = pytest.mark.django_db

PATHS = (
    "query", "query_range", "query_exemplars", "format_query", "parse_query", "series", "labels", "label/job/values",
    "label/U__a_2e_b/values", "metadata", "targets", "targets/metadata", "rules", "alerts", "alertmanagers",
    "status/buildinfo", "status/config", "status/flags", "status/runtimeinfo", "status/tsdb", "status/walreplay",
)  # fmt: skip
NAMES = (
    "query", "time", "start", "end", "step", "timeout", "limit", "limit_per_metric", "lookback_delta", "stats", "match[]",
    "match_target", "metric", "state", "scrapePool", "type", "rule_name[]", "group_limit", "group_next_token",
    "exclude_alerts", "file[]",
)  # fmt: skip
NASTY = (
    "\0", "a\0b", "\ud800", "1e-9", "1e999", "-1e300", "NaN", "Inf", "-5", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
    "99999999999999999999y", "9" * 5000, "up", 'up{a="\0"}', "up[5m]", "up[5m:1s]", '"x"', "1", "{}", "up offset 99999y",
    "up @ 1e300", "up @ -9e15", "up[9999y]", "sum(", "\u017f", "up ^ -1", 'up{job=~"("}', "topk(1e300, up)", "true",
)  # fmt: skip
QUERY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(NASTY),
    st.lists(
        st.sampled_from([*"()[]{},+-*/%^@:=!~<>\"'`#\\ \n", "up", "sum", "by", "rate", "5m", "1", "offset", "on", "bool",
                         "start()", "and", "nan", "topk", "label_replace", "requests_total"]), max_size=14,
    ).map(" ".join),
)  # fmt: skip
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=5), QUERY), max_size=6)
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture
def fuzzed(console: Any) -> Client:
    token = create_token("fuzz", "read", NOW_MS)
    return Client(headers={"authorization": f"Bearer {token}"}, raise_request_exception=False)


def check(answer: Any) -> None:
    assert answer.status_code < 500 or answer.json()["errorType"] == "timeout", answer.content
    if answer.status_code == 204:
        assert answer.content == b""
        return
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    if answer.status_code == 200:
        assert body["status"] == "success"
        assert "data" in body
    else:
        assert body["status"] == "error"
        assert body["errorType"]
        assert "\n" not in body["error"]


def encoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(
        f"{quote_plus(name.encode(errors='surrogatepass'))}={quote_plus(value.encode(errors='surrogatepass'))}"
        for name, value in pairs
    )


@QUICK
@given(path=st.sampled_from(PATHS), pairs=PAIRS)
def test_parameters_of_a_get(fuzzed: Client, path: str, pairs: list[tuple[str, str]]) -> None:
    check(fuzzed.get(f"/api/v1/{path}", QUERY_STRING=encoded(pairs)))


@QUICK
@given(path=st.sampled_from(PATHS[:7]), pairs=PAIRS)
def test_parameters_of_a_form(fuzzed: Client, path: str, pairs: list[tuple[str, str]]) -> None:
    check(fuzzed.post(f"/api/v1/{path}", encoded(pairs), content_type="application/x-www-form-urlencoded"))


@QUICK
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")),
    body=st.binary(max_size=200),
    content_type=st.sampled_from(
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=koi8-r", "multipart/form-data",
         "multipart/form-data; boundary=x", "multipart/form-data; boundary=\u00e9", "application/json", "text/plain; charset=no",
         "", ";", "a/b; =")
    ) | st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), max_size=20),
)  # fmt: skip
@example(path="query", method="POST", body=b"--x\r\nContent-Disposition: form-data; name=query\r\n\r\nup\r\n--x--",
         content_type="multipart/form-data; boundary=x")  # fmt: skip
def test_bodies_of_any_kind(fuzzed: Client, path: str, method: str, body: bytes, content_type: str) -> None:
    check(fuzzed.generic(method, f"/api/v1/{path}", body, content_type=content_type))


@QUICK
@given(name=st.text(min_size=1, max_size=20) | st.from_regex(r"U__[a-f0-9_]{0,12}", fullmatch=True))
def test_names_in_the_path(fuzzed: Client, name: str) -> None:
    answer = fuzzed.get(f"/api/v1/label/{quote(name.encode(errors='replace'), safe='')}/values")
    check(answer)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("name", ["query", "time", "start", "step", "timeout", "limit", "lookback_delta", "match[]"])
def test_each_nasty_text_in_each_place(fuzzed: Client, name: str, text: str) -> None:
    usual = {"query": "up", "start": "1764000000", "end": "1764000060", "step": "15"}
    for path in ("query", "query_range", "series", "labels", "query_exemplars", "format_query", "parse_query"):
        pairs = [(key, value) for key, value in usual.items() if key != name]
        check(fuzzed.get(f"/api/v1/{path}", QUERY_STRING=encoded([*pairs, (name, text)])))


DEEP = 100_000
LONG = {
    "a megabyte of text": 'up{a="' + "x" * 1_000_000 + '"}',
    "brackets": "(" * DEEP + "1" + ")" * DEEP,
    "open brackets": "(" * 50_000,
    "signs": "-" * DEEP + "up",
    "a sum": " + ".join(["up"] * 20_000),
    "powers": "^".join(["2"] * 20_000),
    "calls": "abs(" * 20_000 + "up" + ")" * 20_000,
    "braces": "{" * 90_000,
    "quotes": '"\\' * 45_000,
    "within bounds in length": "(" * 30_000 + "up" + ")" * 30_000,
    "subqueries": "rate(" * 300 + "up" + "[5m:1m])" * 300,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("path", ["query", "query_range", "query_exemplars", "format_query", "parse_query", "series"])
def test_a_query_too_long_or_too_deep_is_refused_and_the_process_lives(fuzzed: Client, path: str, text: str) -> None:
    asked = {"query": text, "match[]": text, "start": 0, "end": 1, "step": 1}
    answer = fuzzed.post(f"/api/v1/{path}", asked)
    check(answer)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) < 10_000


@pytest.mark.parametrize("text", ["+".join(["up"] * 150), "(" * 95 + "up" + ")" * 95, "abs(" * 95 + "up" + ")" * 95])
def test_a_query_may_be_as_deep_as_a_person_or_a_program_writes_one(fuzzed: Client, text: str) -> None:
    for path in ("query", "format_query", "parse_query"):
        assert fuzzed.post(f"/api/v1/{path}", {"query": text}).status_code == 200


def test_a_body_larger_than_a_form_may_be_is_refused(fuzzed: Client) -> None:
    answer = fuzzed.post("/api/v1/query", {"query": "x" * 3_000_000})
    check(answer)
    assert answer.status_code == 400
