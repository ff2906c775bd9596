"""From a selector to the blocks it means and the instants it looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from opsconsole.series.block import Block, Timestamps, is_sample, is_stale
from opsconsole.series.labels import Labels

from .plan import Anchor, Selector, Shift
from .source import SampleSource


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


def fetch(source: SampleSource, selector: Selector, instants: Timestamps, window_ms: int) -> list[Block]:
    """The blocks of a selector for windows that end at ``instants``; every series stands in one of them."""
    blocks = source.select(selector.matchers, int(instants.min()) - window_ms, int(instants.max()))
    return joined([block for block in blocks if block.labels and block.timestamps.size])


def joined(blocks: Sequence[Block]) -> list[Block]:
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
    return [_union([blocks[number] for number in numbers], labels) for numbers, labels in together.items()]


def _union(blocks: Sequence[Block], wanted: Sequence[Labels]) -> Block:
    """The wanted series, each of which stands in every one of the blocks."""
    timestamps = np.unique(np.concatenate([block.timestamps for block in blocks]))
    values = np.full((len(wanted), timestamps.size), np.nan)
    for block in blocks:
        row_of = {labels: row for row, labels in enumerate(block.labels)}
        rows = block.values[[row_of[labels] for labels in wanted]]
        columns = np.searchsorted(timestamps, block.timestamps)
        there = values[:, columns]
        values[:, columns] = np.where(is_sample(rows) | (is_stale(rows) & ~is_sample(there)), rows, there)
    return Block(wanted, timestamps, values)
