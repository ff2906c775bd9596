"""The exemplars of a body that its predecessor did not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels

from .grammar import Grammar

_LONGEST = 128  # characters, by OpenMetrics


@dataclass(slots=True)
class NewExemplars:
    """``before``: the text of the last exemplar by the text of its series; ``texts`` what it becomes.

    ``at_ms``: the instant of exemplars without their own.  ``too_long``: how many were left out for that.
    """

    grammar: Grammar
    at_ms: int
    before: Mapping[bytes, bytes]
    taken: list[tuple[Labels, Exemplar]] = field(default_factory=list)
    too_long: int = 0
    _texts: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, series: bytes, labels: Labels, text: bytes) -> None:
        """Take ``text`` of ``series``, unless it stood there before.  Raises ``MalformedLine``."""
        if self.before.get(series) == text:
            return
        exposed = self.grammar.read_exemplar(text.decode())
        self._texts[series] = text
        if exposed.length > _LONGEST:
            self.too_long += 1
            return
        timestamp_ms = self.at_ms if exposed.timestamp_ms is None else exposed.timestamp_ms
        self.taken.append((labels, Exemplar(Labels.of(exposed.labels), exposed.value, timestamp_ms)))

    @property
    def texts(self) -> Mapping[bytes, bytes]:
        return {**self.before, **self._texts} if self._texts else self.before
