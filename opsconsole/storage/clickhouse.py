"""ClickHouse behind one API: embedded in this process (chDB), or a server.

Sessions of one embedded engine run in parallel and release the GIL, while calls on one session queue up unfairly; so
every call borrows a session of its own from a small pool.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from opsconsole.promql.limits import Budget

from . import schema
from .folder import FolderLock

_SESSIONS = 4
_BORROW_TIMEOUT_S = 60.0
_ENGINE_FOLDER = "clickhouse"
_ENGINE_OPTIONS = {
    # Bounds of the embedded engine: 336 MB resident after open and inserts, under 450 MB on 5 M spans.
    "mark_cache_size": "67108864",
    "background_pool_size": "2",
    "max_server_memory_usage": "800000000",
}
_LONGEST_S = 30
_GRACE_S = 0.05  # so that a query that the engine ended is over its time here, too
_LONG_SQL = 200_000  # characters; ClickHouse parses 256 KiB unless told otherwise
_READ_SETTINGS = {"max_execution_time": _LONGEST_S, "max_query_size": 64 << 20}


class StoreError(Exception):
    """The engine refused or could not be reached; one line."""


class ClickHouse:
    """A pool of sessions on one database.  Every method may be called from any thread; all raise ``StoreError``."""

    def __init__(self, options: Mapping[str, Any], lock: FolderLock | None) -> None:
        self._options = dict(options)
        self._lock = lock
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue()
        self._sessions: list[Client] = []
        self._growing = threading.Lock()
        self._closed = False
        self._watchers: dict[str, list[Callable[[pa.Table], None]]] = {}

    @classmethod
    def open(cls, url: str, data_dir: Path) -> ClickHouse:
        """The embedded engine under ``data_dir`` when ``url`` is empty, else ``clickhouse://user:password@host:port/db``
        (the port of its HTTP interface; ``?secure=1`` for TLS).  Brings the tables to this version's schema.

        Raises ``FolderInUse`` when another process owns the folder, ``ValueError`` for a bad URL, ``StoreError`` otherwise.
        """
        if url:
            database = _server_options(url)["database"]
            store = cls(_server_options(url), None)
            bootstrap = cls(_server_options(url) | {"database": "default"}, None)
            try:
                bootstrap.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            finally:
                bootstrap.close()
        else:
            lock = FolderLock(data_dir)
            path = str(data_dir / _ENGINE_FOLDER)
            store = cls({"interface": "chdb", "path": path, "chdb_options": _ENGINE_OPTIONS}, lock)
        try:
            schema.migrate(store)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def embedded(self) -> bool:
        return self._lock is not None

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of a query; ``{name:Type}`` in ``sql`` is bound from ``parameters``."""
        with self._session() as session:
            rows: Sequence[Sequence[Any]] = session.query(
                sql, parameters=dict(parameters or {}), settings=_READ_SETTINGS
            ).result_rows
            return rows

    def arrow(self, sql: str, budget: Budget | None = None) -> pa.Table:
        """The columns of a query, which stops when the time of ``budget`` is up.  Raises ``TimedOut`` then."""
        seconds = float(_LONGEST_S)
        if budget is not None:
            budget.check()
            seconds = min(seconds, budget.seconds_left + _GRACE_S)
        # In the statement, because the client asks the engine about each setting that it is given, every time.
        settings = f"max_execution_time = {seconds:.3f}, output_format_arrow_compression_method = 'none'"
        try:
            with self._session() as session:
                long = _READ_SETTINGS if len(sql) > _LONG_SQL else None
                return session.query_arrow(f"{sql} SETTINGS {settings}", settings=long)
        except StoreError:
            if budget is not None:
                budget.check()  # the reason, when it was the time
            raise

    def command(self, sql: str) -> Any:
        with self._session() as session:
            return session.command(sql)

    def insert(self, table: str, rows: pa.Table, *, batch_id: str) -> None:
        """Insert; a second insert with the same ``batch_id`` changes nothing (within the table's deduplication window)."""
        try:
            with self._session() as session:
                session.insert_arrow(table, rows, settings={"insert_deduplication_token": batch_id})
        finally:  # a failed one may be there all the same
            for told in self._watchers.get(table, ()):
                told(rows)

    def watch(self, table: str, told: Callable[[pa.Table], None]) -> None:
        """``told(rows)`` after every ``insert`` into ``table``, in the thread that inserts and before it is answered."""
        self._watchers.setdefault(table, []).append(told)

    def insert_raw(
        self, table: str, body: bytes, *, form: str, batch_id: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Insert ``body``, written in ClickHouse's format ``form``; ``batch_id`` as for ``insert``."""
        with self._session() as session:
            session.raw_insert(
                table,
                insert_block=body,
                fmt=form,
                settings={"insert_deduplication_token": batch_id} | dict(settings or {}),
            )

    def close(self) -> None:
        """Close every session, and give the data folder free.  A second call does nothing."""
        with self._growing:
            if self._closed:
                return
            self._closed = True
            for session in self._sessions:
                session.close()
        if self._lock is not None:
            self._lock.release()

    @contextmanager
    def _session(self) -> Iterator[Client]:
        """A session of one's own.  After an error it is replaced: an embedded one may answer the next question with
        what was left of the failed one's output.
        """
        try:
            session = self._borrow()
        except ClickHouseError as error:
            raise StoreError(_one_line(error)) from error
        try:
            yield session
        except BaseException as error:
            session = self._replace(session)
            if isinstance(error, ClickHouseError):
                raise StoreError(_one_line(error)) from error
            raise
        finally:
            self._idle.put(session)

    def _borrow(self) -> Client:
        if self._closed:
            raise StoreError("the telemetry store is closed")
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        with self._growing:
            if len(self._sessions) < _SESSIONS:
                session = clickhouse_connect.get_client(**self._options)
                self._sessions.append(session)
                return session
        try:
            return self._idle.get(timeout=_BORROW_TIMEOUT_S)
        except queue.Empty:
            raise StoreError(f"no database session became free in {_BORROW_TIMEOUT_S:.0f} s") from None

    def _replace(self, session: Client) -> Client:
        """A new session for a failed one; the failed one as long as no new one can be had (a server that is away)."""
        with self._growing:
            if self._closed:
                return session
            try:
                fresh = clickhouse_connect.get_client(**self._options)  # before the close: the last one ends the engine
            except ClickHouseError:
                return session
            self._sessions[self._sessions.index(session)] = fresh
        session.close()
        return fresh


def _server_options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("clickhouse", "clickhouses") or not parts.hostname:
        raise ValueError(f"TELEMETRY_URL is {parts.scheme}://…; write clickhouse://user:password@host:port/database")
    return {
        "host": parts.hostname,
        "port": parts.port or 8123,
        "username": unquote(parts.username or "default"),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.lstrip("/")) or "default",
        "secure": parts.scheme == "clickhouses" or "secure=1" in parts.query,
        "autogenerate_session_id": False,  # sessions would serialise on the server, too
    }


def _one_line(error: ClickHouseError) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
