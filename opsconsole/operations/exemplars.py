"""Single observations behind the series of a query."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.promql.error import PromQLError
from opsconsole.promql.parse import parse
from opsconsole.promql.selectors import selectors
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels

from .console import Console
from .query import BadQuery


def exemplars(console: Console, query: str, start_ms: int, end_ms: int) -> dict[Labels, Sequence[Exemplar]] | None:
    """The exemplars in [start_ms, end_ms] of every series that a selector of ``query`` means, by series.

    None for a query that is about no series at all.  Raises ``BadQuery``.
    """
    if end_ms < start_ms:
        raise BadQuery("end timestamp must not be before start timestamp")
    try:
        wanted = list(selectors(parse(query)))
    except PromQLError as error:
        raise BadQuery(str(error)) from None
    if not wanted:
        return None
    if console.exemplars is None:
        return {}
    return {
        found.labels: found.exemplars
        for selector in wanted
        for found in console.exemplars.select(selector.matchers, start_ms, end_ms)
    }
