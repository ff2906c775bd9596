"""The data folder belongs to one process: a lock that names its owner."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_LOCK_FILE = "console.lock"


class FolderInUse(Exception):
    """Another console owns the folder; the message names it and says what to do."""


class FolderLock:
    """Held until ``release`` or the end of the process, however it ends: the kernel drops an flock with its owner."""

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.  Raises ``FolderInUse``."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._file = os.open(data_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._file, 32, 0).decode().strip() or "unknown"
            os.close(self._file)
            raise FolderInUse(
                f"another console (pid {owner}) is using the data folder {data_dir}; "
                "stop it, or start this one with --data-dir and another folder"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
