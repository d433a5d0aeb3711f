"""Addresses outside any app: health and metrics come from ``core.health``."""

from __future__ import annotations

urlpatterns: list = []
