"""Identity: UUIDv7 (RFC 9562 §5.7), made in Python so that an object has its id before it is saved. Never a secret."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> UUID:
    return _uuid7()
