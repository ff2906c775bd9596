"""Adds to values in shared files in a fraction of prometheus-client's time, which is most of what a request costs us.

prometheus-client asks the system for its process id each time that one is added to, and looks up by a long key where it lies.
Here a process learns that it is another one from the fork or, under servers that fork without telling Python, by its first
request; then it goes the long way once.  And what one moment adds to several values takes the lock once.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

from prometheus_client import values

from opsconsole_exporters import workerprocess

Addition = tuple[Any, float]
"""A value of prometheus-client and what to add to it."""

# A value as prometheus-client packs it; the timestamp behind it stays.  Written as a slice, because ``pack_into`` leaves zeros
# for an instant, which whoever scrapes would see.
_pack = Struct("d").pack

_known = False
"""Whether this process has files of its own."""


def add(additions: Iterable[Addition]) -> None:
    """Add to several values, to all before anybody else adds to one of them if they are shared."""
    _add(additions)


def _one_by_one(additions: Iterable[Addition]) -> None:
    for value, amount in additions:
        value.inc(amount)


_add: Callable[[Iterable[Addition]], None] = _one_by_one


def quicken() -> None:
    """Replace ``inc`` of prometheus-client's shared values; nothing to do for a process that has no directory.

    Raises ``KeyError`` or ``AttributeError`` if prometheus-client is made otherwise than 0.22 to 0.26 are.
    """
    global _add
    shared: Any = values.ValueClass
    if not shared._multiprocess:  # noqa: SLF001 - prometheus-client says so of itself nowhere else
        return
    long_way, place = shared.inc, shared._MmapedValue__reset  # noqa: SLF001 - what runs when its file is another
    lock = inspect.getclosurevars(long_way).nonlocals["lock"]

    def inc(self: Any, amount: float) -> None:
        global _known
        if not _known:
            long_way(self, amount)
            _known = True
            return
        with lock:
            self._value = value = self._value + amount
            self._file._m[self._cell or _cell_of(self)] = _pack(value)  # noqa: SLF001 - see above

    def together(additions: Iterable[Addition]) -> None:
        if not _known:
            _one_by_one(additions)
            return
        with lock:
            for one, amount in additions:
                one._value = value = one._value + amount  # noqa: SLF001 - see above
                one._file._m[one._cell or _cell_of(one)] = _pack(value)  # noqa: SLF001 - see above

    def replace(self: Any) -> None:
        self._cell = None
        place(self)

    shared._cell = None  # noqa: SLF001 - ours: where the value lies in its file
    shared._MmapedValue__reset = replace  # noqa: SLF001 - see above
    shared.inc = inc
    _add = together
    # A child that is forked while another thread adds would wait for ever for a lock that nobody holds any more.
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    os.register_at_fork(after_in_child=_forget)
    workerprocess.on_start("shared values", _forget)


def _cell_of(value: Any) -> slice:
    at = value._file._positions[value._key]  # noqa: SLF001 - see above
    value._cell = cell = slice(at, at + 8)  # noqa: SLF001 - see above
    return cell


def _forget() -> None:
    global _known
    _known = False
