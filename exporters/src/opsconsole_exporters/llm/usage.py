"""How many tokens a call used, by class, whichever way the provider reports it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# A rule of thumb of all providers for English; other scripts have more bytes a character, and more tokens.
BYTES_PER_TOKEN = 4


class TokenClass(StrEnum):
    """Classes that a price can differ by; a token belongs to one."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"


class Source(StrEnum):
    REPORTED = "reported"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call.  ``input`` includes those read from and written to the provider's cache, ``output`` reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    source: Source = Source.REPORTED

    def by_class(self) -> dict[TokenClass, int]:
        """The tokens of each class that has any, none counted twice."""
        counts = {
            TokenClass.INPUT: max(0, self.input - self.cache_read - self.cache_write),
            TokenClass.CACHE_READ: self.cache_read,
            TokenClass.CACHE_WRITE: self.cache_write,
            TokenClass.OUTPUT: max(0, self.output - self.reasoning),
            TokenClass.REASONING: self.reasoning,
        }
        return {kind: count for kind, count in counts.items() if count}

    def merged(self, later: Usage) -> Usage:
        """Both reports as one: providers repeat running totals, so the larger number is the newer one, never a summand."""
        return Usage(
            max(self.input, later.input),
            max(self.output, later.output),
            max(self.cache_read, later.cache_read),
            max(self.cache_write, later.cache_write),
            max(self.reasoning, later.reasoning),
        )


def reported(usage: object, *, cached_apart: bool = False) -> Usage | None:
    """Read a provider's ``usage`` object; None if it is none.

    ``cached_apart``: Anthropic counts cached tokens beside ``input_tokens``, OpenAI inside ``prompt_tokens``.
    """
    if not isinstance(usage, Mapping):
        return None
    details_in = _mapping(usage, "prompt_tokens_details", "input_tokens_details")
    details_out = _mapping(usage, "completion_tokens_details", "output_tokens_details")
    read = _count(usage, "cache_read_input_tokens") or _count(details_in, "cached_tokens")
    write = _count(usage, "cache_creation_input_tokens") or _count(details_in, "cache_write_tokens")
    given = _count(usage, "prompt_tokens", "input_tokens")
    output = _count(usage, "completion_tokens", "output_tokens")
    if not (given or output or read or write):
        return None
    return Usage(
        given + read + write if cached_apart else given, output, read, write, _count(details_out, "reasoning_tokens")
    )


def estimated(input_bytes: int, output_bytes: int, chunks: int) -> Usage:
    """What a call has used that never got to tell: from the bytes of its text, and at least a token for each chunk."""
    return Usage(
        math.ceil(input_bytes / BYTES_PER_TOKEN),
        max(math.ceil(output_bytes / BYTES_PER_TOKEN), chunks),
        source=Source.ESTIMATED,
    )


def _mapping(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((value for name in names if isinstance(value := usage.get(name), Mapping)), {})


def _count(usage: Mapping[str, Any], *names: str) -> int:
    return next((value for name in names if isinstance(value := usage.get(name), int) and value > 0), 0)
