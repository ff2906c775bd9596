from __future__ import annotations

import pytest

from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator, select
from opsconsole.series.regex import compile_re2


@pytest.mark.parametrize(
    ("operator", "value", "text", "matches"),
    [
        (Operator.EQUAL, "web", "web", True),
        (Operator.EQUAL, "", "", True),
        (Operator.NOT_EQUAL, "web", "api", True),
        (Operator.NOT_EQUAL, "web", "web", False),
        (Operator.REGEX, "we.", "web", True),
        (Operator.REGEX, "we", "web", False),
        (Operator.REGEX, "a|web", "web", True),
        (Operator.REGEX, ".*", "", True),
        (Operator.REGEX, "a.b", "a\nb", True),
        (Operator.NOT_REGEX, "w.*", "web", False),
        (Operator.NOT_REGEX, "w.*", "", True),
    ],
)
def test_a_matcher_matches_whole_values(operator: Operator, value: str, text: str, matches: bool) -> None:
    assert Matcher("job", operator, value).matches(text) is matches


def test_every_matcher_must_hold_and_an_absent_label_is_empty() -> None:
    labels = Labels.of(__name__="up", job="web")
    assert select(labels, [Matcher("job", Operator.EQUAL, "web"), Matcher("zone", Operator.EQUAL, "")])
    assert not select(labels, [Matcher("job", Operator.EQUAL, "web"), Matcher("zone", Operator.REGEX, ".+")])
    assert select(labels, [])


def test_a_matcher_prints_as_promql_writes_it() -> None:
    assert str(Matcher("path", Operator.NOT_REGEX, 'a"\\d')) == r'path!~"a\"\\d"'


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("(?i)WEB", "web", True),
        ("a(?i)b", "aB", True),
        ("a(?i)b", "AB", False),
        ("((?i)PRO).*", "production", True),
        ("((?i)PRO)D", "prod", False),
        ("a(?i)b|c", "C", True),
        ("(?i:x)|(?-i)y", "X", True),
        (r"a\z", "a", True),
        ("[[:alpha:]]+[^[:digit:]]", "ab", True),
        ("[[:alpha:]]+", "a1", False),
        (r"\(\[[(]\)", "([()", True),
        (r"[(?i)]+", "(?i)", True),
        (r"\d", "٣", False),
        ("(?P<name>a+)", "aa", True),
        ("(?U)a+", "aa", True),
    ],
)
def test_regular_expressions_are_those_of_prometheus(pattern: str, text: str, matches: bool) -> None:
    assert (compile_re2(pattern).fullmatch(text) is not None) is matches


def test_a_bad_regular_expression_is_shown() -> None:
    with pytest.raises(ValueError, match=r"not a regular expression: '\(a'"):
        compile_re2("(a")
