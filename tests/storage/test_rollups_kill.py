"""A roll that is killed is finished by the next console."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

DAY_MS = 86_400_000

ROLLER = """
import sys
from pathlib import Path
import numpy as np
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.rollups import Rollups
from opsconsole.storage.samples import SampleStore, StoredScrape

store = ClickHouse.open("", Path(sys.argv[1]))
samples = SampleStore(store)
rollups = Rollups(store, samples, samples_days=100_000)
day = 86_400_000
labels = tuple(Labels.of(__name__="m", job="j", instance="i", n=str(n)) for n in range(40))
scrapes = [StoredScrape(20_000 * day + t * 60_000, labels, np.full(40, float(t))) for t in range(1, 3 * 1440)]
if sys.argv[2] == "store":
    samples.append(scrapes, batch_id="one")
command = store.command
store.command = lambda sql: (print(sql.split()[2], flush=True), command(sql))
rollups.roll(20_004 * day)
print(rollups.rolled(20_000 * day, 20_003 * day), flush=True)
print(store.rows("SELECT count(), sum(samples), sum(first), sum(last) FROM rollups FINAL"), flush=True)
store.close()
"""


@pytest.mark.real
def test_a_roll_is_finished_after_kill_9(tmp_path: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    killed = child(ROLLER, str(tmp_path), "store")
    assert killed.stdout is not None
    assert [killed.stdout.readline() for _ in range(5)] == ["rollups\n", "rolled\n"] * 2 + ["rollups\n"]
    killed.kill()  # of four days (the one before the samples ends as they begin) two are done and one has begun
    killed.wait()
    lines = child(ROLLER, str(tmp_path), "roll").communicate(timeout=120)[0].splitlines()
    assert lines[:-2] == ["rollups", "rolled"] * 3  # the one that ends where an unknown one begins is done again
    assert lines[-2] == f"[({20_000 * DAY_MS}, {20_003 * DAY_MS})]"
    last = 3 * 1440 - 1
    buckets = range(5, 3 * 1440 + 1, 5)
    firsts, lasts = sum(bucket - 4 for bucket in buckets), sum(min(bucket, last) for bucket in buckets)
    assert lines[-1] == f"[({40 * len(buckets)}, {40 * last}, {40.0 * firsts}, {40.0 * lasts})]"
