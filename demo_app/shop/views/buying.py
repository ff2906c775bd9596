"""Buying: the basket, the checkout, the order."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..basket import MOST_OF_ONE, Basket
from ..checkout import EmptyBasketError, place_order
from ..models import Order, Product
from ..partner import Partner, ask


@require_safe
def basket(request: HttpRequest) -> HttpResponse:
    lines = Basket(request.session).lines()
    return render(request, "shop/basket.html", {"lines": lines, "total": sum(line.price for line in lines)})


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    product = get_object_or_404(Product, slug=request.POST.get("product", ""))
    quantity = request.POST.get("quantity", "1")
    if not (quantity.isascii() and quantity.isdigit() and 1 <= int(quantity) <= MOST_OF_ONE):
        return HttpResponseBadRequest(f"quantity is a whole number from 1 to {MOST_OF_ONE}.")
    Basket(request.session).add(product.slug, int(quantity))
    return redirect("basket")


@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        lines = Basket(request.session).lines()
        return render(request, "shop/checkout.html", {"lines": lines, "total": sum(line.price for line in lines)})
    email = request.POST.get("email", "")
    if "@" not in email:
        return HttpResponseBadRequest("An order needs an e-mail address.")
    ask(Partner.GATEWAY)
    try:
        order = place_order(Basket(request.session), email)
    except EmptyBasketError:
        return redirect("basket")
    return redirect("order", number=order.number)


@require_safe
def order(request: HttpRequest, number: UUID) -> HttpResponse:
    found = get_object_or_404(Order.objects.prefetch_related("lines__product"), number=number)
    return render(request, "shop/order.html", {"order": found})
