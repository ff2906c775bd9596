"""Values that are read beside a scrape: never waited for long, never older than they may be, absent when unknown."""

from __future__ import annotations

import threading

import pytest
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.django.background import Background, latest
from opsconsole_exporters.django.cachekeys import MOST, Patterns
from prometheus_client import REGISTRY


class Source:
    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[object] = []

    def read(self) -> object:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def background(self) -> Background[object]:
        return Background("test", "the source", self.read, fresh_s=10, stale_s=30, clock=lambda: self.now)


def test_a_value_is_read_again_when_it_is_no_longer_fresh():
    source = Source()
    source.answers = [1, 2]
    known = {"a": source.background()}
    assert latest(known) == {"a": 1}
    source.now = 9
    assert latest(known) == {"a": 1}
    source.now = 11
    assert latest(known) == {"a": 2}


def test_a_source_that_fails_is_absent_counted_and_logged_once(capsys):
    source = Source()
    source.answers = [1, OSError("down"), OSError("down"), 2]
    known = {"a": source.background()}
    latest(known)
    errors = {"collector": "test"}
    before = REGISTRY.get_sample_value(str(COLLECTOR_ERRORS), errors) or 0
    for _ in range(2):
        source.now += 11
        assert latest(known) == {}
    assert REGISTRY.get_sample_value(str(COLLECTOR_ERRORS), errors) == before + 2
    source.now += 11
    assert latest(known) == {"a": 2}


def test_a_source_that_hangs_holds_one_thread_and_no_scrape():
    release, calls = threading.Event(), []

    def read() -> int:
        calls.append(1)
        release.wait(60)
        return 1

    known = {"hanging": Background("test", "it", read, fresh_s=10, stale_s=30), "b": Source().background()}
    source = Source()
    source.answers = [2]
    known["b"] = source.background()
    assert latest(known) == {"b": 2}
    assert latest(known) == {"b": 2}
    assert calls == [1]
    release.set()
    thread = known["hanging"].refresh()
    if thread is not None:
        thread.join(60)
    assert latest(known) == {"hanging": 1, "b": 2}


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("views.decorators.cache.cache_page..GET.1.2.en-us.UTC", "view"),
        ("template.cache.heading.d41d", "fragment"),
        ("django.contrib.sessions.cacheabc", "session"),
        ("products:1", "query"),
        ("stock:1", "query"),
        (17, "other"),
    ],
)
def test_a_key_is_named_by_its_prefix(key, pattern):
    assert Patterns.parse("query=products:, query=stock:").of(key) == pattern


def test_a_pattern_that_cannot_be_read_is_left_out_and_the_number_of_names_is_bounded():
    many = ",".join(f"name{number}=prefix{number}:" for number in range(MOST + 5))
    patterns = Patterns.parse(f"nonsense,{many},=x,y=")
    assert len({name for prefix, name in patterns.prefixes if prefix.startswith("prefix")}) == MOST
    assert patterns.of("prefix24:") == "other"
