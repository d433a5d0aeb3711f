"""Writes of collections: what records of a kind are like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.policies import require
from apps.accounts.types import Actor
from apps.core import jobs, rules
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.versions import require_version
from apps.extraction import policies, schema, schema_changes, selectors, shape
from apps.extraction.events import CollectionChanged, CollectionCreated, CollectionDeleted, CollectionRestored
from apps.extraction.models import Collection, CollectionSchema
from apps.extraction.schema_forms import slug_of
from apps.extraction.services import readers
from apps.extraction.types import (
    MAX_COLLECTIONS_A_PROJECT,
    MAX_UNIQUE_KEYS,
    CollectionInUse,
    SlugTaken,
    TooManyCollections,
    Trust,
    Visibility,
)

SHAPE = ("title_template", "unique_keys", "needed", "aliases")


@transaction.atomic
def create_collection(
    *,
    actor: Actor,
    project_id: UUID,
    name: str,
    document: dict[str, Any],
    slug: str = "",
    description: str = "",
    title_template: str = "",
    unique_keys: Sequence[Sequence[str]] = (),
    needed: Sequence[str] = (),
    aliases: dict[str, list[str]] | None = None,
    trust: str = Trust.REVIEW,
    trust_above: float = 0.9,
    visibility: str = Visibility.PROJECT,
) -> Collection:
    """``document`` is the JSON Schema; ``SchemaRejected`` names what is wrong in it. Without ``slug`` the name makes one."""
    project = accounts.lock_project(project_id, actor)
    require(policies.can_define_collections(actor, accounts.role_in(actor, project)))
    if Collection.objects.filter(project=project, deleted_at=None).count() >= MAX_COLLECTIONS_A_PROJECT:
        raise TooManyCollections
    name = rules.NAME.of(80)(name, field="name")
    collection = Collection(
        id=uuid7(),
        organization_id=project.organization_id,
        project=project,
        slug=rules.SLUG.of(60)(slug, field="slug") if slug else slug_of(name),
        name=name,
        description=description,
        title_template=title_template,
        unique_keys=[list(key) for key in unique_keys],
        needed=list(needed),
        aliases=aliases or {},
        trust=trust,
        trust_above=trust_above,
        visibility=visibility,
    )
    found = schema.check(document)
    _check(actor, collection, found)
    _save(collection)
    _keep_schema(collection, found, actor)
    emit(CollectionCreated(collection.pk), actor=actor, scope=collection.scope, subject=("collection", collection.pk))
    if collection.visibility != Visibility.PROJECT:
        readers.tell_privacy(collection, Visibility.PROJECT, actor=actor)
    return selectors.get_collection(collection_id=collection.pk, viewer=actor)


@transaction.atomic
def change_collection(
    *, actor: Actor, collection_id: UUID, changes: dict[str, Any], expected_version: int | None = None
) -> Collection:
    """``changes`` may name everything that ``create_collection`` takes but the project.

    Another ``document`` is a new schema; records keep the number of the schema they were written by until they are written again.
    Title, keys and what is missing of the records that are there follow within seconds (``reshape_records``); of two that have the
    same values of a new key the second is listed as a possible duplicate.
    """
    collection = selectors.lock_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_define_collections(actor, accounts.project_role(actor, collection.project_id)))
    require_version(collection.version, expected_version)
    if "slug" in changes and changes["slug"] != collection.slug:
        _refuse_while_pointed_to(collection)
        collection.slug = rules.SLUG.of(60)(changes["slug"], field="slug")
    shape_before, seen_before = _shape_of(collection), collection.visibility
    for name in ("name", "description", "trust", "trust_above", "visibility", *SHAPE):
        if name in changes:
            setattr(collection, name, changes[name])
    before = selectors.schema_of(collection)
    found = schema.check(changes["document"]) if "document" in changes else before
    _rename_fields(collection, before, found, changes)
    _check(actor, collection, found)
    if found != before:
        collection.schema_number += 1
        _keep_schema(collection, found, actor)
    if found != before or _shape_of(collection) != shape_before:
        collection.shape_number += 1
        jobs.after_commit("extraction.reshape")
    collection.version += 1
    _save(collection)
    fact = CollectionChanged(collection.pk, tuple(sorted(changes)), collection.schema_number)
    emit(fact, actor=actor, scope=collection.scope, subject=("collection", collection.pk))
    if collection.visibility != seen_before:
        readers.tell_privacy(collection, seen_before, actor=actor)
    return selectors.get_collection(collection_id=collection.pk, viewer=actor)


def _shape_of(collection: Collection) -> tuple[Any, ...]:
    """What records are written by, besides the schema."""
    return collection.title_template, [*collection.unique_keys], [*collection.needed]


def _rename_fields(
    collection: Collection, before: schema.Schema, after: schema.Schema, changes: dict[str, Any]
) -> None:
    """Title, keys, what is needed and aliases follow a field to its new name, unless they are said anew."""
    if before == after:
        return
    names = schema_changes.compare(before, after).names
    if not names:
        return
    if "title_template" not in changes:
        collection.title_template = shape.with_names(collection.title_template, names)
    if "unique_keys" not in changes:
        collection.unique_keys = [[names.get(name, name) for name in key] for key in collection.unique_keys]
    if "needed" not in changes:
        collection.needed = [names.get(name, name) for name in collection.needed]
    if "aliases" not in changes:
        collection.aliases = {names.get(name, name): words for name, words in collection.aliases.items()}


@transaction.atomic
def delete_collection(*, actor: Actor, collection_id: UUID, expected_version: int | None = None) -> None:
    """With its records; both can be brought back. Not while fields of other collections point to it."""
    collection = selectors.lock_collection(collection_id=collection_id, viewer=actor)
    require(policies.can_define_collections(actor, accounts.project_role(actor, collection.project_id)))
    require_version(collection.version, expected_version)
    _refuse_while_pointed_to(collection)
    Collection.objects.filter(pk=collection.pk).update(
        deleted_at=Now(), deleted_by=actor.user_id, version=collection.version + 1
    )
    emit(CollectionDeleted(collection.pk), actor=actor, scope=collection.scope, subject=("collection", collection.pk))


@transaction.atomic
def restore_collection(*, actor: Actor, collection_id: UUID) -> Collection:
    """``SlugTaken`` when another took its short name meanwhile."""
    collection = selectors.lock_collection(collection_id=collection_id, viewer=actor, with_deleted=True)
    require(policies.can_define_collections(actor, accounts.project_role(actor, collection.project_id)))
    if collection.deleted_at is not None:
        collection.deleted_at, collection.deleted_by = None, None
        collection.version += 1
        _save(collection)
        fact = CollectionRestored(collection.pk)
        emit(fact, actor=actor, scope=collection.scope, subject=("collection", collection.pk))
    return selectors.get_collection(collection_id=collection.pk, viewer=actor)


def _refuse_while_pointed_to(collection: Collection) -> None:
    if pointing := selectors.list_pointing_here(collection):
        raise CollectionInUse(collections=[row.slug for row in pointing])


def _keep_schema(collection: Collection, found: schema.Schema, actor: Actor) -> None:
    CollectionSchema.objects.create(
        organization_id=collection.organization_id,
        collection=collection,
        number=collection.schema_number,
        document=found.document,
        made_by_id=actor.user_id,
    )


def _save(collection: Collection) -> None:
    try:
        with transaction.atomic():
            collection.save()
    except IntegrityError as error:
        if "extraction_collection_slug" in str(error):
            raise SlugTaken from error
        raise


def _check(actor: Actor, collection: Collection, found: schema.Schema) -> None:
    """Title, keys, what is needed and aliases speak of fields that there are."""
    known = {field.name for field in found.fields if field.is_top}
    spoken = {
        "title_template": shape.places_of(collection.title_template),
        "unique_keys": [name for key in collection.unique_keys for name in key],
        "needed": collection.needed,
        "aliases": list(collection.aliases),
    }
    wrong = [
        FieldError(where, "unknown_field", _("There is no field “%(name)s”.") % {"name": str(name)[:80]})
        for where, names in spoken.items()
        for name in names
        if name not in known
    ]
    if len(collection.unique_keys) > MAX_UNIQUE_KEYS or not all(collection.unique_keys):
        sentence = _("At most %(number)d keys, each of at least one field.") % {"number": MAX_UNIQUE_KEYS}
        wrong.append(FieldError("unique_keys", "invalid", sentence))
    slugs = {field.relation.collection_slug for field in found.fields if field.relation} - {collection.slug}
    there = selectors.collections_by_slug(actor, collection.project_id, slugs)
    wrong += [
        FieldError("document", "unknown_collection", _("There is no collection “%(slug)s”.") % {"slug": slug})
        for slug in sorted(slugs - there.keys())
    ]
    if wrong:
        raise Invalid(fields=wrong[:20])
