"""The hub in memory: sharing, order, and sockets that do not read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from opsconsole.live.hub import Frame, Hub, Mailbox


@dataclass
class CountingFeed:
    """A feed of numbers."""

    at: int = 0

    def snapshot(self) -> Frame:
        return Frame(f"snapshot {self.at}", whole=True)

    def due(self, at_ms: int) -> bool:
        return at_ms > self.at

    def advance(self, at_ms: int) -> Frame:
        self.at = at_ms
        return Frame(f"delta {at_ms}")


class Socket:
    """What a consumer does with its mailbox, without the network."""

    def __init__(self, hub: Hub, *, reads: bool = True) -> None:
        self.mailbox = hub.open()
        self.got: list[str] = []
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read()) if reads else None

    async def _read(self) -> None:
        while True:
            texts = await self.mailbox.take()
            async with self._news:
                self.got.extend(texts)
                self._news.notify_all()

    async def wait_for(self, text: str, deadline_s: float = 5) -> None:
        async with asyncio.timeout(deadline_s), self._news:
            await self._news.wait_for(lambda: self.got[-1:] == [text])

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def test_two_hundred_sockets_share_every_frame_and_one_that_never_reads_holds_up_nobody():
    hub = Hub()
    sockets = [Socket(hub) for _ in range(199)]
    deaf = Socket(hub, reads=False)
    opened = []

    def feed() -> CountingFeed:
        opened.append(CountingFeed())
        return opened[-1]

    for socket in (*sockets, deaf):
        topic = hub.subscribe(socket.mailbox, "board", feed)
        socket.mailbox.put(topic.feed.snapshot())
    for instant in range(1, 11):
        frame = topic.feed.advance(instant)
        topic.publish(frame)
        await asyncio.gather(*(socket.wait_for(f"delta {instant}") for socket in sockets))

    assert len(opened) == 1
    expected = ["snapshot 0", *(f"delta {instant}" for instant in range(1, 11))]
    assert all(socket.got == expected for socket in sockets)
    assert all(
        one is other for one, other in zip(sockets[0].got[1:], sockets[-1].got[1:], strict=True)
    )  # one encoded text
    assert await deaf.mailbox.take() == ["snapshot 0", "delta 10"]
    stats = hub.stats()
    assert (stats.sockets, stats.topics, stats.frames_dropped) == (200, 1, 9)
    assert stats.frames_sent == 199 * 11 + 2
    for socket in sockets:
        await socket.close()


async def test_a_delta_before_the_first_snapshot_is_not_for_this_socket():
    mailbox = Mailbox()
    mailbox.put(Frame("delta 1"))
    mailbox.put(Frame("snapshot 2", whole=True))
    mailbox.put(Frame("delta 3"))
    assert await mailbox.take() == ["snapshot 2", "delta 3"]


async def test_a_snapshot_replaces_what_waits_and_what_came_before_it():
    mailbox = Mailbox()
    for frame in (Frame("snapshot 1", whole=True), Frame("delta 2"), Frame("snapshot 2", whole=True)):
        mailbox.put(frame)
    assert await mailbox.take() == ["snapshot 2"]
    assert mailbox.dropped == 2


async def test_a_broadcast_reaches_sockets_that_follow_nothing_and_only_the_oldest_of_too_many_is_lost():
    hub = Hub()
    mailbox = hub.open()
    for number in range(40):
        hub.broadcast(f"toast {number}")
    assert await mailbox.take() == [f"toast {number}" for number in range(8, 40)]
    assert mailbox.dropped == 8


async def test_following_something_else_leaves_the_old_topic_and_its_waiting_frames_behind():
    hub = Hub()
    mailbox = hub.open()
    old = hub.subscribe(mailbox, "old", CountingFeed)
    mailbox.put(old.feed.snapshot())
    hub.broadcast("toast")
    new = hub.subscribe(mailbox, "new", CountingFeed)
    old.publish(Frame("delta of old"))
    new.publish(Frame("delta before the snapshot"))
    assert await mailbox.take() == ["toast"]
    assert hub.topics() == [new]
    assert hub.topic(mailbox) is new


@pytest.mark.parametrize("leave", ["unsubscribe", "close"])
async def test_a_topic_ends_with_its_last_viewer(leave):
    hub = Hub()
    first, second = hub.open(), hub.open()
    hub.subscribe(first, "board", CountingFeed)
    hub.subscribe(second, "board", CountingFeed)
    getattr(hub, leave)(first)
    assert len(hub.topics()) == 1
    getattr(hub, leave)(second)
    assert hub.topics() == []


async def test_what_closed_sockets_got_stays_counted():
    hub = Hub()
    mailbox = hub.open()
    hub.broadcast("toast")
    await mailbox.take()
    hub.close(mailbox)
    hub.close(mailbox)
    assert hub.stats().sockets == 0
    assert hub.stats().frames_sent == 1
