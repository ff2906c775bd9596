"""What was acknowledged survives kill -9, at whatever moment it comes."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

WRITER = """
import sys
from pathlib import Path

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.commit import CommitPolicy, GroupCommit
from opsconsole.storage.samples import SampleStore, StoredScrape
from opsconsole.storage.spans import SpanStore

store = ClickHouse.open("", Path(sys.argv[1]))
run = int(sys.argv[2])
spans = SpanStore(store, CommitPolicy(what="spans", batch=2000, pending=20000, delay_s=0.01))
samples = SampleStore(store)
commit = GroupCommit(
    lambda scrapes, batch_id: samples.append(scrapes, batch_id=batch_id),
    CommitPolicy(what="samples", batch=5000, pending=50000, delay_s=0.01, attempts=None),
)
labels = tuple(Labels.of(__name__="m", job="j", instance="i", n=str(n)) for n in range(200))
for number in range(1, 100000):
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for n in range(300):
        scoped.spans.add(
            trace_id=(run << 64 | number).to_bytes(16, "big"),
            span_id=(n + 1).to_bytes(8, "big"),
            name="x",
            start_time_unix_nano=1_764_000_000_000_000_000,
        )
    traced = spans.offer(request.SerializeToString(), 300)
    sampled = commit.offer(StoredScrape(run * 1_000_000 + number, labels, np.full(200, float(number))), 200)
    traced.result()
    print("spans", number, flush=True)
    sampled.result()
    print("samples", number, flush=True)
"""

READER = """
import json, sys
from pathlib import Path
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.samples import SampleStore

store = ClickHouse.open("", Path(sys.argv[1]))
run = int(sys.argv[2])
spans = {int(trace_id[16:], 16): count for trace_id, count in store.rows(
    "SELECT TraceId, uniqExact(SpanId) FROM otel_traces GROUP BY TraceId") if int(trace_id[:16], 16) == run}
(block,) = SampleStore(store).select((), run * 1_000_000, (run + 1) * 1_000_000) or [None]
samples = {} if block is None else {
    int(t) - run * 1_000_000: int((block.values[:, i] == int(t) - run * 1_000_000).sum())
    for i, t in enumerate(block.timestamps)}
checks = [
    store.command(f"CHECK TABLE {table} SETTINGS check_query_single_value_result = 1")
    for table in ("otel_traces", "samples", "series")
]
print(json.dumps({"spans": spans, "samples": samples, "checks": checks}))
store.close()
"""


@pytest.mark.real
def test_no_acknowledged_trace_or_sample_is_lost_to_kill_9(
    tmp_path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    dice = random.Random(9)
    for run in range(1, 3):
        writer = child(WRITER, str(tmp_path), str(run))
        assert writer.stdout is not None
        acknowledged: dict[str, set[int]] = {"spans": set(), "samples": set()}
        for _ in range(dice.randrange(3, 60)):
            line = writer.stdout.readline()
            assert line.split()[0] in acknowledged, line + writer.stdout.read()
            acknowledged[line.split()[0]].add(int(line.split()[1]))
        writer.kill()
        for line in writer.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be cut off
                acknowledged[line.split()[0]].add(int(line.split()[1]))
        writer.wait()

        found = json.loads(child(READER, str(tmp_path), str(run)).communicate(timeout=120)[0])
        for kind, of_each in (("spans", 300), ("samples", 200)):
            kept = {int(number): count for number, count in found[kind].items()}
            assert acknowledged[kind] <= kept.keys()
            assert set(kept.values()) == {of_each}, "a batch is there in part"
        assert found["checks"] == [1, 1, 1], "a table is damaged"
