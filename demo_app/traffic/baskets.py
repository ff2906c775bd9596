"""What visitors put in their baskets, by the kind of customer they are."""

from __future__ import annotations

import random
from enum import StrEnum

from ..shop.catalogue import items

SLUGS = tuple(item.slug for item in items())
_BY_PRICE = tuple(item.slug for item in sorted(items(), key=lambda item: item.price))

THIEVES = 0.03
"""Share of the orders that are paid with somebody else's card."""

_PRODUCTS = {1: 0.70, 2: 0.22, 3: 0.08}
_QUANTITIES = {1: 0.80, 2: 0.15, 3: 0.05}

PRODUCTS_PER_BASKET = sum(count * share for count, share in _PRODUCTS.items())
"""On average, while no switch is on."""


class Customer(StrEnum):
    REGULAR = "regular"
    THIEF = "thief"
    NEW = "new"


def favourite(chance: random.Random) -> str:
    """Some products are looked at far more than others."""
    return SLUGS[min(int(chance.paretovariate(0.6)) - 1, len(SLUGS) - 1)]


def who(chance: random.Random) -> Customer:
    """The kind of customer that orders on a common day."""
    return Customer.THIEF if chance.random() < THIEVES else Customer.REGULAR


def basket(customer: Customer, chance: random.Random) -> dict[str, int]:
    """Return how many of each product, by slug.

    Regular customers take one or few of what everybody likes; thieves many of one dear thing that sells again; new
    customers several of many dear things, as a firm does that fits out its office.
    """
    match customer:
        case Customer.REGULAR:
            return {favourite(chance): _drawn(_QUANTITIES, chance) for _ in range(_drawn(_PRODUCTS, chance))}
        case Customer.THIEF:
            return {chance.choice(_BY_PRICE[-24:]): chance.randint(2, 8)}
        case Customer.NEW:
            return {chance.choice(_BY_PRICE[-120:]): chance.randint(2, 5) for _ in range(chance.randint(1, 3))}


def _drawn(shares: dict[int, float], chance: random.Random) -> int:
    return chance.choices(tuple(shares), tuple(shares.values()))[0]
