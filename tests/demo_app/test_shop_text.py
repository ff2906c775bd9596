from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from demo_app.shop.catalogue import CATEGORIES, items
from demo_app.shop.embedding import DIMENSIONS, embed
from demo_app.traffic.baskets import SLUGS
from demo_app.traffic.shopper import CATEGORY_SLUGS, GONE


def distance(one: str, other: str) -> float:
    return 1 - sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


@given(st.text())
def test_every_text_becomes_a_unit_vector(text: str) -> None:
    vector = embed(text)
    assert len(vector) == DIMENSIONS
    assert math.isclose(math.hypot(*vector), 1)


def test_texts_that_share_words_are_nearer() -> None:
    assert distance("Cedar desk lamp", "Maple desk lamp") < distance("Cedar desk lamp", "Rowan camp stove")


def test_the_catalogue_is_the_same_at_every_start_and_has_no_slug_twice() -> None:
    assert list(items()) == list(items())
    assert len({item.slug for item in items()}) == len(list(items())) == 240


def test_visitors_ask_for_what_exists_and_for_one_thing_that_does_not() -> None:
    assert set(SLUGS) == {item.slug for item in items()}
    assert set(CATEGORY_SLUGS) == {name.lower() for name in CATEGORIES}
    assert GONE.strip("/").rpartition("/")[2] not in SLUGS
