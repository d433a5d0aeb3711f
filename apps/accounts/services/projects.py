"""Projects and the people added to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import beginnings, events, policies, selectors
from apps.accounts.models import Project, ProjectMember
from apps.accounts.services.organizations import lock_membership, make_project, not_a_member
from apps.accounts.types import Actor, ProjectAccess, ProjectRole
from apps.core.db import database_now
from apps.core.doors.project_beginnings import project_beginnings
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.events import emit
from apps.core.types import Scope
from apps.core.versions import require_version


def scope_of_project(*, project: Project) -> Scope:
    return Scope(
        events.organization_topic(project.organization_id),
        organization_id=project.organization_id,
        project_id=project.pk,
    )


def lock_managed(*, project_id: UUID, actor: Actor) -> Project:
    """For services: the row, locked, of a project that the actor manages."""
    project = selectors.lock_project(project_id, actor)
    policies.require(policies.can_manage_project(actor, selectors.role_in(actor, project)))
    return project


@transaction.atomic
def create_project(
    *,
    actor: Actor,
    organization_id: UUID,
    name: str,
    description: str = "",
    access: ProjectAccess = ProjectAccess.ORGANIZATION,
    beginning: str = "",
) -> Project:
    """The one who makes it manages it, also when they are neither owner nor admin. ``beginning``: what it begins with, one of
    ``beginnings.list_beginnings``.
    """
    organization = selectors.lock_organization(organization_id, actor)
    policies.require(policies.can_create_project(actor, selectors.role_of(actor, organization)))
    project = make_project(organization=organization, name=name, description=description, access=access, actor=actor)
    if actor.user_id is not None:
        ProjectMember.objects.create(
            organization=organization, project=project, user_id=actor.user_id, role=ProjectRole.MANAGER
        )
    if beginning:
        _begin(actor, project, beginning)
    return selectors.get_project(project.pk, actor)


def _begin(actor: Actor, project: Project, beginning: str) -> None:
    if beginning not in {value for value, _title in beginnings.list_beginnings(actor.language)}:
        raise Invalid(fields=[FieldError("beginning", "unknown", _("Nothing of that name can be begun with."))])
    door, _colon, name = beginning.partition(":")
    project_beginnings.get(door).begin(actor, project.pk, name)  # type: ignore[union-attr]


@transaction.atomic
def change_project(*, actor: Actor, project_id: UUID, expected_version: int | None = None, **changes: Any) -> Project:
    """``name``, ``description``, ``access``."""
    project = lock_managed(project_id=project_id, actor=actor)
    require_version(project.version, expected_version)
    changed = [name for name, value in changes.items() if getattr(project, name) != value]
    for name in changed:
        setattr(project, name, changes[name])
    if changed:
        project.version += 1
        project.save(update_fields=[*changed, "version", "updated_at"])
        emit(
            events.ProjectChanged(
                project_id=project.pk,
                fields=sorted(changed),
                access=str(project.access) if "access" in changed else None,
            ),
            actor=actor,
            scope=scope_of_project(project=project),
            subject=("project", project.pk),
        )
    return project


@transaction.atomic
def archive_project(*, actor: Actor, project_id: UUID, expected_version: int | None = None) -> Project:
    """Hidden from lists by choice; all of it can still be read, and brought back. Twice changes nothing."""
    project = lock_managed(project_id=project_id, actor=actor)
    require_version(project.version, expected_version)
    if project.archived_at is None:
        project.archived_at = database_now()
        _save_archived(project)
        emit(
            events.ProjectArchived(project_id=project.pk),
            actor=actor,
            scope=scope_of_project(project=project),
            subject=("project", project.pk),
        )
    return project


@transaction.atomic
def restore_project(*, actor: Actor, project_id: UUID) -> Project:
    project = lock_managed(project_id=project_id, actor=actor)
    if project.archived_at is not None:
        project.archived_at = None
        _save_archived(project)
        emit(
            events.ProjectRestored(project_id=project.pk),
            actor=actor,
            scope=scope_of_project(project=project),
            subject=("project", project.pk),
        )
    return project


def _save_archived(project: Project) -> None:
    project.version += 1
    project.save(update_fields=["archived_at", "version", "updated_at"])


@transaction.atomic
def set_project_member(*, actor: Actor, project_id: UUID, user_id: UUID, role: ProjectRole) -> ProjectMember:
    """A role of their own for somebody of the organization; it decides also where it is less than what all have."""
    organization_id = selectors.get_project(project_id, actor).organization_id
    belongs = lock_membership(organization_id=organization_id, user_id=user_id)
    project = lock_managed(project_id=project_id, actor=actor)
    if belongs is None:
        raise not_a_member()
    member = (
        ProjectMember.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(project=project, user=user_id)
        .first()
    )
    old = member.role if member else None
    if member is None:
        member = ProjectMember.objects.create(
            organization_id=project.organization_id, project=project, user_id=user_id, role=role
        )
    elif old != role:
        member.role = role
        member.save(update_fields=["role", "updated_at"])
    if old != role:
        emit(
            events.ProjectMemberSet(project_id=project.pk, user_id=user_id, old=old, new=role),
            actor=actor,
            scope=scope_of_project(project=project),
            subject=("user", user_id),
        )
    return member


@transaction.atomic
def remove_project_member(*, actor: Actor, project_id: UUID, user_id: UUID) -> None:
    """What the organization's role gives remains."""
    project = lock_managed(project_id=project_id, actor=actor)
    deleted, _by_model = ProjectMember.objects.filter(project=project, user=user_id).delete()
    if not deleted:
        raise NotFound
    emit(
        events.ProjectMemberRemoved(project_id=project.pk, user_id=user_id),
        actor=actor,
        scope=scope_of_project(project=project),
        subject=("user", user_id),
    )
