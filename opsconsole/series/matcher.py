"""Matchers: which label sets a selector means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .labels import Labels, quote
from .regex import compile_re2


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
                return compile_re2(self.value).fullmatch(value) is not None
            case Operator.NOT_REGEX:
                return compile_re2(self.value).fullmatch(value) is None

    def __str__(self) -> str:
        return f"{self.name}{self.operator.value}{quote(self.value)}"


def select(labels: Labels, matchers: Iterable[Matcher]) -> bool:
    """Whether a label set satisfies every matcher."""
    return all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)
