"""Service accounts: programs of an organization, with keys and without a way to sign in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import policies, rights, selectors
from apps.accounts import right_events as events
from apps.accounts.models import ServiceAccount, User
from apps.accounts.services import unproved
from apps.accounts.services.organizations import add_member, require_version, scope_of
from apps.accounts.types import SERVICE_DOMAIN, Actor, OrganizationRole
from apps.core.db import database_now
from apps.core.events import emit
from apps.core.ids import uuid7

Fact = (
    events.ServiceAccountMade
    | events.ServiceAccountChanged
    | events.ServiceAccountDisabled
    | events.ServiceAccountEnabled
)


@transaction.atomic
def create_service_account(
    *,
    actor: Actor,
    organization_id: UUID,
    name: str,
    description: str = "",
    role: OrganizationRole = OrganizationRole.MEMBER,
) -> ServiceAccount:
    """It belongs to the organization as a person does, and can do nothing until it has a key. Raises ``AddressNotConfirmed`` (409)."""
    organization = selectors.lock_organization(organization_id, actor)
    mine = selectors.role_of(actor, organization)
    policies.require(
        policies.can_manage_service_accounts(actor, mine)
        and policies.can_give_role(actor, mine, role)
        and role != OrganizationRole.OWNER
    )
    unproved.require_proved(actor=actor)
    user = User(id=uuid7(), name=name, is_service=True)
    user.email = f"{user.pk.hex}@{SERVICE_DOMAIN}"
    user.set_unusable_password()
    user.save(force_insert=True)
    account = ServiceAccount.objects.create(
        organization=organization, user=user, description=description, created_by_id=actor.user_id
    )
    _announce(events.ServiceAccountMade(service_account_id=account.pk, user_id=user.pk), account, actor)
    add_member(organization=organization, user=user, role=role, actor=actor)
    return rights.get_service_account(account.pk, actor)


def _lock(service_account_id: UUID, actor: Actor) -> ServiceAccount:
    account = rights.lock_service_account(service_account_id, actor)
    role = selectors.organization_role(actor, account.organization_id)
    policies.require(policies.can_manage_service_accounts(actor, role))
    return account


@transaction.atomic
def change_service_account(
    *, actor: Actor, service_account_id: UUID, expected_version: int | None = None, **changes: Any
) -> ServiceAccount:
    """``name``, ``description``. Raises ``VersionMismatch`` (412)."""
    account = _lock(service_account_id, actor)
    require_version(account.version, expected_version)
    changed = []
    if "name" in changes and account.user.name != changes["name"]:
        account.user.name = changes["name"]
        account.user.save(update_fields=["name", "updated_at"])
        changed.append("name")
    if "description" in changes and account.description != changes["description"]:
        account.description = changes["description"]
        changed.append("description")
    if changed:
        account.version += 1
        account.save(update_fields=["description", "version", "updated_at"])
        fact = events.ServiceAccountChanged(
            service_account_id=account.pk, user_id=account.user_id, fields=sorted(changed)
        )
        _announce(fact, account, actor)
    return account


@transaction.atomic
def disable_service_account(*, actor: Actor, service_account_id: UUID) -> ServiceAccount:
    """Its keys open nothing from the next request on; they stay, for when it is enabled again. Twice changes nothing."""
    account = _lock(service_account_id, actor)
    if account.disabled_at is None:
        _switch(account, is_active=False)
        fact = events.ServiceAccountDisabled(service_account_id=account.pk, user_id=account.user_id)
        _announce(fact, account, actor)
    return account


@transaction.atomic
def enable_service_account(*, actor: Actor, service_account_id: UUID) -> ServiceAccount:
    account = _lock(service_account_id, actor)
    if account.disabled_at is not None:
        _switch(account, is_active=True)
        fact = events.ServiceAccountEnabled(service_account_id=account.pk, user_id=account.user_id)
        _announce(fact, account, actor)
    return account


def _switch(account: ServiceAccount, *, is_active: bool) -> None:
    """``is_active`` is what every look at a key asks anyway."""
    account.disabled_at = None if is_active else database_now()
    account.version += 1
    account.save(update_fields=["disabled_at", "version", "updated_at"])
    account.user.is_active = is_active
    account.user.save(update_fields=["is_active", "updated_at"])


def _announce(fact: Fact, account: ServiceAccount, actor: Actor) -> None:
    emit(
        fact,
        actor=actor,
        scope=scope_of(account.organization_id),
        subject=("service_account", account.pk),
    )
