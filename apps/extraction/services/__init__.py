"""Every write of collections and records."""

from apps.extraction.services.collections import (
    change_collection,
    create_collection,
    delete_collection,
    restore_collection,
)
from apps.extraction.services.records import (
    change_record,
    create_record,
    delete_record,
    restore_record,
    set_back_record,
)

__all__ = [
    "change_collection",
    "change_record",
    "create_collection",
    "create_record",
    "delete_collection",
    "delete_record",
    "restore_collection",
    "restore_record",
    "set_back_record",
]
