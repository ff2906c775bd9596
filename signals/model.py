"""A signal: a named PromQL expression with its unit, its dimensions and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from string import Template

ANY_JOB = 'job=~".+"'
"""The selector that selects every job; a selector is never empty, so ``{$selector, x="y"}`` always parses."""


class Unit(StrEnum):
    """What a value counts; formats on every surface derive from it."""

    SECONDS = "s"
    RATIO = "ratio"  # 0..1, shown as per cent
    REQUESTS_PER_SECOND = "req/s"
    TASKS_PER_SECOND = "task/s"
    QUERIES_PER_SECOND = "query/s"
    EXCEPTIONS_PER_SECOND = "exc/s"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Signal:
    """``expr`` holds ``$selector`` (label matchers for job and instance) and ``$window`` (the rate range).

    ``by`` are the labels of the result, beside which the expression may return no other.
    ``title`` is two or three words for a panel; ``help`` one sentence that says what the number means.
    """

    name: str
    title: str
    expr: str
    unit: Unit
    by: tuple[str, ...]
    help: str

    def promql(self, *, window: str, selector: str = ANY_JOB) -> str:
        """The PromQL text with both placeholders filled, e.g. ``window="5m"`` or ``"$__rate_interval"``."""
        return Template(self.expr).substitute(selector=selector, window=window)
