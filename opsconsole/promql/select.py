"""From a selector to the blocks it means and the instants it looks at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from opsconsole.series.block import Block, Timestamps, is_sample, is_stale
from opsconsole.series.labels import Labels, LabelSets, derived
from opsconsole.series.matcher import Matcher, select
from opsconsole.series.stack import BEFORE, Index, Stack

from .limits import Budget
from .plan import Anchor, Selector, Shift
from .source import Samples, SampleSource

_NARROW = 64  # series below which a block is not worth a turn of its own


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
) -> list[Stack]:
    """What a selector means for windows that end at ``instants``, which do not descend; every series stands in one of the stacks."""
    budget.check()
    found = source.select(selector.matchers, int(instants[0]) - window_ms, int(instants[-1]))
    stacks = [samples for samples in found if isinstance(samples, Stack)]
    if len(stacks) == len(found):  # as from the head
        budget.select(sum([len(stack.labels) for stack in stacks]))
        budget.hold(sum([stack.size for stack in stacks]))
        return stacks
    blocks = [samples for samples in found if isinstance(samples, Block) and samples.labels and samples.timestamps.size]
    budget.select(sum(len(stack.labels) for stack in stacks) + sum(len(block.labels) for block in blocks))
    budget.hold(sum(stack.size for stack in stacks) + sum(block.values.size for block in blocks))
    return [*stacks, *stacked(joined(blocks, budget))]


def sampled(samples: Samples, start_ms: int, end_ms: int) -> Iterator[Labels]:
    """The label sets of the series that have a sample in (start_ms, end_ms]."""
    stack = samples if isinstance(samples, Stack) else Stack.of(samples)
    inside = (stack.clocks > start_ms) & (stack.clocks <= end_ms)
    some = (is_sample(stack.cells[stack.rows]) & inside[stack.clock]).any(axis=1)
    return (stack.labels[series] for series in np.flatnonzero(some).tolist())


def matching(labels: Sequence[Labels], matchers: Sequence[Matcher]) -> tuple[Index, LabelSets] | None:
    """Which of many series the matchers mean, and their labels; None for all."""
    matchers = tuple(matchers)
    return derived(labels, ("matching", matchers), partial(_matching, matchers))


def _matching(matchers: Sequence[Matcher], labels: Sequence[Labels]) -> tuple[Index, LabelSets] | None:
    rows = [row for row, one in enumerate(labels) if select(one, matchers)]
    return None if len(rows) == len(labels) else (np.array(rows, dtype=np.intp), LabelSets(labels[row] for row in rows))


def stacked(blocks: Sequence[Block]) -> list[Stack]:
    """The same samples; blocks of few series are laid into one stack, each with a clock of its own."""
    narrow = [block for block in blocks if len(block.labels) < _NARROW]
    if len(narrow) < 2:
        return [Stack.of(block) for block in blocks]
    columns = max(block.timestamps.size for block in narrow)
    clocks = np.full((len(narrow), columns), BEFORE)
    cells = np.full((sum(len(block.labels) for block in narrow), columns), np.nan)
    clock = np.repeat(np.arange(len(narrow)), [len(block.labels) for block in narrow])
    row = 0
    for number, block in enumerate(narrow):  # to the right, so that columns are about as long ago in all of them
        first = columns - block.timestamps.size
        clocks[number, first:] = block.timestamps
        cells[row : row + len(block.labels), first:] = block.values
        row += len(block.labels)
    labels = LabelSets(labels for block in narrow for labels in block.labels)
    together = Stack(labels, clocks, clock, cells, np.arange(row))
    return [together, *(Stack.of(block) for block in blocks if len(block.labels) >= _NARROW)]


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
