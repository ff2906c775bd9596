"""What was used lately stays, within its bytes."""

from __future__ import annotations

from opsconsole.series.lately import Lately


def test_what_was_not_used_for_longest_makes_room():
    kept: Lately[str, int] = Lately(most_bytes=100, largest_bytes=50)
    kept.keep("a", 1, 50)
    kept.keep("b", 2, 50)
    assert kept.get("a") == 1
    kept.keep("c", 3, 40)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    assert (len(kept), kept.memory_bytes) == (2, 90)


def test_a_new_value_takes_the_place_of_the_old_one_and_one_too_large_is_not_kept():
    kept: Lately[str, int] = Lately(most_bytes=100, largest_bytes=50)
    kept.keep("a", 1, 50)
    kept.keep("a", 2, 30)
    kept.keep("b", 3, 51)
    assert (kept.get("a"), kept.get("b"), kept.memory_bytes) == (2, None, 30)
