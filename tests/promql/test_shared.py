"""Queries that are asked together give what each gives by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from bench.shapes import panels_of_all, panels_of_one
from bench.workload import LATENCY, RESPONSES, STEP_MS, Size, Workload, scrapes
from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.limits import LimitExceeded, Limits
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.result import Matrix
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head
from opsconsole.storage.timeline import target_of

SIZE = Size("small", targets=4, views=6, queues=2, few="up")
MINUTES = 40
FIRST = 30  # scrapes before the first round

OTHERS = (  # beside what the boards ask: what a batch answers, what it does not, and what is remarked on
    f"avg by (view) (rate({RESPONSES}[5m]))",
    f"max without (status) (rate({RESPONSES}[5m]))",
    f"count by (instance) (rate({RESPONSES}[5m]))",
    f"stddev by (view) (rate({RESPONSES}[5m]))",
    f"quantile by (view) (0.5, rate({RESPONSES}[5m]))",
    f"sum by (__name__, view) (rate({RESPONSES}[5m]))",
    f"rate({RESPONSES}[5m]) > 0.1",
    f"sum(rate({RESPONSES}[5m] offset 2m))",
    f"sum(rate({RESPONSES}[5m] offset 2m)) / sum(rate({RESPONSES}[5m]))",
    f"sum(rate({RESPONSES}[5m] offset 2m)) + 1",
    f"sum(rate({RESPONSES}[5m] offset 2m)) + 2",
    f"sum(rate({RESPONSES}[5m] @ end()))",
    f"max_over_time(sum(rate({RESPONSES}[5m]))[10m:1m])",
    f'sum(rate({RESPONSES}{{view="none"}}[5m]))',
    f"sum(increase({RESPONSES}[1m]))",
    f"histogram_quantile(1.5, sum by (le) (rate({LATENCY}_bucket[5m])))",
    f"histogram_quantile(-1, sum by (le, view) (rate({LATENCY}_bucket[5m])))",
    f"histogram_quantile(0.5, sum by (view) (rate({LATENCY}_bucket[5m])))",
    f"histogram_quantile(0.5, max by (le) (rate({LATENCY}_bucket[5m])))",
    f"histogram_quantile(0.5, rate({LATENCY}_bucket[5m]))",
)


def texts() -> list[str]:
    boards = (*panels_of_one(SIZE), *panels_of_all())
    filled = [shape.text.replace("$selector", 'job=~".+"').replace("$window", "5m") for shape in boards]
    return [*dict.fromkeys(filled), *OTHERS]


@pytest.fixture(scope="module")
def rounds() -> Iterator[tuple[Engine, int]]:
    """A head that is filled scrape by scrape; half of the targets come when the others are there for long."""
    head = Head()
    engine = Engine(head)
    workload = Workload(SIZE, 1_790_000_000_000, MINUTES, seed=3)
    blocks = workload.blocks()
    targets = [(target_of(block.labels[0]), list(scrapes(block))) for block in blocks]

    def each() -> Iterator[tuple[Engine, int]]:
        for column in range(workload.scrapes):
            for number, (target, of_target) in enumerate(targets):
                if number % 2 == 0 or column >= FIRST + 10:
                    scrape = of_target[column]
                    head.append(target, scrape.timestamp_ms, scrape.labels, scrape.values)
            if column >= FIRST and column % 5 == 0:
                yield engine, workload.last_ms - (workload.scrapes - 1 - column) * STEP_MS

    return each()


def test_a_round_of_queries_answers_as_each_query_alone(rounds: Iterator[tuple[Engine, int]]) -> None:
    asked, answered = texts(), 0
    for engine, at_ms in rounds:
        together = engine.together(asked)
        for text in asked:
            answered += len(same(together, engine, text, at_ms).labels)
    assert answered > 5_000


def same(together: Engine, engine: Engine, text: str, at_ms: int) -> Matrix:
    mine = together.range(text, at_ms, at_ms, STEP_MS)
    alone = engine.instant(text, at_ms)
    assert isinstance(alone, Matrix)
    order = sorted(range(len(alone.labels)), key=alone.labels.__getitem__)
    assert list(mine.labels) == [alone.labels[row] for row in order], text
    np.testing.assert_array_equal(mine.present, alone.present[order], text)
    np.testing.assert_allclose(mine.values, alone.values[order], rtol=1e-9, atol=1e-12, err_msg=text)
    assert (mine.warnings, mine.infos) == (alone.warnings, alone.infos), text
    return mine


def block(*labels: Labels) -> Block:
    timestamps = np.arange(1, 41, dtype=np.int64) * STEP_MS
    values = np.array([10.0 * (row + 1) * np.arange(40) + 1000 for row in range(len(labels))])
    return Block(list(labels), timestamps, values)


def test_remarks_stand_where_each_query_says_what_they_are_about() -> None:
    engine = Engine(MemorySource([block(*(Labels.of(__name__="heat", job=str(n), le=str(n)) for n in range(3)))]))
    asked = [
        *(f"{' ' * n}sum(rate(heat[5m]))" for n in range(4)),
        "histogram_quantile(2, sum by (le) (rate(heat[5m])))",
        "sum by (job) (rate(heat[5m])) / sum by (job) (rate(heat[5m]))",
    ]
    together = engine.together(asked)
    for number, text in enumerate(asked):
        found = same(together, engine, text, 40 * STEP_MS)
        assert len(found.infos) == (2 if number == 5 else 1), text
        assert len(found.warnings) == (1 if number == 4 else 0), text


def test_a_query_may_cost_what_it_may_alone_however_many_series_the_metric_has() -> None:
    labels = [Labels.of(__name__="x_total", job=str(number)) for number in range(30)]
    engine = Engine(MemorySource([block(*labels)]), limits=Limits(series=10))
    asked = [*(f'sum(rate(x_total{{job="{number}"}}[5m]))' for number in range(6)), "sum(rate(x_total[5m]))"]
    together = engine.together(asked)
    for text in asked[:-1]:
        assert len(same(together, engine, text, 40 * STEP_MS).labels) == 1
    with pytest.raises(LimitExceeded, match="selects 30 series and may select 10"):
        together.range(asked[-1], 40 * STEP_MS, 40 * STEP_MS, STEP_MS)


def test_a_query_that_is_none_fails_alone() -> None:
    engine = Engine(MemorySource([block(Labels.of(__name__="x_total"))]))
    asked = ["sum(rate(x_total[5m])", *(f"sum(rate(x_total[5m])) + {number}" for number in range(5))]
    together = engine.together(asked)
    with pytest.raises(PromQLError, match="unclosed"):
        together.range(asked[0], 40 * STEP_MS, 40 * STEP_MS, STEP_MS)
    for text in asked[1:]:
        assert len(same(together, engine, text, 40 * STEP_MS).labels) == 1
