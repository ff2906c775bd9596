"""Texts as tokens, and the provider's memory of prompts that begin alike."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2s

_TOKEN = re.compile(r"\s?[^\W_]{1,6}|\s?[^\w\s]|\s|_")


def tokens(text: str) -> list[str]:
    """Cut ``text`` into pieces of about four characters, a space with the word after it; joined, they are ``text``."""
    return _TOKEN.findall(text)


class PrefixCache:
    """Which beginnings of prompts were met before, in whole blocks: those tokens are cheaper.

    Providers cache from 1,024 tokens on; a shop's prompts are shorter, so here a block is ``BLOCK``.
    """

    BLOCK = 64
    MOST_BLOCKS = 4096

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def meet(self, prompt: Sequence[str]) -> int:
        """Return how many tokens of ``prompt`` are known from its start on, and remember all of it."""
        known, still_known = 0, True
        for key in self._blocks(prompt):
            still_known = still_known and key in self._seen
            known += self.BLOCK if still_known else 0
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > self.MOST_BLOCKS:
            self._seen.popitem(last=False)
        return known

    def _blocks(self, prompt: Sequence[str]) -> Iterable[bytes]:
        """A key for each whole block, which stands for everything before it too."""
        so_far = blake2s(digest_size=16)
        for end in range(self.BLOCK, len(prompt) + 1, self.BLOCK):
            so_far.update("".join(prompt[end - self.BLOCK : end]).encode(errors="replace"))
            yield so_far.digest()
