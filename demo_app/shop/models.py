"""The shop's tables."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django_prometheus.models import ExportModelOperationsMixin
from pgvector.django import HnswIndex, VectorField

from .embedding import DIMENSIONS


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)

    objects: ClassVar[models.Manager[Category]] = models.Manager()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="products")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    description = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    stock = models.PositiveIntegerField()
    embedding = VectorField(dimensions=DIMENSIONS)

    objects: ClassVar[models.Manager[Product]] = models.Manager()

    class Meta:
        ordering = ("name",)
        indexes = (HnswIndex(name="product_embedding", fields=["embedding"], opclasses=["vector_cosine_ops"]),)

    def __str__(self) -> str:
        return self.name


class Order(ExportModelOperationsMixin("order"), models.Model):  # type: ignore[misc]  # counts rows written
    class State(models.TextChoices):
        PLACED = "placed"
        PAID = "paid"
        CONFIRMED = "confirmed"

    number = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=12, choices=State, default=State.PLACED)
    email = models.EmailField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
    placed_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects: ClassVar[models.Manager[Order]] = models.Manager()

    class Meta:
        ordering = ("-placed_at",)

    def __str__(self) -> str:
        return str(self.number)


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField()
    unit_price = models.DecimalField(max_digits=8, decimal_places=2)

    objects: ClassVar[models.Manager[OrderLine]] = models.Manager()

    def __str__(self) -> str:
        return f"line {self.pk}"

    @property
    def price(self) -> Decimal:
        return self.unit_price * self.quantity
