from __future__ import annotations

from opsconsole.series.labels import Labels
from opsconsole.storage.metadata import Metadata, MetadataStore

WEB, WORKER = Labels.of(job="web", instance="a:1"), Labels.of(job="worker", instance="a:2")
HITS, OTHER, SIZE = Metadata("counter", "Hits."), Metadata("counter", "Visits."), Metadata("gauge", "Size.", "bytes")


def test_targets_that_agree_count_once_and_those_that_do_not_each_have_their_say() -> None:
    store = MetadataStore()
    store.put(WEB, {"hits": HITS, "size_bytes": SIZE})
    store.put(WORKER, {"hits": OTHER, "size_bytes": SIZE})
    assert store.find() == {"hits": [HITS, OTHER], "size_bytes": [SIZE]}
    assert store.find("hits") == {"hits": [HITS, OTHER]}
    assert store.find(target=WORKER) == {"hits": [OTHER], "size_bytes": [SIZE]}
    assert store.find("size_bytes", WEB) == {"size_bytes": [SIZE]}
    assert store.find("nothing") == {}
    assert store.find(target=Labels.of(job="db")) == {}


def test_what_a_target_says_now_replaces_what_it_said() -> None:
    store = MetadataStore()
    store.put(WEB, {"hits": HITS})
    store.put(WEB, {"size_bytes": SIZE})
    assert store.find() == {"size_bytes": [SIZE]}


def test_a_target_that_says_too_much_is_cut_off() -> None:
    store = MetadataStore(families=2)
    store.put(WEB, {f"metric_{number}": HITS for number in range(5)})
    assert list(store.find()) == ["metric_0", "metric_1"]
