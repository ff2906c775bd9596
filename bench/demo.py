"""The demo as the benchmarks use it: started by its own supervisor, stopped with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def running_demo() -> Iterator[dict[str, Any]]:
    """Yield what ``demo_app up --json`` printed, plus ``data_dir``; progress goes to standard error."""
    with tempfile.TemporaryDirectory(prefix="opsconsole-bench-") as data_dir:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo_app", "up", "--json", "--port", "0", "--data-dir", data_dir],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for line in process.stdout or ():
                if line.startswith("{"):
                    yield json.loads(line) | {"data_dir": data_dir}
                    break
                print(line, end="", file=sys.stderr)
            else:
                sys.exit("the demo did not start; see above")
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def fault(demo: dict[str, Any], name: str, state: str) -> None:
    """Switch a fault ``on`` or ``off``."""
    subprocess.run(
        [sys.executable, "-m", "demo_app", "fault", name, state, "--data-dir", demo["data_dir"]],
        check=True,
        stdout=subprocess.DEVNULL,
    )
