"""The least that Django needs. In a project of yours only the last part is new."""

import os
from pathlib import Path

HOME = Path(os.environ.get("LOANS_HOME", "."))

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "platform.example"]
ROOT_URLCONF = "loans.urls"
INSTALLED_APPS = ["loans"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HOME / "loans.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# idv-core
IDV_FILE = HOME / "idv.toml"
IDV_LEDGER = f"sqlite:///{HOME / 'ledger.db'}"
IDV_LEDGER_KEY = os.environ["IDV_LEDGER_KEY"]  # openssl rand -hex 32
