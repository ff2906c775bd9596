"""Exemplars of several processes: bounded, the latest of every bucket, and gone when they are old."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from opsconsole_exporters import exemplars
from prometheus_client import Metric as Family
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.samples import Exemplar

NOW = 1_800_000_000.0


def key(le: str) -> str:
    return mmap_key("waited", "waited_bucket", ["le"], [le], "help")


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead_pid():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def write(directory, pid, trace, timestamp, mtime=NOW):
    file = directory / f"exemplars_{pid}.json"
    file.write_text(json.dumps([[key("1.0"), {"trace_id": trace}, 0.5, timestamp]]))
    os.utime(file, (mtime, mtime))
    return file


def test_the_latest_of_all_processes_wins(directory, dead_pid):
    write(directory, os.getpid(), "older", NOW - 10)
    write(directory, dead_pid, "newer", NOW - 5)
    read = exemplars.read(directory, NOW)
    assert {one.labels["trace_id"] for one in read.values()} == {"newer"}, "a child that has ended still counts"


def test_what_is_old_is_not_shown_and_its_file_goes_with_its_process(directory, dead_pid):
    late = NOW - exemplars.KEEP_S - 1
    mine, other = write(directory, os.getpid(), "mine", late, late), write(directory, dead_pid, "dead", late, late)
    assert exemplars.read(directory, NOW) == {}
    assert (mine.exists(), other.exists()) == (True, False)


def test_a_process_keeps_so_many_and_drops_the_oldest(directory, monkeypatch):
    monkeypatch.setattr(exemplars, "MOST", 2)
    kept = exemplars.Kept()
    for number, le in enumerate(("1.0", "2.0", "1.0", "3.0")):
        kept.remember(key(le), Exemplar({"trace_id": str(number)}, 0.5, NOW))
    kept.write()
    read = exemplars.read(directory, NOW)
    assert sorted(one.labels["trace_id"] for one in read.values()) == ["2", "3"]
    assert not list(directory.glob("*.new"))


def test_writing_waits_and_writes_only_what_is_new(directory):
    kept, file = exemplars.Kept(), directory / f"exemplars_{os.getpid()}.json"
    kept.write_when_due(0.0)
    assert not file.exists()
    kept.remember(key("1.0"), Exemplar({"trace_id": "a"}, 0.5, NOW))
    kept.write_when_due(1.0)
    first = file.read_text()
    kept.remember(key("1.0"), Exemplar({"trace_id": "b"}, 0.5, NOW))
    kept.write_when_due(1.0 + exemplars.WRITE_EVERY_S / 2)
    assert file.read_text() == first
    kept.write_when_due(1.0 + exemplars.WRITE_EVERY_S)
    assert '"b"' in file.read_text()


def test_exemplars_are_put_on_the_buckets_they_belong_to_and_nowhere_else(directory):
    write(directory, os.getpid(), "a", NOW)
    family, gauge = Family("waited", "help", "histogram"), Family("waiting", "help", "gauge")
    for le in ("1.0", "+Inf"):
        family.add_sample("waited_bucket", {"le": le}, 1)
    gauge.add_sample("waiting", {}, 1)
    first, second = exemplars.attach([family, gauge], directory, NOW)
    assert [bool(sample.exemplar) for sample in first.samples] == [True, False]
    assert not second.samples[0].exemplar
