"""Panels as they go on: each query evaluated once a frame, and what its viewers were told of the series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import structlog

from dashboards.model import Kind, Panel
from opsconsole.promql.error import PromQLError
from opsconsole.promql.result import Matrix
from opsconsole.series.block import Timestamps

from . import frames
from .console import Console
from .frames import Cells, Series, shape

log = structlog.get_logger(__name__)


class Queries:
    """Evaluates each text once for all panels of a frame; a result is a matrix, or the reason why there is none."""

    def __init__(self, console: Console, texts: Collection[str], start_ms: int, end_ms: int, step_ms: int) -> None:
        """``texts``: all that will be asked in this frame."""
        self._engine = console.engine.together(texts)
        self._span = (start_ms, end_ms, step_ms)
        self._results: dict[tuple[str, int], Matrix | str] = {}

    def over(self, texts: Iterable[str], *, newest: bool) -> list[Matrix]:
        """Matrices of ``texts`` over the frame, or at its last instant.  Raises ``QueryError``."""
        start_ms, end_ms, step_ms = self._span
        if newest:
            start_ms = end_ms
        matrices = []
        for text in texts:
            result = self._results.get((text, start_ms))
            if result is None:
                result = self._results[text, start_ms] = self._evaluate(text, start_ms, end_ms, step_ms)
            if isinstance(result, str):
                raise QueryError(result)
            matrices.append(result)
        return matrices

    def _evaluate(self, text: str, start_ms: int, end_ms: int, step_ms: int) -> Matrix | str:
        try:
            return self._engine.range(text, start_ms, end_ms, step_ms)
        except PromQLError as error:
            return " ".join(str(error).split())
        except Exception:
            log.exception("a panel's query failed", query=text)
            return "the telemetry store did not answer; see the console's log"


class QueryError(Exception):
    """Why a panel has no data, in one line."""


class LivePanel:
    """A panel and the series its viewers know."""

    def __init__(self, panel: Panel, texts: tuple[str, ...]) -> None:
        self.panel = panel
        self.texts = texts
        self._shown: tuple[Series, ...] | None = None  # None: the next frame must name them
        self._cells: Cells | None = None
        self._seen_ms: Sequence[int] = ()  # when each series of the cells was seen last, -1 for never

    def whole(self, queries: Queries) -> dict[str, Any]:
        self._cells, self._seen_ms = None, ()
        self._shown = None
        table = self.panel.kind is Kind.TABLE
        try:
            matrices = queries.over(self.texts, newest=table)
            cells = shape(self.panel, matrices)
        except (QueryError, ValueError) as error:
            return {"error": str(error)}
        self._cells, self._shown = cells, cells.series
        if matrices:
            self._seen_ms = _last_seen(cells, matrices[0].timestamps)
        body = {"values": cells.newest()} if table else {"columns": cells.columns()}
        return {"series": [series.as_json() for series in cells.series], **body, **_hidden(cells)}

    def look(self, queries: Queries, start_ms: int) -> Cells | str:
        """One more instant, or why there is nothing to see; a series that fell out of the range is not shown any longer."""
        try:
            return shape(self.panel, queries.over(self.texts, newest=True), self._known(start_ms), self._cells)
        except (QueryError, ValueError) as error:
            return str(error)

    def tell(self, cells: Cells, numbers: Sequence[float | None], at_ms: int, start_ms: int) -> dict[str, Any]:
        """What viewers get of ``cells``, whose values at ``at_ms`` are these ``numbers``."""
        same = self._cells is not None and cells.series == self._cells.series
        seen = self._seen_ms if same else self._seen_of(cells.series, start_ms)
        self._seen_ms = [
            at_ms if number is not None else seen_ms for number, seen_ms in zip(numbers, seen, strict=True)
        ]
        changed = {} if cells.series == self._shown else {"series": [series.as_json() for series in cells.series]}
        self._cells, self._shown = cells, cells.series
        return {"values": numbers, **changed, **_hidden(cells)}

    def fail(self, reason: str) -> dict[str, Any]:
        self._shown = None
        return {"error": reason}

    def _known(self, start_ms: int) -> tuple[Series, ...]:
        """The series of the last frame that were seen since ``start_ms``."""
        if self._cells is None:
            return ()
        if min(self._seen_ms, default=start_ms) >= start_ms:
            return self._cells.series
        pairs = zip(self._cells.series, self._seen_ms, strict=True)
        return tuple(series for series, seen_ms in pairs if seen_ms >= start_ms)

    def _seen_of(self, series: Sequence[Series], start_ms: int) -> Sequence[int]:
        before = () if self._cells is None else self._cells.series
        seen = dict(zip(before, self._seen_ms, strict=True))
        return [seen.get(one, start_ms) for one in series]


def newest(panels: Sequence[LivePanel], queries: Queries, at_ms: int, start_ms: int) -> dict[str, Any]:
    """By name, the values of each panel at one more instant ``at_ms``; the range begins at ``start_ms``."""
    looks = [panel.look(queries, start_ms) for panel in panels]
    numbers = iter(frames.newest([look for look in looks if isinstance(look, Cells)]))
    return {
        live.panel.name: live.fail(look) if isinstance(look, str) else live.tell(look, next(numbers), at_ms, start_ms)
        for live, look in zip(panels, looks, strict=True)
    }


def _last_seen(cells: Cells, instants: Timestamps) -> list[int]:
    """When each series had a value last, -1 where it never had."""
    seen = ~np.isnan(cells.values)
    newest = instants[seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)]
    last: list[int] = np.where(np.logical_or.reduce(seen, axis=1), newest, -1).tolist()
    return last


def _hidden(cells: Cells) -> dict[str, int]:
    return {"hidden": cells.hidden} if cells.hidden else {}
