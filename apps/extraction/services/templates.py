"""Writes of templates: each text that one had is kept."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import rules
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.versions import require_version
from apps.extraction import policies, rendering, selectors, templating
from apps.extraction.events import TemplateDeleted, TemplateKept
from apps.extraction.models import RecordTemplate, TemplateRevision
from apps.extraction.template_types import (
    MAX_TEMPLATES_A_COLLECTION,
    TemplateFormat,
    TemplateNameTaken,
    TooManyTemplates,
)


@transaction.atomic
def make_template(
    *,
    actor: Actor,
    collection_id: UUID,
    name: str,
    source: str,
    format: str = TemplateFormat.MARKDOWN,  # noqa: A002  (the word of the API)
    is_of_set: bool = False,
) -> RecordTemplate:
    """``TemplateRejected`` names the line of what is no template. At most 50 a collection."""
    collection = selectors.lock_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, collection.project_id)))
    if RecordTemplate.objects.filter(collection=collection).count() >= MAX_TEMPLATES_A_COLLECTION:
        raise TooManyTemplates
    templating.check(source)
    template = RecordTemplate(
        id=uuid7(),
        organization_id=collection.organization_id,
        collection=collection,
        project_id=collection.project_id,
        name=rules.NAME.of(80)(name, field="name"),
        format=TemplateFormat(format),
        is_of_set=is_of_set,
        source=source,
    )
    _keep(template, actor)
    return template


@transaction.atomic
def change_template(
    *, actor: Actor, template_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> RecordTemplate:
    """``changes`` may name ``name``, ``source``, ``format`` and ``is_of_set``."""
    template = rendering.lock_template(template_id=template_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, template.project_id)))
    require_version(template.version, expected_version)
    if "name" in changes:
        template.name = rules.NAME.of(80)(changes["name"], field="name")
    if "source" in changes:
        templating.check(changes["source"])
        template.source = changes["source"]
    if "format" in changes:
        template.format = TemplateFormat(changes["format"])
    template.is_of_set = changes.get("is_of_set", template.is_of_set)
    template.version += 1
    _keep(template, actor)
    return template


@transaction.atomic
def delete_template(*, actor: Actor, template_id: UUID, expected_version: int | None = None) -> None:
    template = rendering.lock_template(template_id=template_id, viewer=actor)
    require(policies.can_write_records(actor, accounts.project_role(actor, template.project_id)))
    require_version(template.version, expected_version)
    RecordTemplate.objects.filter(pk=template.pk).delete()
    fact = TemplateDeleted(template.pk, template.collection_id)
    emit(fact, actor=actor, scope=template.scope, subject=("record_template", template.pk))


def _keep(template: RecordTemplate, actor: Actor) -> None:
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        if "extraction_template_name" in str(error):
            raise TemplateNameTaken from error
        raise
    TemplateRevision.objects.create(
        organization_id=template.organization_id,
        template=template,
        number=template.version,
        format=template.format,
        source=template.source,
        author_id=actor.user_id,
    )
    fact = TemplateKept(template.pk, template.collection_id, template.version)
    emit(fact, actor=actor, scope=template.scope, subject=("record_template", template.pk))
