"""What a model makes up for an item of an operation, as a suggestion that somebody decides on before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.correlation import correlation_id
from apps.core.errors import FieldError
from apps.core.ids import uuid7
from apps.extraction import made_selectors, moments, news, policies, question_selectors, selectors, shape
from apps.extraction.events import ProposalMade
from apps.extraction.made_types import MadeBefore, SuggestionJoined
from apps.extraction.models import Collection, ExtractionRun, Proposal, RecordKey, Wish
from apps.extraction.pointers import pointer
from apps.extraction.reading_types import Answer, Source, Suggested
from apps.extraction.services import extractions, records, suggesting
from apps.extraction.types import GENERATED, NotUnique, ProposalStatus, RecordChangedSince, RunStatus

_LONGEST_NAME = 200  # of ``Proposal.entity_id``


@transaction.atomic
def suggest_made(
    *, actor: Actor, collection_id: UUID, data: Mapping[str, Any], operation_id: UUID, answer: Answer
) -> Proposal:
    """As ``make_record``, but nothing is a record before somebody accepts it. The suggestions of an operation are one run.

    Its row is locked until the commit, so that of two items that answer the same at once the second hears of the first. Refused is what
    would be refused as a record today: ``RecordInvalid``, ``NotUnique`` (also within the operation), ``MadeBefore``.
    """
    collection = selectors.get_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    known = selectors.schema_of(collection)
    wanted = moments.settled(known, shape.merged({}, data))
    records.refuse_misfit(known, wanted)
    run = _lock_run(actor, collection, operation_id, answer)
    title = shape.title_of(collection.title_template, known.fields, wanted)[:_LONGEST_NAME]
    made = made_selectors.list_made_titles(operation_id, organization_id=run.organization_id)
    if shape.repeats(title, made):
        raise MadeBefore(title=title)
    _refuse_taken(collection, run, wanted)
    number = (Proposal.objects.filter(run=run).aggregate(last=Max("number"))["last"] or 0) + 1
    said = Suggested(
        collection=collection.slug,
        entity_id=title,
        data=wanted,
        sources=tuple(Source(pointer([name]), GENERATED) for name in wanted),
        links=(),
        confidence=0.0,
        collection_id=collection.pk,
    )
    proposal = suggesting.propose(run, collection, number, said)
    by = {"answered_by": answer.model[:200], "is_demo": answer.is_demo}
    proposal.sources = [each | by for each in proposal.sources]
    if not Proposal.objects.filter(run=run, status=ProposalStatus.PENDING).exists():
        news.show(run, actor=actor)  # pages on which nothing of it waits follow it no more, or never saw it
    proposal.save(force_insert=True)
    news.tell(run, ProposalMade(proposal.pk, run.pk, operation_id), actor=actor, proposal_id=proposal.pk)
    return proposal


def _lock_run(actor: Actor, collection: Collection, operation_id: UUID, answer: Answer) -> ExtractionRun:
    """Made with the first suggestion; the constraint decides between two that come first. It is shown where the operation was asked for."""
    rows = ExtractionRun.objects.filter(organization_id=collection.organization_id, operation_id=operation_id)
    if (run := rows.select_for_update().first()) is not None:
        return run
    wish = Wish.objects.filter(project=collection.project_id, operation_id=operation_id).first()
    new = ExtractionRun(
        id=uuid7(),
        organization_id=collection.organization_id,
        project_id=collection.project_id,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        shown_in=wish.conversation_id if wish else None,
        shown_under=wish.shown_under if wish else None,
        collections=[collection.pk],
        language=actor.language[:12],
        status=RunStatus.COMPLETED,
        answered_by=answer.model[:200],
        is_demo=answer.is_demo,
        correlation_id=correlation_id()[:64],
        operation_id=operation_id,
        finished_at=Now(),
    )
    ExtractionRun.objects.bulk_create([new], ignore_conflicts=True)
    return rows.select_for_update().get()


def _refuse_taken(collection: Collection, run: ExtractionRun, data: Mapping[str, Any]) -> None:
    """Values of a unique key that a record has, or a suggestion of the run that waits."""
    keys = {tuple(names): digest for names in collection.unique_keys if (digest := shape.key_of(names, data))}
    if not keys:
        return
    others = list(
        Proposal.objects.filter(run=run, status=ProposalStatus.PENDING, collection=collection).values_list(
            "data", flat=True
        )
    )
    for names, digest in keys.items():
        there = RecordKey.objects.filter(collection=collection, fields="\x1f".join(names), digest=digest)
        owner = there.values_list("record_id", flat=True).first()
        if owner is None and not any(shape.key_of(names, other) == digest for other in others):
            continue
        raise NotUnique(
            record=str(owner) if owner else None,
            fields=[FieldError(f"data.{name}", "not_unique", str(NotUnique.default_detail)) for name in names],
        )


@transaction.atomic
def take_back_made(*, actor: Actor, proposal_id: UUID) -> None:
    """The way back of an operation that suggested: what waits is rejected; a record that accepting made is deleted, unless somebody
    changed it since (``RecordChangedSince``). What went into a record that was there stays in it (``SuggestionJoined``).
    """
    found = selectors.get_proposal(proposal_id=proposal_id, viewer=actor)
    question_selectors.lock_decisions(run_id=found.run_id, viewer=actor)
    proposal = selectors.lock_proposal(proposal_id=proposal_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, proposal.project_id)))
    if proposal.status == ProposalStatus.PENDING:
        extractions.reject_proposal(actor=actor, proposal_id=proposal_id)
    elif proposal.status == ProposalStatus.ACCEPTED and proposal.record_id is not None:
        _take_record_back(actor, proposal)


def _take_record_back(actor: Actor, proposal: Proposal) -> None:
    if proposal.made_id is None:
        raise SuggestionJoined(record=str(proposal.record_id))
    record = selectors.lock_record(record_id=proposal.made_id, viewer=actor, with_deleted=True, stays=False)
    if record.merged_into_id is not None:
        raise RecordChangedSince
    if record.deleted_at is not None:
        return
    if record.version != 1 and selectors.get_revision(record, 1).data != record.data:
        raise RecordChangedSince
    records.delete_record(actor=actor, record_id=record.pk)
