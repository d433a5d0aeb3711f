"""Forgetting for good: a person, who is anonymized while what they wrote keeps an author, and an organization with all its rows.

Every app that keeps something about either has registered an eraser (``core.doors.erasers``). Of a person one transaction runs them all and
writes the receipt. An organization may have millions of rows: it is closed first, then nobody has any right in it, and its rows go in pieces, each
a transaction; the last one takes the rest and writes the receipt. ``accounts.erasing`` goes from piece to piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Count, F, Q

from apps.accounts import events, policies, right_events, rights, selectors
from apps.accounts.models import (
    ApiKey,
    CodeGuess,
    Denial,
    Device,
    Erasure,
    IdentityProvider,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
    ProjectTeam,
    Pseudonym,
    ServiceAccount,
    SignInAttempt,
    SignInLink,
    Team,
    TeamMember,
    User,
    UserSession,
)
from apps.accounts.services import attempts, belongings, endings, sessions
from apps.accounts.services.organizations import scope_of
from apps.accounts.types import (
    Actor,
    ErasureKind,
    HomeStays,
    LastOperator,
    LastOwner,
    OrganizationRole,
    SessionEnd,
)
from apps.core import failpoints, forgetting, jobs
from apps.core.db import database_now
from apps.core.doors.erasers import Eraser, erasers
from apps.core.errors import NotFound, Unavailable
from apps.core.events import emit
from apps.core.types import Scope

NOWHERE = "erased.invalid"  # RFC 2606: no mail ever arrives there


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was forgotten: rows by the app that kept them. ``id`` is None for a trial."""

    id: UUID | None
    kind: ErasureKind
    subject_id: UUID
    rows: dict[str, int]


@transaction.atomic
def erase_person(*, actor: Actor, user_id: UUID, is_trial: bool = False) -> Receipt:
    """Name, address, sessions, keys and rights go; the row stays, anonymous, as the author of what was written.

    Organizations that no other person belongs to are closed with them and go in pieces, each with a receipt of its own. Raises
    ``LastOwner`` where others would be left without an owner, ``LastOperator`` where the installation would. ``is_trial`` does it all and
    takes it back, to count.
    """
    policies.require(policies.can_erase_person(actor, user_id))
    user = User.objects.select_for_update().filter(pk=user_id, anonymized_at=None).first()
    if user is None:
        raise NotFound
    alone = _require_nobody_left_behind(user)
    rows: dict[str, int] = {}
    for organization in alone:
        if is_trial:
            _add(rows, _forget_organization(organization, actor))
        else:
            _close(organization, actor, _who(actor, user_id), in_background=True)
    _add(rows, _forget_person(user, actor))
    return _end(ErasureKind.PERSON, user_id, rows, _who(actor, user_id), is_trial=is_trial)


@transaction.atomic
def count_organization(*, actor: Actor, organization_id: UUID) -> Receipt:
    """What would go, by doing it and taking it back; of one that is being erased what is left. Raises what ``close_organization`` raises."""
    organization = _lock_to_erase(actor, organization_id)
    rows = _forget_organization(organization, actor)
    return _end(ErasureKind.ORGANIZATION, organization_id, rows, "", is_trial=True)


@transaction.atomic
def close_organization(*, actor: Actor, organization_id: UUID, in_background: bool) -> None:
    """From now on nobody has any right in it, and it is erased; there is no way back. Safe to repeat.

    ``in_background``: by a job. Raises ``HomeStays`` for the organization that the installation began with.
    """
    organization = _lock_to_erase(actor, organization_id)
    _close(organization, actor, _who(actor, organization_id), in_background=in_background)


def _close(organization: Organization, actor: Actor, who: str, *, in_background: bool) -> None:
    if not organization.erased_for:
        organization.erased_for = who
        organization.deleted_at = organization.deleted_at or database_now()
        organization.erased_rows = _counted(_take_rights(organization, actor))
        organization.save(update_fields=["erased_for", "deleted_at", "erased_rows", "updated_at"])
        emit(
            right_events.OrganizationClosed(organization_id=organization.pk),
            actor=actor,
            scope=scope_of(organization.pk),
            subject=("organization", organization.pk),
        )
    if in_background:
        jobs.after_commit("accounts.erase_organization", organization_id=organization.pk)


@transaction.atomic
def erase_piece(*, actor: Actor, organization_id: UUID, limit: int) -> bool:
    """About ``limit`` rows of one table of a closed organization. False: what is left is worth no pieces.

    Holds the organization's row: whoever writes there waits until the piece is gone, so nothing comes to hang on what goes. Raises
    ``Unavailable`` while somebody else holds it.
    """
    policies.require(policies.can_operate(actor))
    organization = _lock_closed(organization_id)
    for name, eraser in _in_order():
        if eraser.erase_piece is None or (count := eraser.erase_piece(organization.pk, limit)) is None:
            continue
        _add(organization.erased_rows, {name: count})
        organization.save(update_fields=["erased_rows", "updated_at"])
        failpoints.hit("before_commit")
        return True
    return False


@transaction.atomic
def end_organization(*, actor: Actor, organization_id: UUID) -> Receipt:
    """The rest of a closed organization, itself included, and the receipt for all of it.

    People stay, without it. The log keeps that there was one, by its id, and the audit log its chain.
    """
    policies.require(policies.can_operate(actor))
    organization = _lock_closed(organization_id)
    rows, who = dict(organization.erased_rows), organization.erased_for
    _add(rows, _forget_organization(organization, actor))
    return _end(ErasureKind.ORGANIZATION, organization_id, rows, who, is_trial=False)


def _lock_to_erase(actor: Actor, organization_id: UUID) -> Organization:
    policies.require(policies.can_operate(actor))
    organization = Organization.objects.select_for_update().filter(pk=organization_id).first()
    if organization is None:
        raise NotFound
    if organization.is_home:
        raise HomeStays
    return organization


def _lock_closed(organization_id: UUID) -> Organization:
    rows = Organization.objects.filter(pk=organization_id).exclude(erased_for="")
    if (found := rows.select_for_update(skip_locked=True).first()) is not None:
        return found
    raise Unavailable if rows.exists() else NotFound


def _require_nobody_left_behind(user: User) -> list[Organization]:
    """Organizations that have this person alone, locked. Owners are locked in one order, as where members leave."""
    others = selectors.other_operators(user.pk)
    if user.is_superuser and not others.select_for_update().order_by("pk").exists():
        raise LastOperator
    owned = OrganizationMember.objects.filter(user=user, role=OrganizationRole.OWNER).values("organization")
    found = Organization.objects.select_for_update().filter(pk__in=owned).order_by("pk")
    alone = []
    for organization in found:
        people = (
            rights.other_people(user.pk)
            .filter(organization=organization)
            .aggregate(all=Count("pk"), owners=Count("pk", filter=rights.OWNS))
        )
        if people["all"] == 0 and not organization.is_home:
            alone.append(organization)
        elif people["owners"] == 0:
            raise LastOwner
    return alone


def _forget_person(user: User, actor: Actor) -> dict[str, int]:
    members = list(OrganizationMember.objects.filter(user=user))
    endings.withdraw_invitations_by(user_id=user.pk, actor=actor)
    for member in members:
        belongings.give_away(member=member, actor=actor, is_erased=True)
    rows = {name: eraser.erase_person(user.pk) for name, eraser in _in_order()}
    sessions.end_all_sessions(user_id=user.pk, reason=SessionEnd.ERASED, actor=actor)
    for member in members:
        emit(
            events.MemberRemoved(user_id=user.pk, role=member.role),
            actor=actor,
            scope=scope_of(member.organization_id),
            subject=("user", user.pk),
        )
    keys = ApiKey.objects.filter(user=user)
    callers = [f"user:{user.pk}", *(f"key:{pk}" for pk in keys.values_list("pk", flat=True))]
    addresses = {user.email.lower(), *EmailAddress.objects.filter(user=user).values_list("email", flat=True)}
    rows["core"] = forgetting.forget_person(user_id=user.pk, callers=callers, addresses=list(addresses))
    accounts = 0
    accounts += ServiceAccount.objects.filter(user=user).update(description="", disabled_at=database_now())
    for found in (
        Denial.objects.filter(user=user),
        TeamMember.objects.filter(user=user),
        ProjectMember.objects.filter(user=user),
        OrganizationMember.objects.filter(user=user),
        CodeGuess.objects.filter(user=user),
        Session.objects.filter(session_key__in=UserSession.objects.filter(user=user).values("session_key")),
        UserSession.objects.filter(user=user),
        SignInLink.objects.filter(user=user),
        Authenticator.objects.filter(user=user),
        SocialAccount.objects.filter(user=user),
        SignInAttempt.objects.filter(
            Q(user=user) | Q(account_hash__in=[attempts.account_hash(address) for address in addresses])
        ),
        Device.objects.filter(user=user),
        EmailAddress.objects.filter(user=user),
        Pseudonym.objects.filter(user=user),
    ):
        accounts += found.delete()[0]
    accounts += keys.update(revoked_at=database_now(), name="", hint="", previous_hash=None, previous_until=None)
    for invitation in Invitation.objects.filter(Q(accepted_by=user) | Q(email__in=addresses)):
        # Open ones are withdrawn: they are for a person whom nobody can be any more.
        revoked = invitation.revoked_at or (None if invitation.accepted_at else database_now())
        accounts += Invitation.objects.filter(pk=invitation.pk).update(
            email=f"{invitation.pk.hex}@{NOWHERE}", revoked_at=revoked
        )
    accounts += _anonymize(user)
    emit(
        events.PersonErased(user_id=user.pk),
        actor=actor,
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
    return rows | {"accounts": accounts}


def _anonymize(user: User) -> int:
    nobody = User()
    nobody.set_unusable_password()
    user.groups.clear()
    user.user_permissions.clear()
    return User.objects.filter(pk=user.pk).update(
        email=f"{user.pk.hex}@{NOWHERE}",
        name="",
        password=nobody.password,
        language="en",
        time_zone="UTC",
        is_active=False,
        is_staff=False,
        is_superuser=False,
        last_login=None,
        epoch=F("epoch") + 1,
        anonymized_at=database_now(),
    )


def _take_rights(organization: Organization, actor: Actor) -> dict[str, int]:
    """Memberships, keys, programs, invitations and ways to sign in."""
    people = list(OrganizationMember.objects.filter(organization=organization).values_list("user", flat=True))
    keys = ApiKey.objects.filter(organization=organization).values_list("pk", flat=True)
    rows = {"core": forgetting.forget_places(targets=[], callers=[f"key:{pk}" for pk in keys])}
    accounts = 0
    own = IdentityProvider.objects.filter(organization=organization)
    UserSession.objects.filter(identity_provider__in=own).update(identity_provider=None)
    accounts += SocialAccount.objects.filter(provider__in=own.values("slug")).delete()[0]
    programs = list(User.objects.filter(pk__in=people, is_service=True))
    for model in (
        IdentityProvider,
        ApiKey,
        Invitation,
        Denial,
        TeamMember,
        ServiceAccount,
        ProjectMember,
        OrganizationMember,
    ):
        accounts += model.objects.filter(organization=organization).delete()[0]  # type: ignore[attr-defined]
    accounts += sum(_anonymize(program) for program in programs)
    for user_id in people:
        sessions.end_all_sessions(user_id=user_id, reason=SessionEnd.RIGHTS, actor=actor)
    return rows | {"accounts": accounts}


def _forget_organization(organization: Organization, actor: Actor) -> dict[str, int]:
    rows = _take_rights(organization, actor)
    for name, eraser in _in_order():
        _add(rows, {name: eraser.erase_organization(organization.pk)})
    projects = list(Project.objects.filter(organization=organization).values_list("pk", flat=True))
    _add(rows, {"core": forgetting.forget_places(targets=[organization.pk, *projects], callers=[])})
    accounts = 0
    for model in (ProjectTeam, Team, Project):
        accounts += model.objects.filter(organization=organization).delete()[0]  # type: ignore[attr-defined]
    emit(
        right_events.OrganizationErased(organization_id=organization.pk),
        actor=actor,
        scope=scope_of(organization.pk),
        subject=("organization", organization.pk),
    )
    accounts += Organization.objects.filter(pk=organization.pk).delete()[0]
    _add(rows, {"accounts": accounts})
    return rows


def _in_order() -> Iterator[tuple[str, Eraser]]:
    """From the top of the house down, as the apps are registered: whoever points at others goes first. Plugins stand on top."""
    items = [(name, each) for name, each in erasers.items()]
    yield from (item for item in items if not apps.is_installed(f"apps.{item[0]}"))
    yield from (item for item in items if apps.is_installed(f"apps.{item[0]}"))


def _add(rows: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        rows[name] = rows.get(name, 0) + count


def _end(kind: ErasureKind, subject_id: UUID, rows: dict[str, int], who: str, *, is_trial: bool) -> Receipt:
    counted = _counted(rows)
    if is_trial:
        transaction.set_rollback(True)
        return Receipt(None, kind, subject_id, counted)
    made = Erasure.objects.create(kind=kind, subject_id=subject_id, requested_by=who, rows=counted)
    return Receipt(made.pk, kind, subject_id, counted)


def _counted(rows: dict[str, int]) -> dict[str, Any]:
    return {name: count for name, count in sorted(rows.items()) if count}


def _who(actor: Actor, subject_id: UUID) -> str:
    """``self``, ``operator`` or ``command``: the receipt names nobody."""
    if actor.user_id is None:
        return "command"
    return "self" if actor.user_id == subject_id else "operator"
