"""Answers of a language model, passed on as they come, in the ways in which services write that.

Clients are imported by whoever uses them: most servers of the tests never do.
"""

import asyncio
import json
import os
from functools import cache
from urllib.parse import urlsplit

from django.http import JsonResponse, StreamingHttpResponse
from opsconsole_exporters.llm import Call

QUESTION = [{"role": "user", "content": "What is the answer? " * 4}]  # 80 bytes, 20 tokens


async def by_httpx(model):
    import httpx

    address = f"{os.environ['LLM_UPSTREAM']}/chat/completions"
    body = {"model": model, "messages": QUESTION, "stream": True}
    async with httpx.AsyncClient(timeout=600) as client, client.stream("POST", address, json=body) as response:
        async for line in response.aiter_lines():
            yield f"{line}\n"


def port_of_upstream():
    return urlsplit(os.environ["LLM_UPSTREAM"]).port


@cache
def client():
    import openai

    return openai.AsyncOpenAI(api_key="x", base_url=os.environ["LLM_UPSTREAM"], timeout=600, max_retries=0)


async def by_openai(model):
    """As most write it: one client for the process, and nobody closes the stream."""
    stream = await client().chat.completions.create(model=model, messages=QUESTION, stream=True)
    async for chunk in stream:
        yield json.dumps(chunk.to_dict()) + "\n"


async def by_hand(model):
    """A client that nobody instruments, inside a call of its own."""

    async def parts():
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of_upstream())
        try:
            body = json.dumps({"model": model, "messages": QUESTION, "stream": True})
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(f"{head}{body}".encode())
            async for line in reader:
                yield line.decode()
        finally:
            writer.close()

    call = Call("chat", provider="openai", model=model, stream=True, input_bytes=lambda: 80)
    async for part in call.astream(parts(), text=lambda line: line if "content" in line else ""):
        yield part


WAYS = {"httpx": by_httpx, "openai": by_openai, "by-hand": by_hand}


async def answer(request, way, model):
    return StreamingHttpResponse(WAYS[way](model), content_type="text/event-stream")


async def left_over(request):
    """What this process still has: tasks beside this request's own, and connections to the provider."""
    import psutil

    connections = psutil.Process().net_connections("tcp")
    open_ones = [
        c for c in connections if c.raddr and c.raddr.port == port_of_upstream() and c.status == psutil.CONN_ESTABLISHED
    ]
    tasks = len(asyncio.all_tasks() - {asyncio.current_task()})
    return JsonResponse({"connections": len(open_ones), "tasks": tasks})
