"""Files of dead processes become one archive: no count is lost or doubled, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from opsconsole_exporters import compaction
from opsconsole_exporters.exposition import SharedFiles

CHILD = """
from prometheus_client import Counter, Histogram
Counter("made", "m", ["kind"]).labels("a").inc({count})
Histogram("took", "t", buckets=(1, 2)).observe(1.5)
"""


@pytest.fixture
def shared(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def dead_children(shared):
    """``dead_children(5)``: files as so many processes have left them; pids above the kernel's limit live nowhere."""
    subprocess.run([sys.executable, "-c", CHILD.format(count=2)], env=os.environ, check=True)
    # Without the room for more values, which would be a gigabyte.
    made = {path.name.partition("_")[0]: path.read_bytes()[:4096] for path in shared.glob("*.db")}
    for path in shared.glob("*.db"):
        path.unlink()
    after = iter(range(2**22 + 1, 2**30))

    def leave(count):
        for pid in (next(after) for _ in range(count)):
            for kind, content in made.items():
                (shared / f"{kind}_{pid}.db").write_bytes(content)

    return leave


def totals(shared):
    samples = {}
    for family in SharedFiles(shared, with_exemplars=False).collect():
        samples |= {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    return samples


def files(shared):
    return sorted(path.name for path in shared.glob("*.db"))


def test_two_thousand_dead_children_leave_two_files_and_every_count(shared, dead_children):
    for _ in range(4):
        dead_children(500)
        page = totals(shared)
    assert page[("made_total", None)] == 4_000
    assert (page[("took_bucket", "1.0")], page[("took_bucket", "2.0")], page[("took_count", None)]) == (
        0,
        2_000,
        2_000,
    )
    assert page[("took_sum", None)] == 3_000
    assert files(shared) == ["counter_archive.db", "histogram_archive.db"]


def test_a_few_dead_files_are_left_alone(shared, dead_children):
    dead_children(3)
    assert compaction.compact(shared) == 0
    assert len(files(shared)) == 6


def test_the_file_of_a_living_process_stays(shared, dead_children):
    dead_children(2)
    living = shared / f"counter_{os.getpid()}.db"
    next(shared.glob("counter_*.db")).rename(living)
    assert compaction.compact(shared, kept=0) == 3
    assert living.exists()
    assert totals(shared)[("made_total", None)] == 4


def test_a_merging_killed_after_its_journal_is_carried_out_by_the_next(shared, dead_children, monkeypatch):
    dead_children(20)

    carry_out = compaction._carry_out

    def until_the_journal(directory):
        if (directory / compaction.JOURNAL).exists():
            raise KeyboardInterrupt
        carry_out(directory)

    monkeypatch.setattr(compaction, "_carry_out", until_the_journal)
    with pytest.raises(KeyboardInterrupt):
        compaction.compact(shared, kept=0)
    monkeypatch.undo()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(shared))
    assert len(json.loads((shared / compaction.JOURNAL).read_text())) == 40
    # Killed once more, half way through the journal.
    (shared / "counter_archive.db.new").replace(shared / "counter_archive.db")
    assert totals(shared)[("made_total", None)] == 40
    assert files(shared) == ["counter_archive.db", "histogram_archive.db"]


def test_a_merging_killed_before_its_journal_never_happened(shared, dead_children):
    dead_children(20)
    (shared / "counter_archive.db.new").write_bytes(b"half of it")
    assert compaction.compact(shared, kept=0) == 40
    assert totals(shared)[("made_total", None)] == 40
    assert list(shared.glob("*.new")) == []


def test_nothing_is_merged_while_somebody_reads(shared, dead_children):
    dead_children(5)
    with compaction.reading(shared):
        assert compaction.compact(shared, kept=0) == 0
    assert compaction.compact(shared, kept=0) == 10
