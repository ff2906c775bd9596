"""From text to plan, and what a person reads when the text is wrong."""

from __future__ import annotations

import math
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("text", "value"),
    [("1_000", 1000), ("0x1F", 31), ("017", 15), (".5e1", 5), ("5m", 300), ("1h30m5s", 5405), ("-INF", -math.inf)],
)
def test_the_spellings_of_numbers(text: str, value: float) -> None:
    assert parse(text) == Number(value)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("-a ^ 2", "-(a ^ 2)"),
        ("-a * 2", "(-a) * 2"),
        ("2 ^ a ^ 3", "2 ^ (a ^ 3)"),
        ("2 ^ -a * 4", "(2 ^ (-a)) * 4"),
        ("a or b and c unless d", "a or ((b and c) unless d)"),
        ("a - b - c", "(a - b) - c"),
        ("a < b + c % d atan2 e", "a < (b + ((c % d) atan2 e))"),
        ("SUM(a) BY (b)", "sum by (b) (a)"),
        ("a offset 5m @ 3", "a @ 3 offset 300"),
        ("a[300:60]", "a[5m:1m]"),
        ('{"a", b="c"}', 'a{b="c",}'),
        ("a # the rest", "a"),
        ("by{offset='and'} + sum", "(by{offset='and'}) + (sum)"),
    ],
)
def test_what_is_written_differently_and_means_the_same(text: str, like: str) -> None:
    def without_positions(query: str) -> str:
        return re.sub(r"position=-?\d+", "", repr(parse(query)))

    assert without_positions(text) == without_positions(like)


@pytest.mark.parametrize("name", ["sum", "by", "offset", "start", "and", "group", "step", "fill"])
def test_keywords_are_names_where_nothing_else_can_stand(name: str) -> None:
    assert parse(name) == Selector((Matcher("__name__", Operator.EQUAL, name),), Shift(), 0)


def test_each_part_of_the_plan_knows_its_position() -> None:
    plan = parse("sum(rate(up[5m])) / -foo")
    assert isinstance(plan, Binary)
    assert isinstance(plan.left, Aggregate)
    assert isinstance(plan.left.expr, Call)
    assert [plan.left.position, plan.left.expr.position, plan.position] == [0, 4, 18]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "1:1: parse error: no expression found in input"),
        ("up +", "1:5: parse error: unexpected end of input"),
        ("sum(", "1:5: parse error: unclosed left parenthesis"),
        ("up))", "1:4: parse error: unexpected right parenthesis ')'"),
        ("foo bar", '1:5: parse error: unexpected identifier "bar"'),
        ("1 +\n * up", "2:2: parse error: unexpected <op:*>"),
        ("'ä' + {}", "1:8: parse error: vector selector must contain at least one non-empty matcher"),
        ("up{job=web}", '1:8: parse error: unexpected identifier "web" in label matching, expected string'),
        ("up{job='web' x}", '1:14: parse error: unexpected identifier "x" in label matching, expected "," or "}"'),
        ("up{job=~'('}", "1:9: parse error: not a regular expression: '(' (missing ), unterminated subpattern)"),
        ("up{job='\\y'}", "1:8: parse error: unknown escape sequence \\y"),
        ("'up", "1:1: parse error: unterminated quoted string"),
        ("rate(up)",
         '1:6: parse error: expected type range vector in call to function "rate", got instant vector'),
        ("floor()", '1:1: parse error: expected 1 argument(s) in call to "floor", got 0'),
        ("round(up, 1, 2)", '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'),
        ("label_join(up)", '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1'),
        ("topk(up)",
         "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"),
        ("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
        ("a and 1", '1:1: parse error: set operator "and" not allowed in binary scalar expression'),
        ("a or on(x) group_left b", '1:1: parse error: no grouping allowed for "or" operation'),
        ("a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"),
        ("(a + b)[5m]", "1:8: parse error: ranges only allowed for vector selectors"),
        ("a[0s]", "1:3: parse error: duration must be greater than 0"),
        ("a[5mm]", '1:3: parse error: bad number or duration syntax: "5mm"'),
        ("a @ Inf", "1:5: parse error: timestamp out of bounds for @ modifier: Inf"),
        ("nothing_like(a)", '1:1: parse error: unknown function with name "nothing_like"'),
        ("1 + info(up)", "1:5: parse error: unsupported function info"),
        ("up + fill(0) down", "1:6: parse error: unsupported modifier fill"),
        ("rate(up[5m] smoothed)", "1:13: parse error: unsupported modifier smoothed"),
        ("up[2 * 5m]", "1:6: parse error: unsupported duration expression; write one duration like 5m"),
        ('up{a="b" or c="d"}', '1:10: parse error: unexpected identifier "or" in label matching, expected "," or "}"'),
        ("(" * 5000 + "1" + ")" * 5000, "1:101: parse error: the query is nested more than 200 levels deep; split it, or use a regular expression"),
    ],
)  # fmt: skip
def test_an_error_names_the_construct_and_where_it_stands(query: str, said: str) -> None:
    with pytest.raises(PromQLError) as raised:
        parse(query)
    assert str(raised.value) == said


@given(st.text(alphabet=string.printable, max_size=40))
def test_any_text_is_a_query_or_an_error_of_one_line(text: str) -> None:
    try:
        parse(text)
    except PromQLError as error:
        said = str(error)
    else:
        said = "1:1: parse error: "
    assert re.match(r"\d+:\d+: parse error: ", said)
    assert "\n" not in said
