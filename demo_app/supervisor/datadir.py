"""The folder that holds everything a run leaves behind, owned by one supervisor at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

DEFAULT_DATA_DIR = Path(".opsconsole")
LEFTOVER_S = 10.0
"""How long a new run waits for the guard of a killed one to finish."""


class DataDirInUseError(Exception):
    """Another supervisor runs on the folder.  The message names both."""


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths under ``root``; ``console`` belongs to the console alone.

    ``run_file`` exists while the demo is up and tells other commands how to reach it.
    """

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def console(self) -> Path:
        return self.root / "console"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def web_metrics(self) -> Path:
        return self.root / "metrics" / "web"

    @property
    def celery_metrics(self) -> Path:
        return self.root / "metrics" / "celery"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def ready(self) -> Path:
        return self.root / "ready"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "demo.lock"

    def lay_out(self) -> None:
        """Make the folders; empty those that must not carry anything over from the last run."""
        for folder in (self.logs, self.web_metrics, self.celery_metrics, self.ready):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for folder in (self.valkey, self.console, self.models):
            folder.mkdir(parents=True, exist_ok=True)
        self.run_file.unlink(missing_ok=True)

    def secret(self, name: str) -> str:
        """Return the secret of that name, made on first use, readable by the owner alone."""
        path = self.root / f"{name}.secret"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def last_ports(self) -> list[int]:
        """The ports of the last run, in the order they were kept; empty before the first."""
        try:
            return [int(port) for port in (self.root / "ports").read_text().split()]
        except (OSError, ValueError):
            return []

    def keep_ports(self, ports: list[int]) -> None:
        """Remember the ports of this run for the next one."""
        (self.root / "ports").write_text(" ".join(map(str, ports)))

    def write_run(self, run: dict[str, Any]) -> None:
        write_private(self.run_file, json.dumps(run))

    def read_run(self) -> dict[str, Any] | None:
        try:
            run: dict[str, Any] = json.loads(self.run_file.read_text())
        except (OSError, ValueError):
            return None
        return run


def lock(data_dir: DataDir) -> IO[str]:
    """Take the folder and return the lock, to be kept open.  Raises ``DataDirInUseError``.

    The kernel frees the lock with its last holder, so no crash leaves it behind.  After a SIGKILL of the supervisor its
    guard still holds it while it ends what is left; that is waited for.
    """
    data_dir.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.fdopen(os.open(data_dir.lock_file, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    deadline = time.monotonic() + LEFTOVER_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip()
            if _is_alive(owner) or time.monotonic() > deadline:
                file.close()
                raise DataDirInUseError(
                    f"a demo already runs on {data_dir.root} (process {owner}): stop it, or give another --data-dir"
                ) from None
            time.sleep(0.1)
        else:
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            return file


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
