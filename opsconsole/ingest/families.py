"""The comments of an exposition that mean something: the type, the help and the unit of metric families."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from opsconsole.series.metadata import Metadata

from .grammar import Grammar, MalformedExposition, unescape

_KEYWORD = re.compile(r"#[ \t]+(HELP|TYPE|UNIT)[ \t]+")
_FAMILY = re.compile(r'(?:([a-zA-Z_:][a-zA-Z0-9_:]*)|"((?:[^"\\]|\\.)*)")(?:[ \t](.*))?', re.DOTALL)
_OPENMETRICS = re.compile(r"# (HELP|TYPE|UNIT) ")
_TYPES = frozenset(("counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"))
_HELP_ESCAPE = re.compile(r"\\([\\n])")


def read_families(comments: Iterable[tuple[int, bytes]], grammar: Grammar) -> Mapping[str, Metadata]:
    """By name, as the comments say it; ``comments``: (line of the body, from 0; its text), without the end mark.

    Raises ``MalformedExposition`` for a type that there is not, a name that is none, a unit that is not in the name,
    and in OpenMetrics for every other comment; the text format lets services write what they like.
    """
    families: dict[str, Metadata] = {}
    for number, comment in ((line + 1, text.decode()) for line, text in comments):
        keyword = (_OPENMETRICS if grammar.openmetrics else _KEYWORD).match(comment)
        if keyword is None:
            if grammar.openmetrics:
                raise MalformedExposition(number, f"OpenMetrics has no comment like {comment[:40]!r}")
            continue
        family = _FAMILY.fullmatch(comment, keyword.end())
        if family is None:
            raise MalformedExposition(number, f"no metric name after {keyword[1]}: {comment[keyword.end() :][:40]!r}")
        name, text = family[1] or unescape(family[2]), family[3] or ""
        known = families.get(name, Metadata())
        match keyword[1]:
            case "TYPE":
                families[name] = replace(known, type=_type(text.strip(" \t"), number, name))
            case "HELP":
                families[name] = replace(known, help=_help(text, grammar))
            case "UNIT" if grammar.openmetrics:
                if text and not name.endswith(text):
                    raise MalformedExposition(number, f"unit {text[:40]!r} is not the end of the name {name}")
                families[name] = replace(known, unit=text)
    return families


def _type(text: str, number: int, name: str) -> str:
    if text == "untyped":  # the text format's word
        return "unknown"
    if text not in _TYPES:
        raise MalformedExposition(number, f"{text[:40]!r} is no type of a metric; {name} may be a gauge or a counter")
    return text


def _help(text: str, grammar: Grammar) -> str:
    if grammar.openmetrics or "\\" not in text:
        return unescape(text)
    return _HELP_ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else "\\", text)
