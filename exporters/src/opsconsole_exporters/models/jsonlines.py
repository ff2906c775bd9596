"""Rows as lines of JSON in a file that is put aside when it is full.

All processes of a service append to one file, because one of each its own would leave a file for every worker that ever
lived.  So somebody may have to move it away while others write: whoever writes holds a lock beside it, which the kernel
takes away from a process that dies.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LARGEST_FILE = 64 << 20
KEPT = 3


class JsonLines:
    """Appends to ``path``; before it has more than ``largest`` bytes it becomes ``path.1``, and that ``path.2``.

    ``keep``: so many full files, the newest; with 0, rows of a full file are gone.  A row that is larger than a file may be
    is not kept.  Safe in threads, processes, and beside a program that moves the file away.
    """

    def __init__(self, path: Path, largest: int = LARGEST_FILE, keep: int = KEPT) -> None:
        self._path = path
        self._largest = largest
        self._keep = keep
        self._lock = path.with_name(f"{path.name}.lock")

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write a batch, and answer how many rows are kept.  Raises ``OSError``; then those of its last file are not."""
        lines = [line for row in rows if len(line := _line(row)) <= self._largest]
        with self._alone():
            fitting: list[bytes] = []
            room = self._largest - self._size()
            for line in lines:
                if len(line) > room:
                    self._append(b"".join(fitting))
                    self._put_aside()
                    fitting, room = [], self._largest
                fitting.append(line)
                room -= len(line)
            self._append(b"".join(fitting))
        return len(lines)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _append(self, data: bytes) -> None:
        """All of it or nothing: half a line on a full disk would spoil the one after it."""
        if not data:
            return
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            before = os.fstat(file).st_size
            if os.write(file, data) < len(data):
                os.ftruncate(file, before)
                raise OSError(f"no room for {len(data)} bytes in {self._path}")
        finally:
            os.close(file)

    def _put_aside(self) -> None:
        if not self._path.exists():
            return
        if not self._keep:
            self._path.unlink()
            return
        for number in range(self._keep, 1, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy, and whatever else is no JSON."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
