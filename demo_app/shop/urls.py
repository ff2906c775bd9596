"""The shop's addresses.  Each view can be made to fail by the ``exceptions`` switch."""

from __future__ import annotations

from django.urls import path

from demo_app.faults.exceptions import breakable

from .views import asking, buying, catalogue, pages

urlpatterns = [
    path("", breakable(catalogue.home), name="home"),
    path("products/", breakable(catalogue.products), name="products"),
    path("products/<slug:slug>/", breakable(catalogue.product), name="product"),
    path("products/<slug:slug>/stock.json", breakable(catalogue.stock), name="stock"),
    path("products/<slug:slug>/ask/", breakable(asking.ask), name="ask"),
    path("search/", breakable(catalogue.search), name="search"),
    path("basket/", breakable(buying.basket), name="basket"),
    path("basket/add/", breakable(buying.add), name="basket-add"),
    path("checkout/", breakable(buying.checkout), name="checkout"),
    path("orders/<uuid:number>/", breakable(buying.order), name="order"),
    path("about/", breakable(pages.about), name="about"),
    path("shipping/", breakable(pages.shipping), name="shipping"),
    path("healthz/", pages.healthz, name="healthz"),
]
