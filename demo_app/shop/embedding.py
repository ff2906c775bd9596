"""Turn a text into a small vector by the hashing trick, so that similar wording is near in pgvector."""

from __future__ import annotations

import hashlib
import math
import re

DIMENSIONS = 32


def embed(text: str) -> list[float]:
    """Return the unit vector of ``text``: each word adds +1 or -1 in one of ``DIMENSIONS`` places.

    A text without a word gives the first unit vector, because cosine distance knows no zero vector.
    Source: Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009).
    """
    vector = [0.0] * DIMENSIONS
    for word in re.findall(r"[a-z]+", text.lower()):
        digest = hashlib.blake2s(word.encode(), digest_size=3).digest()
        vector[int.from_bytes(digest[:2]) % DIMENSIONS] += 1.0 if digest[2] & 1 else -1.0
    length = math.hypot(*vector)
    if not length:
        return [1.0, *[0.0] * (DIMENSIONS - 1)]
    return [value / length for value in vector]
