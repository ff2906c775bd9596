"""``opsconsole-exporter check-prices``: says whether a file of prices is one, before a service reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date

from opsconsole_exporters.llm import pricefile
from opsconsole_exporters.llm.prices import OURS, VARIABLE, outdated, read, source


def check(path: str, today: date) -> Iterator[str]:
    """What is wrong with the file (empty: the one in force), a line each; nothing when all is well."""
    path = path or os.environ.get(VARIABLE, "")
    where = path or OURS
    try:
        data = json.loads(source(path))
    except OSError as error:
        yield f"{where} cannot be read: {error.strerror}"
        return
    except ValueError as error:
        yield f"{where} is no JSON: {error}"
        return
    wrong = list(pricefile.errors(data))
    for line in wrong or pricefile.oddities(data, today):
        yield f"{where}: {line}"


def summary(path: str, today: date) -> str:
    """One line about a file without errors."""
    path = path or os.environ.get(VARIABLE, "")
    where = path or OURS
    table = read(source(path), where)
    providers = len({provider for provider, _ in table.models})
    line = f"{where}: {len(table.models)} models of {providers} providers, prices of {table.day}"
    old = outdated(table, today)
    return f"{line}\nwarning: {old}" if old else line
