"""Records out of a brief, as an operation: each item is one record, which a model makes up unlike those that the others made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts import quotas
from apps.accounts.types import AnswerQuotaReached
from apps.bulk import selectors as operations
from apps.core.correlation import correlation_id
from apps.core.db import in_thread
from apps.core.doors.bulk_kinds import (
    BulkKind,
    BulkScope,
    Done,
    Estimate,
    PlanFindings,
    PlannedItem,
    Preview,
    Resource,
    TryLater,
    Work,
)
from apps.core.errors import DomainError
from apps.extraction import coercion, made_selectors, policies, repair, selectors, services, strict_schema, structured
from apps.extraction.bulk_results import place_to_review, tell
from apps.extraction.bulk_scopes import collection_of, only, place_of, set_back, written, wrong
from apps.extraction.made_types import MAX_BRIEF, MAX_MADE, MadeBefore, NothingMade
from apps.extraction.models import Collection
from apps.extraction.reading_types import Answer
from apps.extraction.schema import Schema
from apps.extraction.types import NotUnique, RecordInvalid
from apps.llm import forecast, tokens
from apps.llm.types import CompletionRequest, NeutralMessage, Parameters, Purpose, Role

KIND = "records.create"
#: Starts of one item; ``bulk`` gives no more.
LAST_ATTEMPT = 3
#: What a model reads of the records that are there; older ones are still compared when the record is written.
MOST_NAMED = 80
NAMED_OF_COLLECTION = 20
LONGEST_WAIT_SECONDS = 600.0
_TOKENS_A_FIELD = {"string": 14, "object": 40, "any": 20}

INSTRUCTIONS = (
    "You make up records of a collection for somebody who describes what they want. Make exactly one object, with a value for every "
    "field that makes sense, of the right type, as concrete and varied as a good author would; text in the language of the brief. "
    "It must not be one that is there already, nor a variant of it."
)


@dataclass(frozen=True, slots=True)
class Prepared:
    request: CompletionRequest
    wanted: structured.Shape


def _check(scope: BulkScope) -> dict[str, Any]:
    only(scope, "collection", "brief", "count", "model", "review")
    collection = collection_of(scope)
    brief, count = scope.params.get("brief"), scope.params.get("count")
    if not isinstance(brief, str) or not brief.strip() or len(brief) > MAX_BRIEF:
        raise wrong(
            "brief", _("Say in at most %(number)d characters what the records are to be.") % {"number": MAX_BRIEF}
        )
    if type(count) is not int or not 1 <= count <= MAX_MADE:
        raise wrong("count", _("A number from 1 to %(number)d.") % {"number": MAX_MADE})
    review = scope.params.get("review", False)
    if not isinstance(review, bool):
        raise wrong("review", _("True or false."))
    model = forecast.find_model(organization_id=scope.organization_id, reference=str(scope.params.get("model") or ""))
    return {
        "collection": str(collection.pk),
        "brief": brief.replace("\x00", "").strip(),
        "count": count,
        "model": str(model.pk),
        "review": review,
    }


def _plan(scope: BulkScope) -> Iterator[PlannedItem | PlanFindings]:
    collection, model = collection_of(scope), _model(scope)
    for number in range(1, scope.params["count"] + 1):
        yield PlannedItem({"number": number})
    fields = [each.title for each in selectors.schema_of(collection).top if each.relation is None]
    yield PlanFindings(
        {
            "collection": collection.name,
            "brief": scope.params["brief"],
            "fields": fields,
            "model": forecast.label_of(model),
            "is_demo": forecast.is_demo(model),
            "review": is_reviewed(scope),
        }
    )


def is_reviewed(scope: BulkScope) -> bool:
    """Whether each is a suggestion first. Operations that were planned before there was a choice say nothing of it."""
    return bool(scope.params.get("review"))


def _preview(scope: BulkScope, item: PlannedItem) -> Preview:
    shown = {"record": f"{item.payload['number']} / {scope.params['count']}"}
    return Preview(shown, note=_("What the model makes up is not known before."))


def _model(scope: BulkScope) -> Any:
    return forecast.find_model(organization_id=scope.organization_id, reference=scope.params["model"])


def _estimate(scope: BulkScope, total: int) -> Estimate:
    collection = collection_of(scope)
    found = selectors.schema_of(collection)
    return estimate_of(collection.name, found, scope.params | {"count": total}, _model(scope))


def estimate_of(name: str, known: Schema, params: dict[str, Any], model: Any) -> Estimate:
    """Of a collection that need not be there yet."""
    count = params["count"]
    read = tokens.of_messages(_messages(name, "", params, 1, []))
    read += tokens.of_text(json.dumps(strict_schema.envelope({"records": known}).schema)) + 3 * min(count, MOST_NAMED)
    write = 20 + sum(_TOKENS_A_FIELD.get(each.type, 6) for each in known.top if each.relation is None)
    _each, seen = operations.stats_seconds_each(kind=KIND, organization_id=model.organization_id)
    return forecast.estimate(model, calls=count, input_tokens=read, output_tokens=write, is_timed=bool(seen))


def _resource(scope: BulkScope) -> Resource:
    return forecast.resource_of(_model(scope))


# One record


async def _call(work: Work) -> Answer:
    prepared = await in_thread(_prepare, work)
    return await structured.ask(prepared.request, prepared.wanted, work.meter)


def _prepare(work: Work) -> Prepared:
    scope = work.scope
    collection, model = collection_of(scope), _model(scope)
    take_answer(scope, is_demo=forecast.is_demo(model))
    made = made_selectors.list_made_titles(scope.operation_id, organization_id=scope.organization_id)
    there = made_selectors.list_newest_titles(collection, NAMED_OF_COLLECTION)
    named = list(dict.fromkeys(filter(None, [*made[-(MOST_NAMED - len(there)) :], *there])))
    known = {collection.slug: selectors.schema_of(collection)}
    request = CompletionRequest(
        organization_id=scope.organization_id,
        project_id=scope.project_id,
        user_id=scope.actor.user_id,
        model_id=model.pk,
        messages=_messages(collection.name, collection.description, scope.params, work.payload["number"], named),
        parameters=Parameters(),
        purpose=Purpose.GENERATION,
        language=scope.actor.language,
        correlation_id=correlation_id()[:64],
    )
    return Prepared(request, lambda kind: strict_schema.envelope(known, kind).schema)


@transaction.atomic
def take_answer(scope: BulkScope, *, is_demo: bool) -> None:
    """Out of the quota of who asked; when it is used up the item waits, which costs no attempt. The demo is no model."""
    if is_demo:
        return
    try:
        quotas.take_answer(actor=scope.actor, organization_id=scope.organization_id)
    except AnswerQuotaReached as full:
        raise TryLater(min(full.retry_after_seconds, LONGEST_WAIT_SECONDS), is_free=True) from full


def _messages(
    name: str, description: str, params: dict[str, Any], number: int, named: list[str]
) -> tuple[NeutralMessage, NeutralMessage]:
    said = [
        f"Collection: {name}",
        *([f"What it is for: {description}"] if description else []),
        f"Brief: {params['brief']}",
        f"This is number {number} of {params['count']}.",
    ]
    if named:
        said += ["There already:", *(f"- {title[:100]}" for title in named)]
    return (
        NeutralMessage.of_text(Role.SYSTEM, INSTRUCTIONS),
        NeutralMessage.of_text(Role.USER, "\n".join(said)),
    )


def _apply(work: Work, answer: Answer) -> Done:
    collection = collection_of(work.scope)
    known = {collection.slug: selectors.schema_of(collection)}
    read = repair.read(answer.text)
    fitted = coercion.fit(read.value, known, {}, lost=read.lost, language=work.scope.actor.language)
    data = next((each.fields for each in fitted.entities if each.fields), None)
    if data is None:
        raise again(work, NothingMade())
    try:
        return Done(_keep(work, collection, data, answer) | {"model": answer.model, "demo": answer.is_demo})
    except (RecordInvalid, NotUnique, MadeBefore) as error:
        raise again(work, error) from error


def _keep(work: Work, collection: Collection, data: dict[str, Any], answer: Answer) -> dict[str, Any]:
    actor, operation_id = work.scope.actor, work.scope.operation_id
    if is_reviewed(work.scope):
        made = services.suggest_made(
            actor=actor, collection_id=collection.pk, data=data, operation_id=operation_id, answer=answer
        )
        return {"extraction": str(made.run_id), "proposal": str(made.pk), "title": made.entity_id}
    record = services.make_record(
        actor=actor, collection_id=collection.pk, data=data, operation_id=operation_id, answer=answer
    )
    return written(record, was=0) | {"title": record.title}


def _undo(work: Work) -> None:
    if "proposal" in work.result:
        services.take_back_made(actor=work.scope.actor, proposal_id=UUID(work.result["proposal"]))
    else:
        set_back(work)


def _place(params: dict[str, Any]) -> str:
    """Where the suggestions are decided on; else where the records are."""
    return place_to_review(params["collection"]) if params.get("review") else place_of(params)


def again(work: Work, error: DomainError) -> Exception:
    """A model may do better the next time; the last time it is a failure with its reason."""
    return error if work.attempt >= LAST_ATTEMPT else TryLater(0.05, code=error.code)


CREATE = BulkKind(
    KIND,
    gettext_lazy("Make records from a brief"),
    _plan,
    _apply,
    check=_check,
    may_read=policies.has_read_scope,
    call=_call,
    undo=_undo,
    estimate=_estimate,
    preview=_preview,
    resource=_resource,
    place=_place,
    tell=tell,
    description=gettext_lazy("A model makes up so many records as you describe them, each unlike the others."),
)
