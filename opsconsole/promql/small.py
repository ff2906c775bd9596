"""Small queries: what can be answered in less time than it takes to hand a query to a thread and back.

The work is the same, only within limits of a query that are thousands of times tighter, over samples that are at hand.  A
query that turns out to be larger stops there and is asked again the usual way.
"""

from __future__ import annotations

from .error import PromQLError
from .limits import Limits
from .parse import parsed
from .plan import Aggregate, Binary, Call, Expr, Negate, Number, Range, Selector, Text

LIMITS = Limits(series=1_000, samples=16_000, points=1_000, seconds=0.02)
"""So many cells are summed in microseconds; the time ends what hits upon something unforeseen, or a machine too busy."""

_PARTS = 12
_UNBOUNDED = frozenset(("label_replace",))  # a regular expression may take any time


class NotSmall(PromQLError):
    """The query is larger, or what it needs is not at hand."""


def plan(query: str) -> Expr:
    """Of a query that was parsed before.  Raises ``NotSmall`` for one whose work is not bounded by its samples."""
    found = parsed(query)
    if found is None or not _is_bounded(found):
        raise NotSmall("the query is new, or has many parts")
    return found


def _is_bounded(plan: Expr) -> bool:
    waiting, seen = [plan], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        match node:
            case Number() | Text() | Selector() | Range():
                pass
            case Negate(expr=inner) | Aggregate(expr=inner, param=None):
                waiting.append(inner)
            case Binary():
                waiting += (node.left, node.right)
            case Call() if node.function not in _UNBOUNDED:
                waiting += node.args
            case _:
                return False
        if seen > _PARTS:
            return False
    return True
