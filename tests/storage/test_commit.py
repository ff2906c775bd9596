from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from opsconsole.storage.clickhouse import StoreError
from opsconsole.storage.commit import CommitPolicy, GroupCommit, Overloaded

Eventually = Callable[[Callable[[], bool]], None]


class Table:
    """A store one can break: it keeps what it was given, by batch."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.calls: list[str] = []
        self.failures = 0
        self.poison = ""
        self.open = threading.Event()
        self.open.set()

    def write(self, items: Sequence[str], batch_id: str) -> None:
        self.open.wait(20)
        self.calls.append(batch_id)
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        if self.poison in items:
            raise StoreError("cannot parse")
        self.batches.append((batch_id, list(items)))


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def commit(table: Table) -> Iterator[Callable[..., GroupCommit[str]]]:
    made: list[GroupCommit[str]] = []

    def make(**policy: object) -> GroupCommit[str]:
        options = {"what": "rows", "batch": 100, "pending": 1000, "delay_s": 0.05, "backoff_s": 0.01} | policy
        made.append(GroupCommit(table.write, CommitPolicy(**options)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    table.open.set()
    for one in made:
        one.close()


def test_items_that_come_together_are_written_together(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    group = commit()
    done = [group.offer(str(number), 1) for number in range(10)]
    for each in done:
        each.result(20)
    assert [items for _, items in table.batches] == [[str(number) for number in range(10)]]
    assert group.state.stored == 10


def test_a_full_batch_does_not_wait(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    group = commit(delay_s=1000.0, batch=3)
    done = [group.offer("x", 1) for _ in range(3)]
    done[0].result(20)
    assert len(table.batches[0][1]) == 3


def test_nothing_is_acknowledged_before_it_is_written(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    table.open.clear()
    group = commit(delay_s=0.0)
    done = group.offer("x", 1)
    with pytest.raises(TimeoutError):
        done.result(0.1)
    table.open.set()
    done.result(20)


def test_a_failed_write_is_repeated_under_the_same_id(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    table.failures = 2
    commit().offer("x", 1).result(20)
    assert len(table.calls) == 3
    assert len(set(table.calls)) == 1


def test_after_the_last_attempt_the_sender_hears_of_it(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    table.failures = 100
    group = commit(attempts=3)
    with pytest.raises(StoreError, match="disk full"):
        group.offer("x", 4).result(20)
    assert (group.state.failed, group.state.pending, group.state.last_error) == (4, 0, "disk full")


def test_without_a_last_attempt_it_is_tried_until_it_works(
    table: Table, commit: Callable[..., GroupCommit[str]], eventually: Eventually
) -> None:
    table.failures = 8
    group = commit(attempts=None)
    group.offer("x", 1).result(20)
    assert len(table.calls) == 9


def test_one_bad_item_does_not_take_the_others_with_it(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    table.poison = "bad"
    group = commit(attempts=2)
    good, bad, also = (group.offer(item, 1) for item in ("good", "bad", "also good"))
    good.result(20)
    also.result(20)
    with pytest.raises(StoreError, match="cannot parse"):
        bad.result(20)


def test_more_than_the_bound_is_refused_with_a_time_to_come_again(
    table: Table, commit: Callable[..., GroupCommit[str]]
) -> None:
    table.open.clear()
    group = commit(pending=10)
    waiting = group.offer("x", 10)
    with pytest.raises(Overloaded, match=r"too many rows are waiting; retry in \d+ s") as refused:
        group.offer("y", 1)
    assert refused.value.retry_after_s >= 1
    assert group.state.refused == 1
    table.open.set()
    waiting.result(20)
    group.offer("y", 1).result(20)


def test_an_item_larger_than_the_bound_is_taken_when_nothing_waits(commit: Callable[..., GroupCommit[str]]) -> None:
    commit(pending=10).offer("x", 11).result(20)


def test_a_defect_in_writing_is_answered_and_does_not_end_the_thread(eventually: Eventually) -> None:
    def write(items: Sequence[str], batch_id: str) -> None:
        if items == ["bad"]:
            raise KeyError("column")

    group = GroupCommit(write, CommitPolicy(what="rows", batch=1, pending=9, delay_s=0.0, attempts=1))
    with pytest.raises(StoreError, match="KeyError"):
        group.offer("bad", 1).result(20)
    group.offer("good", 1).result(20)
    group.close()


def test_closing_writes_what_waits_and_takes_nothing_more(
    table: Table, commit: Callable[..., GroupCommit[str]]
) -> None:
    group = commit(delay_s=1000.0)
    done = group.offer("x", 1)
    group.close()
    assert done.done()
    assert [items for _, items in table.batches] == [["x"]]
    with pytest.raises(Overloaded):
        group.offer("y", 1)


def test_flush_does_not_wait_for_the_delay(table: Table, commit: Callable[..., GroupCommit[str]]) -> None:
    group = commit(delay_s=1000.0)
    group.offer("x", 1)
    assert group.flush(20)
    assert group.state.pending == 0


async def test_the_event_loop_waits_without_being_blocked(
    table: Table, commit: Callable[..., GroupCommit[str]]
) -> None:
    table.open.clear()
    group = commit(delay_s=0.0)
    accepted = [asyncio.create_task(group.accept(str(number), 1)) for number in range(5)]
    await asyncio.sleep(0)
    table.open.set()  # runs although five wait
    await asyncio.gather(*accepted)
    assert sorted(item for _, items in table.batches for item in items) == ["0", "1", "2", "3", "4"]
