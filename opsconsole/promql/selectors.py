"""Which series a query is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from .plan import Expr, Selector


def selectors(plan: Expr) -> Iterator[Selector]:
    """Every selector of a plan, in reading order."""
    if isinstance(plan, Selector):
        yield plan
        return
    for field in fields(plan):
        value = getattr(plan, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Expr):
                yield from selectors(part)
