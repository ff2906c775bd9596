"""A file of rows that several processes share: no line is lost, torn or mixed with another, and old files go."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from opsconsole_exporters.models.jsonlines import JsonLines

from tests.exporters.conftest import SOURCES

LARGEST = 20_000
PROCESSES = 4
BATCHES = 60

WRITER = f"""
import sys
from pathlib import Path
from opsconsole_exporters.models.jsonlines import JsonLines
sink = JsonLines(Path(sys.argv[1]), largest={LARGEST}, keep=1000)
print("ready", flush=True)
sys.stdin.readline()
for batch in range({BATCHES}):
    rows = [{{"of": sys.argv[2], "n": batch * 10 + n, "fill": "x" * (n * 37)}} for n in range(10)]
    assert sink(rows) == 10
"""


def rows_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def full_files(path: Path) -> list[Path]:
    """Those put aside, the newest first."""
    found = [file for file in path.parent.glob(f"{path.name}.*") if file.suffix[1:].isdigit()]
    return sorted(found, key=lambda file: int(file.suffix[1:]))


@pytest.mark.real
def test_processes_that_write_at_once_lose_no_row_while_files_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen(
            [*command, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(SOURCES)},
        )
        for number in range(PROCESSES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n", timeout=120)
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    aside = full_files(path)
    assert len(aside) > 10
    assert [file.name for file in aside] == [f"rows.jsonl.{n + 1}" for n in range(len(aside))]
    assert max(file.stat().st_size for file in aside) <= LARGEST
    rows = [row for file in [*reversed(aside), path] for row in rows_of(file)]
    for number in range(PROCESSES):  # each one's own in the order in which it wrote them
        assert [row["n"] for row in rows if row["of"] == str(number)] == list(range(10 * BATCHES))
    assert len(rows) == PROCESSES * BATCHES * 10


@pytest.mark.parametrize(("keep", "left"), [(0, [9]), (1, [8, 9]), (3, [6, 7, 8, 9])])
def test_so_many_full_files_are_kept(tmp_path: Path, keep: int, left: list[int]) -> None:
    path = tmp_path / "rows.jsonl"
    sink = JsonLines(path, largest=100, keep=keep)
    for n in range(10):
        assert sink([{"n": n, "fill": "x" * 70}]) == 1
    files = [*reversed(full_files(path)), path]
    assert [row["n"] for file in files for row in rows_of(file)] == left


def test_one_batch_may_fill_several_files(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"n": n} for n in range(40)]
    assert JsonLines(path, largest=100, keep=100)(rows) == 40
    files = [*reversed(full_files(path)), path]
    assert len(files) > 3
    assert [row for file in files for row in rows_of(file)] == rows
    assert max(file.stat().st_size for file in files) <= 100


def test_a_row_larger_than_a_file_is_not_kept_and_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert JsonLines(path, largest=100)([{"n": 1}, {"fill": "x" * 200}, {"n": np.float64(2)}]) == 2
    assert rows_of(path) == [{"n": 1}, {"n": 2.0}]
    assert full_files(path) == []


def test_a_file_that_somebody_has_moved_away_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    sink = JsonLines(path, largest=100)
    sink([{"n": 1}])
    path.rename(tmp_path / "taken")
    sink([{"n": 2}])
    assert rows_of(path) == [{"n": 2}]


def test_a_disk_without_room_tears_no_line(tmp_path: Path) -> None:
    """The limit of a process on the size of files stands in for a disk that is full: a write stops in the middle."""
    path = tmp_path / "rows.jsonl"
    code = f"""
import resource, signal
from pathlib import Path
from opsconsole_exporters.models.jsonlines import JsonLines
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, {resource.RLIM_INFINITY}))
sink = JsonLines(Path({str(path)!r}))
sink([{{"n": 1}}])
try:
    sink([{{"n": n}} for n in range(50)])
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, ({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY}))
sink([{{"n": 2}}])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True
    )
    assert "no room for" in done.stdout
    assert rows_of(path) == [{"n": 1}, {"n": 2}]
