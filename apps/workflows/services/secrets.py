"""Secrets of workflows: kept, replaced, deleted. What is in one leaves only with a call of ``http``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts import selectors as accounts
from apps.accounts.services import unproved
from apps.accounts.types import Actor
from apps.core.errors import FieldError, Invalid
from apps.core.events import emit
from apps.core.types import Scope
from apps.workflows import calling, policies, selectors
from apps.workflows.events import SecretDeleted, SecretKept
from apps.workflows.models import Secret
from apps.workflows.types import MAX_SECRET_BYTES, MAX_SECRETS, TooManySecrets


@transaction.atomic
def keep_secret(*, actor: Actor, project_id: UUID, name: str, value: Mapping[str, Any]) -> Secret:
    """``value``: what the authentication needs, such as ``{"token": …}``. Under a name that is there it takes the place of what was.

    ``AddressNotConfirmed`` (409).
    """
    project = accounts.lock_project(project_id, actor)
    policies.require(policies.can_define(actor, accounts.role_in(actor, project)))
    unproved.require_proved(actor=actor)
    if not calling.is_name(name):
        detail = _("A secret is called by letters, digits and underscores.")
        raise Invalid(fields=[FieldError("name", "name", detail)])
    text = json.dumps(value)
    if len(text) > MAX_SECRET_BYTES:
        raise Invalid(fields=[FieldError("value", "too_large", _("A secret has at most 16 kB."))])
    there = Secret.objects.filter(project=project)
    secret = there.select_for_update(of=("self",)).filter(name=name).first()
    is_new = secret is None
    if secret is None:
        if there.count() >= MAX_SECRETS:
            raise TooManySecrets
        secret = Secret(organization_id=project.organization_id, project=project, name=name)
    secret.sealed = text
    secret.kept_by_id, secret.kept_at = actor.user_id, timezone.now()
    secret.save()
    _tell(SecretKept(secret.pk, is_new), secret, actor)
    return secret


@transaction.atomic
def delete_secret(*, actor: Actor, secret_id: UUID) -> None:
    """Calls that want it fail from now on."""
    secret = selectors.lock_secret(secret_id=secret_id, viewer=actor)
    policies.require(policies.can_define(actor, accounts.project_role(actor, secret.project_id)))
    _tell(SecretDeleted(secret.pk), secret, actor)
    secret.delete()


def _tell(fact: Any, secret: Secret, actor: Actor) -> None:
    scope = Scope(f"project:{secret.project_id}", secret.organization_id, secret.project_id)
    emit(fact, actor=actor, scope=scope, subject=("workflow_secret", secret.pk))
