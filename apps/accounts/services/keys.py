"""API keys: made by people, shown once, never more than their owner."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.accounts import actors, addresses, events, policies, rights, selectors
from apps.accounts.models import ApiKey, UserSession
from apps.accounts.rules import rules_in
from apps.accounts.services.organizations import scope_of
from apps.accounts.types import Actor, KeyNotGrantable, NetworkNotValid, SsoNeeded
from apps.core.db import database_now
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit


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
    ``NetworkNotValid``. With ``allowed_networks`` it opens nothing from elsewhere.
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
    project = selectors.get_project(project_id, actor) if project_id else None
    if project is not None and project.organization_id != organization.pk:
        raise KeyNotGrantable
    denied = [scope for scope in scopes if not policies.can_grant_scope(actor, role, scope)]
    if project is not None and not policies.can_post_in_project(actor, selectors.role_in(actor, project)):
        denied += [scope for scope in scopes if scope == "conversations:write"]
    if denied:
        raise KeyNotGrantable(scopes=sorted(set(denied)))
    if expires_at is not None and expires_at <= database_now():
        raise Invalid(fields=[FieldError("expires_at", "in_the_past", str(Invalid.default_detail))])
    networks = _networks(allowed_networks)
    token = actors.KEY_PREFIX + secrets.token_urlsafe(32)
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
    emit(
        events.ApiKeyMade(key_id=key.pk, scopes=list(key.scopes)),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("api_key", key.pk),
    )
    return NewKey(key, token)


def _networks(given: tuple[str, ...]) -> list[str]:
    try:
        return sorted({addresses.parse_network(each) for each in given})
    except ValueError:
        detail = str(NetworkNotValid.default_detail)
        raise NetworkNotValid(fields=[FieldError("allowed_networks", NetworkNotValid.code, detail)]) from None


@transaction.atomic
def revoke_api_key(*, actor: Actor, key_id: UUID) -> ApiKey:
    """One's own, or as an admin anybody's. In force from the next request on; twice changes nothing."""
    key = selectors.lock_api_key(key_id, actor)
    is_own = key.user_id == actor.user_id and (actor.key_id in {None, key.pk} or not actor.scopes)
    policies.require(
        is_own or policies.can_manage_organization(actor, selectors.organization_role(actor, key.organization_id))
    )
    end_key(key, actor)
    return key


def end_key(key: ApiKey, actor: Actor) -> bool:
    """For services: a key that is locked opens nothing from now on. False when it was revoked before."""
    if key.revoked_at is not None:
        return False
    key.revoked_at = database_now()
    key.save(update_fields=["revoked_at", "updated_at"])
    emit(
        events.ApiKeyRevoked(key_id=key.pk),
        actor=actor,
        scope=scope_of(key.organization_id),
        subject=("api_key", key.pk),
    )
    return True


def _require_fit_session(actor: Actor, organization_id: UUID) -> None:
    """A key outlives the session: where only the provider signs people in, it is made by who came through the provider."""
    providers = rules_in(organization_id).providers
    if providers is None:
        return
    session = UserSession.objects.filter(pk=actor.session_id).first() if actor.session_id else None
    if session is None or session.identity_provider_id not in providers:
        raise SsoNeeded
