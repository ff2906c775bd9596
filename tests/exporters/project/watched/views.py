import asyncio
import logging
import os

import structlog
from django.db import connection
from django.http import HttpResponse
from django.utils.deprecation import MiddlewareMixin
from opentelemetry import trace

from watched.tasks import add


class teapots_for_lookups(MiddlewareMixin):  # noqa: N801 - reads as a middleware in settings
    """Handles one exception, as applications do; nobody should call it unhandled."""

    def process_exception(self, request, exception):
        return HttpResponse("teapot", status=418) if isinstance(exception, LookupError) else None


def plain(request):
    return HttpResponse(str(os.getpid()))


async def later(request):
    await asyncio.sleep(0)
    return HttpResponse(str(os.getpid()))


def item(request, number):
    structlog.get_logger("watched").info("item shown", number=number)
    logging.getLogger("watched.old").warning("old style %s", number)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int + 1", [number])
        return HttpResponse(str(cursor.fetchone()[0]))


def boom(request):
    raise ZeroDivisionError("on purpose")


def lookup(request):
    raise LookupError("handled by a middleware")


def broken_sql(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    return HttpResponse()


def leak(request):
    """Says secrets wherever a span has room for them."""
    span = trace.get_current_span()
    span.set_attribute("http.request.header.authorization", ("Bearer open-sesame-42",))
    span.set_attribute("url.full", "https://shop:open-sesame-42@example.com/?page=2&token=open-sesame-42")
    with trace.get_tracer("watched").start_as_current_span("GET /reset?token=open-sesame-42"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 'password=open-sesame-42'")
        raise ValueError("postgres://shop:open-sesame-42@db:5432/shop is down")


def order(request):
    return HttpResponse(add.delay(1, 2).id)


async def hold(request):
    await asyncio.sleep(600)
    return HttpResponse()


def hold_connection(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(600)")
    return HttpResponse()
