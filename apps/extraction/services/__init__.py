"""Every write of collections and records."""

from apps.extraction.services.answering import answer_question
from apps.extraction.services.automatic import read_message
from apps.extraction.services.collections import (
    change_collection,
    create_collection,
    delete_collection,
    restore_collection,
)
from apps.extraction.services.comments import add_comment, change_comment, delete_comment
from apps.extraction.services.deciding_first import suggest_made, take_back_made
from apps.extraction.services.erasure import erase_deleted
from apps.extraction.services.extractions import (
    accept_proposal,
    finish_run,
    reject_proposal,
    request_extraction,
)
from apps.extraction.services.follow_ups import abandon_follow_up, skip_question
from apps.extraction.services.following import bring_proposals, path_of
from apps.extraction.services.forgetting import forget_decided, forget_words
from apps.extraction.services.making import make_record, write_answer
from apps.extraction.services.many_files import begin_run, fail_left_lying
from apps.extraction.services.merging import keep_apart, merge_records, undo_merge
from apps.extraction.services.migration import migrate_record, try_schema
from apps.extraction.services.pairs import list_alike, list_beside
from apps.extraction.services.readers import forget_leaving, name_reader, remove_reader
from apps.extraction.services.records import (
    change_record,
    create_record,
    delete_record,
    restore_record,
    set_back_record,
    take_record,
)
from apps.extraction.services.reviews import (
    AllAccepted,
    accept_all,
    resume_extraction,
    retry_extraction,
    stop_extraction,
    withdraw_suggestions,
)
from apps.extraction.services.templates import change_template, delete_template, make_template
from apps.extraction.services.upkeep import add_up_tallies, follow_target, reshape_records
from apps.extraction.services.vectors import (
    claim_vectors,
    hint_vectors,
    keep_vectors,
    put_off_vectors,
    queue_vectors,
)
from apps.extraction.services.views import change_view, delete_view, keep_view
from apps.extraction.services.walks import claim_run, fail_run, keep_part, keep_reading, read_later, read_smaller
from apps.extraction.services.wishes import (
    change_wish,
    claim_wish,
    confirm_wish,
    dismiss_wish,
    fail_wish,
    forget_wishes,
    hear_wish,
    keep_wish,
    propose_wish,
    request_wish,
)

__all__ = [
    "AllAccepted",
    "abandon_follow_up",
    "accept_all",
    "accept_proposal",
    "add_comment",
    "add_up_tallies",
    "answer_question",
    "begin_run",
    "bring_proposals",
    "change_collection",
    "change_comment",
    "change_record",
    "change_template",
    "change_view",
    "change_wish",
    "claim_run",
    "claim_vectors",
    "claim_wish",
    "confirm_wish",
    "create_collection",
    "create_record",
    "delete_collection",
    "delete_comment",
    "delete_record",
    "delete_template",
    "delete_view",
    "dismiss_wish",
    "erase_deleted",
    "fail_left_lying",
    "fail_run",
    "fail_wish",
    "finish_run",
    "follow_target",
    "forget_decided",
    "forget_leaving",
    "forget_wishes",
    "forget_words",
    "hear_wish",
    "hint_vectors",
    "keep_apart",
    "keep_part",
    "keep_reading",
    "keep_vectors",
    "keep_view",
    "keep_wish",
    "list_alike",
    "list_beside",
    "make_record",
    "make_template",
    "merge_records",
    "migrate_record",
    "name_reader",
    "path_of",
    "propose_wish",
    "put_off_vectors",
    "queue_vectors",
    "read_later",
    "read_message",
    "read_smaller",
    "reject_proposal",
    "remove_reader",
    "request_extraction",
    "request_wish",
    "reshape_records",
    "restore_collection",
    "restore_record",
    "resume_extraction",
    "retry_extraction",
    "set_back_record",
    "skip_question",
    "stop_extraction",
    "suggest_made",
    "take_back_made",
    "take_record",
    "try_schema",
    "undo_merge",
    "withdraw_suggestions",
    "write_answer",
]
