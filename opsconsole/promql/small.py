"""Small queries: what can be answered in less time than it takes to hand a query to a thread and back.

Nothing is guessed from the past: the work is the same, only within limits of a query that are thousands of times tighter,
over samples that are at hand.  A query that turns out to be larger stops there and is asked again the usual way.
"""

from __future__ import annotations

from .error import PromQLError
from .limits import Limits
from .parse import parsed
from .plan import Aggregate, Binary, Call, Expr, Negate, Range, Selector, Subquery

LIMITS = Limits(series=256, samples=5_000, points=1_000, seconds=0.02)
"""So many cells are summed in microseconds; the time ends what hits upon something unforeseen, or a machine too busy."""

_NODES = 12
_UNBOUNDED = frozenset(("label_replace",))  # a regular expression may take any time


class NotSmall(PromQLError):
    """The query is larger, or what it needs is not at hand."""


def plan(query: str) -> Expr:
    """Of a query that was parsed before.  Raises ``NotSmall`` for one whose work is not bounded by its samples."""
    found = parsed(query)
    if found is None or _left(found, _NODES) < 0:
        raise NotSmall("the query is new, or has many parts")
    return found


def _left(node: Expr, nodes: int) -> int:  # noqa: PLR0911  one line for each kind of node
    """Of so many nodes, those that are left behind this one; negative when there are not as many."""
    if nodes <= 0:
        return -1
    match node:
        case Selector() | Range():
            return nodes - 1
        case Negate(expr=inner) | Aggregate(expr=inner, param=None):
            return _left(inner, nodes - 1)
        case Binary(left=left, right=right):
            return _left(right, _left(left, nodes - 1))
        case Call(function=function) if function in _UNBOUNDED:
            return -1
        case Call(args=args):
            nodes -= 1
            for arg in args:
                nodes = _left(arg, nodes)
            return nodes
        case Subquery() | Aggregate():
            return -1
    return nodes - 1
