"""What the shop sells, written down: the rows of the first start are made from these words, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.text import slugify

CATEGORIES: dict[str, tuple[str, ...]] = {
    "Coffee": ("Espresso beans", "Filter beans", "Hand grinder", "Moka pot", "Milk jug"),
    "Kitchen": ("Chef's knife", "Cutting board", "Cast iron pan", "Mixing bowl", "Salt mill"),
    "Desk": ("Notebook", "Fountain pen", "Desk lamp", "Pencil case", "Paper tray"),
    "Garden": ("Pruning shears", "Watering can", "Clay pot", "Seed box", "Hand fork"),
    "Outdoor": ("Daypack", "Water bottle", "Head torch", "Wool blanket", "Camp stove"),
    "Home": ("Linen towel", "Candle", "Wall clock", "Storage basket", "Door mat"),
}
MAKERS = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Linden", "Maple", "Rowan")


@dataclass(frozen=True, slots=True)
class Item:
    category: str
    name: str
    slug: str
    description: str
    price: Decimal
    stock: int


def items() -> Iterator[Item]:
    """Yield 240 items: each thing of each category by each maker."""
    chance = random.Random(20)  # noqa: S311  prices, not secrets
    for category, things in CATEGORIES.items():
        for thing in things:
            for maker in MAKERS:
                name = f"{maker} {thing.lower()}"
                yield Item(
                    category=category,
                    name=name,
                    slug=slugify(name),
                    description=f"{thing} by {maker}, made to be used every day and repaired when it breaks.",
                    price=Decimal(chance.randrange(490, 12900, 10)) / 100,
                    stock=chance.randrange(40, 400),
                )
