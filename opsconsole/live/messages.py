"""What a viewer may say over the socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from opsconsole.series.timerange import TimeRange

MAX_BYTES = 4096
"""Of one message; the longest honest one is a tenth of it."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    board: str
    range: TimeRange
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    pass


@dataclass(frozen=True, slots=True)
class Resync:
    pass


def parse(text: str) -> Subscribe | Unsubscribe | Resync:
    """The message in ``text``.  Raises ``ValueError`` with one line for whoever sent it."""
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"message is longer than {MAX_BYTES} bytes; send one subscription at a time")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError('message is no JSON; send an object like {"type": "subscribe", "board": "overview"}') from None
    if not isinstance(message, dict):
        raise ValueError(  # noqa: TRY004  one error type for the sender
            'message must be an object like {"type": "subscribe", "board": "overview"}'
        )
    match message.get("type"):
        case "subscribe":
            start, end = _text(message, "from", "now-15m"), _text(message, "to", "now")
            return Subscribe(_text(message, "board"), TimeRange(start, end), _variables(message))
        case "unsubscribe":
            return Unsubscribe()
        case "resync":
            return Resync()
        case other:
            raise ValueError(f"type is {_shown(other)}; send subscribe, unsubscribe or resync")


def _text(message: Mapping[str, Any], field: str, default: str | None = None) -> str:
    value = message.get(field, default)
    if not isinstance(value, str):
        raise ValueError(f"{field} is {_shown(value)}; send a text")  # noqa: TRY004  one error type for the sender
    return value


def _variables(message: Mapping[str, Any]) -> dict[str, str]:
    variables = message.get("variables", {})
    if not isinstance(variables, dict) or not all(isinstance(value, str) for value in variables.values()):
        raise ValueError('variables must be an object of texts like {"job": "shop-web"}')
    return variables


def _shown(value: object) -> str:
    """A value as an error quotes it: short, whatever was sent."""
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
