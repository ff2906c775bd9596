"""Views that fetch badly on purpose, and one that does not."""

from django.core.cache import caches
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.views.decorators.cache import cache_page

from watched.shop.models import Author, Book


def forward(request):
    return HttpResponse(",".join([book.author.name for book in Book.objects.order_by("id")]))


def reverse(request):
    return HttpResponse(",".join([str(author.books.count()) for author in Author.objects.all()]))


def many(request):
    return HttpResponse(",".join([label.name for book in Book.objects.all() for label in book.labels.all()]))


def deferred(request):
    return HttpResponse(",".join([book.title for book in Book.objects.only("id")]))


def one_to_one(request):
    return HttpResponse(",".join([book.cover.colour for book in Book.objects.all()]))


def in_template(request):
    return render(request, "shop/books.html", {"books": Book.objects.all()})


async def in_async(request):
    return HttpResponse(
        ",".join([(await Author.objects.aget(pk=book.author_id)).name async for book in Book.objects.all()])
    )


def together(request):
    with transaction.atomic():
        return HttpResponse(",".join([book.author.name for book in Book.objects.select_related("author")]))


def template_response(request):
    return TemplateResponse(request, "shop/books.html", {"books": []})


@cache_page(60, cache="default")
def cached_page(request):
    return HttpResponse("page")


def cache_use(request):
    """Every way of asking, with the truth written in the test."""
    cache = caches["shared"]
    cache.clear()
    cache.set("products:none", None)
    cache.get("products:none", "default")
    cache.get("products:gone")
    cache.get("products:gone", default="default")
    cache.get_many(key for key in ["products:none", "products:gone", "unnamed"])
    cache.get_or_set("products:made", lambda: 1)
    cache.get_or_set("products:made", lambda: 2)
    return HttpResponse(str("products:made" in cache))


async def cache_use_async(request):
    cache = caches["shared"]
    await cache.aset("products:async", None)
    found = await cache.aget("products:async", "default")
    await cache.aget_many(["products:async", "products:nothing"])
    return HttpResponse(repr(found))


def cache_broken(request):
    caches["broken"].get("products:x")
    return HttpResponse()
