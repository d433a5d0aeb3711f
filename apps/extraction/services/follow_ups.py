"""Questions about what is missing: asked in the conversation once, answered there or on the card, in any order, skipped or given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.accounts import policies as account_policies
from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.conversations import services as conversations
from apps.core import preferences
from apps.core.errors import DomainError, FieldError, Invalid
from apps.core.ids import uuid7
from apps.extraction import asking, grounding, news, policies, question_selectors, selectors, shape, sources
from apps.extraction.events import QuestionsAsked, QuestionsSettled
from apps.extraction.models import Collection, ExtractionRun, FieldSource, FollowUp, Proposal
from apps.extraction.pointers import pointer, top
from apps.extraction.reading_types import Found, Source, Suggested
from apps.extraction.schema import Schema
from apps.extraction.services import records
from apps.extraction.types import (
    ASK_MISSING,
    MAX_ASKED_AT_ONCE,
    FollowUpStatus,
    ProposalStatus,
    QuestionDecided,
    QuestionState,
    RunCause,
    Visibility,
)


@transaction.atomic
def ask_what_is_missing(*, actor: Actor, run: ExtractionRun, unplaced: Sequence[dict[str, Any]]) -> None:
    """Of the suggestions of a run that just ended. A thing that the conversation was asked about is not asked about again.

    ``actor`` is who wanted the run: the questions stand at the end of their path, in their language.
    """
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    wanted = preferences.get(ASK_MISSING, organization=run.organization_id, project=run.project_id)
    if run.shown_in is None or not wanted:
        return
    rows = selectors.list_proposals_of(actor, [run.pk], up_to=MAX_ASKED_AT_ONCE * 4)
    found = _collections(actor, rows)
    made = []
    for row in rows:
        if row.status == ProposalStatus.REJECTED or row.collection_id not in found:
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
    _ask_next(actor, run.shown_in, language=run.language, answered_by=run.answered_by, is_new=True)


def _collections(actor: Actor, rows: Iterable[Proposal | FollowUp]) -> dict[UUID, tuple[Collection, Schema]]:
    wanted = {row.collection_id for row in rows}
    there = selectors.with_document(selectors.visible_collections(actor).filter(pk__in=wanted))
    return {row.pk: (row, selectors.schema_of(row)) for row in there}


def _ask_next(
    actor: Actor, conversation_id: UUID, *, language: str, answered_by: str = "", is_new: bool = False
) -> None:
    """The next few, as one message: of what was just read, or once nothing that was asked is open any more."""
    # A message is read by everyone in the conversation: about what only some people see, the cards alone ask.
    locked = question_selectors.lock_follow_ups(conversation_id)
    rows = _still_open(actor, [row for row in locked if row.collection.visibility != Visibility.NAMED])
    if not is_new and any(each["state"] == QuestionState.ASKED for row in rows for each in row.questions):
        return
    room, asked = MAX_ASKED_AT_ONCE, []
    for row in rows:
        names = asking.waiting_fields(row)[:room]
        if names:
            asked.append((row, names))
            room -= len(names)
    found = _collections(actor, [row for row, _names in asked])
    asked = [(row, names) for row, names in asked if row.collection_id in found]
    if not asked:
        return
    with override(language):
        text = _words_of([(row, [_label(found[row.collection_id][1], name) for name in names]) for row, names in asked])
    try:
        message = conversations.say_aside(
            actor=actor, conversation_id=conversation_id, text=text, answered_by=answered_by
        )
    except DomainError:
        return  # archived, or no longer theirs to write in: the cards show what is missing
    for row, names in asked:
        row.asked_in = message.pk
        _keep(row, asking.with_states(row, names, QuestionState.ASKED))
        news.tell(
            row.proposal.run,
            QuestionsAsked(row.pk, row.proposal_id, message.pk, tuple(names)),
            actor=actor,
            proposal_id=row.proposal_id,
        )


def _label(schema: Schema, name: str) -> str:
    field = schema.named(name)
    return field.title or name if field else name


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


def _keep(row: FollowUp, questions: list[dict[str, Any]]) -> None:
    row.questions = questions
    row.version += 1
    if not asking.open_fields(row) and row.status == FollowUpStatus.OPEN:
        row.status = FollowUpStatus.DONE
    FollowUp.objects.filter(pk=row.pk).update(
        questions=row.questions, status=row.status, version=row.version, asked_in=row.asked_in, updated_at=Now()
    )


@transaction.atomic
def take_answers(*, actor: Actor, run: ExtractionRun, found: Found) -> tuple[Found, list[dict[str, Any]]]:
    """What of an answer belongs to questions of the conversation goes there; the rest comes back, with what was taken."""
    require(policies.can_write_records(actor, accounts.project_role(actor, run.project_id)))
    rows = _still_open(actor, question_selectors.lock_follow_ups(run.shown_in)) if run.shown_in else []
    known = _collections(actor, rows)
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
        _ask_next(actor, rows[0].conversation_id, language=run.language)
    return replace(found, suggested=tuple(left), unplaced=(*found.unplaced, *unplaced)), taken


def answers_in(*, actor: Actor, run: ExtractionRun, found: Found) -> tuple[Found, list[dict[str, Any]]]:
    """What is left of a run's answer when its answers to questions are taken, and these. Where only answers were looked for, the rest
    is no suggestion either.
    """
    try:
        with transaction.atomic():
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


def ask_if_they_may(*, actor: Actor, run: ExtractionRun, unplaced: Sequence[dict[str, Any]]) -> None:
    """Who wanted the run may perhaps not write in the conversation any more; then the cards alone say what is missing."""
    try:
        with transaction.atomic():
            ask_what_is_missing(actor=actor, run=run, unplaced=unplaced)
    except DomainError:
        return


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
    _keep(row, asking.with_states(row, values, QuestionState.ANSWERED, message_id))
    fact = QuestionsSettled(row.pk, proposal.pk, tuple(values), QuestionState.ANSWERED.value)
    news.tell(proposal.run, fact, actor=actor, proposal_id=proposal.pk)
    return [
        {"proposal": str(proposal.pk), "title": row.title, "label": _label(schema, name), "text": shape.as_text(value)}
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
    row, schema = _open_question(actor, follow_up_id, field)
    wrong = [each for each in schema.validate({**row.proposal.data, field: value}) if top(each.field) == field]
    if wrong or shape.is_empty(value):
        detail = wrong[0].detail if wrong else str(Invalid.default_detail)
        raise Invalid(fields=[FieldError("value", wrong[0].code if wrong else "required", detail)])
    if not _take(actor, row, schema, {field: value}, []):
        raise QuestionDecided(state=row.status)
    _ask_next(actor, row.conversation_id, language=row.proposal.run.language)
    return question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)


@transaction.atomic
def skip_question(*, actor: Actor, follow_up_id: UUID, field: str) -> FollowUp:
    row, _schema = _open_question(actor, follow_up_id, field)
    _settle(actor, row, [field], QuestionState.SKIPPED)
    _ask_next(actor, row.conversation_id, language=row.proposal.run.language)
    return question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)


@transaction.atomic
def abandon_follow_up(*, actor: Actor, follow_up_id: UUID) -> FollowUp:
    """Nothing more is asked about this. What was answered stays."""
    row = _lock(actor, follow_up_id)
    row.status = FollowUpStatus.ABANDONED
    _settle(actor, row, asking.open_fields(row), QuestionState.ABANDONED)
    _ask_next(actor, row.conversation_id, language=row.proposal.run.language)
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
        _keep(row, asking.with_states(row, asking.open_fields(row), QuestionState.ABANDONED))
        return
    data = proposal.record.data if proposal.record else proposal.data
    known = [name for name in asking.open_fields(row) if not shape.is_empty(data.get(name))]
    if known:
        _keep(row, asking.with_states(row, known, QuestionState.ANSWERED))


@transaction.atomic
def settle_known(*, actor: Actor, conversation_id: UUID) -> None:
    """What people wrote into the records meanwhile is not asked any more, and nothing about records that are deleted."""
    require(policies.is_system(actor))
    _still_open(actor, question_selectors.lock_follow_ups(conversation_id))


def _still_open(actor: Actor, rows: Iterable[FollowUp]) -> list[FollowUp]:
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
    _keep(row, asking.with_states(row, names, state))
    fact = QuestionsSettled(row.pk, row.proposal_id, tuple(names), state.value)
    news.tell(row.proposal.run, fact, actor=actor, proposal_id=row.proposal_id)


def _lock(actor: Actor, follow_up_id: UUID) -> FollowUp:
    found = question_selectors.get_follow_up(follow_up_id=follow_up_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, found.project_id)))
    locked = question_selectors.lock_follow_ups(found.conversation_id)
    row = next((each for each in locked if each.pk == follow_up_id), None)
    if row is None or not _still_open(actor, [row]):
        raise QuestionDecided(state=(row or found).status)
    return row


def _open_question(actor: Actor, follow_up_id: UUID, field: str) -> tuple[FollowUp, Schema]:
    """``QuestionDecided`` for the second of two who answer at once, or when the words of the conversation were faster."""
    row = _lock(actor, follow_up_id)
    if field not in asking.open_fields(row):
        state = next((each["state"] for each in row.questions if each["field"] == field), "")
        raise QuestionDecided(state=state)
    return row, _collections(actor, [row])[row.collection_id][1]
