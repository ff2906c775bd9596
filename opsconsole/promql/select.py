"""From a selector to the blocks it means and the instants it looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from opsconsole.series.block import Block, Timestamps, is_sample, is_stale
from opsconsole.series.labels import Labels

from .limits import Budget
from .plan import Anchor, Selector, Shift
from .source import SampleSource

_CELLS = 4_000_000  # of one slice: 32 MB of values, and several times that in between


def shifted(steps: Timestamps, shift: Shift, query_start_ms: int, query_end_ms: int) -> Timestamps:
    """int64[T]: where a selector looks at each evaluation instant."""
    match shift.at:
        case None:
            instants = steps
        case Anchor.START:
            instants = np.full_like(steps, query_start_ms)
        case Anchor.END:
            instants = np.full_like(steps, query_end_ms)
        case at:
            instants = np.full_like(steps, at)
    return instants - shift.offset_ms


def fetch(
    source: SampleSource, selector: Selector, instants: Timestamps, window_ms: int, budget: Budget
) -> list[Block]:
    """The blocks of a selector for windows that end at ``instants``; every series stands in one of them."""
    budget.check()
    blocks = source.select(selector.matchers, int(instants.min()) - window_ms, int(instants.max()))
    blocks = [block for block in blocks if block.labels and block.timestamps.size]
    budget.select(sum(len(block.labels) for block in blocks))
    budget.hold(sum(block.values.size for block in blocks))
    return joined(blocks, budget)


def slices(block: Block, instants: int) -> Iterator[Block]:
    """The block in parts of some rows each, so that what is computed for one of them never takes much memory, or long."""
    rows = max(1, _CELLS // max(block.timestamps.size, instants))
    if rows >= len(block.labels):
        yield block
        return
    for first in range(0, len(block.labels), rows):
        part = slice(first, first + rows)
        yield Block(block.labels[part], block.timestamps, block.values[part])


def joined(blocks: Sequence[Block], budget: Budget | None = None) -> list[Block]:
    """The same samples, with the series that stand in several blocks (their target restarted) moved to one of their own."""
    if len(set().union(*(block.labels for block in blocks))) == sum(len(block.labels) for block in blocks):
        return list(blocks)
    homes: dict[Labels, list[int]] = defaultdict(list)
    for number, block in enumerate(blocks):
        for labels in block.labels:
            homes[labels].append(number)
    together: dict[tuple[int, ...], list[Labels]] = defaultdict(list)
    for labels, numbers in homes.items():
        together[tuple(numbers)].append(labels)
    return [_union([blocks[number] for number in numbers], labels, budget) for numbers, labels in together.items()]


def _union(blocks: Sequence[Block], wanted: Sequence[Labels], budget: Budget | None) -> Block:
    """The wanted series, each of which stands in every one of the blocks."""
    timestamps = np.unique(np.concatenate([block.timestamps for block in blocks]))
    if budget is not None:
        budget.hold(len(wanted) * timestamps.size)
    values = np.full((len(wanted), timestamps.size), np.nan)
    for block in blocks:
        row_of = {labels: row for row, labels in enumerate(block.labels)}
        rows = block.values[[row_of[labels] for labels in wanted]]
        columns = np.searchsorted(timestamps, block.timestamps)
        there = values[:, columns]
        values[:, columns] = np.where(is_sample(rows) | (is_stale(rows) & ~is_sample(there)), rows, there)
    return Block(wanted, timestamps, values)
