"""Where an address is, from a table on this machine (MMDB, as MaxMind and DB-IP publish them). Nothing is asked elsewhere."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import maxminddb
from django.conf import settings

from apps.accounts.risk import Place

logger = logging.getLogger(__name__)


def find_place(address: str | None) -> Place:
    """Nowhere without a table (``PARLANCE_GEOIP_FILE``), with one that cannot be read, and for addresses it does not hold."""
    path = settings.PARLANCE_GEOIP_FILE
    if not path or not address:
        return Place()
    try:
        state = Path(path).stat()
        found = _table(path, state.st_mtime_ns, state.st_size).get(address)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        logger.warning("geoip_table_not_read", extra={"path": path, "error": type(error).__name__})
        return Place()
    return _place(found) if isinstance(found, dict) else Place()


@lru_cache(maxsize=1)
def _table(path: str, _changed: int, _size: int) -> maxminddb.Reader:
    """Opened once; a file that was replaced is opened anew. Mapped, so that all processes share its pages."""
    return maxminddb.open_database(path)


def _place(row: dict[str, Any]) -> Place:
    country, location = row.get("country"), row.get("location")
    code = country.get("iso_code", "") if isinstance(country, dict) else ""
    where = location if isinstance(location, dict) else {}
    latitude, longitude = where.get("latitude"), where.get("longitude")
    if not isinstance(latitude, float | int) or not isinstance(longitude, float | int):
        latitude = longitude = None
    return Place(country=str(code)[:2], latitude=latitude, longitude=longitude)
