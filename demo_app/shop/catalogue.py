"""What the shop sells, written down: the rows of the first start are made from these words, the same every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.text import slugify

CATEGORIES: dict[str, dict[str, str]] = {
    "Coffee": {
        "Espresso beans": "Roasted dark, for moka pots and portafilters. Best within eight weeks; keep them dry and closed.",
        "Filter beans": "Roasted light, for pour-over and French press. Best within ten weeks; keep them dry and closed.",
        "Hand grinder": "Made of steel and walnut, 38 steps, holds 30 g. Brush it out dry: water would rust the burrs.",
        "Moka pot": "Made of aluminium, three cups, for gas and electric hobs. Rinse it by hand; the dishwasher turns it grey.",
        "Milk jug": "Made of stainless steel, 600 ml, with a narrow spout. Safe in the dishwasher.",
    },
    "Kitchen": {
        "Chef's knife": "Made of carbon steel, 20 cm long, with a walnut handle. Wash it by hand and oil the blade now and then.",
        "Cutting board": "Made of end-grain beech, 40 by 30 cm. Wash it by hand, never in the dishwasher, and oil it twice a year.",
        "Cast iron pan": "Made of seasoned iron, 28 cm wide, for every hob and the oven. Wipe it out hot; no soap and no dishwasher.",
        "Mixing bowl": "Made of stoneware, three litres, with a lip for pouring. Safe in dishwasher, oven and microwave.",
        "Salt mill": "Made of beech, with a ceramic grinder that salt cannot rust. Comes empty; wipe it with a dry cloth.",
    },
    "Desk": {
        "Notebook": "Made of dotted 90 g paper, 192 pages, thread-bound. Ink of fountain pens does not bleed through.",
        "Fountain pen": "Made of steel and brass, with a medium nib and a converter for bottled ink. Rinse it with cold water every few months.",
        "Desk lamp": "Made of oak and brass, with an E14 socket for bulbs up to 25 W. The cable is two metres long and has a switch.",
        "Pencil case": "Made of waxed canvas, with a brass zip, 21 cm long. Brush it clean; do not wash it in a machine.",
        "Paper tray": "Made of birch plywood for A4 paper; trays stack on each other. Needs no tools to put together.",
    },
    "Garden": {
        "Pruning shears": "Made of forged steel, for branches up to 20 mm thick. Spare blades and springs are sold.",
        "Watering can": "Made of galvanised steel, seven litres, with a brass rose. Empty it before the frost.",
        "Clay pot": "Made of terracotta, 24 cm wide, with a hole and a saucer. Survives frost down to minus ten degrees.",
        "Seed box": "Made of pine, with sixteen compartments and a tight lid. Keeps seeds dry and dark for years.",
        "Hand fork": "Made of stainless steel on an ash handle, 30 cm long. Guaranteed for ten years.",
    },
    "Outdoor": {
        "Daypack": "Made of recycled canvas, 22 litres, with a sleeve for a laptop. Keeps out an hour of rain; it is not waterproof.",
        "Water bottle": "Made of stainless steel, 750 ml, keeps drinks cold for a day. Safe in the dishwasher without its lid.",
        "Head torch": "350 lumens, eight hours of light from a battery that charges by USB-C. Withstands rain.",
        "Wool blanket": "Made of new wool, 140 by 200 cm, weighs 1.4 kg. Air it rather than wash it; dry cleaning only.",
        "Camp stove": "Burns gas from screw cartridges, boils a litre in four minutes, weighs 95 g. Without cartridge.",
    },
    "Home": {
        "Linen towel": "Made of linen, 50 by 100 cm, softer with every wash. Machine wash at 60 degrees.",
        "Candle": "Made of beeswax, burns for 40 hours without dripping. Trim the wick to five millimetres first.",
        "Wall clock": "Made of ash and glass, 30 cm wide, with a movement that does not tick. One AA battery lasts a year.",
        "Storage basket": "Made of woven willow, 38 cm wide, with leather handles. Carries twelve kilograms; wipe it with a damp cloth.",
        "Door mat": "Made of coconut fibre on natural rubber, 40 by 60 cm. Shake it out; for covered entrances.",
    },
}
"""What each thing is made of and how to treat it, by category: what one can ask about it."""

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
        for thing, note in things.items():
            for maker in MAKERS:
                name = f"{maker} {thing.lower()}"
                yield Item(
                    category=category,
                    name=name,
                    slug=slugify(name),
                    description=f"{thing} by {maker}, to be used every day and repaired when it breaks. {note}",
                    price=Decimal(chance.randrange(490, 12900, 10)) / 100,
                    stock=chance.randrange(40, 400),
                )
