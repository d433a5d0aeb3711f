"""Documents of many records by a template: each item is one file, of one record or of all that are chosen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.doors.bulk_kinds import BulkKind, BulkScope, Done, PlannedItem, Work
from apps.core.errors import NotFound
from apps.extraction import policies, rendering
from apps.extraction.bulk_scopes import chosen, collection_of, place_of, selection, wrong
from apps.extraction.models import RecordTemplate
from apps.extraction.template_types import MAX_RENDERED
from apps.files import services as file_services


def _template_of(scope: BulkScope) -> RecordTemplate:
    try:
        found = rendering.get_template(template_id=UUID(str(scope.params.get("template"))), viewer=scope.actor)
    except (ValueError, NotFound):
        raise wrong("template", _("There is no such template in this collection."), "unknown_template") from None
    if str(found.collection_id) != str(scope.params.get("collection")):
        raise wrong("template", _("There is no such template in this collection."), "unknown_template")
    return found


def _check(scope: BulkScope) -> dict[str, Any]:
    kept = selection(scope, "template", "as", to_write=False)
    template = _template_of(scope)
    made_as = scope.params.get("as", "pdf")
    if (
        not isinstance(made_as, str)
        or made_as not in rendering.AS
        or (made_as == "markdown" and template.format != "markdown")
    ):
        raise wrong("as", _("Choose one of %(choices)s.") % {"choices": ", ".join(rendering.AS)})
    return kept | {"template": str(template.pk), "as": made_as}


def _plan(scope: BulkScope) -> Iterator[PlannedItem]:
    template = _template_of(scope)
    rows = chosen(scope, collection_of(scope, to_write=False))
    if template.is_of_set:
        ids = [str(pk) for pk in rows.values_list("pk", flat=True)[: MAX_RENDERED + 1]]
        if len(ids) > MAX_RENDERED:
            raise wrong("where", _("One document holds at most %(number)d records.") % {"number": MAX_RENDERED})
        if ids:
            yield PlannedItem({"title": template.name, "records": ids})
        return
    for pk, title in rows.values_list("pk", "title").iterator(chunk_size=2000):
        yield PlannedItem({"title": title, "records": [str(pk)]}, subject_id=pk)


def _apply(work: Work, _found: Any) -> Done:
    template = _template_of(work.scope)
    wanted = work.payload["records"]
    rows = {
        str(row.pk): row for row in chosen(work.scope, collection_of(work.scope, to_write=False)).filter(pk__in=wanted)
    }
    records = [rows[pk] for pk in wanted if pk in rows]
    if not records:
        return Done(skipped="gone")
    made = rendering.document_of(template, records, work.scope.actor, made_as=work.scope.params["as"])
    file = file_services.store_upload(
        actor=work.scope.actor,
        project_id=work.scope.project_id,
        name=made.name,
        stream=io.BytesIO(made.content),
        declared=made.media_type,
    )
    return Done({"attachment": str(file.pk), "name": file.name, "size": file.size})


def _undo(work: Work) -> None:
    """The file goes, unless somebody attached it to something since."""
    if work.result:
        file_services.delete_file(actor=work.scope.actor, file_id=UUID(work.result["attachment"]))


RENDER = BulkKind(
    "records.render",
    gettext_lazy("Make documents of records"),
    _plan,
    _apply,
    check=_check,
    may_read=policies.has_read_scope,
    undo=_undo,
    place=place_of,
    description=gettext_lazy("A template makes Markdown, HTML or PDF: one file of each record, or one of all."),
)
