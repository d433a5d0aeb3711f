"""Writes of extraction: the wish, its end, and what people decide about what was suggested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.accounts import policies as account_policies
from apps.accounts import quotas
from apps.accounts import selectors as accounts
from apps.accounts.actors import actor_of_row
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs
from apps.core.correlation import correlation_id
from apps.core.errors import DomainError, FieldError, Invalid, NotFound
from apps.core.events import told_last
from apps.core.ids import uuid7
from apps.extraction import duplicates, moments, news, policies, question_selectors, selectors, shape, sources, walking
from apps.extraction.events import (
    ExtractionCompleted,
    ExtractionFailed,
    ExtractionRequested,
    ProposalAccepted,
    ProposalRejected,
)
from apps.extraction.models import Collection, ExtractionPart, ExtractionRun, Proposal, Record
from apps.extraction.reading_types import Answer, Found
from apps.extraction.services import answering, evidence, follow_ups, following, merging, records, relations, suggesting
from apps.extraction.types import (
    LEAST_PIECE,
    MAX_COLLECTIONS_A_RUN,
    MAX_OPEN_RUNS,
    TOO_MANY_PIECES,
    NoCollections,
    OnDuplicate,
    ProposalDecided,
    ProposalStatus,
    RunCause,
    RunStatus,
    TooManyRuns,
    Trust,
    WordsAreSensitive,
)
from apps.extraction.written import Written, noting_writes
from apps.llm import forecast, tokens
from apps.llm import selectors as llm

OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
GAVE_UP = "worker_lost"


@transaction.atomic
def request_extraction(
    *,
    actor: Actor,
    project_id: UUID,
    collections: Sequence[UUID] = (),
    conversation_id: UUID | None = None,
    message_id: UUID | None = None,
    file_id: UUID | None = None,
    selection: tuple[int, int] | None = None,
    model: str = "",
    language: str = "en",
    cause: RunCause = RunCause.ASKED,
    at_end: bool = False,
) -> ExtractionRun:
    """Read records of these collections (none named: of all that the project has) out of a message, a part of one, a file or a conversation.

    ``selection`` counts code points. The words must be the actor's to read, and there must be some: ``NothingToRead`` otherwise. It is
    shown in the conversation, below the message, the one that has the file, or the last one of the path (``at_end``: always there).
    """
    project = accounts.lock_project(project_id, actor)
    require(policies.can_write_records(actor, accounts.role_in(actor, project)))
    wanted = wanted_collections(actor, project_id, collections)
    if ExtractionRun.objects.filter(project=project, status__in=OPEN, effect_key="").count() >= MAX_OPEN_RUNS:
        raise TooManyRuns
    run = ExtractionRun(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        requested_by_id=actor.user_id,
        key_id=actor.key_id,
        conversation_id=conversation_id,
        message_id=message_id,
        file_id=file_id,
        selection_start=selection[0] if selection else None,
        selection_end=selection[1] if selection else None,
        collections=[collection.pk for collection in wanted],
        model=llm.get_model(organization_id=project.organization_id, reference=model) if model else None,
        language=language[:12],
        correlation_id=correlation_id()[:64],
        cause=cause,
    )
    measure(run, actor)
    if sources.project_of(run, actor) != project.pk:
        raise NotFound
    run.shown_in, run.shown_under = sources.place_of(run, actor, at_end=at_end)
    quotas.take_answer(actor=actor, organization_id=project.organization_id)
    run.save()
    fact = ExtractionRequested(run.pk, tuple(run.collections))
    news.tell(run, fact, actor=actor)
    if cause == RunCause.ASKED:
        news.show(run, actor=actor)
    jobs.after_commit("extraction.extract", run_id=run.pk)
    return selectors.get_run(run_id=run.pk, viewer=actor)


def measure(run: ExtractionRun, actor: Actor) -> None:
    """How much there is to read, in how many pieces, and about what it costs. ``NothingToRead`` where there is no word."""
    pieces, left = sources.pieces_of(run, actor)
    text = "".join(piece.text for piece in pieces)
    run.characters, run.is_text_cut, run.unread = len(text), bool(left), [each.as_json() for each in left]
    if len(text) <= LEAST_PIECE:
        return
    rows = selectors.with_document(selectors.visible_collections(actor).filter(pk__in=run.collections))
    model = run.model or llm.find_default_model(organization_id=run.organization_id)
    documents = {row.slug: selectors.schema_of(row).document for row in rows}
    size = walking.size_for(model.context_window if model else None, text, documents)
    run.parts = len(walking.spans(text, 0, size))
    if model is not None and run.parts > 1:
        each = len(text) // run.parts // tokens.CHARACTERS_PER_TOKEN
        found = forecast.estimate(model, calls=run.parts, input_tokens=each + 1_000, output_tokens=each // 4)
        run.expected_cost, run.currency = found.cost, found.currency


def wanted_collections(actor: Actor, project_id: UUID, wanted: Sequence[UUID]) -> list[Collection]:
    rows = selectors.list_collections(actor, project_id=project_id)
    if not wanted and not rows.exists():
        raise NoCollections
    found = list(rows.filter(pk__in=wanted) if wanted else rows.order_by("name")[:MAX_COLLECTIONS_A_RUN])
    if len(found) < len(set(wanted)) or not found:
        raise Invalid(fields=[FieldError("collections", "unknown_collection", str(Invalid.default_detail))])
    return found


def fail(run: ExtractionRun, code: str) -> None:
    """Pieces that were read are kept: who tries again goes on from there."""
    ExtractionRun.objects.filter(pk=run.pk).update(
        status=RunStatus.FAILED, error_code=code, lease_until=None, finished_at=Now(), updated_at=Now()
    )
    asker = actor_of_row(user_id=run.requested_by_id, key_id=run.key_id)
    news.tell(run, ExtractionFailed(run.pk, code), actor=asker)


@transaction.atomic
@told_last()
def finish_run(
    *, actor: Actor, run_id: UUID, fence: int, answer: Answer, found: Found, messages: Iterable[UUID] = ()
) -> bool:
    """Keep what was suggested, and take what the collection trusts. False: somebody else holds the run by now.

    ``messages``: what was read. One that was sealed or deleted meanwhile leaves nothing.
    """
    account_policies.require(policies.is_system(actor))
    run = ExtractionRun.objects.select_for_update().filter(pk=run_id, fence=fence, status=RunStatus.RUNNING).first()
    if run is None:
        return False
    asker = actor_of_row(user_id=run.requested_by_id, key_id=run.key_id)
    if not sources.are_open(messages, asker):
        ExtractionPart.objects.filter(run=run).delete()
        fail(run, WordsAreSensitive.code)
        return True
    with noting_writes() as wrote:
        found, answered = answering.answers_in(actor=asker, run=run, found=found)
    rows = selectors.visible_collections(asker).filter(pk__in=run.collections)
    there = {row.pk: row for row in selectors.with_document(rows)}
    found = _without_a_place(found, there)
    made = suggesting.suggest(run, found, there)
    run.answered_by = answer.model[:200] or run.answered_by
    cost = Decimal(answer.cost) if answer.cost else None
    ExtractionRun.objects.filter(pk=run.pk).update(
        status=RunStatus.COMPLETED,
        answered_by=run.answered_by,
        answered=answered,
        is_demo=answer.is_demo or run.is_demo,
        steps=list(found.steps),
        unplaced=list(found.unplaced),
        is_text_cut=bool(found.unread),
        unread=[each.as_json() for each in found.unread],
        stopped_by=found.stopped_by,
        characters_read=F("characters") - sum(each.characters or 0 for each in found.unread if each.end is not None),
        parts_done=F("parts_done") + (1 if answer.model else 0),
        input_tokens=F("input_tokens") + answer.input_tokens,
        output_tokens=F("output_tokens") + answer.output_tokens,
        cost=cost if run.cost is None else run.cost + (cost or 0),
        currency=answer.currency or run.currency,
        lease_until=None,
        finished_at=Now(),
        updated_at=Now(),
    )
    parts = ExtractionPart.objects.filter(run=run)
    if found.stopped_by in ("", TOO_MANY_PIECES) or run.effect_key:
        parts.delete()
    else:
        parts.update(is_suggested=True)
    fact = ExtractionCompleted(run.pk, len(made), len(found.unplaced))
    news.tell(run, fact, actor=asker)
    with noting_writes() as taken:
        for proposal in made:
            _take_if_trusted(asker, run, proposal)
    _keep_what_it_wrote(run, wrote, taken)
    if made:
        follow_ups.ask_if_they_may(actor=asker, run=run, unplaced=found.unplaced)
    if run.cause != RunCause.ASKED and (made or answered):
        news.show(run, actor=asker)
    return True


def _keep_what_it_wrote(run: ExtractionRun, *blocks: Written) -> None:
    """After what it wrote before somebody went on reading."""
    wrote = [[str(pk), before, after] for block in blocks for pk, (before, after) in block.items()]
    if wrote:
        run.wrote = [*run.wrote, *wrote]
        ExtractionRun.objects.filter(pk=run.pk).update(wrote=run.wrote)


def _without_a_place(found: Found, there: Mapping[UUID, Collection]) -> Found:
    """What was read for a collection that is gone by now is told as what found no place."""
    lost = [each for each in found.suggested if each.collection_id not in there]
    unplaced = [
        {"value": value, "reason": "no_collection", "field": f"/{name}", "entity": each.entity_id}
        for each in lost
        for name, value in each.data.items()
    ]
    kept = tuple(each for each in found.suggested if each.collection_id in there)
    return replace(found, suggested=kept, unplaced=(*found.unplaced, *unplaced))


def _take_if_trusted(asker: Actor, run: ExtractionRun, proposal: Proposal) -> None:
    """What is surely the same as a record goes into it, where it says nothing else; all the rest, and what does not fit, waits for a person."""
    trust, above = proposal.collection.trust, proposal.collection.trust_above
    is_trusted = trust == Trust.ACCEPT or (trust == Trust.REVIEW_UNSURE and proposal.confidence >= above)
    if not is_trusted or proposal.problems:
        return
    collection = proposal.collection
    found = selectors.schema_of(collection)
    data = moments.settled(found, dict(proposal.data))
    near = duplicates.find(collection, found, data)
    if near and not near[0].is_same:
        return
    try:
        with noting_writes(), transaction.atomic():
            into = near[0].record_id if near else None
            if into and shape.differs(selectors.get_record(record_id=into, viewer=asker).data, data):
                return
            # Listed with what another reading writes at this moment, too: nobody looks at what is trusted.
            how = OnDuplicate.LIST
            _accept(asker, run, proposal, data, edited=(), decided_by=None, into=into, on_duplicate=how)
    except DomainError:
        return


@transaction.atomic
@told_last()
def accept_proposal(
    *,
    actor: Actor,
    proposal_id: UUID,
    changes: Mapping[str, Any] | None = None,
    into: UUID | None = None,
    on_duplicate: str = OnDuplicate.LIST,
) -> Record:
    """Make the record, with ``changes`` to its fields first; or, with ``into``, put the fields into one that is there.

    ``on_duplicate`` as ``take_record`` has it.

    Links to other suggestions of the run are made as soon as both are records.
    """
    proposal = _lock(actor, proposal_id)
    following.follow_schema(proposal, selectors.get_collection(collection_id=proposal.collection_id, viewer=actor))
    data = shape.merged(proposal.data, changes or {})
    edited = tuple(change.field for change in shape.changes_between(proposal.data, data))
    return _accept(
        actor,
        proposal.run,
        proposal,
        data,
        edited=edited,
        decided_by=actor.user_id,
        into=into,
        on_duplicate=on_duplicate,
    )


@transaction.atomic
def reject_proposal(*, actor: Actor, proposal_id: UUID) -> Proposal:
    proposal = _lock(actor, proposal_id)
    _decide(proposal, ProposalStatus.REJECTED, decided_by=actor.user_id)
    follow_ups.settle_follow_up(actor=actor, proposal=proposal)
    fact = ProposalRejected(proposal.pk, proposal.run_id)
    news.tell(proposal.run, fact, actor=actor, proposal_id=proposal.pk)
    return proposal


def _lock(actor: Actor, proposal_id: UUID) -> Proposal:
    """``ProposalDecided`` for the second of two who decide at once."""
    found = selectors.get_proposal(proposal_id=proposal_id, viewer=actor)
    question_selectors.lock_decisions(run_id=found.run_id, viewer=actor)
    proposal = selectors.lock_proposal(proposal_id=proposal_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, proposal.project_id)))
    if proposal.status != ProposalStatus.PENDING:
        who = proposal.decided_by.display_name if proposal.decided_by else ""
        raise ProposalDecided(status=proposal.status, decided_by=who)
    return proposal


def _accept(
    actor: Actor,
    run: ExtractionRun,
    proposal: Proposal,
    data: Mapping[str, Any],
    *,
    edited: tuple[str, ...],
    decided_by: UUID | None,
    into: UUID | None = None,
    on_duplicate: str = OnDuplicate.NEW,
) -> Record:
    collection = selectors.get_collection(collection_id=proposal.collection_id, viewer=actor)
    found = selectors.schema_of(collection)
    whole = moments.settled(found, dict(data) | relations.linked_fields(actor, found, proposal, data))
    if into is not None:
        if selectors.get_record(record_id=into, viewer=actor).collection_id != collection.pk:
            raise Invalid(fields=[FieldError("into", "unknown_record", str(Invalid.default_detail))])
        record = merging.join_proposed(
            actor=actor, record_id=into, proposal=proposal, data=whole, edited=edited, wins=decided_by is not None
        )
    else:
        taken = records.take_record(actor=actor, collection_id=collection.pk, data=whole, on_duplicate=on_duplicate)
        record = taken.record
        proposal.made_id = record.pk if taken.is_new else None
        evidence.keep_sources(run, proposal, record, edited, whole)
    proposal.record = record
    _decide(proposal, ProposalStatus.ACCEPTED, decided_by=decided_by)
    follow_ups.settle_follow_up(actor=actor, proposal=proposal)
    relations.link_back(actor=actor, proposal=proposal, record=record)
    fact = ProposalAccepted(proposal.pk, run.pk, record.pk, edited)
    news.tell(run, fact, actor=actor, proposal_id=proposal.pk)
    return record


def _decide(proposal: Proposal, status: ProposalStatus, *, decided_by: UUID | None) -> None:
    proposal.status, proposal.version = status, proposal.version + 1
    Proposal.objects.filter(pk=proposal.pk).update(
        status=status,
        version=proposal.version,
        record=proposal.record,
        made_id=proposal.made_id,
        decided_by=decided_by,
        decided_at=Now(),
        updated_at=Now(),
    )
