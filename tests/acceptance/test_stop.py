"""The end of the demo; the file stands last, because it ends what the others use."""

from __future__ import annotations

import psutil
import pytest

from tests.acceptance.conftest import Demo

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


def test_ctrl_c_leaves_no_process_and_no_port(demo: Demo) -> None:
    ports = set(demo.ready["ports"].values())
    assert demo.stop() == []
    assert demo.process.returncode == 0
    listening = {
        connection.laddr.port for connection in psutil.net_connections("tcp") if connection.status == psutil.CONN_LISTEN
    }
    assert not ports & listening
