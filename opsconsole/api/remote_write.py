"""The receiver of Prometheus remote write 1.0.

Source: Prometheus, specs/remote_write_spec: a 2xx answer means stored, a 4xx that sending it again is of no use, a 5xx that
it is.  A sender takes 429 for a 4xx unless it is told otherwise, and would lose the samples: so too much is a 503.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from opsconsole.operations.console import current
from opsconsole.operations.ingest import accept_remote_write
from opsconsole.records.models import ApiToken

from .auth import token_required
from .receive import plain, receive, unauthorized


@require_POST
@token_required(ApiToken.Scope.INGEST, unauthorized(plain))
def write(request: HttpRequest) -> HttpResponse:
    """204 when all of it is stored; 400 when some samples were refused, and all others stored."""
    headers = request.headers

    def accept(body: bytes) -> HttpResponse:
        content_type, encoding = headers.get("Content-Type", ""), headers.get("Content-Encoding", "")
        refused = accept_remote_write(current(), body, content_type, encoding)
        if refused.samples:
            return plain(request, HTTPStatus.BAD_REQUEST, str(refused))
        return HttpResponse(status=HTTPStatus.NO_CONTENT)

    return receive(request, accept, plain, overloaded=HTTPStatus.SERVICE_UNAVAILABLE)
