"""The work nobody waits for.  Queues: ``high`` for payments, ``low`` for what may be late, ``default`` for the rest."""

# mypy: disallow-untyped-decorators=False
# Celery has no types of its own.

from __future__ import annotations

import random
from typing import Any

from celery import shared_task
from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, F
from structlog import get_logger

from demo_app.fraud.scoring import judge

from .models import Order, OrderLine, Product
from .partner import Partner, ask

log = get_logger(__name__)

BESTSELLERS = "bestsellers"
MOST_ORDERS = 5000


class GatewayTimeoutError(Exception):
    """The payment gateway did not answer; the payment is tried again."""


@shared_task(bind=True, autoretry_for=(GatewayTimeoutError,), retry_backoff=2, max_retries=4)
def take_payment(self: Any, order_id: int) -> None:
    if self.request.retries == 0:
        _look_for_fraud(order_id)
    ask(Partner.GATEWAY)
    # One payment in a hundred meets a gateway that does not answer, once.
    if self.request.retries == 0 and random.random() < 0.01:  # noqa: S311  chance, not a secret
        raise GatewayTimeoutError
    Order.objects.filter(pk=order_id, state=Order.State.PLACED).update(state=Order.State.PAID)


def _look_for_fraud(order_id: int) -> None:
    """Have the order judged; a suspicious one is for people to look at, and is paid all the same."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        return
    lines = OrderLine.objects.filter(order=order).values_list("quantity", "unit_price")
    verdict = judge(order.number, lines, settings.MODELS_DIR / "fraud")  # type: ignore[misc]  # see faults.board
    if verdict.suspicious:
        log.warning("order looks like fraud", order=str(order.number), score=verdict.score, version=verdict.version)


@shared_task
def send_confirmation(order_id: int) -> None:
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        return
    bought = OrderLine.objects.filter(order=order).values_list("product__name", flat=True)
    names = ", ".join(bought)
    ask(Partner.MAIL)
    Order.objects.filter(pk=order_id).update(state=Order.State.CONFIRMED)
    log.info("confirmation sent", order=str(order.number), products=names)


@shared_task
def update_recommendations(order_id: int) -> None:
    """Remember for each product of the order what else was bought with it."""
    bought = list(OrderLine.objects.filter(order_id=order_id).values_list("product__slug", flat=True))
    for slug in bought:
        others = [other for other in bought if other != slug]
        if others:
            cache.set(f"bought-with:{slug}", others[:4], timeout=3600)


@shared_task
def refresh_bestsellers() -> None:
    recent = Order.objects.order_by("-placed_at").values("pk")[:300]
    rows = (
        OrderLine.objects.filter(order__in=recent)
        .values("product_id")
        .annotate(sold=Count("pk"))
        .order_by("-sold")
        .values_list("product_id", flat=True)[:8]
    )
    cache.set(BESTSELLERS, list(rows), timeout=3600)


@shared_task
def restock() -> None:
    products = Product.objects.filter(stock__lt=20)
    refilled = products.update(stock=F("stock") + 200)
    if refilled:
        log.info("restocked", products=refilled)


@shared_task
def forget_old_orders() -> None:
    """Keep the newest orders only: a demo that runs for weeks must not fill the disk."""
    old = Order.objects.order_by("-placed_at").values_list("pk", flat=True)[MOST_ORDERS:]
    Order.objects.filter(pk__in=list(old)).delete()
