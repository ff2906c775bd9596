import json
import os

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "watched.urls"
USE_TZ = True
SECURE_SSL_REDIRECT = os.environ.get("SSL_REDIRECT") == "1"
INSTALLED_APPS = ["opsconsole_exporters.django"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "watched.views.teapots_for_lookups",
]
DATABASES = {"default": json.loads(os.environ["DATABASE"])} if "DATABASE" in os.environ else {}
