"""Questions about what is missing: asked in the conversation once, skipped or given up, settled by what is known. Their answers: ``answering``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.conversations import services as conversations
from apps.core import preferences
from apps.core.errors import DomainError
from apps.core.ids import uuid7
from apps.extraction import asking, news, policies, question_selectors, selectors, shape
from apps.extraction.events import QuestionsAsked, QuestionsSettled
from apps.extraction.models import ExtractionRun, FollowUp, Proposal
from apps.extraction.schema import Schema
from apps.extraction.types import (
    ASK_MISSING,
    MAX_ASKED_AT_ONCE,
    FollowUpStatus,
    ProposalStatus,
    QuestionDecided,
    QuestionState,
    Visibility,
)

#: Suggestions that are held at once while it is noted what each lacks.
_AT_ONCE = 200


@transaction.atomic
def ask_what_is_missing(*, actor: Actor, run: ExtractionRun, unplaced: Sequence[dict[str, Any]]) -> None:
    """Of the suggestions of a run that just ended. A thing that the conversation was asked about is not asked about again.

    ``actor`` is who wanted the run: the questions stand at the end of their path, in their language.
    """
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    wanted = preferences.get(ASK_MISSING, organization=run.organization_id, project=run.project_id)
    if run.shown_in is None or not wanted:
        return
    rows = selectors.list_proposals(actor, run_id=run.pk).exclude(status=ProposalStatus.REJECTED).order_by("number")
    after = 0
    while piece := list(rows.filter(number__gt=after)[:_AT_ONCE]):
        _note_what_is_missing(actor, run, piece, unplaced)
        after = piece[-1].number
    ask_next(actor, run.shown_in, language=run.language, answered_by=run.answered_by, is_new=True)


def _note_what_is_missing(
    actor: Actor, run: ExtractionRun, rows: Sequence[Proposal], unplaced: Sequence[dict[str, Any]]
) -> None:
    found = question_selectors.collections_of(actor, rows)
    made = []
    for row in rows:
        if row.collection_id not in found:
            continue
        collection, schema = found[row.collection_id]
        title = asking.title_of(collection, schema, row.data)
        if questions := asking.questions_about(collection, schema, row, unplaced):
            made.append(
                FollowUp(
                    id=uuid7(),
                    organization_id=run.organization_id,
                    project_id=run.project_id,
                    collection=collection,
                    proposal=row,
                    conversation_id=run.shown_in,
                    subject=asking.subject_of(collection, title, row),
                    title=title,
                    questions=questions,
                )
            )
    FollowUp.objects.bulk_create(made, ignore_conflicts=True)


def ask_next(
    actor: Actor, conversation_id: UUID, *, language: str, answered_by: str = "", is_new: bool = False
) -> None:
    """The next few, as one message: of what was just read, or once nothing that was asked is open any more."""
    # A message is read by everyone in the conversation: about what only some people see, the cards alone ask.
    rows = question_selectors.lock_follow_ups(conversation_id).exclude(collection__visibility=Visibility.NAMED)
    asked_before = still_open(actor, rows.filter(questions__contains=[{"state": QuestionState.ASKED.value}]))
    if not is_new and any(each["state"] == QuestionState.ASKED for row in asked_before for each in row.questions):
        return
    room, asked = MAX_ASKED_AT_ONCE, []
    for row in _still_waiting(actor, rows):
        names = asking.waiting_fields(row)[:room]
        if names:
            asked.append((row, names))
            room -= len(names)
        if not room:
            break
    found = question_selectors.collections_of(actor, [row for row, _names in asked])
    asked = [(row, names) for row, names in asked if row.collection_id in found]
    if not asked:
        return
    with override(language):
        text = _words_of(
            [(row, [asking.label_of(found[row.collection_id][1], name) for name in names]) for row, names in asked]
        )
    try:
        message = conversations.say_aside(
            actor=actor, conversation_id=conversation_id, text=text, answered_by=answered_by
        )
    except DomainError:
        return  # archived, or no longer theirs to write in: the cards show what is missing
    for row, names in asked:
        row.asked_in = message.pk
        keep(row, asking.with_states(row, names, QuestionState.ASKED))
        news.tell(
            row.proposal.run,
            QuestionsAsked(row.pk, row.proposal_id, message.pk, tuple(names)),
            actor=actor,
            proposal_id=row.proposal_id,
        )


def _still_waiting(actor: Actor, rows: QuerySet[FollowUp]) -> Iterator[FollowUp]:
    """Those that ask for something which was not asked in words yet; a few are read at a time, for the caller takes a few."""
    rows, seen = rows.filter(questions__contains=[{"state": QuestionState.WAITING.value}]), list[UUID]()
    while piece := list(rows.exclude(pk__in=seen)[:MAX_ASKED_AT_ONCE]):
        seen += [row.pk for row in piece]
        yield from still_open(actor, piece)


def _words_of(asked: Sequence[tuple[FollowUp, Sequence[str]]]) -> str:
    lines = [
        _("- **%(title)s**: %(fields)s") % {"title": row.title or row.collection.name, "fields": ", ".join(labels)}
        for row, labels in asked
    ]
    return "\n".join(
        [
            _("Something is still missing:"),
            "",
            *lines,
            "",
            _("Answer in your own words, in any order, now or later. On the cards each question can be skipped."),
        ]
    )


def keep(row: FollowUp, questions: list[dict[str, Any]]) -> None:
    """Of a locked row; one in which nothing is open any more is done."""
    row.questions = questions
    row.version += 1
    if not asking.open_fields(row) and row.status == FollowUpStatus.OPEN:
        row.status = FollowUpStatus.DONE
    FollowUp.objects.filter(pk=row.pk).update(
        questions=row.questions, status=row.status, version=row.version, asked_in=row.asked_in, updated_at=Now()
    )


def ask_if_they_may(*, actor: Actor, run: ExtractionRun, unplaced: Sequence[dict[str, Any]]) -> None:
    """Who wanted the run may perhaps not write in the conversation any more; then the cards alone say what is missing."""
    try:
        with transaction.atomic():
            ask_what_is_missing(actor=actor, run=run, unplaced=unplaced)
    except DomainError:
        return


@transaction.atomic
def skip_question(*, actor: Actor, follow_up_id: UUID, field: str) -> FollowUp:
    row, _schema = lock_question(actor=actor, follow_up_id=follow_up_id, field=field)
    _settle(actor, row, [field], QuestionState.SKIPPED)
    ask_next(actor, row.conversation_id, language=row.proposal.run.language)
    return question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)


@transaction.atomic
def abandon_follow_up(*, actor: Actor, follow_up_id: UUID) -> FollowUp:
    """Nothing more is asked about this. What was answered stays."""
    row = _lock(actor, follow_up_id)
    row.status = FollowUpStatus.ABANDONED
    _settle(actor, row, asking.open_fields(row), QuestionState.ABANDONED)
    ask_next(actor, row.conversation_id, language=row.proposal.run.language)
    return question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)


@transaction.atomic
def settle_follow_up(*, actor: Actor, proposal: Proposal) -> None:
    """The suggestion was decided: what it says by now is known, and about one that was rejected nothing more is asked."""
    account_policies.require(policies.can_write_records(actor, accounts.project_role(actor, proposal.project_id)))
    row = FollowUp.objects.select_for_update().filter(proposal=proposal, status=FollowUpStatus.OPEN).first()
    if row is None:
        return
    if proposal.status == ProposalStatus.REJECTED:
        row.status = FollowUpStatus.ABANDONED
        keep(row, asking.with_states(row, asking.open_fields(row), QuestionState.ABANDONED))
        return
    data = proposal.record.data if proposal.record else proposal.data
    known = [name for name in asking.open_fields(row) if not shape.is_empty(data.get(name))]
    if known:
        keep(row, asking.with_states(row, known, QuestionState.ANSWERED))


@transaction.atomic
def settle_known(*, actor: Actor, conversation_id: UUID) -> None:
    """What people wrote into the records meanwhile is not asked any more, and nothing about records that are deleted."""
    require(policies.is_system(actor))
    # What is no record yet knows nothing new.
    still_open(actor, question_selectors.lock_follow_ups(conversation_id).filter(proposal__record__isnull=False))


def still_open(actor: Actor, rows: Iterable[FollowUp]) -> list[FollowUp]:
    """Of locked rows those that ask for something which their records do not say by now."""
    found = []
    for row in rows:
        if (record := row.proposal.record) is not None:
            if record.deleted_at is not None:
                row.status = FollowUpStatus.ABANDONED
                _settle(actor, row, asking.open_fields(row), QuestionState.ABANDONED)
            elif known := [name for name in asking.open_fields(row) if not shape.is_empty(record.data.get(name))]:
                _settle(actor, row, known, QuestionState.ANSWERED)
        if row.status == FollowUpStatus.OPEN:
            found.append(row)
    return found


def _settle(actor: Actor, row: FollowUp, names: Sequence[str], state: QuestionState) -> None:
    keep(row, asking.with_states(row, names, state))
    fact = QuestionsSettled(row.pk, row.proposal_id, tuple(names), state.value)
    news.tell(row.proposal.run, fact, actor=actor, proposal_id=row.proposal_id)


def _lock(actor: Actor, follow_up_id: UUID) -> FollowUp:
    found = question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, found.project_id)))
    row = question_selectors.lock_follow_ups(found.conversation_id).filter(pk=follow_up_id).first()
    if row is None or not still_open(actor, [row]):
        raise QuestionDecided(state=(row or found).status)
    return row


def lock_question(*, actor: Actor, follow_up_id: UUID, field: str) -> tuple[FollowUp, Schema]:
    """``QuestionDecided`` for the second of two who answer at once, or when the words of the conversation were faster."""
    row = _lock(actor, follow_up_id)
    if field not in asking.open_fields(row):
        state = next((each["state"] for each in row.questions if each["field"] == field), "")
        raise QuestionDecided(state=state)
    return row, question_selectors.collections_of(actor, [row])[row.collection_id][1]
