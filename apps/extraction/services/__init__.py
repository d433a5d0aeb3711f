"""Every write of collections and records."""

from apps.extraction.services.collections import (
    change_collection,
    create_collection,
    delete_collection,
    restore_collection,
)
from apps.extraction.services.extractions import (
    accept_proposal,
    claim_run,
    fail_run,
    finish_run,
    reject_proposal,
    request_extraction,
)
from apps.extraction.services.records import (
    change_record,
    create_record,
    delete_record,
    restore_record,
    set_back_record,
)
from apps.extraction.services.reviews import AllAccepted, accept_all, retry_extraction

__all__ = [
    "AllAccepted",
    "accept_all",
    "accept_proposal",
    "change_collection",
    "change_record",
    "claim_run",
    "create_collection",
    "create_record",
    "delete_collection",
    "delete_record",
    "fail_run",
    "finish_run",
    "reject_proposal",
    "request_extraction",
    "restore_collection",
    "restore_record",
    "retry_extraction",
    "set_back_record",
]
