from __future__ import annotations

import pytest

from opsconsole.ingest.target import Target
from opsconsole.series.labels import Labels


def test_a_target_is_a_job_and_a_url() -> None:
    target = Target.parse("shop-web=http://127.0.0.1:8001/metrics", interval_s=2)
    assert (target.job, target.url, target.instance) == ("shop-web", "http://127.0.0.1:8001/metrics", "127.0.0.1:8001")
    assert target.labels == Labels.of(job="shop-web", instance="127.0.0.1:8001")
    assert target.timeout_s == 2


def test_a_timeout_is_ten_seconds_at_most_and_can_be_said() -> None:
    assert Target.parse("a=http://h:1/x", interval_s=60).timeout_s == 10
    assert Target.parse("a=http://h:1/x", interval_s=60, timeout_s=30).timeout_s == 30


@pytest.mark.parametrize(
    ("url", "full", "instance"),
    [
        ("http://h:1", "http://h:1/metrics", "h:1"),
        ("http://h:1/", "http://h:1/metrics", "h:1"),
        ("https://h/x?y=z", "https://h/x?y=z", "h:443"),
        ("http://h", "http://h/metrics", "h:80"),
        ("http://[::1]:9/m", "http://[::1]:9/m", "[::1]:9"),
    ],
)
def test_the_path_and_the_port_have_defaults(url: str, full: str, instance: str) -> None:
    target = Target.parse(f"a={url}", interval_s=1)
    assert (target.url, target.instance) == (full, instance)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://h:1/metrics",
        "=http://h:1",
        "a=",
        "a=h:1/metrics",
        "a=ftp://h/x",
        "a b=http://h:1",
        "a=http://h:99999/",
    ],
)
def test_a_text_that_is_no_target_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"write job=http://host:port/metrics"):
        Target.parse(text, interval_s=1)


def test_an_interval_must_be_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="interval_s is 0"):
        Target.parse("a=http://h:1", interval_s=0)
