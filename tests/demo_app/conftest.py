from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 150.0
"""Generous: the machine may be busy with other tests."""


def wait_until(condition: Callable[[], Any], what: str, *, within_s: float = 40.0) -> Any:
    """Return the first true answer of ``condition``; fail naming ``what`` when none comes in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s:.0f} s: {what}")


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Demo:
    """``python -m demo_app up`` as a process of its own; ``run`` is the JSON it prints when all is up."""

    def __init__(self, data_dir: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._errors = (data_dir.parent / f"{data_dir.name}.stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "demo_app", "up", "--data-dir", str(data_dir), "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=environment() | (env or {}),
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.run: dict[str, Any] = {}
        self._family: list[psutil.Process] = []

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def wait_until_up(self) -> Demo:
        line = self._lines.get(timeout=UP_WITHIN_S)
        assert line, f"the demo did not come up:\n{self.errors}"
        self.run = json.loads(line)
        return self

    @property
    def errors(self) -> str:
        return Path(self._errors.name).read_text()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.run["shop_url"] + path, timeout=30, trust_env=False, **options)

    def metric(self, job: str, name: str, *labels: str) -> float:
        """Return the sum of the samples whose line has ``name`` and each of ``labels``."""
        page = httpx.get(self.run["targets"][job], timeout=30, trust_env=False).text
        return sum(
            float(line.rpartition(" ")[2])
            for line in page.splitlines()
            if line.startswith((f"{name}{{", f"{name} ")) and all(label in line for label in labels)
        )

    def fault(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "demo_app", "fault", "--data-dir", str(self.data_dir), *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(),
            check=True,
        )
        return done.stdout

    def family(self) -> list[psutil.Process]:
        """Every process of the demo at this moment, the supervisor among them."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        self.end()
        self._errors.close()
        assert self.process.stdout
        wait_until(self._lines.qsize, "the output ends")
        self.process.stdout.close()


def environment() -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "exporters" / "src")])
    return {name: value for name, value in os.environ.items() if name != "OPSCONSOLE_API_TOKEN"} | {"PYTHONPATH": paths}


@pytest.fixture(scope="module")
def start_demo() -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(data_dir: Path, *arguments: str, env: dict[str, str] | None = None) -> Demo:
        demo = Demo(data_dir, *arguments, env=env)
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.close()


@pytest.fixture(scope="module")
def shop(start_demo: Callable[..., Demo], tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The shop alone, up."""
    demo: Demo = start_demo(tmp_path_factory.mktemp("demo") / "data", "--no-console")
    return demo.wait_until_up()


@pytest.fixture(name="wait_until", scope="session")
def wait_until_fixture() -> Callable[..., Any]:
    return wait_until


@pytest.fixture(scope="session")
def nobody_left() -> Callable[[list[psutil.Process]], None]:
    def check(family: list[psutil.Process]) -> None:
        wait_until(
            lambda: not any(lives(process) for process in family), "every process of the demo is gone", within_s=20
        )

    return check


@pytest.fixture(scope="session")
def can_listen() -> Callable[[int], bool]:
    def check(port: int) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    return check


@pytest.fixture(scope="session")
def console_command() -> str:
    return f"{sys.executable} {Path(__file__).parent / 'stand_in_console.py'}"
