"""Signing in and out: sessions by cookie and by token, links that sign in once. Who may begin one: ``services/attempts.py``."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import actors, events, letters, policies, selectors, sign_in_selectors
from apps.accounts.models import ApiKey, Denial, Device, Invitation, SignInLink, User, UserSession
from apps.accounts.rules import SignInRules, rules_of
from apps.accounts.services import fresh_proofs
from apps.accounts.services.attempts import printable
from apps.accounts.types import (
    SYSTEM,
    Actor,
    LinkNotValid,
    SecondFactorMissing,
    SessionEnd,
    SessionKind,
    SignInFailed,
    SignInMethod,
    SsoNeeded,
)
from apps.core.db import database_now
from apps.core.errors import NotAuthenticated
from apps.core.events import emit
from apps.core.ids import uuid7
from apps.core.types import Scope

LINK_LIFETIME = timedelta(hours=24)


@transaction.atomic
def begin_session(
    *,
    user: User,
    kind: SessionKind,
    session_key: str | None = None,
    address: str | None = None,
    user_agent: str = "",
    method: SignInMethod = SignInMethod.PASSWORD,
    auth_level: int = 1,
    device: Device | None = None,
    identity_provider_id: UUID | None = None,
) -> UserSession:
    """Called when the person has proved who they are. A cookie's session that was there under this key is replaced.

    The rules of their organizations hold: ``SsoNeeded`` (403), a shorter life, and who lacks a second factor gets a session that
    waits for one (``SecondFactorMissing``, 403, for programs). Programs with an account of
    their own have no sessions: their keys are all that opens anything.
    """
    if user.is_service:
        raise SignInFailed
    sign_in_selectors.hold_rules(user_id=user.pk)
    rules = rules_of(user.pk)
    if not rules.allows(method, identity_provider_id):
        raise SsoNeeded
    is_waiting = rules.needs_second_factor and auth_level < 2  # noqa: PLR2004  (two proofs)
    if is_waiting and kind == SessionKind.TOKEN:
        raise SecondFactorMissing
    epoch = User.objects.values_list("epoch", flat=True).get(pk=user.pk)
    lifetime = settings.SESSION_COOKIE_AGE if kind == SessionKind.COOKIE else settings.PARLANCE_TOKEN_SESSION_SECONDS
    lifetime = min(lifetime, rules.hours * 3600) if rules.hours else lifetime
    if session_key is not None:
        UserSession.objects.filter(session_key=session_key).update(
            session_key=None, ended_at=Now(), end_reason=SessionEnd.SIGNED_OUT
        )
    session = UserSession.objects.create(
        user=user,
        idle_after=_idle_after(rules),
        kind=kind,
        session_key=session_key,
        refresh_id=uuid7() if kind == SessionKind.TOKEN else None,
        epoch=epoch,
        method=method,
        auth_level=auth_level,
        device=device,
        is_waiting=is_waiting,
        identity_provider_id=identity_provider_id,
        user_agent=printable(user_agent)[:300],
        address=address,
        last_seen_at=timezone.now(),
        expires_at=database_now() + timedelta(seconds=lifetime),
    )
    emit(
        events.SignedIn(user_id=user.pk, session_id=session.pk, kind=kind.value, method=method.value, level=auth_level),
        actor=actors.member(user, session=session),
        scope=Scope(events.user_topic(user.pk)),
        subject=("session", session.pk),
    )
    return session


def _idle_after(rules: SignInRules) -> timedelta | None:
    """The stricter of what the installation and the person's organizations ask; 0 of the installation: as long as it lives."""
    asked = [minutes for minutes in (settings.PARLANCE_SESSION_IDLE_MINUTES, rules.idle_minutes) if minutes]
    return timedelta(minutes=min(asked)) if asked else None


def renew_token_session(*, session_id: UUID, user_id: UUID, epoch: int, refresh_id: str) -> UserSession:
    """Take a refresh token once and give the session its next one. A used one that comes again ends the session."""
    with transaction.atomic():
        session = (
            UserSession.objects.in_force()
            .select_for_update(of=("self",))
            .select_related("user")
            .filter(pk=session_id, user=user_id, epoch=epoch, kind=SessionKind.TOKEN)
            .first()
        )
        if session is None:
            raise NotAuthenticated
        if session.refresh_id is not None and session.refresh_id.hex == refresh_id:
            session.refresh_id, session.last_seen_at = uuid7(), timezone.now()
            session.save(update_fields=["refresh_id", "last_seen_at", "updated_at"])
            return session
        end_listed(UserSession.objects.filter(pk=session.pk), SessionEnd.REUSED, actor=SYSTEM)
    raise NotAuthenticated


@transaction.atomic
def revoke_token_session(*, session_id: UUID, user_id: UUID) -> None:
    """Whoever holds a session's refresh token may end it; ending it twice changes nothing."""
    rows = UserSession.objects.filter(pk=session_id, user=user_id, kind=SessionKind.TOKEN)
    end_listed(rows, SessionEnd.SIGNED_OUT, actor=SYSTEM)


@transaction.atomic
def end_session(*, actor: Actor, session_id: UUID, reason: SessionEnd = SessionEnd.REVOKED) -> None:
    """End one of one's own sessions. ``NotFound`` for those of others; ending it twice changes nothing.

    Another one than the actor's own takes a fresh proof (``FreshSignInNeeded``, 403): so does ``end_other_sessions``.
    """
    policies.require(policies.can_change_own_account(actor))
    if session_id != actor.session_id:
        fresh_proofs.require_fresh(actor=actor)
    session = selectors.lock_own_session(session_id=session_id, viewer=actor)
    end_listed(UserSession.objects.filter(pk=session.pk), reason, actor=actor)


@transaction.atomic
def end_other_sessions(*, actor: Actor) -> int:
    policies.require(policies.can_change_own_account(actor))
    fresh_proofs.require_fresh(actor=actor)
    rows = UserSession.objects.filter(user=actor.user_id).exclude(pk=actor.session_id)
    _drop_pending_address(actor.user_id)
    return end_listed(rows, SessionEnd.REVOKED, actor=actor)


@transaction.atomic
def end_cookie_session(*, session_key: str) -> None:
    """At sign-out: whoever holds the cookie may end what it opens."""
    end_listed(UserSession.objects.filter(session_key=session_key), SessionEnd.SIGNED_OUT, actor=SYSTEM)


@transaction.atomic
def end_all_sessions(*, user_id: UUID, reason: SessionEnd, actor: Actor = SYSTEM) -> int:
    """Everywhere, by moving the person's epoch on: tokens of an earlier one are over, whether listed or not."""
    User.objects.filter(pk=user_id).update(epoch=F("epoch") + 1)
    _drop_pending_address(user_id)
    return end_listed(UserSession.objects.filter(user=user_id), reason, actor=actor)


@transaction.atomic
def note_password_changed(*, actor: Actor, user_id: UUID, kept_session_key: str | None = None) -> None:
    """After the password was saved (and the epoch with it): all sessions end but the one that changed it."""
    policies.require(policies.can_change_own_account(actor) and actor.user_id == user_id)
    kept = UserSession.objects.filter(user=user_id, ended_at=None, session_key=kept_session_key or "-")
    epoch = User.objects.values_list("epoch", flat=True).get(pk=user_id)
    kept.update(epoch=epoch)
    end_listed(
        UserSession.objects.filter(user=user_id).exclude(session_key=kept_session_key or "-"),
        SessionEnd.PASSWORD,
        actor,
    )
    _drop_pending_address(user_id)
    letters.send_password_changed(user=User.objects.get(pk=user_id))
    emit(
        events.PasswordChanged(user_id=user_id),
        actor=actor,
        scope=Scope(events.user_topic(user_id)),
        subject=("user", user_id),
    )


def _drop_pending_address(user_id: UUID | None) -> None:
    """A change of address that was begun ends with the sessions: whoever began it might come back to finish it."""
    own = User.objects.values_list("email", flat=True).get(pk=user_id)
    EmailAddress.objects.filter(user=user_id, verified=False).exclude(email__iexact=own).delete()


def end_listed(rows: QuerySet[UserSession], reason: SessionEnd, actor: Actor) -> int:
    """For services: end those that have not ended, and say so for each person.

    What ends a session but its own sign-out ends a change of address too, which may have begun there.
    """
    found = list(rows.filter(ended_at=None).values_list("pk", "user_id"))
    UserSession.objects.filter(pk__in=[pk for pk, _user in found]).update(ended_at=Now(), end_reason=reason)
    for user_id in {user for _pk, user in found}:
        ended = [pk for pk, user in found if user == user_id]
        emit(
            events.SessionsEnded(user_id=user_id, session_ids=ended, reason=reason.value),
            actor=actor,
            scope=Scope(events.user_topic(user_id)),
            subject=("user", user_id),
        )
        if reason != SessionEnd.SIGNED_OUT:
            _drop_pending_address(user_id)
    return len(found)


@transaction.atomic
def end_unfit(*, user_id: UUID, actor: Actor = SYSTEM) -> int:
    """After a rule or a membership changed: sessions that would not begin any more end, the others live no longer than allowed."""
    rules = rules_of(user_id)
    rows = UserSession.objects.not_over().filter(user=user_id)
    if rules.hours:
        latest = F("created_at") + timedelta(hours=rules.hours)
        rows.filter(expires_at__gt=latest).update(expires_at=latest)
    rows.update(idle_after=_idle_after(rules))
    unfit = [
        row.pk
        for row in rows
        if not rules.allows(row.method, row.identity_provider_id)
        or (rules.needs_second_factor and row.auth_level < 2 and not row.is_waiting)  # noqa: PLR2004
    ]
    return end_listed(UserSession.objects.filter(pk__in=unfit), SessionEnd.RULES, actor)


# Links


@transaction.atomic
def make_sign_in_link(*, actor: Actor, user: User | None) -> str:
    """The token of a link that is good once, for a day. Earlier unused ones for the same person stop working."""
    policies.require(policies.can_operate(actor))
    SignInLink.objects.filter(user=user, used_at=None, expires_at__gt=Now()).update(expires_at=Now())
    token = secrets.token_urlsafe(32)
    link = SignInLink.objects.create(
        user=user, token_hash=actors.hash_token(token), expires_at=database_now() + LINK_LIFETIME
    )
    emit(
        events.SignInLinkMade(link_id=link.pk, user_id=user.pk if user else None),
        actor=actor,
        scope=Scope(events.user_topic(user.pk) if user else "instance:home"),
        subject=("sign_in_link", link.pk),
    )
    return token


def find_sign_in_link(*, token: str) -> SignInLink | None:
    return _open_links(token).first()


def _open_links(token: str) -> QuerySet[SignInLink]:
    return SignInLink.objects.filter(
        Q(user=None) | Q(user__is_active=True), token_hash=actors.hash_token(token), used_at=None, expires_at__gt=Now()
    ).select_related("user")


@transaction.atomic
def use_sign_in_link(*, token: str) -> User:
    """The person it was made for. Raises ``LinkNotValid`` when it was used, has expired, or claims the instance."""
    link = _open_links(token).select_for_update(of=("self",)).first()
    if link is None or link.user is None:
        raise LinkNotValid
    link.used_at = database_now()
    link.used_by = link.user
    link.save(update_fields=["used_at", "used_by", "updated_at"])
    return link.user


def forget_old() -> None:
    """Ended sessions, used links, and after their end invitations of people who never came, denials and keys: after 90 days. Safe to
    repeat.
    """
    over = Now() - timedelta(days=90)
    UserSession.objects.filter(expires_at__lt=over).delete()
    SignInLink.objects.filter(expires_at__lt=over).delete()
    Invitation.objects.filter(expires_at__lt=over, accepted_at=None).delete()
    Denial.objects.filter(expires_at__lt=over).delete()
    ApiKey.objects.filter(Q(revoked_at__lt=over) | Q(expires_at__lt=over)).delete()
