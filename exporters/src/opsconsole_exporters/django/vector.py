"""Vector searches by pgvector's querysets.

::

    from opsconsole_exporters.django.vector import search

    similar = search(Product.objects.order_by(CosineDistance("embedding", vector))[:10], "similar products")
"""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from opsconsole_exporters.django import recall
from opsconsole_exporters.shield import shield
from opsconsole_exporters.vector import searching

M = TypeVar("M", bound=Model)


def search(queryset: QuerySet[M], collection: str | None = None) -> list[M]:
    """The rows of a sliced ``queryset``, measured; ``collection`` names the search, by default after its table.

    A few of the searches are checked for their recall, later and in another thread.
    """
    name = collection or queryset.model._meta.db_table  # noqa: SLF001 - documented, its underscore aside
    with searching(name, _limit(queryset)) as found:
        rows = list(queryset)
        found.rows = len(rows)
    recall.offer(name, queryset, rows)
    return rows


async def asearch(queryset: QuerySet[M], collection: str | None = None) -> list[M]:
    """``search`` for asynchronous views."""
    name = collection or queryset.model._meta.db_table  # noqa: SLF001 - documented, its underscore aside
    with searching(name, _limit(queryset)) as found:
        rows = [row async for row in queryset]
        found.rows = len(rows)
    recall.offer(name, queryset, rows)
    return rows


def _limit(queryset: QuerySet[M]) -> int | None:
    with shield("vector search metrics"):
        query = queryset.query
        return None if query.high_mark is None else query.high_mark - query.low_mark
    return None
