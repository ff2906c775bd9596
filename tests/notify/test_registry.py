from __future__ import annotations

from pathlib import Path

import pytest

from opsconsole.notify.registry import CHANNELS, channel_class


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_kind_is_a_class_that_knows_its_kind_and_can_send(kind):
    found = channel_class(kind)
    assert found.kind == kind
    assert callable(found.send)


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_kind_has_a_test_module(kind):
    assert (Path(__file__).parent / f"test_{kind}.py").is_file()


def test_an_unknown_kind_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"'pigeon' is unknown; choose one of: browser, webhook"):
        channel_class("pigeon")
