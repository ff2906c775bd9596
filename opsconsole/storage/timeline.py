"""Blocks of one target, put together along time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block, is_sample, is_stale
from opsconsole.series.labels import Labels

_TARGET = ("job", "instance")
_SLICE_MS = 900_000


def target_of(labels: Labels) -> Labels:
    """The ``job`` and ``instance`` of a series: series of one target share their timestamps."""
    return labels.keep(_TARGET)


def by_target(block: Block) -> Sequence[Block]:
    """The series of each target in a block of their own."""
    rows: dict[Labels, list[int]] = {}
    for row, labels in enumerate(block.labels):
        rows.setdefault(target_of(labels), []).append(row)
    if len(rows) == 1:
        return [block]
    return [Block([block.labels[row] for row in mine], block.timestamps, block.values[mine]) for mine in rows.values()]


def join(blocks: Iterable[Block]) -> Sequence[Block]:
    """One block a target.  Where a target's blocks have a cell in common, what one knows of it counts."""
    parts: dict[Labels, list[Block]] = {}
    for block in blocks:
        for of_target in by_target(block):
            if len(of_target.labels):
                parts.setdefault(target_of(of_target.labels[0]), []).append(of_target)
    return [_joined(of_target) for of_target in parts.values()]


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    rows: dict[Labels, int] = {}
    for block in blocks:
        for labels in block.labels:
            rows.setdefault(labels, len(rows))
    timestamps = np.unique(np.concatenate([block.timestamps for block in blocks]))
    values = np.full((len(rows), len(timestamps)), np.nan)
    for block in blocks:
        cells = np.ix_(
            np.array([rows[labels] for labels in block.labels]), np.searchsorted(timestamps, block.timestamps)
        )
        known = is_sample(block.values) | is_stale(block.values)
        values[cells] = np.where(known, block.values, values[cells])
    return Block(tuple(rows), timestamps, values)


def recent(samples: SampleSource, now_ms: int, window_ms: int, most_bytes: int) -> tuple[Sequence[Block], int]:
    """The blocks of the window before ``now_ms``, one a target, and the instant after which they are complete.

    Read newest first, until their values have more than ``most_bytes``.
    """
    oldest_ms, start_ms, memory = now_ms - window_ms, now_ms, 0
    slices: list[Sequence[Block]] = []
    while start_ms > oldest_ms:
        next_ms = max(start_ms - _SLICE_MS, oldest_ms)
        blocks = [block for found in samples.select((), next_ms, start_ms) for block in found.blocks()]
        memory += sum(block.values.nbytes for block in blocks)
        if memory > most_bytes:
            break
        slices.append(blocks)
        start_ms = next_ms
    return join(block for blocks in reversed(slices) for block in blocks), start_ms
