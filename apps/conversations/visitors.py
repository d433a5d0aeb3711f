"""Readers of share links, who are nobody: where files lie for them, and how often they may ask."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.addresses import client_address, counted_as
from apps.core import limits

# A page with its pictures, again and again, and no more: nobody tries tokens by the million.
READERS = limits.Limit(5, 120)


def limit_readers(request: HttpRequest) -> None:
    """Raises ``LimitReached``."""
    if limits.are_on():
        limits.take("share_link.address", counted_as(client_address(request)), READERS.rate, READERS.burst)


def shared_file_url(token: str, file_id: str) -> str:
    return reverse("conversations:shared_file", kwargs={"token": token, "file_id": file_id})
