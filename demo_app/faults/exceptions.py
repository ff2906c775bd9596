"""``exceptions``: views raise, Django answers 500 and everything that watches it sees a real traceback."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from .board import switches
from .switches import Fault

SHARE = 0.3


class PriceListError(RuntimeError):
    """What a half-deployed release looks like from inside a view."""


def breakable(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let ``view`` raise on ``SHARE`` of its requests while the switch is on."""

    @functools.wraps(view)
    def broken_at_times(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if switches().is_on(Fault.EXCEPTIONS) and random.random() < SHARE:  # noqa: S311  chance, not a secret
            raise PriceListError("price list 2026-11 has no currency")
        return view(request, *args, **kwargs)

    return broken_at_times
