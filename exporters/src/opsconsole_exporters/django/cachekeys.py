"""What a cache key is for, by how it begins: a whole page, a fragment of a template, a session, or what the service says."""

from __future__ import annotations

from dataclasses import dataclass

from opsconsole_exporters.log import log

OTHER = "other"
MOST = 20  # patterns of the service: each is a series a cache and an operation

# Django's own prefixes, as the key is before ``KEY_PREFIX`` and version are added.
_DJANGO = (
    ("views.decorators.cache.", "view"),
    ("template.cache.", "fragment"),
    ("django.contrib.sessions.", "session"),
)


@dataclass(frozen=True, slots=True)
class Patterns:
    """``prefixes`` with the pattern of each; the first that fits counts."""

    prefixes: tuple[tuple[str, str], ...] = _DJANGO

    @classmethod
    def parse(cls, text: str) -> Patterns:
        """Read ``query=shop:products:, query=shop:stock:, recommendation=bought-with:``; what is wrong is said and left out."""
        found: list[tuple[str, str]] = []
        for part in filter(None, map(str.strip, text.split(","))):
            name, equals, prefix = (side.strip() for side in part.partition("="))
            if not (name and equals and prefix):
                log.warning(f"OPSCONSOLE_CACHE_PATTERNS: {part!r} is not name=prefix and is left out")
            elif len({known for _, known in found} | {name}) > MOST:
                log.warning(f"OPSCONSOLE_CACHE_PATTERNS: {name!r} is left out: {MOST} patterns are the most")
            else:
                found.append((prefix, name))
        return cls((*found, *_DJANGO))

    def of(self, key: object) -> str:
        text = key if isinstance(key, str) else str(key)
        for prefix, pattern in self.prefixes:
            if text.startswith(prefix):
                return pattern
        return OTHER
