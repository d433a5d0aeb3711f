"""API keys: made by people, shown once, never more than their owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import actors, addresses, events, policies, rights, selectors
from apps.accounts.models import ApiKey, Project, UserSession
from apps.accounts.rules import rules_in
from apps.accounts.services import fresh_proofs, unproved
from apps.accounts.services.endings import end_key
from apps.accounts.services.organizations import scope_of
from apps.accounts.types import (
    Actor,
    KeyEnded,
    KeyNotGrantable,
    NetworkNotValid,
    OrganizationRole,
    SsoNeeded,
)
from apps.core.db import database_now
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.core.versions import require_version

CHANGEABLE = ("name", "project_id", "scopes", "expires_at", "allowed_networks")
#: The old secret of a key that was renewed goes on working for so long at most.
LONGEST_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NewKey:
    """``token`` is what programs send; it is kept only as a hash and cannot be shown again."""

    key: ApiKey
    token: str


@transaction.atomic
def make_api_key(
    *,
    actor: Actor,
    organization_id: UUID,
    name: str,
    project_id: UUID | None = None,
    scopes: tuple[str, ...] = (),
    expires_at: datetime | None = None,
    allowed_networks: tuple[str, ...] = (),
    service_account_id: UUID | None = None,
) -> NewKey:
    """One's own, or one of a service account by those who manage these.

    Raises ``KeyNotGrantable`` (403) for scopes or a project beyond the maker's own role, and for keys that make keys;
    ``NetworkNotValid``, ``AddressNotConfirmed`` (409). With ``allowed_networks`` it opens nothing from elsewhere. In a session it takes a fresh proof: a key
    outlasts it.
    """
    organization = selectors.lock_organization(organization_id, actor)
    if not policies.can_change_own_account(actor):
        raise KeyNotGrantable
    _require_fit_session(actor, organization.pk)
    role = selectors.role_of(actor, organization)
    holder_id = actor.user_id
    if service_account_id is not None:
        account = rights.get_service_account(service_account_id, actor)
        if account.organization_id != organization.pk:
            raise KeyNotGrantable
        policies.require(policies.can_manage_service_accounts(actor, role))
        holder_id = account.user_id
    project = _project_of(organization.pk, project_id, actor)
    _require_grantable(actor, role, project, scopes)
    _require_to_come(expires_at)
    unproved.require_proved(actor=actor)
    fresh_proofs.require_fresh(actor=actor)
    networks = _networks(allowed_networks)
    token = _new_token()
    key = ApiKey.objects.create(
        organization=organization,
        user_id=holder_id,
        project=project,
        name=name,
        token_hash=actors.hash_token(token),
        hint=token[-4:],
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
        allowed_networks=networks,
    )
    _announce(events.ApiKeyMade(key_id=key.pk, scopes=list(key.scopes)), key, actor)
    return NewKey(key, token)


@transaction.atomic
def change_api_key(*, actor: Actor, key_id: UUID, expected_version: int | None = None, **changes: Any) -> ApiKey:
    """``name``, ``project_id``, ``scopes``, ``expires_at``, ``allowed_networks``; in force from the next request on.

    By who holds it, in person, or for a service account by those who manage these. What makes it wider asks for the same right as
    making such a key and for a fresh proof, and raises as ``make_api_key`` does; ``KeyEnded`` (409) for one that opens nothing any more.
    """
    key = _lock_to_change(key_id, actor)
    require_version(key.version, expected_version)
    if "scopes" in changes:
        changes["scopes"] = sorted(set(changes["scopes"]))
    if "allowed_networks" in changes:
        changes["allowed_networks"] = _networks(changes["allowed_networks"])
    changed = sorted(name for name, value in changes.items() if getattr(key, name) != value)
    if not changed:
        return key
    wanted = {name: getattr(key, name) for name in CHANGEABLE} | changes
    is_wider = _is_wider(key, wanted)
    if "expires_at" in changed:
        _require_to_come(wanted["expires_at"])
    role = selectors.organization_role(actor, key.organization_id)
    project = _project_of(key.organization_id, wanted["project_id"], actor) if "project_id" in changed else key.project
    if is_wider:
        _require_fit_session(actor, key.organization_id)
        _require_grantable(actor, role, project, tuple(_added(key, wanted)))
        fresh_proofs.require_fresh(actor=actor)
    for name in changed:
        setattr(key, name, wanted[name])
    key.version += 1
    key.save(update_fields=[*changed, "version", "updated_at"])
    fields = [name.removesuffix("_id") for name in changed]
    _announce(events.ApiKeyChanged(key_id=key.pk, fields=fields, is_wider=is_wider), key, actor)
    return key


@transaction.atomic
def renew_api_key(*, actor: Actor, key_id: UUID, previous_until: datetime | None = None) -> NewKey:
    """A new secret, shown this once. The one before opens until ``previous_until``, at most seven days; None: from now on nothing.

    By the same people as ``change_api_key``, with a fresh proof. A third secret ends the first at once.
    """
    key = _lock_to_change(key_id, actor)
    _require_fit_session(actor, key.organization_id)
    fresh_proofs.require_fresh(actor=actor)
    _require_to_come(previous_until, field="previous_until")
    if previous_until is not None and previous_until > database_now() + LONGEST_OVERLAP:
        detail = _("The old secret goes on working for seven days at most.")
        raise Invalid(fields=[FieldError("previous_until", "too_late", detail)])
    token = _new_token()
    key.previous_hash = key.token_hash if previous_until is not None else None
    key.previous_until = previous_until
    key.token_hash = actors.hash_token(token)
    key.hint = token[-4:]
    key.version += 1
    key.save(update_fields=["previous_hash", "previous_until", "token_hash", "hint", "version", "updated_at"])
    _announce(events.ApiKeyRenewed(key_id=key.pk, previous_until=previous_until), key, actor)
    return NewKey(key, token)


def _lock_to_change(key_id: UUID, actor: Actor) -> ApiKey:
    key = selectors.lock_api_key(key_id, actor)
    role = selectors.organization_role(actor, key.organization_id)
    policies.require(policies.can_change_key(actor, role, user_id=key.user_id, is_service=key.user.is_service))
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= database_now()):
        raise KeyEnded
    return key


def _new_token() -> str:
    return actors.KEY_PREFIX + secrets.token_urlsafe(32)


def _project_of(organization_id: UUID, project_id: UUID | None, actor: Actor) -> Project | None:
    project = selectors.get_project(project_id, actor) if project_id else None
    if project is not None and project.organization_id != organization_id:
        raise KeyNotGrantable
    return project


def _require_grantable(
    actor: Actor, role: OrganizationRole | None, project: Project | None, scopes: tuple[str, ...]
) -> None:
    denied = [scope for scope in scopes if not policies.can_grant_scope(actor, role, scope)]
    if project is not None and "conversations:write" in scopes:
        mine = selectors.project_role(actor, project.pk)
        denied += [] if policies.can_post_in_project(actor, mine) else ["conversations:write"]
    if denied:
        raise KeyNotGrantable(scopes=sorted(set(denied)))


def _require_to_come(moment: datetime | None, *, field: str = "expires_at") -> None:
    if moment is not None and moment <= database_now():
        raise Invalid(fields=[FieldError(field, "in_the_past", str(Invalid.default_detail))])


def _is_wider(key: ApiKey, wanted: dict[str, Any]) -> bool:
    """Could anything be done with it that could not be done before?"""
    is_longer = key.expires_at is not None and (wanted["expires_at"] is None or wanted["expires_at"] > key.expires_at)
    return (
        bool(key.scopes and (not wanted["scopes"] or _added(key, wanted)))
        or (key.project_id is not None and wanted["project_id"] != key.project_id)
        or is_longer
        or not addresses.are_within(wanted["allowed_networks"], key.allowed_networks)
    )


def _added(key: ApiKey, wanted: dict[str, Any]) -> set[str]:
    """Scopes that it is to have anew; in another project all of them are."""
    is_elsewhere = wanted["project_id"] != key.project_id
    return set(wanted["scopes"]) - (set() if is_elsewhere else set(key.scopes))


def _announce(
    fact: events.ApiKeyMade | events.ApiKeyChanged | events.ApiKeyRenewed,
    key: ApiKey,
    actor: Actor,
) -> None:
    emit(fact, actor=actor, scope=scope_of(key.organization_id), subject=("api_key", key.pk))


def _networks(given: tuple[str, ...]) -> list[str]:
    try:
        return sorted({addresses.parse_network(each) for each in given})
    except ValueError:
        detail = str(NetworkNotValid.default_detail)
        raise NetworkNotValid(fields=[FieldError("allowed_networks", NetworkNotValid.code, detail)]) from None


@transaction.atomic
def revoke_api_key(*, actor: Actor, key_id: UUID, expected_version: int | None = None) -> ApiKey:
    """One's own, or as an admin anybody's; a key that is limited only itself. In force from the next request on; twice changes nothing."""
    key = selectors.lock_api_key(key_id, actor)
    is_own = key.user_id == actor.user_id and (actor.key_id in {None, key.pk} or not (actor.scopes or actor.project_id))
    policies.require(
        is_own or policies.can_manage_organization(actor, selectors.organization_role(actor, key.organization_id))
    )
    require_version(key.version, expected_version)
    end_key(key=key, actor=actor)
    return key


def _require_fit_session(actor: Actor, organization_id: UUID) -> None:
    """A key outlives the session: where only the provider signs people in, it is made by who came through the provider."""
    providers = rules_in(organization_id).providers
    if providers is None:
        return
    session = UserSession.objects.filter(pk=actor.session_id).first() if actor.session_id else None
    if session is None or session.identity_provider_id not in providers:
        raise SsoNeeded
