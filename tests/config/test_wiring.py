"""Settings that the console cannot be built of; as a process says it, in ``test_serve``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from opsconsole.config import env, wiring
from opsconsole.config.error import StartError


@pytest.mark.parametrize(
    ("setting", "value", "read", "said"),
    [
        ("QUERY_SECONDS", 0.0, wiring._query_limits, "OPSCONSOLE_QUERY_"),
        ("HEAD_MEMORY", "1GB", wiring._head_limits, "OPSCONSOLE_HEAD_MEMORY is '1GB'"),
        ("HEAD_SERIES", "0", wiring._head_limits, "OPSCONSOLE_HEAD_SERIES is '0'"),
    ],
)
def test_a_limit_that_makes_no_sense_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: object, read: Callable[[], object], said: str
) -> None:
    read()  # the default does
    monkeypatch.setattr(env, setting, value)
    with pytest.raises(StartError, match=said):
        read()
