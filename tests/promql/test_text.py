"""Queries written back: they mean the same, and look as Prometheus writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.promql.error import PromQLError
from opsconsole.promql.parse import parse
from opsconsole.promql.selectors import selectors
from opsconsole.promql.text import LINE, formatted, quoted

NAMES = st.sampled_from(("up", "requests_total", "a:b", "latency_seconds_bucket_of_something_with_a_rather_long_name"))
LABELS = st.sampled_from(("job", "instance", "le", "_x"))
DURATIONS = st.sampled_from(("5m", "1h30m", "15s", "90s", "1d", "2w", "250ms"))
MATCHERS = st.lists(
    st.tuples(LABELS, st.sampled_from(("=", "!=", "=~", "!~")), st.text(st.characters(codec="utf-8"), max_size=6)),
    max_size=3,
).map(lambda found: ",".join(f"{name}{op}{quoted(value if '~' not in op else 'a|b.*')}" for name, op, value in found))
SHIFTS = st.sampled_from(("", " offset 5m", " offset -1h", " @ start()", " @ 1700000000.250 offset 1m", " @ end()"))
NUMBERS = st.sampled_from(("0", "1", "1.5", "1e9", "1e-7", "Inf", "NaN", "0x1F")) | st.floats(0, 1e12).map(repr)
SELECTORS = st.tuples(NAMES, MATCHERS, SHIFTS).map(lambda p: f"{p[0]}{{{p[1]}}}{p[2]}")
RANGES = st.tuples(NAMES, MATCHERS, DURATIONS, SHIFTS).map(lambda p: f"{p[0]}{{{p[1]}}}[{p[2]}]{p[3]}")
GROUPINGS = st.lists(LABELS, max_size=2).map(", ".join)


def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arithmetic = st.sampled_from(("+", "-", "*", "/", "%", "^", "atan2"))
    comparison = st.sampled_from(("==", "!=", ">", "<=", "> bool"))
    matching = st.sampled_from(("", "on (job)", "ignoring (le)", "on (job) group_left ()", "on () group_right (le)"))
    return st.one_of(
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"-{e}"),
        st.tuples(st.sampled_from(("abs", "sort", "ceil")), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, NUMBERS).map(lambda p: f"clamp_max({p[0]}, {p[1]})"),
        st.tuples(
            st.sampled_from(("sum", "avg", "max", "count")), st.sampled_from(("by", "without")), GROUPINGS, inner
        ).map(lambda p: f"{p[0]}({p[3]}) {p[1]} ({p[2]})"),
        st.tuples(inner, DURATIONS, DURATIONS, SHIFTS).map(lambda p: f"max_over_time(({p[0]})[{p[1]}:{p[2]}]{p[3]})"),
        st.tuples(inner, arithmetic | comparison, matching, inner).map(" ".join),
        st.tuples(inner, st.sampled_from(("and", "or", "unless")), st.sampled_from(("", "on (job)")), inner).map(
            " ".join
        ),
        st.tuples(inner, arithmetic, NUMBERS).map(" ".join),
    )


QUERIES = st.recursive(SELECTORS | RANGES.map(lambda r: f"rate({r})"), extend, max_leaves=8)


def bare(plan: object) -> str:
    """A plan without positions, which move with the blanks."""
    import re

    return re.sub(r", position=-?\d+|position=-?\d+, |position=-?\d+", "", _ordered(plan))


def _ordered(plan: object) -> str:
    """Sets and matchers in one order."""
    import re

    text = repr(plan)
    text = re.sub(r"frozenset\(\{([^}]*)\}\)", lambda m: "{" + ", ".join(sorted(m[1].split(", "))) + "}", text)
    return re.sub(r"matchers=\((.*?)\), shift", lambda m: "matchers=" + "".join(sorted(m[1])), text)


@settings(max_examples=400, deadline=None)
@given(QUERIES)
def test_a_formatted_query_means_the_same_and_is_in_its_final_form(query: str) -> None:
    try:
        plan = parse(query)
    except PromQLError:  # a vector and a scalar in the wrong places, say
        return
    text = formatted(query)
    assert bare(parse(text)) == bare(plan)
    assert formatted(text) == text


def test_a_long_query_is_laid_out_and_a_short_one_is_not() -> None:
    assert formatted("sum(rate(a[5m]))by(b)/c") == "sum by (b) (rate(a[5m])) / c"
    long = formatted(f"sum by (b) (rate({'a' * 60}[5m])) / on (b) ({'c' * 30} + {'d' * 60})")
    assert long.splitlines() == [
        f"  sum by (b) (rate({'a' * 60}[5m]))",
        "/ on (b)",
        f"  ({'c' * 30} + {'d' * 60})",
    ]
    assert max(map(len, long.splitlines())) <= LINE


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("+x", "x"),
        ("- -x", "--x"),
        ('{__name__="x", a!="b"}', '{__name__="x",a!="b"}'),
        ("x{b='2',a=\"1\"}", 'x{a="1",b="2"}'),
        ("1e3 * 0.50", "1000 * 0.5"),
        ("x[90s:] offset 3600s", "x[1m30s:] offset 1h"),
        ("sum without()(x)", "sum without () (x)"),
        ('{"a.b", c="d"}', '{"a.b",c="d"}'),
        ('sum by(z, "a.b", a) (x)', 'sum by (z, "a.b", a) (x)'),
        ("-(1) ^ (-2)", "-(1) ^ (-2)"),
        ("x == on(b, a) group_left x or y", "x == on (b, a) group_left () x or y"),
        ("'\\xff'", '"\\xff"'),
        ('"\\u00a0\\x00é\\n"', '"\\u00a0\\x00é\\n"'),
    ],
)
def test_it_is_written_as_prometheus_writes_it(query: str, text: str) -> None:
    assert formatted(query) == text


def test_the_selectors_of_a_query_are_all_found() -> None:
    found = selectors(parse("sum(rate(a[5m])) / on(x) max_over_time(b[1h:1m]) + clamp_max(-c, scalar(d))"))
    assert [selector.matchers[0].value for selector in found] == ["a", "b", "c", "d"]
