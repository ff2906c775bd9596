"""Who pushes: every series once, as an object that senders' bodies are matched with and the store knows by number."""

from __future__ import annotations

import threading

from opsconsole.series.labels import Labels


class Member:
    """A series that was pushed.

    ``number``: its row in memory, -1 while it has none.  ``series_id``: what the store calls it, known to be written there
    as of ``registered``, a stamp of the store's own.
    """

    __slots__ = ("labels", "number", "registered", "series_id")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.number = -1
        self.series_id = 0
        self.registered = -1


class Roster:
    """The members by their labels.  Any thread may ask; the store alone gives and takes numbers."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._members: dict[Labels, Member] = {}

    def __len__(self) -> int:
        return len(self._members)

    def member(self, labels: Labels) -> Member:
        """The one member of these labels, a new one for new labels."""
        found = self._members.get(labels)
        if found is None:
            with self._adding:
                found = self._members.setdefault(labels, Member(labels))
        return found

    def adopt(self, member: Member) -> Member:
        """The member of these labels, ``member`` itself when they were forgotten meanwhile."""
        with self._adding:
            return self._members.setdefault(member.labels, member)

    def forget_unnumbered(self) -> None:
        """Forget who has no number.  Whoever still holds such a member gets it adopted again."""
        with self._adding:
            self._members = {labels: member for labels, member in self._members.items() if member.number >= 0}
