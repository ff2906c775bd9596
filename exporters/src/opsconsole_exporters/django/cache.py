"""Django's caches, whichever their backend: hits, misses, errors and latency, without a change of ``BACKEND``.

Each backend object becomes one of a subclass of its own class when Django makes it, so that it is still what the service
has configured.  Operations that a backend builds of others (``get_many`` of ``get``, ``aget`` of ``get``) count once, as
what the service has called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from time import perf_counter
from typing import Any

from django.core.cache import CacheHandler, caches

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog import cache as names
from opsconsole_exporters.django.cachekeys import Patterns
from opsconsole_exporters.django.children import Children
from opsconsole_exporters.options import Options
from opsconsole_exporters.shield import report, shield

_READS = ("get", "get_many", "get_or_set", "has_key")
_OTHERS = ("add", "set", "set_many", "delete", "delete_many", "incr", "touch", "clear")
_ALIAS = "_opsconsole_alias"
_MISSING = object()


class Operation:
    """One call of the service.  ``found``: keys found and not found, None until a backend has said it."""

    __slots__ = ("alias", "backend", "found", "keys", "name", "started")

    def __init__(self, backend: Any, name: str, keys: list[Any]) -> None:
        self.backend = type(backend).__module__.rpartition(".")[2]
        self.alias = getattr(backend, _ALIAS, "unknown")
        self.name = name
        self.keys = keys
        self.found: tuple[list[Any], list[Any]] | None = None
        self.started = perf_counter()


_outermost: ContextVar[Operation | None] = ContextVar("opsconsole_cache_operation", default=None)


class CacheMetrics:
    def __init__(self, patterns: Patterns) -> None:
        self._pattern = patterns.of
        self._durations = Children(metrics.histogram(names.CACHE_DURATION))
        self._gets = Children(metrics.counter(names.CACHE_GETS))
        self._hits = Children(metrics.counter(names.CACHE_HITS))
        self._misses = Children(metrics.counter(names.CACHE_MISSES))
        self._fails = Children(metrics.counter(names.CACHE_FAILS))
        self._errors = Children(metrics.counter(names.CACHE_ERRORS))

    def ended(self, operation: Operation, error: Exception | None) -> None:
        seconds = perf_counter() - operation.started
        pattern = self._pattern(operation.keys[0]) if operation.keys else "other"
        self._durations[operation.alias, operation.name, pattern].observe(seconds)
        if error is not None:
            self._errors[operation.alias, operation.name, type(error).__name__].inc()
            if operation.name in _READS:
                self._count(operation, operation.keys, self._fails)
        elif operation.found is not None:
            hits, misses = operation.found
            self._count(operation, hits, self._hits)
            self._count(operation, misses, self._misses)

    def _count(self, operation: Operation, keys: list[Any], outcome: Children) -> None:
        for key in keys:
            labels = (operation.backend, operation.alias, self._pattern(key))
            self._gets[labels].inc()
            outcome[labels].inc()


def observe_caches() -> None:
    """Observe caches as Django makes them, and those that this thread has made already."""
    counted = CacheMetrics(Patterns.parse(Options.read().cache_patterns))
    create = CacheHandler.create_connection

    @wraps(create)
    def create_observed(self: CacheHandler, alias: str) -> Any:
        backend = create(self, alias)
        _observe(backend, alias, counted)
        return backend

    CacheHandler.create_connection = create_observed  # type: ignore[method-assign]
    handler: Any = caches
    for alias in handler.settings:
        if hasattr(handler._connections, alias):  # noqa: SLF001 - what ``all(initialized_only=True)`` looks at
            _observe(handler[alias], alias, counted)


def _observe(backend: Any, alias: str, counted: CacheMetrics) -> None:
    with shield("cache metrics"):
        setattr(backend, _ALIAS, alias)
        backend.__class__ = _observed(type(backend), counted)  # type: ignore[arg-type]  # mypy: a class is hashable


@cache
def _observed(base: type, counted: CacheMetrics) -> type:
    """A subclass that looks like ``base`` to everybody who asks for its name."""
    methods: dict[str, Any] = {
        "__module__": base.__module__,
        "__doc__": base.__doc__,
        "__qualname__": base.__qualname__,
    }
    for name in (*_READS, *_OTHERS):
        if callable(method := getattr(base, name, None)):
            methods[name] = _sync(method, name, counted)
        if callable(method := getattr(base, f"a{name}", None)):
            methods[f"a{name}"] = _async(method, name, counted)
    return type(base.__name__, (base,), methods)


def _sync(method: Callable[..., Any], name: str, counted: CacheMetrics) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (outer := _outermost.get()) is not None:
            return _note(outer, name, args, kwargs, method(self, *args, **kwargs))
        operation, args, kwargs, default = _begun(self, name, args, kwargs)
        token = _outermost.set(operation)
        error: Exception | None = None
        try:
            return _answer(operation, method(self, *args, **kwargs), default)
        except Exception as raised:
            error = raised
            raise
        finally:
            _outermost.reset(token)
            _ended(counted, operation, error)

    return call


def _async(method: Callable[..., Any], name: str, counted: CacheMetrics) -> Callable[..., Any]:
    @wraps(method)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (outer := _outermost.get()) is not None:
            return _note(outer, name, args, kwargs, await method(self, *args, **kwargs))
        operation, args, kwargs, default = _begun(self, name, args, kwargs)
        token = _outermost.set(operation)
        error: Exception | None = None
        try:
            return _answer(operation, await method(self, *args, **kwargs), default)
        except Exception as raised:
            error = raised
            raise
        finally:
            _outermost.reset(token)
            _ended(counted, operation, error)

    return call


def _begun(backend: Any, name: str, args: Any, kwargs: Any) -> tuple[Operation, Any, Any, Any]:
    """The operation, its arguments as the backend gets them, and the default that the service wants.

    Raises only what reading the service's own keys raises, as the backend would.
    """
    keys, default = [], None
    given = args[0] if args else kwargs.get("key", kwargs.get("keys", kwargs.get("data")))
    if name.endswith("_many"):
        keys = list(given or ())
        # A generator can be read once, and the backend has to.
        if args and name != "set_many":
            args = (keys, *args[1:])
        elif "keys" in kwargs:
            kwargs = {**kwargs, "keys": keys}
    elif name != "clear":
        keys = [given]
    if name == "get":
        # Our own default: a stored None is a hit.
        if len(args) > 1:
            default = args[1]
            args = (args[0], _MISSING, *args[2:])
        else:
            default = kwargs.get("default")
            kwargs = {**kwargs, "default": _MISSING}
    return Operation(backend, name, keys), args, kwargs, default


def _answer(operation: Operation, answer: Any, default: Any) -> Any:
    """The backend's answer as the service shall have it, after what it says has been noted."""
    keys = operation.keys
    if operation.name == "get":
        missing = answer is _MISSING
        operation.found = ([], keys) if missing else (keys, [])
        return default if missing else answer
    if operation.name == "get_many":
        with shield("cache metrics"):
            distinct = list(dict.fromkeys(keys))
            operation.found = [k for k in distinct if k in answer], [k for k in distinct if k not in answer]
    elif operation.name == "has_key":
        operation.found = (keys, []) if answer else ([], keys)
    return answer


def _note(outer: Operation, name: str, args: Any, kwargs: Any, answer: Any) -> Any:
    """The answer to a call that the backend made of itself; the first look-up of a ``get_or_set`` says whether it hit."""
    if name == "get" and outer.name == "get_or_set" and outer.found is None:
        default = args[1] if len(args) > 1 else kwargs.get("default")
        outer.found = ([], outer.keys) if answer is default else (outer.keys, [])
    return answer


def _ended(counted: CacheMetrics, operation: Operation, error: Exception | None) -> None:
    try:
        counted.ended(operation, error)
    except Exception as failure:  # noqa: BLE001 - as shield() does, without its cost on every operation
        report("cache metrics", failure)
