"""``exceptions``: views raise, Django answers 500 and everything that watches it sees a real traceback."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest

from .board import switches
from .switches import Fault

SHARE = 0.3


class PriceListError(RuntimeError):
    """What a half-deployed release looks like from inside a view."""


def breakable(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``view``, a function or a coroutine, raise on ``SHARE`` of its requests while the switch is on."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def broken_at_times_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await asyncio.to_thread(_perhaps_raise)
            return await view(request, *args, **kwargs)

        return broken_at_times_async

    @functools.wraps(view)
    def broken_at_times(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        _perhaps_raise()
        return view(request, *args, **kwargs)

    return broken_at_times


def _perhaps_raise() -> None:
    if switches().is_on(Fault.EXCEPTIONS) and random.random() < SHARE:  # noqa: S311  chance, not a secret
        raise PriceListError("price list 2026-11 has no currency")
