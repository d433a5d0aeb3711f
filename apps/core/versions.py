"""Two people change one thing: the second hears of it instead of overwriting the first (RFC 9110 §13.1.1, ``If-Match``)."""

from __future__ import annotations

from apps.core.errors import VersionMismatch


def require_version(current: int, expected: int | None) -> None:
    """Ask on the *locked* row. ``None``: the caller does not care. Raises ``VersionMismatch`` (412) with ``current``."""
    if expected is not None and expected != current:
        raise VersionMismatch(current=current, headers={"ETag": f'"{current}"'})
