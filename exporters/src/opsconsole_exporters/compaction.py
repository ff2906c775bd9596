"""Merges the files of dead processes, so that a pool that renews its children leaves no file for each of them.

prometheus-client keeps the counters and histograms of every process that ever lived, one file each.  Their sums are
moved into one archive per kind, which every reader of the directory takes for one more process.

Two things must not happen: that a scrape reads a count twice or not at all, so readers share a lock that the merging
excludes; and that a kill in between does, so the files to replace and to remove are first written to a journal, and
whoever has the lock next carries it out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from opsconsole_exporters import multiprocess

# Merging at every death would lock out scrapes for nothing: so many files of dead processes do no harm.
DEAD_FILES_KEPT = 32
KINDS = ("counter", "histogram", "summary")
LOCK = "compaction.lock"
JOURNAL = "compaction.json"


def compact(directory: Path, kept: int = DEAD_FILES_KEPT) -> int:
    """Merge the files of dead processes if there are more than ``kept``; returns how many files went.

    Does nothing while somebody reads or merges: the next call will.  Raises ``OSError`` if the directory cannot be
    written.
    """
    if len(_dead_files(directory)) <= kept and not (directory / JOURNAL).exists():
        return 0
    with _lock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
        if not locked:
            return 0
        _carry_out(directory)
        dead = _dead_files(directory)  # again: another process may have merged them before we had the lock
        if len(dead) <= kept:
            return 0
        merged = [file for kind in KINDS for file in _merge(directory, kind, dead)]
        pending = directory / f"{JOURNAL}.new"
        pending.write_text(json.dumps([file.name for file in merged]))
        pending.replace(directory / JOURNAL)
        _carry_out(directory)
        return len(merged)


@contextlib.contextmanager
def reading(directory: Path) -> Iterator[None]:
    """Nothing is merged while the block reads the files."""
    with _lock(directory, fcntl.LOCK_SH):
        yield


def _dead_files(directory: Path) -> list[Path]:
    files = []
    for file in sorted(directory.glob("*.db")):
        kind, _, pid = file.stem.partition("_")
        if kind in KINDS and pid.isdigit() and not multiprocess.is_alive(int(pid)):
            files.append(file)
    return files


def _merge(directory: Path, kind: str, dead: Iterable[Path]) -> list[Path]:
    """Write the next archive of ``kind`` beside the present one; returns the files that it makes superfluous."""
    archive = directory / f"{kind}_archive.db"
    files = [file for file in dead if file.name.startswith(f"{kind}_")]
    if not files:
        return []
    sums: defaultdict[str, float] = defaultdict(float)
    for file in [archive, *files]:
        if file.exists() and file.stat().st_size:  # empty: its process was killed as it created it
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
                sums[key] += value
    following = directory / f"{archive.name}.new"
    following.unlink(missing_ok=True)
    merged = MmapedDict(str(following))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        merged.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    merged.close()  # type: ignore[no-untyped-call]
    return files


def _carry_out(directory: Path) -> None:
    """Do what the journal says; doing it twice changes nothing, so a kill at any line is made good by the next call."""
    journal = directory / JOURNAL
    if journal.exists():
        names = json.loads(journal.read_text())
        for kind in KINDS:
            following = directory / f"{kind}_archive.db.new"
            if following.exists():
                following.replace(directory / f"{kind}_archive.db")
        for name in names:
            (directory / name).unlink(missing_ok=True)
        journal.unlink()
    for leftover in directory.glob("*_archive.db.new"):  # of a merging that never reached its journal
        leftover.unlink()


@contextlib.contextmanager
def _lock(directory: Path, mode: int) -> Iterator[bool]:
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, mode)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
