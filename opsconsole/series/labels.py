"""Label sets: the identity of a series."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

T = TypeVar("T")

METRIC_NAME = "__name__"

_DERIVATIONS = 256  # kept of one tuple of label sets; a board of many panels asks for dozens


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


class LabelSets(tuple[Labels, ...]):
    """The label sets of S series that are asked about again and again; what was found out about them stays with them.

    A query spends more on names than on numbers when it groups thousands of series anew.  Whoever holds samples gives
    the same object for the same question until its series change, so whatever is derived from names is derived once.
    """

    _derived: dict[Hashable, Any]

    def __new__(cls, labels: Iterable[Labels] = ()) -> LabelSets:
        made = super().__new__(cls, labels)
        made._derived = {}
        return made

    @classmethod
    def joined(cls, parts: Sequence[LabelSets]) -> LabelSets:
        """All of ``parts``, one after the other; the same object for the same parts."""
        if len(parts) == 1:
            return parts[0]
        found, others = parts[0].derive(
            ("joined", *map(id, parts[1:])),
            lambda first: (cls(one for part in (first, *parts[1:]) for one in part), parts[1:]),
        )
        del others  # kept beside the answer, so that no other object can take the identity of one of them
        return found

    def derive(self, key: Hashable, compute: Callable[[LabelSets], T]) -> T:
        """``compute(self)``, remembered under ``key``."""
        try:
            known: T = self._derived[key]
        except KeyError:
            known = compute(self)
            if len(self._derived) >= _DERIVATIONS:
                self._derived.clear()
            self._derived[key] = known
        return known


def derived(labels: Sequence[Labels], key: Hashable, compute: Callable[[Sequence[Labels]], T]) -> T:
    """``compute(labels)``, remembered where they are ``LabelSets``."""
    return labels.derive(key, compute) if isinstance(labels, LabelSets) else compute(labels)


def quote(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
