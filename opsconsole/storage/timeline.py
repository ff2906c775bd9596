"""Blocks of one target, put together along time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels

_TARGET = ("job", "instance")
_SLICE_MS = 900_000


def target_of(labels: Labels) -> Labels:
    """The ``job`` and ``instance`` of a series: series of one target share their timestamps."""
    return labels.keep(_TARGET)


def join(blocks: Iterable[Block]) -> Sequence[Block]:
    """One block a target, from ``blocks`` given oldest first whose times, per target, ascend without overlap."""
    parts: dict[Labels, list[Block]] = {}
    for block in blocks:
        if len(block.labels):
            parts.setdefault(target_of(block.labels[0]), []).append(block)
    return [_concatenate(of_target) for of_target in parts.values()]


def _concatenate(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    rows: dict[Labels, int] = {}
    for block in blocks:
        for labels in block.labels:
            rows.setdefault(labels, len(rows))
    timestamps = np.concatenate([block.timestamps for block in blocks])
    values = np.full((len(rows), len(timestamps)), np.nan)
    column = 0
    for block in blocks:
        end = column + len(block.timestamps)
        values[[rows[labels] for labels in block.labels], column:end] = block.values
        column = end
    return Block(tuple(rows), timestamps, values)


def after(block: Block, instant_ms: int) -> Block | None:
    """The part of ``block`` that is newer than ``instant_ms``; None when nothing is."""
    first = int(np.searchsorted(block.timestamps, instant_ms, side="right"))
    if first == len(block.timestamps):
        return None
    return Block(block.labels, block.timestamps[first:], block.values[:, first:])


def recent(samples: SampleSource, now_ms: int, window_ms: int, most_bytes: int) -> tuple[Sequence[Block], int]:
    """The blocks of the window before ``now_ms``, one a target, and the instant after which they are complete.

    Read newest first, until their values have more than ``most_bytes``.
    """
    oldest_ms, start_ms, memory = now_ms - window_ms, now_ms, 0
    slices: list[Sequence[Block]] = []
    while start_ms > oldest_ms:
        next_ms = max(start_ms - _SLICE_MS, oldest_ms)
        blocks = samples.select((), next_ms, start_ms)
        memory += sum(block.values.nbytes for block in blocks)
        if memory > most_bytes:
            break
        slices.append(blocks)
        start_ms = next_ms
    return join(block for blocks in reversed(slices) for block in blocks), start_ms
