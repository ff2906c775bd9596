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

from opsconsole_exporters.llm import pricefile
from opsconsole_exporters.llm.modelname import normal
from opsconsole_exporters.llm.usage import TokenClass, Usage
from opsconsole_exporters.log import log
from opsconsole_exporters.shield import report

VARIABLE = "OPSCONSOLE_LLM_PRICES"
OURS = "prices.json"
# Providers change their prices a few times a year.
FRESH_DAYS = 180

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

    def age_days(self, today: date) -> int:
        return (today - self.day).days


def read(text: str, where: str) -> PriceTable:
    """Read a table from JSON.  Raises ``ValueError`` that names the place, the field and the fix."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where} is no JSON: {error}") from error
    if (wrong := next(pricefile.errors(data), None)) is not None:
        raise ValueError(f"{where}: {wrong}")
    per = float(data.get("tokens", pricefile.TOKENS))
    models = {pricefile.key(entry): _prices(entry, per) for entry in data["models"]}
    return PriceTable(date.fromisoformat(data["date"]), models)


@cache
def table() -> PriceTable:
    """The table of this process: the file that ``OPSCONSOLE_LLM_PRICES`` names, or the one that comes with us.

    A file that cannot be read is reported once; then nothing has a price, for wrong prices would be worse.  One whose
    prices are old is, once.
    """
    path = os.environ.get(VARIABLE, "")
    try:
        found = read(source(path), path or OURS)
    except (OSError, ValueError) as error:
        report(f"the table of prices ({VARIABLE})", error)
        return PriceTable(date(1970, 1, 1), {})
    if (said := outdated(found, datetime.now(UTC).date())) is not None:
        log.warning(f"the table of prices {path or OURS}: {said}")
    return found


def source(path: str) -> str:
    """The text of the file, or of the table that comes with us if ``path`` is empty.  Raises ``OSError``, ``ValueError``."""
    return Path(path).read_text() if path else files("opsconsole_exporters.llm").joinpath(OURS).read_text()


def outdated(table: PriceTable, today: date) -> str | None:
    """What to do about prices older than ``FRESH_DAYS``; None when they are not."""
    if (days := table.age_days(today)) <= FRESH_DAYS:
        return None
    return (
        f"the prices are those of {table.day}, {days} days ago, and costs may be wrong: update opsconsole-exporters, "
        f"or name a newer table in {VARIABLE}"
    )


def _prices(entry: Mapping[str, Any], per: float) -> dict[TokenClass, float]:
    return {kind: float(entry[kind]) / per for kind in TokenClass if kind in entry}


def _price(prices: Mapping[TokenClass, float], kind: TokenClass) -> float | None:
    price = prices.get(kind)
    return prices.get(_FALLBACK[kind]) if price is None and kind in _FALLBACK else price


def _times(count: int, price: float | None) -> float | None:
    return None if price is None else count * price
