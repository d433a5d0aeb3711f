"""What libraries bring stands where we put it, and nowhere else: also where their environment lies inside of the checkout."""

import sysconfig
from pathlib import Path

import pytest
from django.apps import apps
from django.urls import Resolver404, URLResolver, get_resolver, resolve

from config import urls

LIBRARIES = Path(sysconfig.get_path("purelib"))


def test_only_apps_of_ours_bring_addresses_to_the_root():
    at_the_root = [
        found.urlconf_module.__name__
        for found in get_resolver().url_patterns
        if isinstance(found, URLResolver) and str(found.pattern) in {"", "api/v1/"}
    ]

    assert at_the_root
    assert [name for name in at_the_root if not name.startswith("apps.")] == []


@pytest.mark.parametrize(
    "address", ["/login/", "/logout/", "/signup/", "/2fa/", "/password_reset/", "/password_change/", "/password/reset/"]
)
def test_pages_of_libraries_have_one_address(address):
    with pytest.raises(Resolver404):
        resolve(address)


@pytest.mark.parametrize("name", ["rest_framework", "auth", "django_prometheus", "mfa"])
def test_library_inside_of_the_checkout_brings_nothing(settings, name):
    settings.BASE_DIR = LIBRARIES.parents[2]

    assert not urls._is_ours(apps.get_app_config(name))


def test_apps_of_the_checkout_are_ours():
    assert all(urls._is_ours(each) for each in apps.get_app_configs() if each.name.startswith("apps."))
