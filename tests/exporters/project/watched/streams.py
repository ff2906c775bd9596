"""Streaming responses that end well, that fail, and that never end by themselves."""

import asyncio
import time
from pathlib import Path

from django.http import FileResponse, StreamingHttpResponse


def parts(kind):
    yield "first\n"
    if kind == "failing":
        raise ZeroDivisionError("on purpose")
    while kind == "endless":
        yield "more\n" * 1000
        time.sleep(0.01)


async def parts_async(kind):
    yield "first\n"
    if kind == "failing":
        raise ZeroDivisionError("on purpose")
    while kind == "endless":
        yield "more\n"
        await asyncio.sleep(0.01)


def sync(request, kind):
    if kind == "file":
        return FileResponse(Path(__file__).open("rb"))
    return StreamingHttpResponse(parts(kind))


async def asynchronous(request, kind):
    return StreamingHttpResponse(parts_async(kind))
