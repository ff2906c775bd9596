"""What is wrong in a file of prices, each time with the field and the fix.

``errors`` keep it from being used; ``oddities`` do not, but are hardly what their author meant.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from opsconsole_exporters.llm.usage import TokenClass

TOKENS = 1_000_000
"""For so many tokens prices are given, unless the file says otherwise."""

_NAMES = ("provider", "model")
_CLASSES = tuple(kind.value for kind in TokenClass)


def errors(data: Any) -> Iterator[str]:
    if not isinstance(data, Mapping):
        yield 'the file is no object: write {"date": "2026-11-24", "models": [...]}'
        return
    if not _is_date(data.get("date")):
        yield f'date is {_shown(data, "date")}: give the day on which the prices were right, as in "2026-11-24"'
    if "tokens" in data and not (_is_number(data["tokens"]) and data["tokens"] > 0):
        yield f"tokens is {data['tokens']!r}: give for how many tokens the prices are, as in {TOKENS}"
    if not isinstance(data.get("models"), list):
        yield f'models is {_shown(data, "models")}: give a list of {{"provider": ..., "model": ..., "input": ..., "output": ...}}'
        return
    for index, entry in enumerate(data["models"]):
        yield from _errors_of(entry, f"models[{index}]")


def oddities(data: Mapping[str, Any], today: date) -> Iterator[str]:
    """Of a file without errors."""
    if date.fromisoformat(data["date"]) > today:
        yield f"date is {data['date']}, which is still to come: give the day on which the prices were right"
    if data.get("currency", "USD") != "USD":
        yield f"currency is {data['currency']!r}: costs are counted as US dollars, so give the prices in them"
    if not data["models"]:
        yield "models is empty: no call will have a price"
    for index, entry in enumerate(data["models"]):
        where = f"models[{index}] ({entry['model']})"
        for name in sorted(set(entry) - {*_NAMES, *_CLASSES}):
            yield f"{where}: {name} is no field: prices are {', '.join(_CLASSES)}"
        if TokenClass.INPUT not in entry:  # output is not missed: embeddings have none
            yield f"{where}: input is missing: its tokens count as unpriced; give 0 if they cost nothing"
    for (provider, model), count in Counter(key(entry) for entry in data["models"]).items():
        if count > 1:
            yield f"{model} of {provider} is there {count} times, and the last one counts: leave one"


def key(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Provider and model, as the table is asked for them."""
    return entry["provider"], entry["model"].strip().lower()


def _errors_of(entry: Any, where: str) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f'{where} is {entry!r}: give {{"provider": ..., "model": ..., "input": ..., "output": ...}}'
        return
    for name in _NAMES:
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            hint = '; "*" is any provider' if name == "provider" else ""
            yield f"{where}: {name} is {_shown(entry, name)}: give its name{hint}"
    for name in _CLASSES:
        if name in entry and not (_is_number(entry[name]) and entry[name] >= 0):
            yield f"{where} ({entry.get('model')}): {name} is {entry[name]!r}: give dollars, a number from 0 up"


def _shown(data: Mapping[str, Any], name: str) -> str:
    return repr(data[name]) if name in data else "missing"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False
