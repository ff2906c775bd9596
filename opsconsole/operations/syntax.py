"""About the text of a query, without an answer to it."""

from __future__ import annotations

from opsconsole.promql import parse, text
from opsconsole.promql.error import PromQLError
from opsconsole.promql.plan import Expr

from .query import BadQuery


def formatted(query: str) -> str:
    """The query as Prometheus lays it out.  Raises ``BadQuery``."""
    try:
        return text.formatted(query)
    except PromQLError as error:
        raise BadQuery(f'invalid parameter "query": {error}') from None


def tree(query: str) -> Expr:
    """What was written, as a tree.  Raises ``BadQuery``."""
    try:
        return parse.written(query)
    except PromQLError as error:
        raise BadQuery(f'invalid parameter "query": {error}') from None
