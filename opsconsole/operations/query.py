"""Ad-hoc queries: what people and programs ask besides the boards, within limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TypeVar

import structlog

from opsconsole.promql.error import PromQLError
from opsconsole.promql.engine import Engine
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import Expr, Kind, Selector, Text
from opsconsole.promql.result import Matrix, Scalar
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

from .console import Console

log = structlog.get_logger(__name__)

MAX_POINTS = 11_000
"""Instants of one range query, the number Prometheus takes: enough for a week by the minute."""

TIMEOUT_S = 30.0

_AT_ONCE = 4  # as many as the store has sessions; numpy and the store work outside the interpreter's lock
_pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="query")

T = TypeVar("T")


class BadQuery(ValueError):
    """The question makes no sense; one line."""


class QueryFailed(Exception):
    """The question makes sense and has no answer; one line."""


class QueryTimeout(Exception):
    """No answer in time; one line."""


@dataclass(frozen=True, slots=True)
class Span:
    """Evaluation instants from ``start_ms`` to ``end_ms``, both included where ``step_ms`` meets them."""

    start_ms: int
    end_ms: int
    step_ms: int

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
        if self.step_ms <= 0:
            raise BadQuery(
                'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
                "Try a positive integer"
            )
        if (self.end_ms - self.start_ms) // self.step_ms > MAX_POINTS:
            raise BadQuery(
                f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )


def instant(
    console: Console, query: str, at_ms: int, timeout_s: float = TIMEOUT_S, lookback_ms: int | None = None
) -> Matrix | Scalar | Text:
    """The value of ``query`` at one instant, the samples of a range vector like ``up[5m]``, or a string as it stands.

    ``lookback_ms``: how long a sample counts, if not as long as usual.  Raises ``BadQuery``, ``QueryFailed`` or
    ``QueryTimeout``.
    """
    plan = _plan(query)
    if isinstance(plan, Text):
        return plan
    engine = _engine(console, lookback_ms)
    return _within(timeout_s, lambda: engine.instant(query, at_ms))


def is_range_vector(query: str) -> bool:
    """Whether an instant query's answer is samples over time.  Raises ``BadQuery``."""
    return _plan(query).kind is Kind.RANGE


def range_(
    console: Console, query: str, span: Span, timeout_s: float = TIMEOUT_S, lookback_ms: int | None = None
) -> Matrix:
    """The values of ``query`` over a span.  Raises as ``instant`` does."""
    kind = _plan(query).kind
    if kind not in (Kind.SCALAR, Kind.VECTOR):
        raise BadQuery(f'invalid expression type "{kind.value}" for range query, must be Scalar or instant Vector')
    engine = _engine(console, lookback_ms)
    return _within(timeout_s, lambda: engine.range(query, span.start_ms, span.end_ms, span.step_ms))


def series(
    console: Console, selectors: Collection[str], start_ms: int, end_ms: int, timeout_s: float = TIMEOUT_S
) -> list[Labels]:
    """The label sets that any of ``selectors`` means and that have a sample in (start_ms, end_ms], sorted; without a
    selector, all.  Raises as ``instant`` does.
    """
    wanted = [matchers(text) for text in selectors] or [()]

    def select() -> list[Labels]:
        blocks = (block for matchers in wanted for block in console.engine.source.select(matchers, start_ms, end_ms))
        return sorted({labels for block in blocks for labels in block.labels})

    return _within(timeout_s, select)


def label_names(found: Iterable[Labels]) -> list[str]:
    return sorted({name for labels in found for name, _ in labels})


def label_values(found: Iterable[Labels], name: str) -> list[str]:
    return sorted({value for labels in found if (value := labels.get(name))})


def _engine(console: Console, lookback_ms: int | None) -> Engine:
    return console.engine if lookback_ms is None else Engine(console.engine.source, lookback_ms=lookback_ms)


def _plan(query: str) -> Expr:
    try:
        return parse(query)
    except PromQLError as error:
        raise BadQuery(f'invalid parameter "query": {error}') from None


def matchers(selector: str, parameter: str = "match[]") -> Sequence[Matcher]:
    """Those of a text like ``up{job="web"}``.  Raises ``BadQuery``, which names the ``parameter``."""
    try:
        plan = parse(selector)
    except PromQLError as error:
        raise BadQuery(f'invalid parameter "{parameter}": {error}') from None
    if not isinstance(plan, Selector):
        raise BadQuery(f'invalid parameter "{parameter}": {selector!r} is no selector; write one like up{{job="web"}}')
    return plan.matchers


def _within(timeout_s: float, work: Callable[[], T]) -> T:
    """Run ``work`` on one of few threads, so that many or slow questions wait for each other and not the console for
    them.  Work that is over its time still runs to its end, but nobody waits for it.
    """
    future: Future[T] = _pool.submit(work)
    try:
        return future.result(timeout=timeout_s)
    except FutureTimeoutError:
        future.cancel()
        raise QueryTimeout(f"no answer within {timeout_s:g} s; ask for less, or fewer at once") from None
    except PromQLError as error:
        raise QueryFailed(" ".join(str(error).split())) from None
    except Exception as error:
        log.exception("a query failed")
        raise QueryFailed("the telemetry store did not answer; see the console's log") from error
