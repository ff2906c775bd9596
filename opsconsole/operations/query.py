"""Ad-hoc queries: what people and programs ask besides the boards, within limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import structlog

from opsconsole.promql import small
from opsconsole.promql.error import ParseError, PromQLError
from opsconsole.promql.evaluator import Evaluator, Refused, Selectors, Unreachable
from opsconsole.promql.limits import Budget, Canceled, LimitExceeded, TimedOut
from opsconsole.promql.parse import parse
from opsconsole.promql.plan import Selector
from opsconsole.promql.result import Matrix, Scalar, String
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher

from .console import Console

log = structlog.get_logger(__name__)

_AT_ONCE = 4  # as many as the store has sessions; numpy and the store work outside the interpreter's lock
_turns = threading.BoundedSemaphore(_AT_ONCE)
_PATIENCE_S = 0.05  # between two looks whether a query that waits for its turn still has time

_NOT_TRIED = 100  # times in a row; by then there may be fewer series
_LARGER_KEPT = 1024
_larger: dict[tuple[str, int], int] = {}  # of the loop alone

T = TypeVar("T")


class BadQuery(ValueError):
    """The question makes no sense; one line."""


class QueryFailed(Exception):
    """The question makes sense and has no answer; one line."""


class QueryTimeout(Exception):
    """No answer in time; one line."""


class QueryCanceled(Exception):
    """Nobody waits for the answer; one line."""


class QueryUnavailable(Exception):
    """The server that evaluates cannot be asked; one line."""


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

    @property
    def points(self) -> int:
        """As Prometheus counts them: without the first."""
        return (self.end_ms - self.start_ms) // self.step_ms


@dataclass(frozen=True, slots=True)
class Scope:
    """The label sets that any of ``selectors`` means and that have a sample in (start_ms, end_ms]; without a selector, all."""

    selectors: Collection[str]
    start_ms: int
    end_ms: int


def instant(
    console: Console,
    query: str,
    at_ms: int,
    *,
    lookback_ms: int | None = None,
    timeout_s: float | None = None,
    cancelled: threading.Event | None = None,
    at_once: bool = False,
) -> Matrix | Scalar | String:
    """The value of ``query`` at one instant, the samples of a range vector like ``up[5m]``, or a string as it stands.

    ``lookback_ms``: for how long a sample counts, if not as usual.
    ``timeout_s`` may shorten the console's own limit.  Set ``cancelled``, from any thread, and the work ends at its next step.
    ``at_once``: without waiting for a turn or anything else, as ``Evaluator.at_once``.
    Raises ``BadQuery``, ``QueryFailed``, ``QueryTimeout``, ``QueryCanceled`` or ``QueryUnavailable``; ``at_once`` also
    ``QueryFailed`` where it takes longer.
    """
    engine = _evaluator(console, lookback_ms)
    if at_once:
        return _at_once(engine, (query, 0), lambda quick: quick.instant(query, at_ms))
    return _ask(console, timeout_s, cancelled, lambda budget: engine.instant(query, at_ms, budget))


def range_(
    console: Console,
    query: str,
    span: Span,
    *,
    lookback_ms: int | None = None,
    timeout_s: float | None = None,
    cancelled: threading.Event | None = None,
    at_once: bool = False,
) -> Matrix:
    """The values of ``query`` over a span.  Arguments and errors as of ``instant``."""
    most = console.engine.limits.points
    if span.points > most:
        raise BadQuery(
            f"exceeded maximum resolution of {most:,} points per timeseries. Try decreasing the query resolution (?step=XX)"
        )
    engine = _evaluator(console, lookback_ms)
    if at_once:
        return _at_once(
            engine, (query, span.points), lambda quick: quick.range(query, span.start_ms, span.end_ms, span.step_ms)
        )
    return _ask(
        console,
        timeout_s,
        cancelled,
        lambda budget: engine.range(query, span.start_ms, span.end_ms, span.step_ms, budget),
    )


def series(console: Console, scope: Scope, *, cancelled: threading.Event | None = None) -> list[Labels]:
    """The label sets of a scope, sorted.  Errors as of ``instant``."""
    return _listed(console, scope, cancelled, console.engine.series)


def label_names(console: Console, scope: Scope, *, cancelled: threading.Event | None = None) -> list[str]:
    """The names of labels in a scope, sorted.  Errors as of ``instant``."""
    return _listed(console, scope, cancelled, console.engine.label_names)


def label_values(console: Console, name: str, scope: Scope, *, cancelled: threading.Event | None = None) -> list[str]:
    """The values of one label in a scope, sorted.  Errors as of ``instant``."""
    return _listed(console, scope, cancelled, partial(console.engine.label_values, name))


def matchers(selector: str, parameter: str = "match[]") -> Sequence[Matcher]:
    """Those of a text like ``up{job="web"}``.  Raises ``BadQuery``, which names the ``parameter``."""
    try:
        plan = parse(selector)
    except PromQLError as error:
        raise BadQuery(f'invalid parameter "{parameter}": {error}') from None
    if not isinstance(plan, Selector):
        raise BadQuery(f'invalid parameter "{parameter}": {selector!r} is no selector; write one like up{{job="web"}}')
    return plan.matchers


def _listed(
    console: Console,
    scope: Scope,
    cancelled: threading.Event | None,
    listing: Callable[[Selectors, int, int, Budget], list[T]],
) -> list[T]:
    wanted = [matchers(text) for text in scope.selectors]
    return _ask(console, None, cancelled, lambda budget: listing(wanted, scope.start_ms, scope.end_ms, budget))


def _evaluator(console: Console, lookback_ms: int | None) -> Evaluator:
    return console.engine if lookback_ms is None else console.engine.looking_back(lookback_ms)


def _at_once(engine: Evaluator, question: tuple[str, int], work: Callable[[Evaluator], T]) -> T:
    """``question``: the query and how many instants; one that turned out to be larger is not tried again for a while."""
    if engine.at_once is None:
        raise QueryFailed("this evaluator has nothing at hand")
    if (left := _larger.get(question, 0)) > 0:
        _larger[question] = left - 1
        raise QueryFailed("it was larger when it was asked before")
    try:
        found = work(engine.at_once)
    except (LimitExceeded, TimedOut) as error:
        raise _is_larger(question, _one_line(error)) from None
    except PromQLError as error:
        raise QueryFailed(_one_line(error)) from None
    if isinstance(found, Matrix) and found.values.size > small.LIMITS.samples:
        raise _is_larger(question, "the answer takes a while to be written")
    return found


def _is_larger(question: tuple[str, int], why: str) -> QueryFailed:
    if len(_larger) >= _LARGER_KEPT:
        _larger.clear()
    _larger[question] = _NOT_TRIED
    return QueryFailed(why)


def _ask(
    console: Console, timeout_s: float | None, cancelled: threading.Event | None, work: Callable[[Budget], T]
) -> T:
    """``work`` in its turn, within what a query may cost; what goes wrong becomes one of this module's errors."""
    limits = console.engine.limits
    if timeout_s is not None and timeout_s < limits.seconds:
        limits = replace(limits, seconds=timeout_s)
    budget = Budget(limits, cancelled=cancelled)
    try:
        with _turn(budget):
            return work(budget)
    except Refused as error:
        raise BadQuery(_one_line(error)) from None
    except ParseError as error:
        raise BadQuery(f'invalid parameter "query": {_one_line(error)}') from None
    except TimedOut as error:
        raise QueryTimeout(_one_line(error)) from None
    except Canceled as error:
        raise QueryCanceled(_one_line(error)) from None
    except Unreachable as error:
        raise QueryUnavailable(_one_line(error)) from None
    except PromQLError as error:
        raise QueryFailed(_one_line(error)) from None
    except Exception as error:
        log.exception("a query failed")
        raise QueryFailed("the telemetry store did not answer; see the console's log") from error


@contextmanager
def _turn(budget: Budget) -> Iterator[None]:
    """Few queries at once, so that many or slow ones wait for each other and not the console for them."""
    while not _turns.acquire(timeout=min(_PATIENCE_S, budget.seconds_left)):
        if budget.seconds_left == 0:
            raise TimedOut("query timed out in query queue")
        budget.check()
    try:
        yield
    finally:
        _turns.release()


def _one_line(error: PromQLError) -> str:
    return " ".join(str(error).split())
