"""Answers that are continued say what the whole evaluation says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.promql.engine import Engine
from opsconsole.promql.kept import Kept, can_be_continued
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.result import Matrix
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head
from opsconsole.storage.history import History

START_MS = 1_700_000_000_000
SCRAPE_MS = 15_000
QUERIES = (
    "m",
    "sum by (view) (rate(m[2m]))",
    "topk(1, m)",
    "max_over_time(sum(m)[3m:30s])",
    "m offset 1m",
    'absent(m{view="b"})',
    "m == 3",
    "count_over_time(m[1m]) / on (view, instance) m",
)


class Counting(Engine):
    """Counts the instants that were evaluated."""

    instants = 0

    def _over(self, plan, evaluation):
        self.instants += evaluation.steps.size
        return super()._over(plan, evaluation)


def target(number: int) -> Labels:
    return Labels.of(Labels(), job="j", instance=str(number))


def scrape(head: Head, number: int, at_ms: int, views: str, value: float) -> None:
    of = target(number)
    head.append(of, at_ms, [Labels.of(of, __name__="m", view=view) for view in views], np.full(len(views), value))


def engines(memory_bytes: int = 1 << 20) -> tuple[Head, Counting, Engine]:
    head = Head()
    history = History(head, MemorySource([]))
    return head, Counting(history, answers=Kept(history, memory_bytes)), Engine(history)


def assert_same(one: Matrix, other: Matrix) -> None:
    assert list(one.labels) == list(other.labels)
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    np.testing.assert_array_equal(one.present, other.present)
    np.testing.assert_allclose(one.values[one.present], other.values[other.present], rtol=1e-12)
    assert set(one.warnings + one.infos) >= set(other.warnings + other.infos), "remarks on what has left the range stay"


def test_a_range_that_moves_on_is_evaluated_where_it_is_new():
    head, engine, whole = engines()
    for tick in range(40):
        scrape(head, 1, START_MS + tick * SCRAPE_MS, "ab", tick)
    end_ms = START_MS + 39 * SCRAPE_MS
    engine.range("sum(m)", end_ms - 300_000, end_ms, SCRAPE_MS)
    assert engine.instants == 21
    scrape(head, 1, end_ms + SCRAPE_MS, "ab", 40)
    moved = (end_ms - 300_000 + SCRAPE_MS, end_ms + SCRAPE_MS, SCRAPE_MS)
    assert_same(engine.range("sum(m)", *moved), whole.range("sum(m)", *moved))
    assert engine.instants == 22
    assert_same(engine.range("sum(m)", *moved), whole.range("sum(m)", *moved))
    assert engine.instants == 22, "nothing came in between"


def test_what_came_for_instants_that_were_answered_is_seen():
    head, engine, whole = engines()
    scrape(head, 1, START_MS, "a", 1)
    scrape(head, 2, START_MS, "a", 1)
    asked = ("sum(m)", START_MS, START_MS + 60_000, 10_000)
    assert engine.range(*asked).values.tolist() == [[2.0] * 7]
    scrape(head, 2, START_MS + 30_000, "b", 5)
    assert_same(engine.range(*asked), whole.range(*asked))
    assert engine.range(*asked).values.tolist() == [[2, 2, 2, 6, 6, 6, 6]]
    assert engine.instants == 7 + 7, "less than half was left, so all of it was evaluated, once"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("sum(rate(m[5m] offset 5m))", True),
        ("m offset -5m", False),
        ("sum(m @ 1700000000)", False),
        ("m / m @ end()", False),
        ("max_over_time(m[5m:1m] @ start())", False),
        ("max_over_time((m offset -1s)[5m:1m])", False),
        ("topk(scalar(m @ end()), m)", False),
        ("-vector(1) + time()", True),
    ],
)
def test_only_what_looks_back_is_continued(query, answer):
    assert can_be_continued(query) is answer


def test_answers_are_forgotten_when_there_is_no_room_and_those_too_large_are_not_kept():
    head, engine, whole = engines(memory_bytes=16 * 1024)
    scrape(head, 1, START_MS, "abc", 1)
    asked = (START_MS, START_MS + 60_000, 1_000)
    kept = engine._answers
    for number in range(30):
        assert_same(engine.range(f"m + {number}", *asked), whole.range(f"m + {number}", *asked))
        assert kept.memory_bytes <= 16 * 1024
    assert len(kept._answers) == 16 * 1024 // (61 * 3 * 9 + 3 * 64)
    before = engine.instants
    engine.range("m + 29", *asked)
    assert engine.instants == before
    engine.range("m + 0", *asked)
    assert engine.instants == before + 61
    engine.range("m", START_MS, START_MS + 600_000, 1_000)
    engine.range("m", START_MS, START_MS + 600_000, 1_000)
    assert engine.instants == before + 61 + 2 * 601


def test_what_is_given_away_cannot_spoil_what_is_kept():
    head, engine, _ = engines()
    scrape(head, 1, START_MS, "a", 1)
    answer = engine.range("m", START_MS, START_MS + 60_000, 10_000)
    with pytest.raises(ValueError, match="read-only"):
        answer.values[0, 0] = 7
    assert replace(answer).values[0, 0] == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_comes_and_whenever_is_asked_the_answer_is_that_of_a_whole_evaluation(data):
    head, engine, whole = engines()
    now_ms = START_MS
    for _ in range(data.draw(st.integers(1, 12))):
        now_ms += data.draw(st.integers(1, 40)) * 1_000
        for number in data.draw(st.lists(st.integers(0, 2), max_size=3, unique=True)):
            late_ms = data.draw(st.integers(0, 20)) * 1_000
            scrape(head, number, now_ms - late_ms, data.draw(st.sampled_from(("a", "ab", "abc", ""))), float(_))
        step_ms = data.draw(st.sampled_from((5_000, 15_000)))
        end_ms = now_ms // step_ms * step_ms + step_ms * data.draw(st.integers(-2, 1))
        for query in QUERIES:
            asked = (query, end_ms - step_ms * data.draw(st.integers(0, 30)), end_ms, step_ms)
            assert_same(engine.range(*asked), whole.range(*asked))
