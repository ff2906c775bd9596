from django.urls import path

from watched.shop import views

NAMES = (
    "forward",
    "reverse",
    "many",
    "deferred",
    "one_to_one",
    "in_template",
    "in_async",
    "together",
    "template_response",
    "cached_page",
    "cache_use",
    "cache_use_async",
    "cache_broken",
)
urlpatterns = [path(f"{name}/", getattr(views, name), name=name) for name in NAMES]
