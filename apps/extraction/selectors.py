"""Every shared read of collections and records. Strangers get the same ``NotFound`` as for a random id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import LessThan

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core import leases
from apps.core.compiled import Compiled
from apps.core.errors import NotFound
from apps.core.folding import all_words, begun_words
from apps.extraction import reach, schema, shape
from apps.extraction.filters import Condition, as_q
from apps.extraction.models import (
    Collection,
    CollectionSchema,
    ExtractionPart,
    ExtractionRun,
    FieldSource,
    Proposal,
    Record,
    RecordLink,
    RecordRevision,
    RecordTally,
)
from apps.extraction.pointers import top
from apps.extraction.types import ProposalStatus, RunCause, RunStatus

# Collections


def visible_collections(viewer: Actor, *, with_deleted: bool = False) -> QuerySet[Collection]:
    return reach.collections(viewer, with_deleted=with_deleted)


def list_collections(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[Collection]:
    """With the schema in force as ``document``, and ``is_reshaping``."""
    rows = with_document(visible_collections(viewer)).annotate(is_reshaping=_is_reshaping())
    return rows.filter(project_id=project_id) if project_id else rows


def has_collections(project_id: UUID) -> bool:
    """Whether there are any, for whomever: asked before every answer in a conversation of the project."""
    return _any_collection.first(project=project_id) is not None


_any_collection: Compiled[Collection] = Compiled(
    lambda *, project: Collection.objects.filter(project_id=project, deleted_at=None).only("id")[:1]
)


def list_names(viewer: Actor, *, project_id: UUID) -> list[Collection]:
    """Collections of a project, by name and without their schemas: for what only leads there."""
    rows = visible_collections(viewer).filter(project=project_id)
    return list(rows.only("name", "slug").order_by("name", "pk"))


def with_document(rows: QuerySet[Collection]) -> QuerySet[Collection]:
    """Each with its schema in force as ``document``: what ``schema_of`` asks for."""
    return rows.annotate(document=_document())


def _document() -> Subquery:
    now = CollectionSchema.objects.filter(collection=OuterRef("pk"), number=OuterRef("schema_number"))
    return Subquery(now.values("document")[:1])


def _is_reshaping() -> Coalesce:
    """Whether some records do not yet have title, keys and the like as the collection says: a new key does not hold for these. The one
    that is furthest behind stands first in its index; asked whether there is one, the planner reads them all.
    """
    there = Record.objects.filter(collection=OuterRef("pk"), deleted_at=None)
    oldest: Any = Subquery(there.order_by("shape_number").values("shape_number")[:1])
    return Coalesce(LessThan(oldest, F("shape_number")), False)


def get_collection(*, collection_id: UUID, viewer: Actor, with_deleted: bool = False) -> Collection:
    """With its project, the schema in force as ``document``, and ``is_reshaping``."""
    if (found := _collection.first(viewer, with_deleted, pk=collection_id)) is None:
        raise NotFound
    return found


def find_collection(viewer: Actor, *, project_id: UUID, slug: str) -> Collection | None:
    """By its short name, with what ``get_collection`` gives."""
    return _by_slug.first(viewer, project=project_id, slug=slug)


def _whole(viewer: Actor, *, with_deleted: bool = False) -> QuerySet[Collection]:
    rows = with_document(visible_collections(viewer, with_deleted=with_deleted))
    return rows.annotate(is_reshaping=_is_reshaping()).select_related("project")


_collection: accounts.ForViewer[Collection] = accounts.ForViewer(
    lambda viewer, with_deleted, *, pk: _whole(viewer, with_deleted=with_deleted).filter(pk=pk)[:1]
)
_by_slug: accounts.ForViewer[Collection] = accounts.ForViewer(
    lambda viewer, *, project, slug: _whole(viewer).filter(project=project, slug=slug)[:1]
)


def is_collection_visible(*, collection_id: UUID, viewer: Actor) -> bool:
    return _visible_id.first(viewer, pk=collection_id) is not None


_visible_id: accounts.ForViewer[Any] = accounts.ForViewer(
    lambda viewer, *, pk: visible_collections(viewer).filter(pk=pk).values_list("pk")[:1]
)


def lock_collection(*, collection_id: UUID, viewer: Actor, with_deleted: bool = False) -> Collection:
    rows = visible_collections(viewer, with_deleted=with_deleted).annotate(document=_document())
    if (found := rows.select_for_update(of=("self",)).filter(pk=collection_id).first()) is None:
        raise NotFound
    return found


def schema_of(collection: Collection) -> schema.Schema:
    """Of a collection that came from here: read with it, compiled once a process."""
    return schema.of_row(collection.document)  # type: ignore[attr-defined]


def schemas_by_number(collection: Collection) -> dict[int, schema.Schema]:
    """All that the collection ever had."""
    rows = CollectionSchema.objects.filter(collection=collection).order_by("number")
    return {row.number: schema.of_row(row.document) for row in rows}


def list_schemas(collection: Collection) -> QuerySet[CollectionSchema]:
    """Of a collection the caller may see, the newest first."""
    return CollectionSchema.objects.filter(collection=collection).order_by("-number")


def list_deleted_collections(viewer: Actor, *, project_id: UUID) -> QuerySet[Collection]:
    """Those that can be brought back, the last deleted first."""
    rows = visible_collections(viewer, with_deleted=True).filter(project_id=project_id)
    return rows.exclude(deleted_at=None).order_by("-deleted_at", "pk")


def count_records(collections: Iterable[Collection]) -> dict[UUID, int]:
    """Of collections the caller may see, without what is deleted; one query for all of them, whatever their size."""
    rows = RecordTally.objects.filter(collection__in=[row.pk for row in collections])
    return dict(rows.order_by().values_list("collection").annotate(Sum("number")))


def list_pointing_here(collection: Collection) -> list[Collection]:
    """Other collections of the project with a field that points to this one, for who manages the project and sees them all."""
    rows = Collection.objects.filter(project=collection.project_id, deleted_at=None).exclude(pk=collection.pk)
    return [
        row
        for row in rows.annotate(document=_document()).order_by("name")
        if any(field.relation and field.relation.collection_slug == collection.slug for field in schema_of(row).fields)
    ]


def collections_by_slug(viewer: Actor, project_id: UUID, slugs: Iterable[str]) -> dict[str, Collection]:
    rows = visible_collections(viewer).filter(project=project_id, slug__in=set(slugs))
    return {row.slug: row for row in rows}


# Records


def visible_to(viewer: Actor, *, with_deleted: bool = False) -> QuerySet[Record]:
    rows = Record.objects.filter(reach.within(viewer)).defer("text", "words")
    return rows if with_deleted else rows.filter(deleted_at=None)


def list_records(
    *,
    collection: Collection,
    conditions: Sequence[Condition] = (),
    text: str = "",
    is_complete: bool | None = None,
    is_behind: bool | None = None,
) -> QuerySet[Record]:
    """Records of a collection the caller got from here. ``text`` finds words; every one has to be there.

    ``is_behind``: written by an older schema than that of today.
    """
    rows = Record.objects.filter(collection=collection, deleted_at=None).defer("text", "words")
    if conditions:
        rows = rows.filter(as_q(schema_of(collection), conditions))
    if text.strip():
        rows = rows.filter(words=all_words(text))
    if is_complete is not None:
        rows = rows.filter(is_complete=is_complete)
    if is_behind is not None:
        behind = Q(schema_number__lt=collection.schema_number)
        rows = rows.filter(behind if is_behind else ~behind)
    return rows


def list_deleted_records(collection: Collection) -> QuerySet[Record]:
    """Of a collection the caller got from here: what can be brought back, with who deleted it."""
    rows = Record.objects.filter(collection=collection).exclude(deleted_at=None)
    return rows.select_related("deleted_by").defer("text", "words")


def titles_of(viewer: Actor, ids: Iterable[UUID]) -> dict[str, str]:
    """By their ids as text; those that are gone, or closed to the viewer, are not in it."""
    if not (wanted := set(ids)):
        return {}
    rows = visible_to(viewer).filter(pk__in=wanted)
    return {str(pk): title or str(pk) for pk, title in rows.values_list("pk", "title")}


def get_record(*, record_id: UUID, viewer: Actor, with_deleted: bool = False) -> Record:
    if (found := _record.first(viewer, with_deleted, pk=record_id)) is None:
        raise NotFound
    return found


_record: accounts.ForViewer[Record] = accounts.ForViewer(
    lambda viewer, with_deleted, *, pk: (
        visible_to(viewer, with_deleted=with_deleted).select_related("collection").filter(pk=pk)[:1]
    )
)


def lock_record(*, record_id: UUID, viewer: Actor, with_deleted: bool = False, stays: bool = True) -> Record:
    """Others may point to it meanwhile, unless it is not to stay."""
    if (found := _locked_record.first(viewer, with_deleted, stays, pk=record_id)) is None:
        raise NotFound
    return found


_locked_record: accounts.ForViewer[Record] = accounts.ForViewer(
    lambda viewer, with_deleted, stays, *, pk: (
        visible_to(viewer, with_deleted=with_deleted).select_for_update(of=("self",), no_key=stays).filter(pk=pk)[:1]
    )
)


def list_revisions(record: Record) -> QuerySet[RecordRevision]:
    """Of a record the caller may see, the newest first, with their authors' names."""
    return RecordRevision.objects.filter(record=record).select_related("author").order_by("-number")


def get_revision(record: Record, number: int) -> RecordRevision:
    if (found := RecordRevision.objects.filter(record=record, number=number).first()) is None:
        raise NotFound
    return found


def links_to(record: Record, viewer: Actor) -> QuerySet[RecordLink]:
    """Who points to this record, as far as the viewer sees it, with the record that does."""
    return (
        RecordLink.objects.filter(reach.within(viewer, "source__collection"), target=record, source__deleted_at=None)
        .select_related("source__collection")
        .order_by("source__title", "field")
    )


def list_links_of(viewer: Actor, ids: Iterable[UUID], *, limit: int) -> QuerySet[RecordLink]:
    """From and to these records, with both ends; what is deleted, or closed to the viewer, is left out."""
    wanted = list(ids)
    rows = RecordLink.objects.filter(
        Q(source__in=wanted) | Q(target__in=wanted),
        reach.within(viewer, "source__collection"),
        reach.within(viewer, "target__collection"),
        source__deleted_at=None,
        target__deleted_at=None,
    )
    ends = [f"{end}__{field}" for end in ("source", "target") for field in ("title", "collection", "deleted_at")]
    return rows.select_related("source", "target").only(*ends, "field", "position").order_by("pk")[:limit]


def list_titled(*, collection: Collection, text: str) -> QuerySet[Record]:
    """Records of a collection the caller got from here, by the beginnings of words in them."""
    rows = Record.objects.filter(collection=collection, deleted_at=None).only("title", "version")
    if begun := begun_words(text):
        rows = rows.filter(words=begun)
    return rows.order_by("title", "pk")


def sources_of(record: Record) -> list[FieldSource]:
    """Of fields that still say what the words said."""
    rows = FieldSource.objects.filter(record=record).select_related("run").order_by("field")
    return [row for row in rows if bytes(row.value_digest) == shape.value_digest(record.data.get(top(row.field)))]


# Extraction


def visible_runs(viewer: Actor) -> QuerySet[ExtractionRun]:
    """Each with ``sees_all``: whether all that it read for is the viewer's to see; to others it does not say what found no place."""
    rows = ExtractionRun.objects.filter(reach.of_runs(viewer))
    return rows.annotate(sees_all=reach.sees_all_of_run(viewer))  # type: ignore[arg-type]


def list_runs(viewer: Actor, *, project_id: UUID | None = None) -> QuerySet[ExtractionRun]:
    rows = visible_runs(viewer)
    return rows.filter(project_id=project_id) if project_id else rows


def lock_run(*, run_id: UUID, viewer: Actor) -> ExtractionRun:
    if (found := visible_runs(viewer).select_for_update(of=("self",)).filter(pk=run_id).first()) is None:
        raise NotFound
    return found


def list_shown_under(viewer: Actor, message_ids: Iterable[UUID]) -> QuerySet[ExtractionRun]:
    """Runs that are shown below these messages, the oldest first; of those that nobody asked for, only what found something."""
    found = Exists(Proposal.objects.filter(reach.within(viewer, with_deleted=True), run=OuterRef("pk")))
    rows = visible_runs(viewer).filter(shown_under__in=list(message_ids))
    has_answered = Q(sees_all=True) & ~Q(answered=[])
    return rows.filter(Q(cause=RunCause.ASKED) | found | has_answered).order_by("created_at")


def find_resumable(run_ids: Iterable[UUID]) -> set[UUID]:
    """Of runs the caller may see: those that ended before all was read, and can be gone on with."""
    rows = ExtractionPart.objects.filter(run__in=list(run_ids), run__status=RunStatus.COMPLETED)
    return set(rows.order_by().values_list("run", flat=True).distinct())


def get_run(*, run_id: UUID, viewer: Actor) -> ExtractionRun:
    if (found := visible_runs(viewer).filter(pk=run_id).first()) is None:
        raise NotFound
    return found


def visible_proposals(viewer: Actor) -> QuerySet[Proposal]:
    """Of collections that are there, with run and collection."""
    rows = Proposal.objects.filter(reach.within(viewer))
    return rows.select_related("run", "collection")


def list_proposals(
    viewer: Actor, *, project_id: UUID | None = None, run_id: UUID | None = None, status: str = ""
) -> QuerySet[Proposal]:
    rows = visible_proposals(viewer)
    if project_id:
        rows = rows.filter(project_id=project_id)
    if run_id:
        rows = rows.filter(run_id=run_id)
    return rows.filter(status=status) if status else rows


def list_proposals_of(viewer: Actor, run_ids: Sequence[UUID], *, up_to: int) -> list[Proposal]:
    """The first ones of each run, with who decided."""
    rows = visible_proposals(viewer).filter(run__in=run_ids, number__lte=up_to)
    return list(rows.select_related("run", "collection", "decided_by").order_by("run", "number"))


def count_proposals(viewer: Actor, run_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Of each run, as far as the viewer sees them: (all, pending)."""
    rows = Proposal.objects.filter(reach.within(viewer), run__in=run_ids).values("run").order_by()
    waiting = Count("pk", filter=Q(status=ProposalStatus.PENDING))
    return {row["run"]: (row["n"], row["waiting"]) for row in rows.annotate(n=Count("pk"), waiting=waiting)}


def list_to_review(
    viewer: Actor, *, project_id: UUID, collection_id: UUID | None = None, above: float = 0.0, below: float = 0.0
) -> QuerySet[Proposal]:
    """What waits for a decision in a project; ``below`` 0: however sure."""
    rows = list_proposals(viewer, project_id=project_id, status=ProposalStatus.PENDING).select_related("decided_by")
    if collection_id:
        rows = rows.filter(collection_id=collection_id)
    if above:
        rows = rows.filter(confidence__gte=above)
    return rows.filter(confidence__lt=below) if below else rows


def get_proposal(*, proposal_id: UUID, viewer: Actor) -> Proposal:
    if (found := visible_proposals(viewer).filter(pk=proposal_id).first()) is None:
        raise NotFound
    return found


def lock_proposal(*, proposal_id: UUID, viewer: Actor) -> Proposal:
    rows = visible_proposals(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=proposal_id).first()) is None:
        raise NotFound
    return found


def list_due_runs(*, older_than: timedelta) -> list[dict[str, UUID]]:
    """Whose hint was lost, or whose holder was. Those of an operation are read by it alone."""
    rows = ExtractionRun.objects.filter(
        leases.is_free(),
        effect_key="",
        status__in=[RunStatus.QUEUED, RunStatus.RUNNING],
        updated_at__lt=Now() - older_than,
    )
    return [{"run_id": pk} for pk in rows.order_by("created_at").values_list("pk", flat=True)[:100]]
