"""An answer of the API before it is anybody's response: Django's for people, bare bytes for machines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.http import HttpResponse

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is JSON, or nothing.  ``headers`` are those besides its type and length."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def saying(self, *headers: tuple[str, str]) -> Answer:
        """The same with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def for_django(self) -> HttpResponse:
        response = HttpResponse(self.body, status=self.status, content_type=CONTENT_TYPE, headers=dict(self.headers))
        if not self.body:
            del response["Content-Type"]
        return response

    def for_machine(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers]
        return self.status, [_JSON, *headers] if self.body else headers, self.body


_JSON = (b"content-type", CONTENT_TYPE.encode())
