"""Label sets of a metric are bounded, and what is folded is counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from opsconsole_exporters import metrics
from opsconsole_exporters.catalog import Kind, Metric
from opsconsole_exporters.catalog.exporter import FOLDED
from prometheus_client import REGISTRY

CAPPED = Metric("bounds_test_total", Kind.COUNTER, ("task", "state"), "Of this test.", cap=3)


@pytest.fixture
def counter() -> Iterator[metrics.BoundedCounter]:
    made = metrics.counter(CAPPED)
    made.clear()
    yield made
    made.clear()


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_label_sets_above_the_most_share_one_and_are_counted(counter):
    before = value(FOLDED.name, metric=CAPPED.name)
    for task in "abcde":
        counter.labels(task, "failed").inc()
    counter.labels("d", "succeeded").inc(2)
    counter.labels(task="a", state="failed").inc()
    assert value(CAPPED.name, task="a", state="failed") == 2
    assert value(CAPPED.name, task="c", state="failed") == 1
    assert value(CAPPED.name, task="other", state="failed") == 2
    assert value(CAPPED.name, task="other", state="succeeded") == 2, "a state is one of few and stays"
    assert value(CAPPED.name, task="d", state="failed") == 0
    assert value(FOLDED.name, metric=CAPPED.name) - before == 3


def test_a_child_of_its_own_may_be_remembered_and_a_shared_one_may_not(counter):
    for task in "abcd":
        counter.labels(task, "failed")
    assert counter.holds(("a", "failed"))
    assert not counter.holds(("d", "failed"))


def test_many_threads_make_hardly_more_than_the_most(counter):
    threads = [
        threading.Thread(target=lambda n=number: [counter.labels(f"{n}-{i}", "failed").inc() for i in range(50)])
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    samples = [sample for family in counter.collect() for sample in family.samples if sample.name == CAPPED.name]
    assert sum(sample.value for sample in samples) == 400
    assert len(samples) <= CAPPED.cap + 8 + 1


def test_wrong_labels_are_refused_as_ever(counter):
    with pytest.raises(ValueError, match="Incorrect label"):
        counter.labels("a")
    with pytest.raises(ValueError, match="Incorrect label"):
        counter.labels(task="a")
