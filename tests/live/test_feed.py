"""A snapshot and its deltas, put together as a browser does, are what a fresh snapshot says."""

from __future__ import annotations

import orjson
import pytest

from opsconsole.live.feed import BoardFeed
from opsconsole.operations.boards import snapshot, watch
from opsconsole.series.timerange import TimeRange

pytestmark = pytest.mark.django_db


class Browser:
    """Keeps a board up to date from frames, by the rules of the live protocol and nothing else."""

    def __init__(self) -> None:
        self.t: list[float] = []
        self.panels: dict = {}
        self.seq = 0

    def hear(self, frame: dict) -> None:
        if frame["type"] == "snapshot":
            self.t, self.panels = frame["t"], frame["panels"]
        else:
            assert frame["seq"] == self.seq + 1
            self._append(frame)
        self.seq = frame["seq"]

    def _append(self, frame: dict) -> None:
        length = len(self.t)
        for name, news in frame["panels"].items():
            panel = self.panels[name]
            if "columns" not in panel:
                self.panels[name] = {"series": news.get("series", panel["series"]), "values": news["values"]}
                continue
            had = dict(zip(map(self._identity, panel["series"]), panel["columns"], strict=True))
            series = news.get("series", panel["series"])
            columns = [had.get(self._identity(one), [None] * length) for one in series]
            grown = [[*column[1:], value] for column, value in zip(columns, news["values"], strict=True)]
            self.panels[name] = {"series": series, "columns": grown}
        self.t = [*self.t[1:], frame["t"]]

    @staticmethod
    def _identity(series: dict) -> str:
        return orjson.dumps([series["query"], series["labels"]], option=orjson.OPT_SORT_KEYS).decode()


@pytest.fixture
def feed(console):
    key = watch(console, console.boards["shop"], TimeRange("now-1m"), {"job": "shop-web"})
    return BoardFeed(console, key)


def heard(feed, shop, browser, seconds: int) -> list[dict]:
    frames = []
    for _ in range(seconds // 2):
        shop.run(2)
        assert feed.due(shop.clock.now_ms())
        frames.append(orjson.loads(feed.advance(shop.clock.now_ms()).text))
        browser.hear(frames[-1])
    return frames


def fresh(console) -> dict:
    return orjson.loads(
        orjson.dumps(snapshot(console, console.boards["shop"], TimeRange("now-1m"), {"job": "shop-web"}))
    )


def test_deltas_keep_a_board_equal_to_a_fresh_snapshot_while_series_come_and_go(console, shop, feed):
    browser = Browser()
    browser.hear(orjson.loads(feed.snapshot().text))
    named = 0
    for queues in ({"mail": 3.0}, {"mail": 4.0, "sms": 1.0}, {"sms": 2.0}, {}, {"sms": 2.0, "zip": 9.0}):
        shop.queues = queues
        frames = heard(feed, shop, browser, 40)
        assert {frame["type"] for frame in frames} == {"delta"}
        named += sum("series" in frame["panels"]["lengths"] for frame in frames)
        expected = fresh(console)
        assert browser.t == expected["t"]
        assert browser.seq == expected["seq"]
        for name, panel in expected["panels"].items():
            assert browser.panels[name] == panel, name
    assert 3 <= named <= 8  # the list travels when it changes, and only then


def test_a_viewer_who_comes_later_agrees_with_the_deltas_that_follow(console, shop, feed):
    first, second = Browser(), Browser()
    first.hear(orjson.loads(feed.snapshot().text))
    shop.queues["sms"] = 1.0
    heard(feed, shop, first, 10)
    del shop.queues["mail"]
    heard(feed, shop, first, 10)
    second.hear(orjson.loads(feed.snapshot().text))
    assert (second.t, second.panels, second.seq) == (first.t, first.panels, first.seq)
    for frame in heard(feed, shop, first, 10):
        second.hear(frame)
    assert (second.t, second.panels, second.seq) == (first.t, first.panels, first.seq)


def test_viewers_between_two_steps_share_one_snapshot(console, feed):
    assert feed.snapshot() is feed.snapshot()


def test_the_snapshot_has_one_column_a_series_and_one_number_an_instant(console, shop, feed):
    frame = orjson.loads(feed.snapshot().text)
    assert len(frame["t"]) == 30
    assert frame["t"][-1] * 1000 <= shop.clock.now_ms()
    requests = frame["panels"]["requests"]
    assert [series["labels"] for series in requests["series"]] == [{"status": "200"}, {"status": "500"}]
    assert all(len(column) == 30 for column in requests["columns"])
    assert requests["columns"][0][-1] == 5.0
    latency = frame["panels"]["latency"]
    assert [series["name"] for series in latency["series"]] == ["0.1", "0.5", "+Inf"]
    assert [column[-1] for column in latency["columns"]] == [1.0, 1.0, 1.0]
    assert frame["panels"]["queues"] == {
        "series": [{"query": 0, "name": "waiting", "labels": {"queue": "mail"}}],
        "values": [3.0],
    }


def test_another_job_has_no_series_here(console):
    key = watch(console, console.boards["shop"], TimeRange("now-1m"), {"job": "shop-celery"})
    frame = orjson.loads(BoardFeed(console, key).snapshot().text)
    assert all(panel["series"] == [] for panel in frame["panels"].values())
