"""From text to plan, and what a person reads when the text is wrong."""

from __future__ import annotations

import pytest

from opsconsole.promql.error import PromQLError
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import (
    Aggregate,
    Anchor,
    Binary,
    Call,
    Cardinality,
    Kind,
    Number,
    Range,
    Selector,
    Shift,
    Subquery,
)
from opsconsole.promql.positions import landmarks
from opsconsole.series.matcher import Matcher, Operator


def test_a_selector_has_its_name_among_its_matchers() -> None:
    plan = parse('up{job="web", instance!~"a.*"} offset 90s')
    assert plan == Selector(
        (
            Matcher("__name__", Operator.EQUAL, "up"),
            Matcher("job", Operator.EQUAL, "web"),
            Matcher("instance", Operator.NOT_REGEX, "a.*"),
        ),
        Shift(90_000),
        0,
    )


@pytest.mark.parametrize(
    ("text", "shift"),
    [
        ("up offset -5m", Shift(-300_000)),
        ("up @ 1.5", Shift(0, 1500)),
        ("up @ start() offset 1m", Shift(60_000, Anchor.START)),
        ("up @ end()", Shift(0, Anchor.END)),
    ],
)
def test_where_a_selector_looks(text: str, shift: Shift) -> None:
    plan = parse(text)
    assert isinstance(plan, Selector)
    assert plan.shift == shift


def test_windows_and_subqueries_are_in_milliseconds() -> None:
    plan = parse("max_over_time(rate(up[1m30s])[1h:5m] offset 1s)")
    assert isinstance(plan, Call)
    (subquery,) = plan.args
    assert isinstance(subquery, Subquery)
    assert (subquery.window_ms, subquery.step_ms, subquery.shift) == (3_600_000, 300_000, Shift(1000))
    assert isinstance(subquery.expr, Call)
    (window,) = subquery.expr.args
    assert isinstance(window, Range)
    assert window.window_ms == 90_000


def test_matching_of_vectors() -> None:
    plan = parse("a * on(x, y) group_left(z) b")
    assert isinstance(plan, Binary)
    assert plan.matching.grouping.names == {"x", "y"}
    assert not plan.matching.grouping.without
    assert plan.matching.cardinality is Cardinality.MANY_TO_ONE
    assert plan.matching.include == ("z",)
    assert parse("a + b").matching.grouping.without


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1 + 2", Kind.SCALAR),
        ("up + 1", Kind.VECTOR),
        ("-time()", Kind.SCALAR),
        ("up[5m]", Kind.RANGE),
        ("'a'", Kind.TEXT),
    ],
)
def test_kinds(text: str, kind: Kind) -> None:
    assert parse(text).kind is kind


def test_a_number_is_a_number() -> None:
    assert parse("1e3") == Number(1000.0)


@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("sum by (job) (rate(up[5m])) / on(job) -count(x{a='b - c'})", ["sum", "rate", "up", "/", "count", "x"]),
        ("-a offset -5m - -b @ 3 # - c", ["a", "-", "b"]),
        ("(a + on(x) group_left() -1) > bool 2 and {__name__='c'}", ["a", "+", ">", "and", "{"]),
        (
            "topk(scalar(n), sum(a) by (b)) unless 0x1f * inf ^ 1h30m",
            ["topk", "scalar", "n", "sum", "a", "unless", "*", "^"],
        ),
    ],
)
def test_the_parts_of_a_query_are_found_in_its_text(query: str, marked: list[str]) -> None:
    positions = landmarks(query)
    assert len(positions) == len(marked)
    assert all(query.startswith(mark, position) for mark, position in zip(marked, positions, strict=True))


def test_each_part_of_the_plan_knows_its_position() -> None:
    plan = parse("sum(rate(up[5m])) / -foo")
    assert isinstance(plan, Binary)
    assert isinstance(plan.left, Aggregate)
    assert isinstance(plan.left.expr, Call)
    assert [plan.left.position, plan.left.expr.position, plan.position] == [0, 4, 18]


@pytest.mark.parametrize(
    ("query", "message", "position"),
    [
        ("1 + holt_winters(up[5m], 0.1, 0.1)", "unsupported function holt_winters", 4),
        ("sum(predict_linear(up[5m], 3))", "unsupported function predict_linear", 4),
        ("1 * limitk(3, up)", "unsupported aggregation limitk", 4),
        ("up + fill(0) down", "unsupported modifier fill", 3),
        ('up{a="b" or c="d"}', "unsupported 'or' between matchers; use a regular expression", 0),
        ("sum(", "unclosed left parenthesis", -1),
        ("up +", "not PromQL: 'up +'; check its operators, commas and brackets", -1),
        ("rate(up)", "expected type matrix in call to function 'rate', got vector", -1),
        ("", "no expression found in input", -1),
    ],
)
def test_an_error_names_the_construct_and_where_it_stands(query: str, message: str, position: int) -> None:
    with pytest.raises(PromQLError) as raised:
        parse(query)
    assert (raised.value.message, raised.value.position) == (message, position)
    assert "\n" not in str(raised.value)


def test_an_error_counts_positions_from_one_for_people() -> None:
    with pytest.raises(PromQLError, match=r"^1:5: parse error: unsupported function holt_winters$"):
        parse("1 + holt_winters(up[5m], 0.1, 0.1)")
