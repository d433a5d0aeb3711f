"""Answers to questions about what is missing: read out of words, or written on the card, they go into the suggestion or its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core.errors import DomainError, FieldError, Invalid
from apps.extraction import asking, grounding, news, policies, question_selectors, selectors, shape, sources
from apps.extraction.events import QuestionsSettled
from apps.extraction.models import Collection, ExtractionRun, FieldSource, FollowUp, Proposal
from apps.extraction.pointers import pointer, top
from apps.extraction.reading_types import Found, Source, Suggested
from apps.extraction.schema import Schema
from apps.extraction.services import follow_ups, records
from apps.extraction.types import ProposalStatus, QuestionDecided, QuestionState, RunCause
from apps.extraction.written import noting_writes


@transaction.atomic
def take_answers(*, actor: Actor, run: ExtractionRun, found: Found) -> tuple[Found, list[dict[str, Any]]]:
    """What of an answer belongs to questions of the conversation goes there; the rest comes back, with what was taken."""
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    rows = follow_ups.still_open(actor, question_selectors.lock_follow_ups(run.shown_in)) if run.shown_in else []
    known = question_selectors.collections_of(actor, rows)
    rows = [row for row in rows if row.collection_id in known]
    if not rows:
        return found, []
    taken: list[dict[str, Any]] = []
    left: list[Suggested] = []
    unplaced: list[dict[str, Any]] = []
    for each in found.suggested:
        collection, schema = known.get(each.collection_id, (None, None)) if each.collection_id else (None, None)
        row = (
            asking.match(rows, each, asking.title_of(collection, schema, each.data)) if collection and schema else None
        )
        values, beside = asking.shared_out(row, each) if row else ({}, [])
        if row is None or not values:
            left.append(each)
            continue
        at = [source for source in each.sources if top(source.pointer) in values]
        taken += _take(actor, row, known[row.collection_id][1], values, at, run=run)
        unplaced += beside
    if not taken and not left and run.message_id is not None:
        taken = _take_bare(actor, rows, known, run)
    if taken:
        follow_ups.ask_next(actor, rows[0].conversation_id, language=run.language)
    return replace(found, suggested=tuple(left), unplaced=(*found.unplaced, *unplaced)), taken


def answers_in(*, actor: Actor, run: ExtractionRun, found: Found) -> tuple[Found, list[dict[str, Any]]]:
    """What is left of a run's answer when its answers to questions are taken, and these. Where only answers were looked for, the rest
    is no suggestion either.
    """
    try:
        with noting_writes(), transaction.atomic():
            found, answered = take_answers(actor=actor, run=run, found=found)
    except DomainError:
        answered = []
    if run.cause != RunCause.ANSWER:
        return found, answered
    rest = [
        {"value": value, "reason": "not_asked", "field": f"/{name}", "entity": each.entity_id}
        for each in found.suggested
        for name, value in each.data.items()
    ]
    return replace(found, suggested=(), unplaced=(*found.unplaced, *rest)), answered


def _take_bare(
    actor: Actor, rows: Sequence[FollowUp], known: dict[UUID, tuple[Collection, Schema]], run: ExtractionRun
) -> list[dict[str, Any]]:
    pieces, _is_cut = sources.pieces_of(run, actor)
    text = "".join(piece.text for piece in pieces)
    schemas = {pk: pair[1] for pk, pair in known.items()}
    bare = asking.bare_answer(rows, schemas, text, language=run.language)
    if bare is None:
        return []
    row, name, value = bare
    field = schemas[row.collection_id].named(name)
    place = grounding.ground(value, grounding.Text(text, language=run.language), field=field)
    source = Source(pointer([name]), message_id=run.message_id)
    if place is not None:
        source = Source(
            pointer([name]),
            str(place.method),
            place.confidence,
            place.start + pieces[0].offset,
            place.end + pieces[0].offset,
            place.start_utf16 + pieces[0].offset_utf16,
            place.end_utf16 + pieces[0].offset_utf16,
            run.message_id,
        )
    return _take(actor, row, schemas[row.collection_id], {name: value}, [source], run=run)


def _take(
    actor: Actor,
    row: FollowUp,
    schema: Schema,
    values: dict[str, Any],
    at: Sequence[Source],
    *,
    run: ExtractionRun | None = None,
) -> list[dict[str, Any]]:
    """Into the suggestion, or into the record that it became. What the record refuses stays a question, and what a person has filled in
    it meanwhile stays as they wrote it.
    """
    proposal = Proposal.objects.select_for_update(of=("self",)).select_related("run", "record").get(pk=row.proposal_id)
    if proposal.status == ProposalStatus.REJECTED:
        return []
    if proposal.record is not None:
        try:
            with transaction.atomic():
                there = selectors.lock_record(record_id=proposal.record.pk, viewer=actor).data
                values = {name: value for name, value in values.items() if shape.is_empty(there.get(name))}
                at = [source for source in at if top(source.pointer) in values]
                if not values:
                    return []
                record = records.change_record(actor=actor, record_id=proposal.record.pk, changes=values)
        except DomainError:
            return []
        FieldSource.objects.filter(record=record, field__in=[pointer([name]) for name in values]).delete()
        if run is not None:
            FieldSource.objects.bulk_create(_field_source(record, each, run) for each in at)
    _write(proposal, schema, values, at)
    row.proposal = proposal
    message_id = run.message_id if run else None
    follow_ups.keep(row, asking.with_states(row, values, QuestionState.ANSWERED, message_id))
    fact = QuestionsSettled(row.pk, proposal.pk, tuple(values), QuestionState.ANSWERED.value)
    news.tell(proposal.run, fact, actor=actor, proposal_id=proposal.pk)
    return [
        {
            "proposal": str(proposal.pk),
            "title": row.title,
            "label": asking.label_of(schema, name),
            "text": shape.as_text(value),
        }
        for name, value in values.items()
    ]


def _write(proposal: Proposal, schema: Schema, values: dict[str, Any], at: Sequence[Source]) -> None:
    proposal.data = {**proposal.data, **values}
    kept = [each for each in proposal.sources if top(each["field"]) not in values]
    proposal.sources = [*kept, *(source.as_json() for source in at)]
    wrong = schema.validate(proposal.data)
    proposal.problems = [{"field": each.field, "code": each.code, "detail": each.detail} for each in wrong]
    proposal.version += 1
    proposal.save(update_fields=["data", "sources", "problems", "version", "updated_at"])


def _field_source(record: Any, source: Source, run: ExtractionRun) -> FieldSource:
    return FieldSource(
        organization_id=record.organization_id,
        record=record,
        run=run,
        field=source.pointer,
        value_digest=shape.value_digest(record.data.get(top(source.pointer))),
        message_id=source.message_id,
        method=source.method,
        confidence=source.confidence,
        start=source.start,
        end=source.end,
        start_utf16=source.start_utf16,
        end_utf16=source.end_utf16,
    )


@transaction.atomic
def answer_question(*, actor: Actor, follow_up_id: UUID, field: str, value: Any) -> FollowUp:
    """On the card. A person's value, without words behind it; one that does not fit the field is ``Invalid``."""
    row, schema = follow_ups.lock_question(actor=actor, follow_up_id=follow_up_id, field=field)
    wrong = [each for each in schema.validate({**row.proposal.data, field: value}) if top(each.field) == field]
    if wrong or shape.is_empty(value):
        detail = wrong[0].detail if wrong else str(Invalid.default_detail)
        raise Invalid(fields=[FieldError("value", wrong[0].code if wrong else "required", detail)])
    if not _take(actor, row, schema, {field: value}, []):
        raise QuestionDecided(state=row.status)
    follow_ups.ask_next(actor, row.conversation_id, language=row.proposal.run.language)
    return question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)
