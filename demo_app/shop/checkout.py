"""Turn a basket into an order, and hand the rest to the queues."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from . import tasks
from .basket import Basket
from .models import Order, OrderLine, Product


class EmptyBasketError(Exception):
    """There is nothing to order."""


def place_order(basket: Basket, email: str) -> Order:
    """Write the order, take its lines from the stock and publish one task to each queue once that is committed."""
    lines = basket.lines()
    if not lines:
        raise EmptyBasketError
    with transaction.atomic():
        order = Order.objects.create(email=email, total=sum(line.price for line in lines))
        OrderLine.objects.bulk_create(
            OrderLine(order=order, product=line.product, quantity=line.quantity, unit_price=line.product.price)
            for line in lines
        )
        # Rows are locked in primary key order (see Basket.lines), so that two buyers cannot deadlock.
        for line in lines:
            Product.objects.filter(pk=line.product.pk).update(stock=Greatest(F("stock") - line.quantity, 0))
        transaction.on_commit(lambda: _publish(order))
    basket.clear()
    return order


def _publish(order: Order) -> None:
    tasks.take_payment.delay(order.pk)
    tasks.send_confirmation.delay(order.pk)
    tasks.update_recommendations.delay(order.pk)
