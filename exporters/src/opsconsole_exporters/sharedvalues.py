"""Adds to values in shared files in two thirds of prometheus-client's time, which is most of what a request costs us.

prometheus-client asks the system for its process id each time that one is added to.  Here a process learns that it is another
one from the fork or, under servers that fork without telling Python, by its first request; then it goes the long way once.
"""

from __future__ import annotations

import inspect
import os
from struct import Struct
from typing import Any

from prometheus_client import values

from opsconsole_exporters import workerprocess

# As prometheus-client packs a value and its timestamp.  Written as a slice, because ``pack_into`` leaves zeros for an instant,
# which whoever scrapes would see.
_pack = Struct("dd").pack

_known = False
"""Whether this process has files of its own."""


def quicken() -> None:
    """Replace ``inc`` of prometheus-client's shared values; nothing to do for a process that has no directory.

    Raises ``KeyError`` if prometheus-client keeps its lock under another name than 0.22 to 0.26 do.
    """
    shared: Any = values.ValueClass
    if not shared._multiprocess:  # noqa: SLF001 - prometheus-client says so of itself nowhere else
        return
    long_way = shared.inc
    lock = inspect.getclosurevars(long_way).nonlocals["lock"]

    def inc(self: Any, amount: float) -> None:
        global _known
        if not _known:
            long_way(self, amount)
            _known = True
            return
        with lock:
            self._value = value = self._value + amount
            self._timestamp = 0.0
            file = self._file
            at = file._positions[self._key]  # noqa: SLF001 - see above
            file._m[at : at + 16] = _pack(value, 0.0)  # noqa: SLF001 - see above

    shared.inc = inc
    os.register_at_fork(after_in_child=_forget)
    workerprocess.on_start("shared values", _forget)


def _forget() -> None:
    global _known
    _known = False
