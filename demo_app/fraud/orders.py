"""Orders of the past to learn from: made up, the same every time, by the rules that the shop's visitors follow."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..shop.catalogue import items
from ..traffic.baskets import Customer, basket, who
from .features import features

COUNT = 8000
_UNNOTICED, _DISPUTED = 0.05, 0.002
"""Shares of the thefts that nobody reported, and of the honest orders whose owner of the card denies them."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """``row``: see ``features``.  ``fraud``: whether the bank took the money back."""

    row: tuple[float, ...]
    fraud: bool


def history(count: int = COUNT, seed: int = 7) -> list[PastOrder]:
    chance = random.Random(seed)  # noqa: S311  orders, not secrets
    prices = {item.slug: item.price for item in items()}

    def order() -> PastOrder:
        customer = who(chance)
        lines = [(quantity, prices[slug]) for slug, quantity in basket(customer, chance).items()]
        share = 1 - _UNNOTICED if customer is Customer.THIEF else _DISPUTED
        return PastOrder(tuple(features(lines)), chance.random() < share)

    return [order() for _ in range(count)]
