"""Panels as they go on: each query evaluated once a frame, and what its viewers were told of the series."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import structlog

from dashboards.model import Kind, Panel
from opsconsole.promql.error import PromQLError
from opsconsole.promql.result import Matrix
from opsconsole.series.block import Timestamps

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
        self._seen_ms: dict[Series, int] = {}

    def whole(self, queries: Queries) -> dict[str, Any]:
        self._seen_ms.clear()
        self._shown = None
        table = self.panel.kind is Kind.TABLE
        try:
            matrices = queries.over(self.texts, newest=table)
            cells = shape(self.panel, matrices)
        except (QueryError, ValueError) as error:
            return {"error": str(error)}
        instants = matrices[0].timestamps if matrices else np.empty(0, np.int64)
        self._remember(cells, instants)
        self._shown = cells.series
        body = {"values": cells.newest()} if table else {"columns": cells.columns()}
        return {"series": [series.as_json() for series in cells.series], **body, **_hidden(cells)}

    def newest(self, queries: Queries, start_ms: int) -> dict[str, Any]:
        """The values of one more instant; a series that fell out of the range is named no longer."""
        known = [series for series, seen_ms in self._seen_ms.items() if seen_ms >= start_ms]
        try:
            matrices = queries.over(self.texts, newest=True)
            cells = shape(self.panel, matrices, known)
        except (QueryError, ValueError) as error:
            self._shown = None
            return {"error": str(error)}
        self._seen_ms = {series: self._seen_ms.get(series, start_ms) for series in cells.series}
        self._remember(cells, matrices[0].timestamps if matrices else np.empty(0, np.int64))
        changed = {} if cells.series == self._shown else {"series": [series.as_json() for series in cells.series]}
        self._shown = cells.series
        return {"values": cells.newest(), **changed, **_hidden(cells)}

    def _remember(self, cells: Cells, instants: Timestamps) -> None:
        seen = ~np.isnan(cells.values)
        newest = seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
        for series, column, ever in zip(
            cells.series, newest.tolist(), np.logical_or.reduce(seen, axis=1).tolist(), strict=True
        ):
            if ever:
                self._seen_ms[series] = int(instants[column])


def _hidden(cells: Cells) -> dict[str, int]:
    return {"hidden": cells.hidden} if cells.hidden else {}
