"""One visitor: a browser with cookies who wanders from page to page."""

from __future__ import annotations

import random

import httpx

from ..shop.catalogue import CATEGORIES, items

SLUGS = tuple(item.slug for item in items())
CATEGORY_SLUGS = tuple(category.lower() for category in CATEGORIES)
QUESTIONS = ("coffee", "notebook", "cedar lamp", "pan", "warm blanket", "garden tools", "gift", "clay", "knife")
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
}
"""What a visitor does next, by weight."""

REQUESTS_PER_ACTION = 1 + 4 * _ACTIONS["buy"] / sum(_ACTIONS.values())
"""On average: ``buy`` is five requests, everything else is one."""


class Shopper:
    """``browser`` keeps the cookies of this visitor; its base URL is the shop."""

    def __init__(self, browser: httpx.AsyncClient, chance: random.Random) -> None:
        self._browser = browser
        self._chance = chance

    async def act(self) -> int:
        """Do one thing and return how many requests it took.  Raises ``httpx.HTTPError`` if the shop is away."""
        action = self._chance.choices(tuple(_ACTIONS), tuple(_ACTIONS.values()))[0]
        if action == "buy":
            return await self._buy()
        await self._browser.get(self._address(action), params=self._params(action))
        return 1

    def _address(self, action: str) -> str:
        match action:
            case "home":
                return "/"
            case "product":
                return f"/products/{self._favourite()}/"
            case "stock":
                return f"/products/{self._favourite()}/stock.json"
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

    def _favourite(self) -> str:
        """Some products are looked at far more than others."""
        return SLUGS[min(int(self._chance.paretovariate(0.6)) - 1, len(SLUGS) - 1)]

    async def _buy(self) -> int:
        """Look at a product, put it in the basket, check out, see the order."""
        slug = self._favourite()
        await self._browser.get(f"/products/{slug}/")
        # A page that failed set no cookie: the visitor gives up, as people do.
        token = self._browser.cookies.get("shop_csrf")
        if token is None:
            return 1
        headers = {"X-CSRFToken": token}
        await self._browser.post("/basket/add/", data={"product": slug}, headers=headers)
        await self._browser.get("/checkout/")
        placed = await self._browser.post("/checkout/", data={"email": "visitor@example.com"}, headers=headers)
        if placed.status_code != httpx.codes.FOUND:
            return 4
        await self._browser.get(placed.headers["Location"])
        return 5
