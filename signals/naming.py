"""Registries: things with a name, each name once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Named(Protocol):
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


def by_name(kind: str, things: Iterable[T]) -> Mapping[str, T]:
    """Raises ``ValueError`` when two have one name; ``kind`` is what the message calls them: "signals"."""
    named: dict[str, T] = {}
    for thing in things:
        if thing.name in named:
            raise ValueError(f"two {kind} are named {thing.name}: rename one of them")
        named[thing.name] = thing
    return named
