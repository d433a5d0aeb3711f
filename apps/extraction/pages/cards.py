"""Runs and what they suggest as the templates draw them: everything decided, and a handful of queries however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.doors.below_messages import Shown
from apps.extraction import link_selectors, made_selectors, policies, question_selectors, selectors, shape, targets
from apps.extraction.models import ExtractionRun, FollowUp, Proposal
from apps.extraction.pages.nearby import NearCard, near_cards
from apps.extraction.pages.quoting import Quote, QuotedWords
from apps.extraction.pages.reasons import reason_of, why_unread
from apps.extraction.pages.unplaced import UnplacedCard, count_unplaced, first_unplaced
from apps.extraction.pages.values import typed
from apps.extraction.schema import Field, Schema
from apps.extraction.types import GENERATED, OPEN_QUESTIONS, STOPPED_BY_PERSON, ProposalStatus, RunStatus

MOST_SHOWN = 20
_MOST_QUOTES = 3


@dataclass(frozen=True, slots=True)
class FieldCard:
    """``input`` is how it is edited: text, number, date, choice, lines, json; empty: not here. ``raw`` is what stands in the input.
    ``lost``: names that mean no record, or several, so that accepting links nothing. ``is_sourced``: words say it, whether the viewer may read them or not. What a person answered is neither that nor inferred.
    """

    name: str
    label: str
    text: str
    input: str = ""
    raw: str = ""
    type: str = ""
    options: tuple[tuple[str, str], ...] = ()
    quotes: tuple[Quote, ...] = ()
    is_inferred: bool = False
    is_sourced: bool = False
    is_needed: bool = False
    wrong: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionCard:
    """A field that is missing and may be answered here. ``api`` is the address of what it is part of."""

    field: FieldCard
    api: str
    is_unclear: bool


@dataclass(frozen=True, slots=True)
class ProposalCard:
    id: UUID
    number: int
    title: str
    collection: str
    status: str
    topic: str
    url: str
    api: str
    fields: tuple[FieldCard, ...]
    shown: tuple[FieldCard, ...]
    filled: int
    sourced: int
    missing: tuple[str, ...]
    wrong: str
    percent: int
    is_demo: bool
    can_write: bool
    decided_by: str
    decided_at: datetime | None
    conversation_url: str = ""
    questions: tuple[QuestionCard, ...] = ()
    near: tuple[NearCard, ...] = ()
    is_made: bool = False
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class UnreadCard:
    """``characters`` 0: nobody knows how many."""

    characters: int
    why: str


@dataclass(frozen=True, slots=True)
class RunCard:
    id: UUID
    status: str
    topic: str
    url: str
    api: str
    is_moving: bool
    is_demo: bool
    unread: tuple[UnreadCard, ...]
    parts: int
    parts_done: int
    expected_cost: Any
    reason: str
    proposals: tuple[ProposalCard, ...]
    suggested: int
    pending: int
    unplaced: tuple[UnplacedCard, ...]
    unplaced_count: int
    unplaced_url: str
    answered: tuple[Mapping[str, str], ...]
    can_write: bool
    answered_by: str
    cost: Any
    currency: str
    queue_url: str = ""
    more: int = 0
    is_stopping: bool = False
    is_resumable: bool = False
    is_made: bool = False
    is_making: bool = False


def below(viewer: Any, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Shown]]:
    """For the door of the conversations."""
    if not policies.has_read_scope(viewer):
        return {}
    runs = list(selectors.list_shown_under(viewer, message_ids))
    found: dict[UUID, list[Shown]] = {}
    for run, card in zip(runs, run_cards(viewer, runs), strict=True):
        if run.shown_under is not None:
            is_of_message = run.message_id == run.shown_under
            found.setdefault(run.shown_under, []).append(Shown("extraction/_run.html", card, is_of_message))
    return found


def run_cards(viewer: Actor, runs: Sequence[ExtractionRun]) -> list[RunCard]:
    if not runs:
        return []
    counts = selectors.count_proposals(viewer, [run.pk for run in runs])
    rows = selectors.list_proposals_of(viewer, [run.pk for run in runs], up_to=MOST_SHOWN)
    cards: dict[UUID, list[ProposalCard]] = {}
    may = _writers(viewer, (run.project_id for run in runs))
    for row, card in zip(rows, proposal_cards(viewer, rows, may), strict=True):
        cards.setdefault(row.run_id, []).append(card)
    resumable = selectors.find_resumable(run.pk for run in runs if run.stopped_by)
    making = made_selectors.still_making(runs)
    return [
        _run_card(
            run,
            cards.get(run.pk, []),
            counts.get(run.pk, (0, 0)),
            can_write=may[run.project_id],
            is_resumable=run.pk in resumable,
            is_making=run.pk in making,
        )
        for run in runs
    ]


def _writers(viewer: Actor, project_ids: Iterable[UUID]) -> dict[UUID, bool]:
    return {pk: policies.can_write_records(viewer, accounts.project_role(viewer, pk)) for pk in set(project_ids)}


def _run_card(
    run: ExtractionRun,
    cards: list[ProposalCard],
    counts: tuple[int, int],
    *,
    can_write: bool,
    is_resumable: bool,
    is_making: bool,
) -> RunCard:
    sees_all = run.sees_all  # type: ignore[attr-defined]
    return RunCard(
        id=run.pk,
        status=run.status,
        topic=run.topic,
        url=reverse("extraction:run", kwargs={"run_id": run.pk}),
        api=reverse("extractions_detail", kwargs={"run_id": run.pk}),
        is_moving=is_making or run.status in (RunStatus.QUEUED, RunStatus.RUNNING),
        is_demo=run.is_demo,
        unread=tuple(UnreadCard(each.get("characters") or 0, why_unread(str(each["reason"]))) for each in run.unread),
        parts=run.parts,
        parts_done=run.parts_done,
        expected_cost=run.expected_cost,
        reason=reason_of(run.error_code) if run.status == RunStatus.FAILED else "",
        proposals=tuple(cards),
        suggested=counts[0],
        pending=counts[1],
        unplaced=first_unplaced(run),
        unplaced_count=count_unplaced(run),
        unplaced_url=reverse("extraction:unplaced", kwargs={"run_id": run.pk}),
        answered=tuple(run.answered) if sees_all else (),
        can_write=can_write,
        answered_by=run.answered_by,
        cost=run.cost,
        currency=run.currency,
        queue_url=reverse("extraction:review"),
        more=max(0, counts[1] - sum(card.status == ProposalStatus.PENDING for card in cards)),
        is_stopping=run.stopped_by == STOPPED_BY_PERSON,
        is_resumable=is_resumable and sees_all,
        is_made=run.operation_id is not None,
        is_making=is_making,
    )


def proposal_cards(
    viewer: Actor, rows: Sequence[Proposal], may: Mapping[UUID, bool] | None = None
) -> list[ProposalCard]:
    """``rows`` come from ``selectors``, with run, collection and who decided; ``may``: in which projects the viewer writes, where it is known."""
    if not rows:
        return []
    meant = link_selectors.list_meant(viewer, rows)
    documents = {
        row.pk: row
        for row in selectors.with_document(selectors.visible_collections(viewer)).filter(
            pk__in={row.collection_id for row in (*rows, *meant)}
        )
    }
    words = QuotedWords(viewer, rows)
    waiting = [row for row in rows if row.status == ProposalStatus.PENDING]
    named = {
        project: targets.find_named(
            viewer,
            project_id=project,
            names=link_selectors.names_in(row for row in waiting if row.project_id == project),
        )
        for project in {row.project_id for row in waiting}
    }
    near = near_cards(viewer, rows)
    asked = question_selectors.follow_ups_of(row.pk for row in rows)
    may = _writers(viewer, (row.project_id for row in rows)) if may is None else may
    schemas = {pk: selectors.schema_of(row) for pk, row in documents.items()}
    # Of what was rejected there is nothing to point to.
    titles = {
        (row.run_id, row.entity_id): _title(row, documents[row.collection_id], schemas[row.collection_id])
        for row in (*rows, *meant)
        if row.status != ProposalStatus.REJECTED
    }
    return [
        _proposal_card(
            row,
            documents[row.collection_id],
            schemas[row.collection_id],
            words,
            titles,
            named=named.get(row.project_id, {}),
            can_write=may[row.project_id],
            follow_up=asked.get(row.pk),
            near=near.get(row.pk, ()),
        )
        for row in rows
    ]


def _title(row: Proposal, collection: Any, found: Schema) -> str:
    return shape.title_of(collection.title_template, found.fields, row.data) or collection.name


def _proposal_card(
    row: Proposal,
    collection: Any,
    found: Schema,
    words: QuotedWords,
    titles: Mapping[tuple[UUID, str], str],
    *,
    named: Mapping[tuple[str, str], targets.Named],
    can_write: bool,
    follow_up: FollowUp | None,
    near: tuple[NearCard, ...],
) -> ProposalCard:
    linked, lost = _linked(row, titles, named)
    problems = {str(each["field"]).strip("/").split("/")[0]: str(each["detail"]) for each in row.problems}
    numbers = iter(range(1, 1000))
    fields = []
    for each in found.top:
        value = row.data.get(each.name)
        sources = [source for source in row.sources if source["field"].split("/")[1:2] == [each.name]]
        quotes = [
            quote
            for source in sources[:_MOST_QUOTES]
            if (quote := words.quote(source, lambda: next(numbers))) is not None
        ]
        is_needed = each.required or each.name in collection.needed
        fields.append(
            FieldCard(
                name=each.name,
                label=each.title or each.name,
                text=shape.as_text(value) or ", ".join(linked.get(each.name, [])),
                quotes=tuple(quotes),
                is_inferred=bool(sources) and not any(source["method"] for source in sources),
                is_sourced=any(source["method"] not in ("", GENERATED) for source in sources),
                is_needed=is_needed,
                wrong=problems.get(each.name, ""),
                lost=tuple(lost.get(each.name, ())),
                **_input(each, value),
            )
        )
    shown = tuple(each for each in fields if each.text or each.wrong or each.lost)
    first = next((source["message"] for source in row.sources if source["message"]), None)
    made = [source for source in row.sources if source["method"] == GENERATED]
    return ProposalCard(
        id=row.pk,
        number=row.number,
        title=_title(row, collection, found),
        collection=collection.name,
        status=row.status,
        topic=row.run.topic,
        url=reverse("extraction:proposal", kwargs={"proposal_id": row.pk}),
        api=reverse("proposals_detail", kwargs={"proposal_id": row.pk}),
        fields=tuple(each for each in fields if each.input),
        shown=shown,
        filled=sum(bool(each.text) for each in shown),
        sourced=sum(bool(each.text) and each.is_sourced for each in shown),
        missing=tuple(each.label for each in fields if each.is_needed and not each.text),
        wrong=problems.get("", ""),
        percent=round(row.confidence * 100),
        is_demo=row.run.is_demo,
        can_write=can_write and row.status == ProposalStatus.PENDING,
        decided_by=row.decided_by.display_name if row.decided_by else "",
        decided_at=row.decided_at,
        conversation_url=words.url_of(UUID(first)) if first else "",
        questions=_questions(follow_up, fields) if follow_up and can_write else (),
        near=near,
        is_made=bool(made),
        made_by=made[0]["answered_by"] if made else "",
    )


def _linked(
    row: Proposal, titles: Mapping[tuple[UUID, str], str], named: Mapping[tuple[str, str], targets.Named]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """By field: what it points to, in words; and while it waits, names that it would point to nothing by."""
    linked: dict[str, list[str]] = {}
    lost: dict[str, list[str]] = {}
    for link in row.links:
        field, mention = link["field"].strip("/").split("/")[0], link["mention"]
        if link["to"]:
            title = titles.get((row.run_id, link["to"]))
        elif row.status == ProposalStatus.PENDING:
            one = named.get((link["collection"], mention))
            title = one.title if one else None
            if one is None:
                lost.setdefault(field, []).append(mention)
        else:
            title = mention
        if title:
            linked.setdefault(field, []).append(title)
    return linked, lost


def _questions(follow_up: FollowUp, fields: Sequence[FieldCard]) -> tuple[QuestionCard, ...]:
    api = reverse("follow_ups_detail", kwargs={"follow_up_id": follow_up.pk})
    record = follow_up.proposal.record
    known = record.data if record else {}
    asked = {
        each["field"]: each
        for each in follow_up.questions
        if each["state"] in OPEN_QUESTIONS and shape.is_empty(known.get(each["field"]))
    }
    if record and record.deleted_at:
        return ()
    return tuple(
        QuestionCard(each, api, is_unclear=asked[each.name]["cause"] == "ambiguous")
        for each in fields
        if each.name in asked and each.input not in ("", "json")
    )


def _input(each: Field, value: Any) -> dict[str, Any]:
    """How a field is edited on a card. What points to records is linked by accepting, or on the record's page."""
    if each.relation is not None:
        return {}
    if each.type in ("object", "any") or (each.is_list and each.type != "string"):
        raw = json.dumps(value, ensure_ascii=False, indent=1) if value is not None else ""
        return {"input": "json", "raw": raw, "type": each.type}
    if each.is_list:
        lines = value if isinstance(value, list) else [value] if value is not None else []
        return {"input": "lines", "raw": "\n".join(map(str, lines)), "type": each.type}
    raw = "" if value is None else shape.as_text(value)
    if each.type == "boolean":
        return {"input": "choice", "raw": raw, "type": "boolean", "options": (("true", _("Yes")), ("false", _("No")))}
    if each.enum:
        options = tuple((shape.as_text(choice), shape.as_text(choice)) for choice in each.enum if choice is not None)
        return {"input": "choice", "raw": raw, "type": each.type, "options": options}
    if each.type in ("integer", "number"):
        return {"input": "number", "raw": typed(value) if isinstance(value, float) else raw, "type": each.type}
    return {"input": "date" if each.format == "date" else "text", "raw": raw, "type": each.type}
