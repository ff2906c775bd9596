"""Since when samples have changed, asked by whoever keeps what follows from them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opsconsole.storage.changes import UNCHANGED, Changes


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(0, 60))
def test_the_earliest_instant_after_a_mark_is_found(instants, until):
    changes = Changes()
    for instant in instants[:until]:
        changes.note(instant)
    mark = changes.mark()
    for instant in instants[until:]:
        changes.note(instant)
    assert changes.since(mark) == min(instants[until:], default=UNCHANGED)


def test_a_mark_too_old_to_be_remembered_holds_for_nothing():
    changes = Changes()
    mark = changes.mark()
    for instant in range(1, 20_000):
        changes.note(instant)
    assert changes.since(mark) == 0
    assert changes.since(changes.mark()) == UNCHANGED
    assert len(changes._numbers) <= 8192
