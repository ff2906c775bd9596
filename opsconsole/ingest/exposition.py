"""The Prometheus text format and OpenMetrics, as samples, exemplars and metadata.

What a line says is read in ``grammar``.  Here: what need not be read again.  A target exposes nearly the same text every
time, so a body is first laid on the last one (``skeleton``); only where more than values changed are its lines looked at
(``rows``), and only lines whose series is new are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.metadata import Metadata

from .exemplars import NewExemplars
from .families import read_families
from .grammar import OPENMETRICS, TEXT, Grammar, MalformedExposition, MalformedLine, Rest
from .limits import IngestLimits
from .naming import Bounds, Naming
from .number import NotANumber, read_numbers
from .rows import Rows
from .skeleton import Skeleton

__all__ = ["NO_TIMESTAMP", "Exposition", "ExpositionParser", "MalformedExposition"]

NO_TIMESTAMP = -1 << 63


@dataclass(frozen=True, slots=True)
class Exposition:
    """``labels``: S label sets, each one once, in the order of the text.  ``values``: float64[S].

    ``timestamps``: int64[S], Unix milliseconds where a sample was exposed with its own, else ``NO_TIMESTAMP``; None when
    none was.  ``exemplars``: those that the last body did not have, each with its series.  ``metadata``: by metric family.
    ``added``: how many series the last body did not have.  ``duplicates``: samples left out because their series stands
    further up already; ``long_exemplars``: exemplars left out because they are longer than OpenMetrics allows.
    """

    labels: Sequence[Labels]
    values: NDArray[np.float64]
    timestamps: NDArray[np.int64] | None = None
    exemplars: Sequence[tuple[Labels, Exemplar]] = ()
    metadata: Mapping[str, Metadata] = field(default_factory=dict)
    added: int = 0
    duplicates: int = 0
    long_exemplars: int = 0


@dataclass(frozen=True, slots=True)
class _Body:
    """What a body said in its R rows: the lines with a sample, duplicates too.

    ``series``: R texts, and ``known`` the label set of each.  ``kept``: the rows that count, where some do not.
    ``values``, ``timestamps``: as in ``Exposition``, of all rows.  ``exemplars``: the last exemplar's text by the text of
    its series.
    """

    grammar: Grammar
    known: Mapping[bytes, Labels] = field(default_factory=dict)
    series: Sequence[bytes] = ()
    labels: Sequence[Labels] = ()
    kept: NDArray[np.intp] | None = None
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    timestamps: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    exemplars: Mapping[bytes, bytes] = field(default_factory=dict)
    comments: Sequence[bytes] = ()
    families: Mapping[str, Metadata] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    skeleton: Skeleton | None = None

    def exposition(self, exemplars: NewExemplars, added: int = 0) -> Exposition:
        values, timestamps = self.values, self.timestamps
        if self.kept is not None:
            values, timestamps = values[self.kept], timestamps[self.kept]
        return Exposition(
            self.labels,
            values,
            timestamps if (timestamps != NO_TIMESTAMP).any() else None,
            exemplars.taken,
            self.families,
            added,
            duplicates=len(self.series) - len(self.labels),
            long_exemplars=exemplars.too_long,
        )


class ExpositionParser:
    """Reads the bodies of one target, one after the other.

    ``target``: labels every series gets.  A series whose text did not change since the last body gives the same
    ``Labels``, and a body whose series did not change the same ``labels`` tuple.
    """

    def __init__(self, target: Labels = Labels(), limits: IngestLimits | None = None) -> None:  # noqa: B008 - immutable
        self._naming = Naming(target, limits or IngestLimits())
        self._last = _Body(TEXT)

    def parse(self, body: bytes, at_ms: int = 0, *, openmetrics: bool = False) -> Exposition:
        """All of ``body``, scraped at ``at_ms``: the instant of exemplars without their own.

        Raises ``MalformedExposition``; then none of it is taken.
        """
        grammar = OPENMETRICS if openmetrics else TEXT
        if self._last.grammar is not grammar:
            self._last = _Body(grammar)
        read = self._read_values(body, at_ms)
        if read is not None:
            return read
        try:
            return self._read_lines(body, at_ms, self._last.known)
        except MalformedExposition:
            # Some lines may have parts that only reading tells apart, and of several faults the first one is named.
            return self._read_lines(body, at_ms, {})

    def _read_values(self, body: bytes, at_ms: int) -> Exposition | None:
        """When only values, timestamps and exemplars changed; else None, and when one of these is malformed."""
        last = self._last
        fitting = last.skeleton.fit(body) if last.skeleton else None
        if fitting is None:
            return None
        skeleton, changed = fitting
        exemplars = NewExemplars(last.grammar, at_ms, last.exemplars)
        try:
            numbers, rests = _read_rests(skeleton.rests(changed), last.grammar)
            for position, rest in rests.items():
                if rest.exemplar:
                    series = last.series[changed[position]]
                    exemplars.take(series, last.known[series], rest.exemplar)
        except (NotANumber, MalformedLine, UnicodeDecodeError):
            return None
        values, timestamps = last.values.copy(), last.timestamps.copy()
        values[changed] = numbers
        timestamps[changed] = _timestamps(rests, len(changed))
        self._last = replace(last, values=values, timestamps=timestamps, exemplars=exemplars.texts, skeleton=skeleton)
        return self._last.exposition(exemplars)

    def _read_lines(self, body: bytes, at_ms: int, known: Mapping[bytes, Labels]) -> Exposition:
        """Line by line; the series of ``known`` by what is remembered."""
        last, grammar = self._last, self._last.grammar
        rows = Rows.of(body, grammar, known)
        comments = [text for _, text in rows.comments]
        families = last.families if comments == last.comments else read_families(rows.comments, grammar)
        bounds = Bounds.of(families)
        if known and bounds != last.bounds:
            return self._read_lines(body, at_ms, {})  # labels depend on them
        known = self._know(rows, known, bounds)
        try:
            values = rows.numbers()
        except NotANumber as error:
            raise rows.no_value(error.position) from None
        exemplars = NewExemplars(grammar, at_ms, last.exemplars)
        for row, rest in rows.rests.items():
            if rest.exemplar:
                try:
                    exemplars.take(rows.series[row], known[rows.series[row]], rest.exemplar)
                except MalformedLine as error:
                    raise rows.fault(row, str(error)) from None
        labels, kept = _unique([known[text] for text in rows.series])
        self._last = _Body(
            grammar,
            known,
            rows.series,
            last.labels if labels == last.labels else labels,
            kept,
            values,
            _timestamps(rows.rests, len(values)),
            exemplars.texts,
            comments,
            families,
            bounds,
            Skeleton.of(body, np.array(rows.lines, dtype=np.int64), rows.prefixes()),
        )
        return self._last.exposition(exemplars, added=sum(text not in last.known for text in known))

    def _know(self, rows: Rows, known: Mapping[bytes, Labels], bounds: Bounds) -> Mapping[bytes, Labels]:
        """The label sets of all ``rows`` and no others, read where they are new."""
        fresh: dict[bytes, Labels] = {}
        for row in rows.unread:
            try:
                exposed = rows.read(row, known)
                if exposed is not None and rows.series[row] not in fresh:
                    fresh[rows.series[row]] = self._naming.labels(exposed, bounds)
            except MalformedLine as error:
                raise rows.fault(row, str(error)) from None
        if not fresh and len(rows.series) == len(known):
            return known
        return {text: fresh[text] if text in fresh else known[text] for text in rows.series}


def _read_rests(texts: pa.LargeBinaryArray, grammar: Grammar) -> tuple[NDArray[np.float64], Mapping[int, Rest]]:
    """(the N values, what was read where more follows, by position) of N texts that start at a value.

    Raises ``NotANumber`` and ``MalformedLine``.
    """
    more = np.flatnonzero(pc.match_substring(texts, " ").to_numpy(zero_copy_only=False)).tolist()
    if not more:
        return read_numbers(texts), {}
    values = texts.to_pylist()
    rests = {position: grammar.read_rest(values[position]) for position in more}
    for position, rest in rests.items():
        values[position] = rest.value
    return read_numbers(pa.array(values, pa.large_binary())), rests


def _timestamps(rests: Mapping[int, Rest], count: int) -> NDArray[np.int64]:
    """Int64[count], ``NO_TIMESTAMP`` where there is none."""
    timestamps = np.full(count, NO_TIMESTAMP, dtype=np.int64)
    for position, rest in rests.items():
        if rest.timestamp_ms is not None:
            timestamps[position] = rest.timestamp_ms
    return timestamps


def _unique(labels: Sequence[Labels]) -> tuple[tuple[Labels, ...], NDArray[np.intp] | None]:
    """(each label set once, where each stands first; None when that is everywhere)."""
    first: dict[Labels, int] = {}
    for position, one in enumerate(labels):
        first.setdefault(one, position)
    if len(first) == len(labels):
        return tuple(labels), None
    return tuple(first), np.fromiter(first.values(), dtype=np.intp, count=len(first))
