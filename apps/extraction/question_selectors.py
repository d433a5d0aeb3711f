"""Reads of questions about what is missing, and of what was read without being asked for. Rights are those of records."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.accounts.types import Actor
from apps.core.errors import NotFound
from apps.extraction import reach
from apps.extraction.models import Collection, ExtractionRun, FollowUp, Proposal
from apps.extraction.reading_types import Asked
from apps.extraction.schema import Schema
from apps.extraction.selectors import lock_run, schema_of, visible_collections, visible_runs, with_document
from apps.extraction.types import (
    LISTENED_FOR,
    MAX_READ_FOR_ANSWERS,
    OPEN_QUESTIONS,
    FollowUpStatus,
    RunCause,
    Visibility,
)

#: Of the run that each question came with: what can be long, and is not looked at here.
_UNREAD_OF_RUNS = [f"proposal__run__{name}" for name in ("unplaced", "unread", "wrote", "steps", "answered")]


def visible_follow_ups(viewer: Actor) -> QuerySet[FollowUp]:
    rows = FollowUp.objects.filter(reach.within(viewer)).select_related("collection", "proposal__run")
    return rows.defer(*_UNREAD_OF_RUNS)


def list_follow_ups(
    viewer: Actor, *, project_id: UUID | None = None, conversation_id: UUID | None = None, status: str = ""
) -> QuerySet[FollowUp]:
    rows = visible_follow_ups(viewer)
    if project_id:
        rows = rows.filter(project_id=project_id)
    if conversation_id:
        rows = rows.filter(conversation_id=conversation_id)
    return rows.filter(status=status) if status else rows


def get_follow_up(*, follow_up_id: UUID, viewer: Actor) -> FollowUp:
    if (found := visible_follow_ups(viewer).filter(pk=follow_up_id).first()) is None:
        raise NotFound
    return found


def collections_of(viewer: Actor, rows: Iterable[Proposal | FollowUp]) -> dict[UUID, tuple[Collection, Schema]]:
    """Those of the rows that the viewer sees, each with its schema in force."""
    wanted = {row.collection_id for row in rows}
    there = with_document(visible_collections(viewer).filter(pk__in=wanted))
    return {row.pk: (row, schema_of(row)) for row in there}


def lock_questions(conversation_id: UUID) -> None:
    """What is open in a conversation, in one order for everybody who locks it; of rows that may be many, nothing but their ids is read."""
    rows = _open(conversation_id).select_for_update(of=("self",)).order_by("created_at", "pk")
    list(rows.values_list("pk", flat=True))


def _open(conversation_id: UUID) -> QuerySet[FollowUp]:
    return FollowUp.objects.filter(
        conversation_id=conversation_id, status=FollowUpStatus.OPEN, collection__deleted_at=None
    )


def lock_follow_ups(conversation_id: UUID) -> QuerySet[FollowUp]:
    """What is open in a conversation, which is locked by now; for callers that know what its reader may do."""
    lock_questions(conversation_id)
    rows = (
        _open(conversation_id)
        .select_for_update(of=("self",))
        .select_related("collection", "proposal__run", "proposal__record")
    )
    rows = rows.defer("proposal__record__text", "proposal__record__words", *_UNREAD_OF_RUNS)
    return rows.order_by("created_at", "pk")


def lock_decisions(*, run_id: UUID, viewer: Actor) -> ExtractionRun:
    """The questions of the conversation, then the run: its suggestions point to each other, and two people who accept two of them
    would wait for each other's records. Whoever decides takes the locks in this order.
    """
    shown_in = visible_runs(viewer).filter(pk=run_id).values_list("shown_in", flat=True).first()
    if shown_in is not None:
        lock_questions(shown_in)
    return lock_run(run_id=run_id, viewer=viewer)


def asked_in(conversation_id: UUID, viewer: Actor) -> tuple[Asked, ...]:
    """What the model is told of the questions that are open in a conversation."""
    rows = list(
        list_follow_ups(viewer, conversation_id=conversation_id, status=FollowUpStatus.OPEN).order_by("created_at")[:50]
    )
    documents = with_document(visible_collections(viewer).filter(pk__in={row.collection_id for row in rows}))
    schemas = {row.pk: schema_of(row) for row in documents}
    return tuple(
        Asked(
            row.collection.slug,
            row.title,
            tuple(
                field.title or field.name
                for each in row.questions
                if each["state"] in OPEN_QUESTIONS and (field := schemas[row.collection_id].named(each["field"]))
            ),
        )
        for row in rows
        if row.collection_id in schemas
    )


def count_automatic(project_id: UUID, *, within: timedelta) -> int:
    """Messages of the project that were read without being asked for."""
    rows = ExtractionRun.objects.filter(project=project_id, created_at__gt=Now() - within)
    return rows.exclude(cause=RunCause.ASKED).count()


def has_automatic(message_id: UUID) -> bool:
    return ExtractionRun.objects.filter(message_id=message_id).exclude(cause=RunCause.ASKED).exists()


def has_open_questions(conversation_id: UUID) -> bool:
    """That were asked in words, or will be: about what only some people see, the cards alone ask."""
    return _open_in_words(conversation_id).exists()


def is_listening(conversation_id: UUID) -> bool:
    """Whether its next message may answer: within a week of the last question or answer, and of 20 messages that were read for it."""
    rows = _open_in_words(conversation_id).filter(updated_at__gt=Now() - LISTENED_FOR)
    last = rows.order_by("-updated_at").values_list("updated_at", flat=True).first()
    if last is None:
        return False
    read = ExtractionRun.objects.filter(shown_in=conversation_id, cause=RunCause.ANSWER, created_at__gt=last)
    return read.count() < MAX_READ_FOR_ANSWERS


def _open_in_words(conversation_id: UUID) -> QuerySet[FollowUp]:
    rows = FollowUp.objects.filter(conversation_id=conversation_id, status=FollowUpStatus.OPEN)
    return rows.exclude(collection__visibility=Visibility.NAMED)


def follow_ups_of(proposal_ids: Iterable[UUID]) -> dict[UUID, FollowUp]:
    """Of proposals the caller may see, what is open about them."""
    rows = FollowUp.objects.filter(proposal__in=list(proposal_ids), status=FollowUpStatus.OPEN)
    rows = rows.select_related("proposal__record").defer("proposal__record__text", "proposal__record__words")
    return {row.proposal_id: row for row in rows}
