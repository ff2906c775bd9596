"""One visitor: a browser with cookies who wanders from page to page."""

from __future__ import annotations

import asyncio
import math
import random

import httpx

from ..faults.switches import Fault, Switches
from ..shop.catalogue import CATEGORIES
from .baskets import PRODUCTS_PER_BASKET, Customer, basket, favourite, who

CATEGORY_SLUGS = tuple(category.lower() for category in CATEGORIES)
QUESTIONS = ("coffee", "notebook", "cedar lamp", "pan", "warm blanket", "garden tools", "gift", "clay", "knife")
ABOUT_A_PRODUCT = (
    "What is it made of?",
    "How do I clean it?",
    "Is there something similar?",
    "How much does it cost?",
    "Can it go in the dishwasher?",
    "How big is it?",
    "When will it be sent?",
)
"""Those that more people have come first."""

IMPATIENT = 0.25
"""Share of those who ask the assistant and leave before it has finished."""

GONE = "/products/last-years-calendar/"

_ACTIONS: dict[str, float] = {
    "home": 14,
    "products": 20,
    "product": 30,
    "search": 11,
    "stock": 8,
    "about": 3,
    "shipping": 4,
    "gone": 0.7,
    "buy": 4,
    "ask": 0.4,
}
"""What a visitor does next, by weight."""

REQUESTS_PER_ACTION = 1 + (3 + PRODUCTS_PER_BASKET) * _ACTIONS["buy"] / sum(_ACTIONS.values())
"""On average: ``buy`` is four requests and one for each product, everything else is one."""


class Shopper:
    """``browser`` keeps the cookies of this visitor; its base URL is the shop.

    ``switches``: who comes to buy depends on ``new-customers``.
    """

    def __init__(self, browser: httpx.AsyncClient, chance: random.Random, switches: Switches) -> None:
        self._browser = browser
        self._chance = chance
        self._switches = switches

    async def act(self) -> int:
        """Do one thing and return how many requests it took.  Raises ``httpx.HTTPError`` if the shop is away."""
        action = self._chance.choices(tuple(_ACTIONS), tuple(_ACTIONS.values()))[0]
        if action == "buy":
            return await self._buy()
        if action == "ask":
            return await self._ask()
        await self._browser.get(self._address(action), params=self._params(action))
        return 1

    def _address(self, action: str) -> str:
        match action:
            case "home":
                return "/"
            case "product":
                return f"/products/{favourite(self._chance)}/"
            case "stock":
                return f"/products/{favourite(self._chance)}/stock.json"
            case "gone":
                return GONE
            case _:
                return f"/{action}/"

    def _params(self, action: str) -> dict[str, str]:
        if action == "products":
            return (
                {"category": self._chance.choice(CATEGORY_SLUGS)}
                if self._chance.random() < 0.6
                else {"page": str(self._chance.randint(1, 10))}
            )
        if action == "search":
            return {"q": self._chance.choice(QUESTIONS)}
        return {}

    async def _ask(self) -> int:
        """Read the assistant's answer as it comes, or as much of it as one has patience for."""
        address = f"/products/{favourite(self._chance)}/ask/"
        patience = self._chance.randint(2, 12) if self._chance.random() < IMPATIENT else math.inf
        question = self._chance.choices(ABOUT_A_PRODUCT, range(len(ABOUT_A_PRODUCT), 0, -1))[0]
        async with self._browser.stream("GET", address, params={"q": question}) as page:
            pieces = 0
            async for _ in page.aiter_bytes():
                pieces += 1
                if pieces > patience:
                    break
        return 1

    async def _buy(self) -> int:
        """Look at a product, put it and perhaps others in the basket, check out, see the order."""
        is_new = await asyncio.to_thread(self._switches.is_on, Fault.NEW_CUSTOMERS)
        wanted = basket(Customer.NEW if is_new else who(self._chance), self._chance)
        await self._browser.get(f"/products/{next(iter(wanted))}/")
        # A page that failed set no cookie: the visitor gives up, as people do.
        token = self._browser.cookies.get("shop_csrf")
        if token is None:
            return 1
        headers = {"X-CSRFToken": token}
        for slug, quantity in wanted.items():
            await self._browser.post("/basket/add/", data={"product": slug, "quantity": quantity}, headers=headers)
        await self._browser.get("/checkout/")
        placed = await self._browser.post("/checkout/", data={"email": "visitor@example.com"}, headers=headers)
        if placed.status_code != httpx.codes.FOUND:
            return 3 + len(wanted)
        await self._browser.get(placed.headers["Location"])
        return 4 + len(wanted)
