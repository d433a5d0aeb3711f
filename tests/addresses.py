"""Every address that the project answers at, for the tests that ask whether something is there yet."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.urls import get_resolver


def all_addresses() -> list[str]:
    """As written in the ``urls.py`` files, joined: ``/api/v1/conversations/<uuid:conversation_id>/``."""
    return ["/" + address for address in _below(get_resolver().url_patterns, "")]


def _below(patterns: Iterable[Any], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _below(pattern.url_patterns, address)
        else:
            yield address
