"""The source in memory keeps the promise of every source."""

from __future__ import annotations

from opsconsole.promql.memory import MemorySource
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator

UP = Labels.of(__name__="up", job="web")
DOWN = Labels.of(__name__="down", job="web")


def test_only_matching_rows_and_samples_after_the_start_come_back(block) -> None:
    source = MemorySource([block({UP: [1, 2, 3], DOWN: [4, 5, 6]})])
    (part,) = source.select([Matcher("__name__", Operator.EQUAL, "down")], 0, 20_000)
    assert part.labels == [DOWN]
    assert part.timestamps.tolist() == [15_000]
    assert part.values.tolist() == [[5]]


def test_a_block_without_a_match_is_left_out(block) -> None:
    source = MemorySource([block({UP: [1, 2, 3]})])
    assert source.select([Matcher("job", Operator.EQUAL, "api")], 0, 60_000) == []
    assert source.select([Matcher("job", Operator.EQUAL, "web")], 60_000, 90_000) == []


def test_blocks_can_be_added(block) -> None:
    source = MemorySource()
    source.add(block({UP: [1]}))
    assert len(source.select([], -1, 0)) == 1
