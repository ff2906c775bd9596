"""``django-admin prepare_shop``: make the database, bring its schema up to date and fill an empty shop."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import transaction

from ...catalogue import CATEGORIES, items
from ...embedding import embed
from ...models import Category, Product


class Command(BaseCommand):
    help = "Create the database if it is missing, migrate it, and seed it with products if it is empty."
    requires_system_checks: list[str] = []  # noqa: RUF012  Django's own attribute; checks would ask the database first

    def handle(self, *_: Any, **__: Any) -> None:
        self._create_database()
        call_command("migrate", interactive=False, verbosity=1)
        with transaction.atomic():
            if not Product.objects.exists():
                self._seed()

    def _create_database(self) -> None:
        wanted = settings.DATABASES["default"]
        with psycopg.connect(
            host=wanted["HOST"],
            port=wanted["PORT"],
            user=wanted["USER"],
            password=wanted["PASSWORD"],
            dbname="postgres",
            autocommit=True,
        ) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [wanted["NAME"]]).fetchone():
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(wanted["NAME"])))

    def _seed(self) -> None:
        categories = {name: Category.objects.create(name=name, slug=name.lower()) for name in CATEGORIES}
        rows = [
            Product(
                category=categories[item.category],
                slug=item.slug,
                name=item.name,
                description=item.description,
                price=item.price,
                stock=item.stock,
                embedding=embed(f"{item.name} {item.category} {item.description}"),
            )
            for item in items()
        ]
        Product.objects.bulk_create(rows)
        self.stdout.write(f"seeded {len(rows)} products")
