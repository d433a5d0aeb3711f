"""Definitions: made, given another version, taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.types import Actor
from apps.core.errors import FieldError
from apps.core.events import emit
from apps.core.storable import storable
from apps.core.versions import require_version
from apps.workflows import checks, policies, selectors
from apps.workflows.events import DefinitionChanged, DefinitionCreated, DefinitionDeleted
from apps.workflows.models import Definition, DefinitionVersion, Run
from apps.workflows.services.starts import arm, disarm
from apps.workflows.types import (
    MAX_DEFINITIONS,
    MAX_DOCUMENT_BYTES,
    MAX_VERSIONS,
    OPEN,
    DefinitionInUse,
    DefinitionNameTaken,
    DefinitionRejected,
    DefinitionRenamed,
    TooManyDefinitions,
)


def check_definition(document: Any) -> dict[str, Any]:
    """The document as it would be kept; ``DefinitionRejected`` names what is wrong with it by JSON pointers. Writes nothing."""
    return checks.check(document)


@transaction.atomic
def create_definition(*, actor: Actor, project_id: UUID, document: Mapping[str, Any], text: str = "") -> Definition:
    """``DefinitionNameTaken`` when the project has one of that name. ``text``: what the document was read from, kept as it is."""
    seen = accounts.get_project(project_id, actor)
    policies.require(policies.can_define(actor, accounts.role_in(actor, seen)))
    kept = _checked(document, text)  # before the lock: it takes a while
    project = accounts.lock_project(project_id, actor)
    policies.require(policies.can_define(actor, accounts.role_in(actor, project)))
    if Definition.objects.filter(project=project, deleted_at=None).count() >= MAX_DEFINITIONS:
        raise TooManyDefinitions
    said = kept["document"]
    definition = Definition(
        organization_id=project.organization_id, project=project, name=said["name"], title=_title(said)
    )
    try:
        with transaction.atomic():
            definition.save()
    except IntegrityError:
        raise DefinitionNameTaken from None
    _keep(definition, kept, text, actor)
    emit(DefinitionCreated(definition.pk), actor=actor, scope=definition.scope, subject=("workflow", definition.pk))
    arm(definition, kept.get("schedule"), actor)
    return selectors.get_definition(definition_id=definition.pk, viewer=actor)


@transaction.atomic
def change_definition(
    *,
    actor: Actor,
    definition_id: UUID,
    document: Mapping[str, Any],
    text: str = "",
    expected_version: int | None = None,
) -> Definition:
    """Another version, in force for runs that begin from now on. The same document again, in the same words, changes nothing."""
    definition = selectors.lock_definition(definition_id=definition_id, viewer=actor)
    policies.require(policies.can_define(actor, accounts.project_role(actor, definition.project_id)))
    require_version(definition.version, expected_version)
    kept = _checked(document, text)
    if kept["document"]["name"] != definition.name:
        raise DefinitionRenamed
    if kept == definition.document and text in {"", definition.text}:  # type: ignore[attr-defined]
        return definition
    if definition.number >= MAX_VERSIONS:
        raise TooManyDefinitions
    definition.number += 1
    definition.version += 1
    definition.title = _title(kept["document"])
    definition.save()
    _keep(definition, kept, text, actor)
    fact = DefinitionChanged(definition.pk, definition.number)
    emit(fact, actor=actor, scope=definition.scope, subject=("workflow", definition.pk))
    arm(definition, kept.get("schedule"), actor)
    return selectors.get_definition(definition_id=definition.pk, viewer=actor)


@transaction.atomic
def delete_definition(*, actor: Actor, definition_id: UUID, expected_version: int | None = None) -> None:
    """Its name is free again; runs that ended keep the version they ran by."""
    definition = selectors.lock_definition(definition_id=definition_id, viewer=actor)
    policies.require(policies.can_define(actor, accounts.project_role(actor, definition.project_id)))
    require_version(definition.version, expected_version)
    if Run.objects.filter(definition=definition, status__in=OPEN).exists():
        raise DefinitionInUse
    Definition.objects.filter(pk=definition.pk).update(
        deleted_at=Now(), deleted_by=actor.user_id, version=definition.version + 1
    )
    disarm(definition, actor)
    emit(DefinitionDeleted(definition.pk), actor=actor, scope=definition.scope, subject=("workflow", definition.pk))


def _checked(document: Any, text: str) -> dict[str, Any]:
    if len(text.encode("utf-8", "replace")) > MAX_DOCUMENT_BYTES:
        raise DefinitionRejected(fields=[FieldError("text", "too_large", _("A definition has at most 256 kB."))])
    if storable(text) != text:
        detail = _("There are characters here that no text has.")
        raise DefinitionRejected(fields=[FieldError("text", "invalid", detail)])
    return checks.check(document)


def _title(said: Mapping[str, Any]) -> str:
    return " ".join(str(said.get("title") or said["name"]).split())[:200]


def _keep(definition: Definition, document: dict[str, Any], text: str, actor: Actor) -> None:
    DefinitionVersion.objects.create(
        organization_id=definition.organization_id,
        definition=definition,
        number=definition.number,
        document=document,
        text=text,
        made_by_id=actor.user_id,
    )
