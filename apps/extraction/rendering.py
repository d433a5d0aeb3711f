"""Reads of templates, and documents that they make of records the reader may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import slugify

from apps.accounts.types import Actor
from apps.core import markup
from apps.core.errors import NotFound
from apps.extraction import paper, selectors, templating
from apps.extraction.models import Collection, Record, RecordTemplate, TemplateRevision
from apps.extraction.template_types import MAX_RENDERED, TemplateFormat

#: What a document may be made as, with how its file ends and its type.
AS = {
    "markdown": ("md", "text/markdown; charset=utf-8"),
    "html": ("html", "text/html; charset=utf-8"),
    "pdf": ("pdf", "application/pdf"),
}
_MOST_TARGETS = 2_000
_PAGE = (
    '<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title></head>\n'
    "<body>\n{body}</body></html>\n"
)


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    media_type: str
    content: bytes


def visible_templates(viewer: Actor) -> QuerySet[RecordTemplate]:
    """Of collections that the viewer sees."""
    return RecordTemplate.objects.filter(collection__in=selectors.visible_collections(viewer).values("pk"))


def list_templates(viewer: Actor, *, collection_id: UUID) -> QuerySet[RecordTemplate]:
    return visible_templates(viewer).filter(collection_id=collection_id)


def get_template(*, template_id: UUID, viewer: Actor) -> RecordTemplate:
    if (found := visible_templates(viewer).filter(pk=template_id).first()) is None:
        raise NotFound
    return found


def lock_template(*, template_id: UUID, viewer: Actor) -> RecordTemplate:
    rows = visible_templates(viewer).select_for_update(of=("self",))
    if (found := rows.filter(pk=template_id).first()) is None:
        raise NotFound
    return found


def list_template_revisions(template: RecordTemplate) -> QuerySet[TemplateRevision]:
    """Of a template the caller may see, the newest first."""
    return TemplateRevision.objects.filter(template=template).select_related("author").order_by("-number")


def words_of(
    source: str, collection: Collection, records: Sequence[Record], viewer: Actor, *, is_html: bool = False
) -> str:
    """What a template says of these records, as it was written: Markdown, or HTML that nobody has cleaned yet."""
    values = values_of(collection, records, viewer)
    return templating.render(source, values, is_html=is_html)


def shown(template: RecordTemplate, ids: Sequence[UUID], viewer: Actor) -> str:
    """Of a few records, in the order asked for: Markdown, or HTML that is made safe. ``NotFound`` when one is not of the collection."""
    collection = selectors.get_collection(collection_id=template.collection_id, viewer=viewer)
    rows = {row.pk: row for row in selectors.list_records(collection=collection).filter(pk__in=ids)}
    if set(ids) - rows.keys():
        raise NotFound
    is_html = template.format == TemplateFormat.HTML
    words = words_of(template.source, collection, [rows[pk] for pk in ids], viewer, is_html=is_html)
    return markup.clean(words) if is_html else words


def values_of(collection: Collection, records: Sequence[Record], viewer: Actor) -> dict[str, Any]:
    """Plain data: ``record`` (the first), ``records``, ``collection``, ``today``. What a field points to stands in its place, one step far."""
    found = selectors.schema_of(collection)
    relations = {field.name for field in found.top if field.relation is not None}
    ids = {each for row in records for name in relations for each in _as_list(row.data.get(name))}
    targets = _targets(viewer, ids)
    rows = [_plain(row.pk, row.title, row.data, relations, targets) for row in records[:MAX_RENDERED]]
    return {
        "record": rows[0] if rows else {},
        "records": rows,
        "collection": collection.name,
        "today": timezone.localdate().isoformat(),
    }


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _targets(viewer: Actor, ids: Iterable[Any]) -> dict[str, dict[str, Any]]:
    wanted = [each for each in ids if isinstance(each, str)][:_MOST_TARGETS]
    if not wanted:
        return {}
    rows = selectors.visible_to(viewer).filter(pk__in=wanted)
    return {str(row.pk): {**row.data, "_id": str(row.pk), "_title": row.title} for row in rows}


def _plain(
    pk: UUID, title: str, data: dict[str, Any], relations: set[str], targets: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    shown = dict(data)
    for name in relations & shown.keys():
        value = shown[name]
        if isinstance(value, list):
            shown[name] = [targets[each] for each in value if each in targets]
        else:
            shown[name] = targets.get(value)
    return {**shown, "_id": str(pk), "_title": title}


def safe_html(words: str, template_format: str) -> str:
    """What a page may show of it."""
    return markup.render(words) if template_format == TemplateFormat.MARKDOWN else markup.clean(words)


def document_of(template: RecordTemplate, records: Sequence[Record], viewer: Actor, *, made_as: str) -> Document:
    """``made_as`` is one of ``AS``. A PDF costs a heavy library: only processes that do jobs ask for one."""
    collection = selectors.get_collection(collection_id=template.collection_id, viewer=viewer)
    is_html = template.format == TemplateFormat.HTML
    words = words_of(template.source, collection, records, viewer, is_html=is_html)
    title = template.name if template.is_of_set or not records else records[0].title
    suffix, media_type = AS[made_as]
    name = f"{slugify(title, allow_unicode=True)[:80] or 'document'}.{suffix}"
    if made_as == "markdown" and not is_html:
        return Document(name, media_type, words.encode("utf-8", "replace"))
    body = markup.clean(words if is_html else markup.render(words))
    if made_as == "pdf":
        return Document(name, media_type, paper.pdf_of(markup.for_paper(body), title=title))
    page = _PAGE.format(language=viewer.language or "en", title=markup.escaped(title), body=body)
    return Document(name, media_type, page.encode("utf-8", "replace"))
