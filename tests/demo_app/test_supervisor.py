"""Starting and stopping everything, in peace and by violence."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psutil
import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

Start = Callable[..., Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_second_start_is_refused_in_one_line_and_sigterm_ends_every_process_and_frees_every_port(
    start_demo: Start, tmp_path: Path, nobody_left: Callable[..., None], can_listen: Callable[[int], bool]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    demo = start_demo(tmp_path / "data", "--no-console", env={"HOME": str(home)}).wait_until_up()
    family = demo.family()
    assert len(family) > 10
    assert list(home.rglob("*")) == []

    second = start_demo(demo.data_dir, "--no-console")
    assert second.process.wait(timeout=60) == 1
    assert second.errors.count("\n") == 1
    assert f"a demo already runs on {demo.data_dir}" in second.errors
    assert demo.get("/healthz/").status_code == 200

    assert demo.end() == 0
    nobody_left(family)
    for name, port in demo.run["ports"].items():
        assert port is None or can_listen(port), name
    left = {
        path.name for path in (tmp_path / "data").rglob("*") if path.suffix in {".pid", ".sock"} or path.is_socket()
    }
    assert left == set()
    assert not (tmp_path / "data" / "run.json").exists()


def test_sigkill_of_the_supervisor_leaves_nothing_even_without_its_guard_and_the_next_start_works(
    start_demo: Start, tmp_path: Path, nobody_left: Callable[..., None]
) -> None:
    demo = start_demo(tmp_path / "data", "--no-console").wait_until_up()
    family = demo.family()
    demo.end(signal.SIGKILL)
    again = start_demo(tmp_path / "data", "--no-console")  # at once: it waits for the remains to go
    nobody_left(family)
    assert again.wait_until_up().get("/products/").status_code == 200
    assert again.run["ports"] == demo.run["ports"], "free again, and taken again, so that series go on"

    family = again.family()
    if sys.platform == "linux":  # elsewhere no kernel signal stands behind the guard
        guards = [child for child in psutil.Process(again.process.pid).children() if "demo_app" in child.cmdline()]
        assert len(guards) == 1
        guards[0].kill()
    again.end(signal.SIGKILL)
    nobody_left(family)


def test_a_taken_port_is_named_in_one_line(start_demo: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        demo = start_demo(tmp_path / "data", "--port", str(port))
        assert demo.process.wait(timeout=60) == 1
    assert demo.errors.count("\n") == 1
    assert f"port {port} " in demo.errors
    assert "make demo PORT=8001" in demo.errors


def test_a_part_that_does_not_come_up_is_named_with_its_last_words(
    start_demo: Start, tmp_path: Path, nobody_left: Callable[..., None]
) -> None:
    broken = f"{sys.executable} -c \"import sys; print('no space left for telemetry'); sys.exit(3)\""
    demo = start_demo(tmp_path / "data", "--port", str(free_port()), "--console-command", broken)
    family = demo.family()
    assert demo.process.wait(timeout=120) == 1
    assert "console: ended before /healthz/ready answers (exit code 3)" in demo.errors
    assert "| no space left for telemetry" in demo.errors
    nobody_left(family)


def test_a_part_that_dies_later_ends_everything_and_is_named(
    start_demo: Start, tmp_path: Path, nobody_left: Callable[..., None]
) -> None:
    demo = start_demo(tmp_path / "data", "--no-console").wait_until_up()
    family = demo.family()
    psutil.Process(demo.run["pids"]["beat"]).kill()
    assert demo.process.wait(timeout=60) == 1
    assert "beat: ended unexpectedly (signal 9)" in demo.errors
    nobody_left(family)


def test_the_console_is_told_all_it_needs_and_services_are_told_of_the_console(
    start_demo: Start, tmp_path: Path, console_command: str
) -> None:
    port = free_port()
    demo = start_demo(
        tmp_path / "data",
        *("--port", str(port), "--console-command", console_command, "--webhook-url", "http://127.0.0.1:9/hook"),
        env={"OPSCONSOLE_API_TOKEN": "a token/with=signs"},
    ).wait_until_up()
    url = f"http://127.0.0.1:{port}"
    targets = demo.run["targets"]
    assert set(targets) == {"shop-web", "shop-celery", "shop-postgres", "shop-vectors"}
    told = json.loads((tmp_path / "data" / "console" / "environment.json").read_text())
    assert {name: value for name, value in told.items() if os.environ.get(name) != value} == {
        "OPSCONSOLE_PROFILE": "demo",
        "OPSCONSOLE_TARGETS": ",".join(f"{job}={url}" for job, url in targets.items()),
        "OPSCONSOLE_URL": url,
        "OPSCONSOLE_DATA_DIR": str(tmp_path / "data" / "console"),
        "OPSCONSOLE_API_TOKEN": "a token/with=signs",
        "OPSCONSOLE_WEBHOOK_URL": "http://127.0.0.1:9/hook",
    }
    assert demo.run["sign_in_url"] == f"{url}/sign-in/once/"
    assert demo.run["api_token"] == "a token/with=signs"

    web = psutil.Process(demo.run["pids"]["web"]).environ()
    assert web["OTEL_EXPORTER_OTLP_ENDPOINT"] == url
    assert unquote(web["OTEL_EXPORTER_OTLP_HEADERS"]) == "Authorization=Bearer a token/with=signs"
    assert web["OTEL_EXPORTER_OTLP_HEADERS"].count("=") == 1
    assert web["OTEL_SERVICE_NAME"] == "shop-web"
    assert "OPSCONSOLE_API_TOKEN" not in web
    assert psutil.Process(demo.run["pids"]["worker-high"]).environ()["OTEL_SERVICE_NAME"] == "shop-worker"
    assert demo.end(signal.SIGINT) == 0


def test_a_fault_without_a_demo_is_refused_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo_app", "fault", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 1
    assert done.stderr == f"error: no demo runs on {tmp_path}: start one with 'make demo', or give its --data-dir\n"
