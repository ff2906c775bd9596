"""Looking around: home, lists, one product, search."""

from __future__ import annotations

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe
from opsconsole_exporters.django import vector
from pgvector.django import CosineDistance

from ..embedding import embed
from ..models import Category, Product
from ..partner import Partner, ask
from ..tasks import BESTSELLERS

PAGE_SIZE = 24


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    best = cache.get(BESTSELLERS) or []
    products = Product.objects.filter(pk__in=best) if best else Product.objects.order_by("-stock")[:8]
    categories = Category.objects.annotate(size=Count("products"))
    return render(request, "shop/home.html", {"products": products, "categories": categories})


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    rows = Product.objects.select_related("category").order_by("name")
    category = None
    if slug := request.GET.get("category"):
        category = get_object_or_404(Category, slug=slug)
        rows = rows.filter(category=category)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {"page": page, "category": category, "categories": Category.objects.all()}
    return render(request, "shop/products.html", context)


@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Product.objects.select_related("category"), slug=slug)
    ask(Partner.WAREHOUSE)
    near = CosineDistance("embedding", found.embedding)
    similar = vector.search(Product.objects.exclude(pk=found.pk).order_by(near)[:4], "similar products")
    bought_with = Product.objects.filter(slug__in=cache.get(f"bought-with:{slug}") or [])
    return render(request, "shop/product.html", {"product": found, "similar": similar, "bought_with": bought_with})


@require_safe
def stock(_: HttpRequest, slug: str) -> HttpResponse:
    left = Product.objects.filter(slug=slug).values_list("stock", flat=True).first()
    if left is None:
        raise Http404
    return JsonResponse({"product": slug, "stock": left})


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Order every product by how near its text is to the question, those that contain it first."""
    question = request.GET.get("q", "").strip()[:80]
    exact = list(Product.objects.filter(name__icontains=question)[:12]) if question else []
    near = CosineDistance("embedding", embed(question))
    others = Product.objects.exclude(pk__in=[found.pk for found in exact]).order_by(near)[: 12 - len(exact)]
    nearest = vector.search(others, "product search")
    return render(request, "shop/search.html", {"question": question, "products": [*exact, *nearest]})
