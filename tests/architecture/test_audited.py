"""The audit log holds what it says, and what it leaves out it leaves out for a reason."""

import pytest

from apps.accounts import audit
from apps.core.events import event_kinds
from apps.core.reference import load_everything

RECORDS = "the history of the record, and the collection's page, say who did it and what it was before"
RUNS = "the steps of the run say who did it, when and why"

#: Events with words of their own that are no entries.
ELSEWHERE = {
    "bulk.operation_changed": "the operation's page says who steered it; that it began is an entry",
    "bulk.operation_created": "nothing is done before it starts, which is an entry",
    "extraction.collection_changed": "every schema a collection had is kept with who changed it",
    "extraction.collection_created": RECORDS,
    "extraction.collection_described": RECORDS,
    "extraction.comment_deleted": RECORDS,
    "extraction.merge_undone": RECORDS,
    "extraction.proposal_accepted": RECORDS,
    "extraction.proposal_rejected": RECORDS,
    "extraction.record_deleted": "it can be brought back for 30 days, and its history says who deleted it; that it is erased is an entry",
    "extraction.record_restored": RECORDS,
    "extraction.records_merged": RECORDS,
    "extraction.template_deleted": "a template is a way to show records, and no content goes with it",
    "extraction.template_kept": "every version of a template is kept with who wrote it",
    "extraction.wish_confirmed": "it starts a bulk operation, which is an entry",
    "workflows.choice_answered": RUNS,
    "workflows.run_advanced": RUNS,
    "workflows.run_cancelled": RUNS,
    "workflows.run_changed": RUNS,
    "workflows.run_completed": RUNS,
    "workflows.run_rolled_back": RUNS,
    "workflows.run_started": RUNS,
    "workflows.stage_approved": RUNS,
}


@pytest.fixture(scope="module")
def labelled():
    load_everything()
    return {kind.name for kind in event_kinds() if str(kind.label)}


def test_every_event_with_words_is_audited_or_says_why_not(labelled):
    left_out = {name for name in labelled if not audit.is_audited(name)}

    assert left_out == ELSEWHERE.keys()


def test_every_name_on_the_list_is_an_event(labelled):
    assert labelled >= audit.AUDITED
