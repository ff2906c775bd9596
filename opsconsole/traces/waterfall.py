"""A trace as a waterfall: the rows of a page, top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .span import Span, Status


@dataclass(frozen=True, slots=True)
class Row:
    """One span.

    ``depth``: 0 for a root.  ``offset`` and ``width``: the bar, as fractions of the trace's length.
    ``self_ns``: its duration without the time any child ran.  ``error``: the span itself failed.
    ``failing``: it or one below it failed, the path to follow.  ``orphan``: its parent is not (yet) here.
    ``children``: how many spans are directly below.
    """

    span: Span
    depth: int
    offset: float
    width: float
    self_ns: int
    error: bool
    failing: bool
    orphan: bool
    children: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    """``start_ns`` is the earliest start, ``duration_ns`` reaches to the latest end: clocks of hosts may disagree, so a
    child may begin before its parent, and then the trace begins with the child.  ``services`` in the order they appear.
    """

    trace_id: str
    start_ns: int
    duration_ns: int
    rows: Sequence[Row]
    services: Sequence[str]
    errors: int


def waterfall(spans: Sequence[Span]) -> Waterfall:
    """Rows of one trace's ``spans`` (at least one): each below its parent, siblings by start.

    A span whose parent is missing stands as a root and is marked; spans that are each other's parents, which only a
    broken sender makes, are shown the same way, so that every span is shown exactly once.
    """
    by_id = {span.span_id: span for span in sorted(spans, key=_by_start, reverse=True)}
    children: dict[str, list[Span]] = {}
    roots: list[Span] = []
    for span in sorted(by_id.values(), key=_by_start):
        if span.parent_id in by_id and span.parent_id != span.span_id:
            children.setdefault(span.parent_id, []).append(span)
        else:
            roots.append(span)
    ordered = _walk(roots, children)
    circular = by_id.keys() - {span.span_id for span, _ in ordered}
    while circular:
        first = min((by_id[span_id] for span_id in circular), key=_by_start)
        children[first.parent_id].remove(first)
        ordered += _walk([first], children)
        circular = circular - {span.span_id for span, _ in ordered}
    start_ns = min(span.start_ns for span in by_id.values())
    duration_ns = max(span.end_ns for span in by_id.values()) - start_ns
    failing = _failing(ordered, by_id)
    length = max(duration_ns, 1)
    rows = [
        Row(
            span=span,
            depth=depth,
            offset=(span.start_ns - start_ns) / length,
            width=span.duration_ns / length,
            self_ns=_self_ns(span, children.get(span.span_id, ())),
            error=span.status is Status.ERROR,
            failing=span.span_id in failing,
            orphan=depth == 0 and bool(span.parent_id),
            children=len(children.get(span.span_id, ())),
        )
        for span, depth in ordered
    ]
    return Waterfall(
        trace_id=spans[0].trace_id,
        start_ns=start_ns,
        duration_ns=duration_ns,
        rows=rows,
        services=list(dict.fromkeys(span.service for span, _ in ordered)),
        errors=sum(row.error for row in rows),
    )


def _by_start(span: Span) -> tuple[int, int, str]:
    return span.start_ns, -span.duration_ns, span.span_id


def _walk(roots: Iterable[Span], children: dict[str, list[Span]]) -> list[tuple[Span, int]]:
    """Depth first, without recursion: a trace may be thousands deep."""
    ordered: list[tuple[Span, int]] = []
    stack = [(span, 0) for span in reversed(list(roots))]
    while stack:
        span, depth = stack.pop()
        ordered.append((span, depth))
        stack.extend((child, depth + 1) for child in reversed(children.get(span.span_id, ())))
    return ordered


def _failing(ordered: Sequence[tuple[Span, int]], by_id: dict[str, Span]) -> set[str]:
    """Ids of the failed spans and of all above them."""
    failing: set[str] = set()
    for span, _ in ordered:
        at: Span | None = span if span.status is Status.ERROR else None
        while at is not None and at.span_id not in failing:
            failing.add(at.span_id)
            at = by_id.get(at.parent_id)
    return failing


def _self_ns(span: Span, children: Sequence[Span]) -> int:
    """Its duration without the union of its children's, which may overlap each other and reach beyond it."""
    covered, reached = 0, span.start_ns
    for child in children:  # by start
        begin, end = max(child.start_ns, reached), min(child.end_ns, span.end_ns)
        if end > begin:
            covered += end - begin
            reached = end
    return span.duration_ns - covered
