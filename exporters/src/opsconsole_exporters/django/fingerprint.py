"""The shape of an SQL statement: what stays the same when only its values change.  Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

CACHED = 2048
# A statement with thousands of values must neither cost milliseconds nor sit in the cache.
READ_CHARACTERS = 4000
SHOWN_CHARACTERS = 1000

_DATA = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "REPLACE"})
_OPERATION = re.compile(r"\W*(\w+)")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE)\s+(?:ONLY\s+)?(?:\"([^\"]+)\"|`([^`]+)`|([\w.]+))", re.IGNORECASE)
# Quoted names come first, so that what looks like a value inside them is left alone.
_TOKEN = re.compile(
    r"""
    (?P<name>"(?:[^"]|"")*"|`[^`]*`)
    | (?P<value>
        '(?:[^']|'')*'
        | %s | %\(\w+\)s | \$\d+ | \?
        | \b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b
      )
    | (?P<space>(?:\s+|/\*.*?\*/|--[^\n]*)+)
    """,
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"\(\?(?:\s*,\s*\?)+\)")
_ROW = r"\((?:[^()]|\([^()]*\))*\)"
_ROWS = re.compile(rf"\b(VALUES\s*{_ROW})(?:\s*,\s*{_ROW})+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``id``: 16 hex digits, the same in every process.  ``text``: the statement without its values, cut when long.

    ``operation`` as ``SELECT``, empty for an empty statement; ``summary`` as ``SELECT shop_product``, with the first table
    that is named.  ``is_of_rows``: it reads or writes rows; savepoints, settings and definitions do not.
    """

    id: str
    text: str
    operation: str
    summary: str
    is_of_rows: bool


def fingerprint(sql: str) -> Fingerprint:
    """The shape of ``sql``."""
    return _cached(sql if len(sql) <= READ_CHARACTERS else sql[:READ_CHARACTERS])


@lru_cache(CACHED)
def _cached(sql: str) -> Fingerprint:
    return _named(normalise(sql))


@lru_cache(CACHED)
def _named(text: str) -> Fingerprint:
    found = _OPERATION.match(text)
    operation = found[1].upper() if found else ""
    table = _TABLE.search(text)
    return Fingerprint(
        hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest(),
        text[:SHOWN_CHARACTERS],
        operation,
        f"{operation} {table[table.lastindex or 0]}" if table else operation or "SQL",
        operation in _DATA,
    )


def normalise(sql: str) -> str:
    """``sql`` with ``?`` for each value, one for a list of them, one row for many, and without comments."""
    text = _TOKEN.sub(_replaced, sql).strip()
    return _ROWS.sub(r"\1", _LIST.sub("(?)", text))


def _replaced(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return match["name"]
    return "?" if match["value"] is not None else " "
