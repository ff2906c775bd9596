"""Metrics at another server: PromQL is evaluated there, by any server that speaks Prometheus' HTTP API.

Source: Prometheus 3, docs/querying/api.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from copy import copy
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import numpy as np
import orjson

from opsconsole.promql.error import PromQLError
from opsconsole.promql.evaluator import Refused, Selectors, Unreachable
from opsconsole.promql.limits import Budget, Canceled, LimitExceeded, Limits, TimedOut
from opsconsole.promql.result import Matrix, Samples, Scalar, String
from opsconsole.series.block import Timestamps
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Matcher, Operator

_LOOK_S = 0.05  # between two looks whether the asker has gone away
_CONNECT_S = 5.0
_BYTES_A_SAMPLE = 8  # the least that a sample takes in JSON, to bound an answer by the limit of samples
_ANY = (Matcher(METRIC_NAME, Operator.NOT_EQUAL, ""),)  # Prometheus wants one matcher that is not empty
_ERRORS: Mapping[str, type[PromQLError]] = {
    "bad_data": Refused,
    "timeout": TimedOut,
    "canceled": Canceled,
    "unavailable": Unreachable,
    "internal": Unreachable,
}


class RemoteEngine:
    """``Evaluator`` by HTTP.  A query that is cancelled closes its connection, which stops the work over there, too.

    Nothing is asked twice: the next tick, evaluation or click does that anyway.
    """

    def __init__(self, url: str, *, limits: Limits | None = None) -> None:
        """``http(s)://user:password@host[:port][/prefix]``.  Raises ``ValueError`` for anything else, without its secrets."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "METRICS_URL is no address of a Prometheus-compatible server; write http://user:password@host:port/prefix"
            )
        host = parts.netloc.rpartition("@")[2]
        self.shown = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._limits = limits or Limits()
        self._always: Mapping[str, str] = {}  # sent with every query
        self._client = httpx.AsyncClient(
            auth=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
            timeout=httpx.Timeout(None, connect=_CONNECT_S),  # the budget of each query bounds the rest
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="metrics-url", daemon=True)
        self._thread.start()

    @property
    def limits(self) -> Limits:
        """What a query without a budget of its own may cost."""
        return self._limits

    def together(self, queries: Collection[str]) -> RemoteEngine:  # noqa: ARG002 - the server knows of no rounds
        """Itself."""
        return self

    @property
    def at_once(self) -> None:
        """Nothing is: that server has to be asked."""
        return None

    def looking_back(self, lookback_ms: int) -> RemoteEngine:
        """The same, to which a sample counts for so long; both share their connections."""
        other = copy(self)
        other._always = {"lookback_delta": _seconds(lookback_ms)}  # noqa: SLF001 - of its own class
        return other

    def close(self) -> None:
        """Close the connections and end the thread.  A second call does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(_CONNECT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CONNECT_S)
        self._loop.close()

    def instant(self, query: str, at_ms: int, budget: Budget | None = None) -> Matrix | Scalar | String:
        """The value at one instant; ``Samples``, sorted by labels, for a range vector.  Raises ``PromQLError``."""
        budget = budget or Budget(self._limits)
        answer = self._ask("query", {"query": query, "time": _seconds(at_ms)}, budget)
        remarks = _remarks(answer)
        try:
            kind, rows = answer["data"]["resultType"], answer["data"]["result"]
            if kind == "scalar":
                return Scalar(at_ms, float(rows[1]), *remarks)
            if kind == "string":
                return String(at_ms, str(rows[1]), *remarks)
            if kind == "vector":
                values = np.array([row["value"][1] for row in rows], dtype=np.float64).reshape(len(rows), 1)
                instants = np.array([at_ms], dtype=np.int64)
                return Matrix(_labels(rows), instants, values, np.ones(values.shape, dtype=bool), *remarks)
            if kind == "matrix":
                rows = _by_labels(rows)
                taken = np.unique([_ms(pair[0]) for row in rows for pair in row["values"]]).astype(np.int64)
                matrix = _matrix(rows, taken, budget, remarks)
                return Samples(matrix.labels, taken, matrix.values, matrix.present, *remarks)
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._no_prometheus() from None
        raise PromQLError(f"the query's answer is a {kind}, which has no series")

    def range(self, query: str, start_ms: int, end_ms: int, step_ms: int, budget: Budget | None = None) -> Matrix:
        """The values from start to end, both included, sorted by labels.

        Raises ``PromQLError`` for the query, ``ValueError`` for instants that make no range.
        """
        if step_ms <= 0:
            raise ValueError(f"step must be positive, not {step_ms} ms")
        if end_ms < start_ms:
            raise ValueError("end must not be before start")
        budget = budget or Budget(self._limits)
        budget.hold((end_ms - start_ms) // step_ms + 1)
        asked = {"query": query, "start": _seconds(start_ms), "end": _seconds(end_ms), "step": _seconds(step_ms)}
        answer = self._ask("query_range", asked, budget)
        steps = np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)
        try:
            return _matrix(_by_labels(answer["data"]["result"]), steps, budget, _remarks(answer))
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._no_prometheus() from None

    def series(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[Labels]:
        """The label sets that have a sample in the range, as exactly as the server tells, sorted.  Raises ``PromQLError``."""
        wanted = selectors or [()]
        found = self._list("series", wanted, start_ms, end_ms, budget)
        try:
            return sorted({Labels.of(each) for each in found})
        except (TypeError, ValueError):
            raise self._no_prometheus() from None

    def label_names(self, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None) -> list[str]:
        """The names of labels of these series, sorted.  Raises ``PromQLError``."""
        return sorted(self._list("labels", selectors, start_ms, end_ms, budget))

    def label_values(
        self, name: str, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None = None
    ) -> list[str]:
        """The values that one label has in these series, sorted.  Raises ``PromQLError``."""
        return sorted(self._list(f"label/{quote(name, safe='')}/values", selectors, start_ms, end_ms, budget))

    def _list(
        self, path: str, selectors: Selectors, start_ms: int, end_ms: int, budget: Budget | None
    ) -> Sequence[Any]:
        texts = [f"{{{', '.join(map(str, matchers or _ANY))}}}" for matchers in selectors]
        asked = {"match[]": texts, "start": _seconds(start_ms), "end": _seconds(end_ms)}
        found = self._ask(path, asked, budget or Budget(self._limits), method="GET")["data"]
        if not isinstance(found, list):
            raise self._no_prometheus()
        return found

    def _ask(
        self, path: str, asked: Mapping[str, str | Sequence[str]], budget: Budget, method: str = "POST"
    ) -> Mapping[str, Any]:
        """The body of a successful answer.  Raises ``PromQLError`` of the kind that the server's error type says."""
        if path.startswith("query"):  # so that the server, too, stops in time
            asked = {**asked, **self._always, "timeout": f"{max(budget.seconds_left, 0.001):.3f}"}
        status, body = self._fetch(path, asked, budget, method)
        try:
            answer = orjson.loads(body)
            if answer["status"] == "success":
                return answer if "data" in answer else {**answer, "data": None}
            kind, message = answer["errorType"], " ".join(str(answer["error"]).split())
        except (orjson.JSONDecodeError, KeyError, TypeError):
            if status in (401, 403):
                raise Unreachable(
                    f"{self.shown} refuses the console ({status}); check user and password in METRICS_URL"
                ) from None
            raise self._no_prometheus(status) from None
        raise _ERRORS.get(kind, PromQLError)(message)

    def _fetch(
        self, path: str, asked: Mapping[str, str | Sequence[str]], budget: Budget, method: str
    ) -> tuple[int, bytes]:
        """Status and body.  Waits no longer than the budget says and the asker does."""
        budget.check()
        pending = asyncio.run_coroutine_threadsafe(self._exchange(path, asked, method), self._loop)
        try:
            while True:
                try:
                    return pending.result(min(_LOOK_S, budget.seconds_left))
                except FutureTimeoutError:
                    budget.check()
        except httpx.HTTPError as error:
            raise Unreachable(f"{self.shown} does not answer ({type(error).__name__}); check METRICS_URL") from None
        finally:
            pending.cancel()

    async def _exchange(self, path: str, asked: Mapping[str, str | Sequence[str]], method: str) -> tuple[int, bytes]:
        url = f"{self.shown}/api/v1/{path}"
        parameters = {"params": asked} if method == "GET" else {"data": asked}
        body = bytearray()
        async with self._client.stream(method, url, **parameters) as answer:  # type: ignore[arg-type]
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > self._limits.samples * _BYTES_A_SAMPLE:
                    raise LimitExceeded(
                        f"the answer of {self.shown} is too large; ask for a shorter range, a longer step or fewer series"
                    )
            return answer.status_code, bytes(body)

    def _no_prometheus(self, status: int | None = None) -> Unreachable:
        said = f" (status {status})" if status else ""
        return Unreachable(f"{self.shown} does not answer as Prometheus does{said}; check METRICS_URL and its prefix")


def _matrix(
    rows: Sequence[Mapping[str, Any]],
    timestamps: Timestamps,
    budget: Budget,
    remarks: tuple[tuple[str, ...], tuple[str, ...]],
) -> Matrix:
    """Rows of [seconds, text] pairs at some of ``timestamps``."""
    budget.hold(len(rows) * timestamps.size)
    values = np.full((len(rows), timestamps.size), np.nan)
    present = np.zeros(values.shape, dtype=bool)
    for number, row in enumerate(rows):
        instants, texts = zip(*row["values"], strict=True)
        columns = np.searchsorted(timestamps, np.round(np.array(instants, dtype=np.float64) * 1000).astype(np.int64))
        values[number, columns] = np.array(texts, dtype=np.float64)
        present[number, columns] = True
    return Matrix(_labels(rows), timestamps, values, present, *remarks)


def _by_labels(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: Labels.of(row["metric"]))


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[Labels]:
    return [Labels.of(row["metric"]) for row in rows]


def _remarks(answer: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Warnings and infos."""
    return tuple(answer.get("warnings") or ()), tuple(answer.get("infos") or ())


def _seconds(at_ms: int) -> str:
    return f"{at_ms / 1000:.3f}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
