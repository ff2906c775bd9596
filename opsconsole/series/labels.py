"""Label sets: the identity of a series."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

METRIC_NAME = "__name__"


class Labels(tuple[tuple[str, str], ...]):
    """A label set: (name, value) pairs sorted by name, without empty values, hashed and compared as a tuple.

    An empty value and an absent label are the same thing in Prometheus, so empty ones never get in.
    """

    __slots__ = ()

    @classmethod
    def of(cls, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> Labels:
        return cls(sorted((name, value) for name, value in {**dict(pairs), **more}.items() if value))

    def get(self, name: str, default: str = "") -> str:
        for key, value in self:
            if key == name:
                return value
        return default

    @property
    def metric(self) -> str:
        return self.get(METRIC_NAME)

    def keep(self, names: Collection[str]) -> Labels:
        return Labels(pair for pair in self if pair[0] in names)

    def drop(self, names: Collection[str]) -> Labels:
        return Labels(pair for pair in self if pair[0] not in names)

    def without_metric(self) -> Labels:
        if self and self[0][0] == METRIC_NAME:  # where it usually sorts; a slice is far cheaper than a filter
            return Labels(self[1:])
        return self.drop((METRIC_NAME,))

    def as_dict(self) -> dict[str, str]:
        return dict(self)

    def fingerprint(self) -> int:
        """A stable 64-bit identity, the same in every process: the series id of the store."""
        digest = blake2b(digest_size=8)
        for name, value in self:
            digest.update(name.encode() + b"\xff" + value.encode() + b"\xff")
        return int.from_bytes(digest.digest())

    def __str__(self) -> str:
        """As PromQL writes the series: ``up{job="web"}``, ``up``, ``{job="web"}``, ``{}``."""
        metric = self.metric
        quoted = ", ".join(f"{name}={quote(value)}" for name, value in self if name != METRIC_NAME)
        return f"{metric}{{{quoted}}}" if quoted or not metric else metric


def quote(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
