from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo_app.supervisor import group
from demo_app.supervisor.part import StopOrder

pytestmark = pytest.mark.real

STUBBORN = """
import os, signal, sys, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "a").write("x")
time.sleep(600)
"""


def test_a_group_ends_with_a_member_that_ignores_the_request(
    tmp_path: Path, wait_until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(group.GRACE_S, StopOrder.SERVICES, 0.2)
    started = tmp_path / "started"
    process = group.spawn((sys.executable, "-c", STUBBORN, str(started)), {}, tmp_path / "log", signal.SIGTERM)
    wait_until(lambda: started.exists() and started.read_text() == "xx", "both processes run")
    group.end([group.Group(process.pid, signal.SIGTERM, StopOrder.SERVICES)])
    process.wait(timeout=5)
    # The grandchild is not ours to reap unless we adopt orphans; the group is gone once init has done it.
    wait_until(lambda: not group.is_alive(process.pid), "the group is empty")


def test_visitors_end_before_services_and_services_before_stores(
    tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    diary = tmp_path / "diary"
    script = (
        "import signal, sys, time\n"
        "def bye(*_):\n    time.sleep(0.1)\n    open(sys.argv[1], 'a').write(sys.argv[2] + ' ')\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, bye)\nopen(sys.argv[1] + sys.argv[2], 'w')\ntime.sleep(600)\n"
    )
    groups, processes = [], []
    for order in (StopOrder.STORES, StopOrder.VISITORS, StopOrder.SERVICES):
        command = (sys.executable, "-c", script, str(diary), order.name)
        process = group.spawn(command, {}, tmp_path / "log", signal.SIGTERM)
        processes.append(process)
        groups.append(group.Group(process.pid, signal.SIGTERM, order))
    wait_until(lambda: all(Path(f"{diary}{order.name}").exists() for order in StopOrder), "all three run")
    group.end(groups)
    assert diary.read_text().split() == ["VISITORS", "SERVICES", "STORES"]
    for process in processes:
        process.wait(timeout=5)


def test_ending_a_group_that_is_gone_takes_no_time(tmp_path: Path) -> None:
    process = group.spawn((sys.executable, "-c", ""), {}, tmp_path / "log", signal.SIGTERM)
    process.wait(timeout=30)
    before = time.process_time()
    group.end([group.Group(process.pid, signal.SIGTERM, StopOrder.SERVICES)])
    assert time.process_time() - before < 1
