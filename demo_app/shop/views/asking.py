"""Asking: a question about a product, answered while the visitor watches."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.utils.html import escape
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from opsconsole_exporters.django import vector
from pgvector.django import CosineDistance

from ..assistant import AssistantError, Reply, prompt
from ..models import Product

LONGEST_QUESTION = 200
SIMILAR = 3
_ANSWER = "<!-- the answer -->"


@never_cache
@require_GET
async def ask(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the page up to the answer at once, then the answer as the model says it, then the rest: no script needed."""
    product = await Product.objects.filter(slug=slug).afirst()
    if product is None:
        raise Http404
    question = request.GET.get("q", "").strip()[:LONGEST_QUESTION]
    if not question:
        return redirect("product", slug=slug)
    near = CosineDistance("embedding", product.embedding)
    similar = await vector.asearch(Product.objects.exclude(pk=product.pk).order_by(near)[:SIMILAR], "assistant context")
    context = {"product": product, "similar": similar, "asked": question}
    # In a thread: the page shows what is in the basket, and asks the session for it.
    page = await sync_to_async(render_to_string)("shop/answer.html", context, request)
    reply = Reply(prompt(product, similar, question), anew="anew" in request.GET)
    anew = f"?{urlencode({'q': question, 'anew': 1})}"
    return StreamingHttpResponse(_page(page, reply, anew), headers={"X-Accel-Buffering": "no"})


async def _page(page: str, reply: Reply, anew: str) -> AsyncGenerator[str]:
    before, after = page.split(_ANSWER)
    yield before
    try:
        async with aclosing(reply.pieces()) as pieces:
            async for piece in pieces:
                yield escape(piece)
    except AssistantError as error:
        yield f'</p><p class="alarm" role="alert">{escape(str(error))}'
    if reply.from_cache:
        yield f'</p><p class="quiet">Asked before, so this is the same answer. <a href="{escape(anew)}">Ask anew</a>'
    yield after
