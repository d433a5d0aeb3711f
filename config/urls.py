"""All addresses. An app that brings ``api/urls.py``, ``pages/urls.py`` or ``urls.py`` (doors such as ``/v1``) is found by that."""

from __future__ import annotations

import sysconfig
from importlib.util import find_spec
from pathlib import Path

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib import admin
from django.urls import URLResolver, include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularSwaggerSplitView

from config.schema_view import SchemaView


def _is_ours(config: AppConfig) -> bool:
    """Of this checkout; the environment may lie in it, and what libraries bring there is put at an address of our choice or nowhere."""
    folder = Path(config.path)
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return folder.is_relative_to(settings.BASE_DIR) and not any(folder.is_relative_to(each) for each in libraries)


def _brought(kind: str, prefix: str) -> list[URLResolver]:
    found = []
    for config in apps.get_app_configs():
        if not _is_ours(config):
            continue
        package = f"{config.name}.{kind}" if kind else config.name
        spec = find_spec(package)
        if spec and spec.submodule_search_locations and find_spec(f"{package}.urls"):
            found.append(path(prefix, include(f"{package}.urls")))
    return found


urlpatterns = [
    path("api/schema/", SchemaView.as_view(), name="api_schema"),
    # The split view brings its script from an address of its own: the content security policy runs no inline one.
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api_schema"), name="api_docs"),
    path("admin/", admin.site.urls),
    *_brought("api", "api/v1/"),
    *_brought("pages", ""),
    *_brought("", ""),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/linked/", include("allauth.socialaccount.urls")),
    path("language/", set_language, name="set_language"),
]

handler400 = "apps.core.handlers.bad_request"
handler403 = "apps.core.handlers.forbidden"
handler404 = "apps.core.handlers.not_found"
handler500 = "apps.core.handlers.server_error"
