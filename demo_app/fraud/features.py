"""What the models see of an order."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

FEATURES = ("total", "things", "products", "dearest")
"""Euros of the order; how many things; how many different ones; the highest price of one in euros."""


def features(lines: Iterable[tuple[int, Decimal]]) -> list[float]:
    """Return a row of ``FEATURES`` from the order's lines: quantity and price of one."""
    known = [(quantity, float(price)) for quantity, price in lines]
    return [
        sum(quantity * price for quantity, price in known),
        float(sum(quantity for quantity, _ in known)),
        float(len(known)),
        max((price for _, price in known), default=0.0),
    ]
