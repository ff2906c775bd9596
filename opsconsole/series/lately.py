"""What was used lately, within so many bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Lately(Generic[Key, Value]):
    """Values by key; those that were not used for longest make room for others.  Any thread may ask and keep."""

    def __init__(self, most_bytes: int, largest_bytes: int) -> None:
        """``largest_bytes``: what takes more is not kept."""
        self._most_bytes = most_bytes
        self._largest_bytes = largest_bytes
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    @property
    def memory_bytes(self) -> int:
        return self._bytes

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: Key, value: Value, memory_bytes: int) -> None:
        """In place of what was kept under ``key``, if it is not too large."""
        if memory_bytes > self._largest_bytes:
            return
        with self._lock:
            self._forget(key)
            self._values[key] = value, memory_bytes
            self._bytes += memory_bytes
            while self._bytes > self._most_bytes:
                self._forget(next(iter(self._values)))

    def _forget(self, key: Key) -> None:
        gone = self._values.pop(key, None)
        if gone is not None:
            self._bytes -= gone[1]
