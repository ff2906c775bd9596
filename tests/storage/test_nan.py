"""A value that is not a number was sent; a series that is not there was not.  Both are NaN, and must not be confused."""

from __future__ import annotations

import numpy as np
import pytest

from opsconsole.ingest.exposition import ExpositionParser
from opsconsole.promql.engine import Engine
from opsconsole.promql.result import Matrix
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.head import Head
from opsconsole.storage.samples import SampleStore, StoredScrape

TARGET = Labels.of(job="web", instance="a:1")
NOW_MS = 1_764_000_000_000


@pytest.mark.parametrize("source", ["head", "store"])
def test_a_nan_that_was_scraped_is_a_sample_and_a_vanished_series_is_none(source: str, clickhouse: ClickHouse) -> None:
    parser = ExpositionParser(TARGET)
    first = parser.parse(b"ratio NaN\ngone 1\n")
    second = parser.parse(b"ratio NaN\n")
    head, store = Head(), SampleStore(clickhouse)
    for at_ms, scraped, batch in ((NOW_MS, first, "1"), (NOW_MS + 2000, second, "2")):
        kept = head.append(TARGET, at_ms, scraped.labels, scraped.values)
        store.append([StoredScrape(at_ms, kept.labels, kept.values, kept.vanished)], batch_id=batch)
    engine = Engine(head if source == "head" else store)
    found = engine.instant('{job="web"}', NOW_MS + 3000)
    assert isinstance(found, Matrix)
    assert [labels.metric for labels in found.labels] == ["ratio"]
    assert np.isnan(found.values).all()
    assert found.present.all()
