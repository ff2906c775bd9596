"""The tick over a real hub, engine and head; the test turns the clock."""

from __future__ import annotations

import asyncio
import threading

import orjson
import pytest
from prometheus_client import REGISTRY

from opsconsole.live.feed import BoardFeed
from opsconsole.live.tick import Tick
from opsconsole.operations.boards import watch
from opsconsole.promql.error import PromQLError
from opsconsole.series.timerange import TimeRange

pytestmark = pytest.mark.django_db(transaction=True)


LAST_MINUTE = TimeRange("now-1m")


def follow(console, board="shop", range_=LAST_MINUTE):
    """A new viewer of a board who has its snapshot: mailbox and topic."""
    mailbox = console.hub.open()
    key = watch(console, console.boards[board], range_, {})
    topic = console.hub.subscribe(mailbox, key, lambda: BoardFeed(console, key))
    mailbox.put(topic.feed.snapshot())
    return mailbox, topic


async def taken(mailbox):
    return [orjson.loads(text) for text in await mailbox.take()]


async def test_nothing_is_evaluated_while_nobody_looks(console, shop):
    tick = Tick(console)
    shop.run(4)
    tick.step()
    await tick.settle()
    assert console.engine.asked == []


async def test_many_viewers_of_one_board_cost_one_evaluation_a_tick(console, shop):
    viewers = [follow(console)[0] for _ in range(50)]
    different = len(set(console.engine.asked))
    assert len(console.engine.asked) == different + 1  # one text is asked for the range and for the table's instant
    for mailbox in viewers:
        await mailbox.take()
    console.engine.asked.clear()

    tick = Tick(console)
    shop.run(2)
    tick.step()
    await tick.settle()

    assert len(console.engine.asked) == different
    texts = [await mailbox.take() for mailbox in viewers]
    assert all(text[0] is texts[0][0] for text in texts)
    assert orjson.loads(texts[0][0])["type"] == "delta"


async def test_sequence_numbers_rise_by_one_a_step(console, shop):
    mailbox, _ = follow(console)
    tick = Tick(console)
    sequence = [frame["seq"] for frame in await taken(mailbox)]
    for _ in range(3):
        shop.run(2)
        tick.step()
        await tick.settle()
        sequence += [frame["seq"] for frame in await taken(mailbox)]
    assert sequence == list(range(sequence[0], sequence[0] + 4))


async def test_a_topic_is_pushed_at_its_own_step_and_not_at_every_scrape(console, shop):
    mailbox, topic = follow(console, range_=TimeRange("now-1h"))  # a point every 10 s
    assert (await taken(mailbox))[0]["step"] == 10
    tick = Tick(console)
    frames = []
    for _ in range(10):
        shop.run(2)
        tick.step()
        await tick.settle()
        if topic.mailboxes and mailbox._waiting.is_set():
            frames += await taken(mailbox)
    assert [frame["type"] for frame in frames] == ["delta", "delta"]
    assert all(frame["t"] % 10 == 0 for frame in frames)


async def test_steps_that_were_missed_bring_a_snapshot_and_no_hole(console, shop):
    mailbox, _ = follow(console)
    (before,) = await taken(mailbox)
    tick = Tick(console)
    shop.run(6)
    tick.step()
    await tick.settle()
    (after,) = await taken(mailbox)
    assert after["type"] == "snapshot"
    assert after["seq"] == before["seq"] + 3
    assert after["t"][-1] == before["t"][-1] + 6


async def test_a_frame_that_takes_longer_than_a_step_is_not_started_twice(console, shop):
    mailbox, _ = follow(console)
    await mailbox.take()
    entered, release = threading.Event(), threading.Event()

    def hold(query):
        entered.set()
        assert release.wait(10)

    console.engine.on_range = hold
    tick = Tick(console)
    skipped = REGISTRY.get_sample_value("opsconsole_live_frames_skipped_total")
    shop.run(2)
    tick.step()
    await asyncio.to_thread(entered.wait, 10)
    for _ in range(3):
        shop.run(2)
        tick.step()
    assert len(tick._running) == 1
    assert REGISTRY.get_sample_value("opsconsole_live_frames_skipped_total") == skipped + 3
    release.set()
    await tick.settle()
    assert len(await mailbox.take()) == 1


async def test_a_board_that_fails_does_not_stop_the_others(console, shop):
    healthy, _ = follow(console)
    await healthy.take()
    broken, topic = follow(console, "broken")
    (snapshot,) = await taken(broken)
    assert "no_such_function" in snapshot["panels"]["wrong"]["error"]
    topic.feed._live = None  # a defect of ours: every frame of this topic raises
    tick = Tick(console)
    failed = REGISTRY.get_sample_value("opsconsole_live_frames_failed_total")
    for _ in range(2):
        shop.run(2)
        tick.step()
        await tick.settle()
        assert [frame["type"] for frame in await taken(healthy)] == ["delta"]
    assert REGISTRY.get_sample_value("opsconsole_live_frames_failed_total") == failed + 2


async def test_a_query_that_fails_once_leaves_the_other_panels_alone_and_comes_back(console, shop):
    mailbox, _ = follow(console)
    await mailbox.take()

    def fail(query):
        if "requests_total" in query:
            raise PromQLError("too much at once")

    tick = Tick(console)
    console.engine.on_range = fail
    shop.run(2)
    tick.step()
    await tick.settle()
    (frame,) = await taken(mailbox)
    assert frame["panels"]["requests"] == {"error": "too much at once"}
    assert frame["panels"]["lengths"] == {"values": [3.0]}

    console.engine.on_range = lambda query: None
    shop.run(2)
    tick.step()
    await tick.settle()
    (frame,) = await taken(mailbox)
    assert [series["name"] for series in frame["panels"]["requests"]["series"]] == ["200", "500"]


async def test_it_stops_while_a_frame_is_being_made(console, shop):
    follow(console)
    entered, release = threading.Event(), threading.Event()

    def hold(query):
        entered.set()
        assert release.wait(10)

    console.engine.on_range = hold
    tick = Tick(console)
    await tick.start()
    shop.run(2)
    tick.step()
    await asyncio.to_thread(entered.wait, 10)
    release.set()
    await tick.stop()
    assert tick._running == {}


async def test_started_it_pushes_by_itself(console, shop):
    mailbox, _ = follow(console)
    await mailbox.take()
    tick = Tick(console)
    shop.run(2)
    shop.clock.advance(1500)  # just before the next interval has settled
    await tick.start()
    async with asyncio.timeout(10):
        assert (await taken(mailbox))[0]["type"] in ("delta", "snapshot")
    await tick.stop()
