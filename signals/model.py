"""A signal: a named PromQL expression with its unit, its dimensions and a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import Template
from typing import Literal

from .feed import Feed
from .unit import Unit

__all__ = ["ANY_JOB", "Signal", "Unit"]

ANY_JOB = 'job=~".+"'
"""The selector that selects every job; a selector is never empty, so ``{$selector, x="y"}`` always parses."""


@dataclass(frozen=True, slots=True)
class Signal:
    """``expr`` holds ``$selector`` (label matchers for job and instance) and ``$window`` (the rate range).

    ``by`` are the labels of the result, beside which the expression may return no other.
    ``title`` is two or three words for a panel; ``help`` one sentence that says what the number means.
    ``feed`` makes raw series that drive the signal to a chosen value; a signal that alerts watch needs one, because
    their tests are generated from it.
    """

    name: str
    title: str
    expr: str
    unit: Unit
    by: tuple[str, ...]
    help: str
    feed: Feed | None = field(default=None, compare=False, repr=False)

    def promql(self, *, window: str, selector: str = ANY_JOB) -> str:
        """The PromQL text with both placeholders filled, e.g. ``window="5m"`` or ``"$__rate_interval"``."""
        return Template(self.expr).substitute(selector=selector, window=window)

    def fold(self, how: Literal["sum", "max", "min"], title: str, help: str) -> Signal:  # noqa: A002 - the field's name
        """One number out of all series, for a stat: the total, or the worst of them.

        The worst crosses an alert's threshold exactly when one of the alert's own series does; an average would not.
        """
        return Signal(
            name=f"{self.name}_{how}", title=title, expr=f"{how}({self.expr})", unit=self.unit, by=(), help=help
        )
