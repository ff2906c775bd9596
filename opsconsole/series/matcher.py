"""Matchers: which label sets a selector means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from .labels import Labels


class Operator(StrEnum):
    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """``name op value``; a regular expression is anchored at both ends, and an absent label is the empty string."""

    name: str
    operator: Operator
    value: str

    def matches(self, value: str) -> bool:
        match self.operator:
            case Operator.EQUAL:
                return value == self.value
            case Operator.NOT_EQUAL:
                return value != self.value
            case Operator.REGEX:
                return _compiled(self.value).fullmatch(value) is not None
            case Operator.NOT_REGEX:
                return _compiled(self.value).fullmatch(value) is None

    def __str__(self) -> str:
        return f'{self.name}{self.operator.value}"{self.value}"'


def select(labels: Labels, matchers: Iterable[Matcher]) -> bool:
    """Whether a label set satisfies every matcher."""
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # re.DOTALL: in Prometheus (RE2 with the s flag) a dot matches a newline too.
    return re.compile(pattern, re.DOTALL)
