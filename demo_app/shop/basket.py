"""What a visitor has put aside: product slugs and quantities in the session."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from django.contrib.sessions.backends.base import SessionBase

from .models import Product

_KEY = "basket"
MOST_OF_ONE = 20


class Line(NamedTuple):
    product: Product
    quantity: int

    @property
    def price(self) -> Decimal:
        return self.product.price * self.quantity


class Basket:
    def __init__(self, session: SessionBase) -> None:
        self._session = session
        self._quantities: dict[str, int] = dict(session.get(_KEY, {}))

    def __len__(self) -> int:
        return sum(self._quantities.values())

    def add(self, slug: str, quantity: int = 1) -> None:
        self._quantities[slug] = min(self._quantities.get(slug, 0) + quantity, MOST_OF_ONE)
        self._session[_KEY] = self._quantities

    def clear(self) -> None:
        self._quantities = {}
        self._session.pop(_KEY, None)

    def lines(self) -> list[Line]:
        """Ask the database for what is in the basket; products that are gone are left out."""
        if not self._quantities:
            return []
        products = Product.objects.filter(slug__in=self._quantities).order_by("pk")
        return [Line(product, self._quantities[product.slug]) for product in products]
