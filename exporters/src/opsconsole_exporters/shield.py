"""The promise to the host: whatever goes wrong in here is logged once and stays in here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from opsconsole_exporters.log import log

P = ParamSpec("P")
R = TypeVar("R")

_reported: set[str] = set()


def report(part: str, error: Exception) -> None:
    """Log the first failure of ``part`` in this process; later ones stay silent, or every request would log."""
    if part in _reported:
        return
    _reported.add(part)
    log.error(f"opsconsole-exporters: {part} failed; the service goes on without it", exc_info=error)


@contextmanager
def shield(part: str) -> Iterator[None]:
    """Run the block; an exception in it is reported and goes no further."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the one place where everything is caught, for the host's sake
        report(part, error)


def shielded(part: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """The same for a function: it answers None when it fails."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - see shield(); a context manager costs more on every request
                report(part, error)
                return None

        return call

    return decorate
