"""What every page shows: how many things are in the basket."""

from __future__ import annotations

from django.http import HttpRequest

from .basket import Basket


def cart(request: HttpRequest) -> dict[str, int]:
    # A page that never touched the session stays without one: no cookie, no Valkey round trip.
    if "shop_session" not in request.COOKIES:
        return {"basket_size": 0}
    return {"basket_size": len(Basket(request.session))}
