"""What tokens cost: a table with a date, because every price is only true on a day."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from opsconsole_exporters.llm.modelname import normal
from opsconsole_exporters.llm.usage import TokenClass, Usage
from opsconsole_exporters.shield import report

VARIABLE = "OPSCONSOLE_LLM_PRICES"

# What stands in for a class that a model has no price of its own for.
_FALLBACK = {TokenClass.REASONING: TokenClass.OUTPUT}


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Dollars a token by model and class.  ``day`` is when they were true."""

    day: date
    models: Mapping[tuple[str, str], Mapping[TokenClass, float]]

    @property
    def timestamp(self) -> float:
        """The day's first second, as Unix time."""
        return datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC).timestamp()

    def cost(self, provider: str, model: str, usage: Usage) -> dict[TokenClass, float | None]:
        """Dollars of each class that was used; None for a class, or a model, without a price.

        The provider's own entry comes first, then one for any provider (``*``): a self-hosted model, a gateway.
        A release with a price of its own (``gpt-4o-2024-05-13``) comes before its model.
        """
        names = (model.strip().lower(), normal(model))
        found = (self.models.get((who, name)) for who in (provider, "*") for name in names)
        prices = next((prices for prices in found if prices), {})
        return {kind: _times(count, _price(prices, kind)) for kind, count in usage.by_class().items()}


def read(text: str, where: str) -> PriceTable:
    """Read a table from JSON.  Raises ``ValueError`` that names the place and what is wrong there."""
    try:
        data = json.loads(text)
        per = float(data.get("tokens", 1_000_000))
        models = {_key(entry): _prices(entry, per) for entry in data["models"]}
        return PriceTable(date.fromisoformat(data["date"]), models)
    except KeyError as error:
        raise ValueError(f"{where}: {error} is missing") from error
    except (TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{where}: {error}") from error


@cache
def table() -> PriceTable:
    """The table of this process: the file that ``OPSCONSOLE_LLM_PRICES`` names, or the one that comes with us.

    A file that cannot be read is reported once; then nothing has a price, for wrong prices would be worse.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return read(files("opsconsole_exporters.llm").joinpath("prices.json").read_text(), "prices.json")
    try:
        return read(Path(path).read_text(), path)
    except (OSError, ValueError) as error:
        report(f"the table of prices ({VARIABLE})", error)
        return PriceTable(date(1970, 1, 1), {})


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return str(entry["provider"]), str(entry["model"]).strip().lower()


def _prices(entry: Mapping[str, Any], per: float) -> dict[TokenClass, float]:
    prices = {kind: float(entry[kind]) / per for kind in TokenClass if kind in entry}
    if any(price < 0 for price in prices.values()):
        raise ValueError(f"the price of {entry['model']} is negative")
    return prices


def _price(prices: Mapping[TokenClass, float], kind: TokenClass) -> float | None:
    price = prices.get(kind)
    return prices.get(_FALLBACK[kind]) if price is None and kind in _FALLBACK else price


def _times(count: int, price: float | None) -> float | None:
    return None if price is None else count * price
