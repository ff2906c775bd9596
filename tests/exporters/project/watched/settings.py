import json
import os

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "watched.urls"
USE_TZ = True
SECURE_SSL_REDIRECT = os.environ.get("SSL_REDIRECT") == "1"
INSTALLED_APPS = ["opsconsole_exporters.django", "watched.shop"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "watched.views.teapots_for_lookups",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": json.loads(os.environ["DATABASE"])} if "DATABASE" in os.environ else {}
if "OTHER_DATABASE" in os.environ:
    DATABASES["other"] = json.loads(os.environ["OTHER_DATABASE"])
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if "CACHE_URL" in os.environ:
    CACHES["shared"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["CACHE_URL"],
    }
    CACHES["broken"] = {**CACHES["shared"], "LOCATION": "redis://127.0.0.1:9"}
