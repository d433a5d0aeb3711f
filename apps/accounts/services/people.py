"""People: how they come to be, what they change about themselves, and the first one of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from apps.accounts import actors, events, letters, mailbox_events, policies
from apps.accounts.models import Organization, OrganizationMember, Project, SignInLink, User
from apps.accounts.services import sessions, sign_in_rules
from apps.accounts.services.organizations import add_member, make_organization, require_version
from apps.accounts.types import SYSTEM, Actor, EmailTaken, LinkNotValid, OrganizationRole, PasswordRefused
from apps.accounts.words import language_asked
from apps.accounts.zones import zone_asked
from apps.core.db import database_now
from apps.core.doors.first_start import FirstStart, first_start_steps
from apps.core.errors import FieldError
from apps.core.events import emit
from apps.core.types import Scope

FIRST_START_LOCK = 0x7061726C616E6365  # "parlance": one first start, one claim at a time


def create_user(*, email: str, password: str | None, name: str = "", how: str, is_proved: bool = True) -> User:
    """A person without any organization, who goes on in the language and time zone that this is done in. Raises ``EmailTaken``. Callers are services; the right is theirs to ask.

    ``is_proved``: that the mailbox is theirs, by a letter or by the word of somebody who is trusted.
    """
    if password is not None:
        require_good_password(password, email=email, name=name)
    try:
        with transaction.atomic():
            told = {"language": language_asked(), "time_zone": zone_asked()}
            user: User = User.objects.create_user(email, password, name=name, **told)
    except IntegrityError:
        raise EmailTaken(fields=[FieldError("email", "email_taken", _("This e-mail address is in use."))]) from None
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=is_proved)
    note_user_created(user=user, how=how)
    return user


def note_user_created(*, user: User, how: str) -> None:
    emit(
        events.UserCreated(user_id=user.pk, how=how),
        actor=actors.member(user),
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )


def require_good_password(password: str, *, email: str = "", name: str = "") -> None:
    try:
        password_validation.validate_password(password, User(email=email, name=name))
    except ValidationError as error:
        raise PasswordRefused(
            " ".join(error.messages),
            fields=[FieldError("password", "password_refused", message) for message in error.messages],
        ) from None


@transaction.atomic
def settle_in(*, user: User) -> Project:
    """Give somebody who came by themselves an organization of their own, with a first project."""
    with_name = _("%(name)s's organization") % {"name": user.display_name}
    organization, project = make_organization(name=with_name[:120], actor=actors.member(user))
    add_member(organization=organization, user=user, role=OrganizationRole.OWNER, actor=actors.member(user))
    return project


@transaction.atomic
def change_profile(*, actor: Actor, expected_version: int | None = None, **changes: Any) -> User:
    """``name``, ``language``, ``time_zone``. Raises ``VersionMismatch`` (412)."""
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.select_for_update().get(pk=actor.user_id)
    require_version(user.version, expected_version)
    changed = [name for name, value in changes.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, changes[name])
    if changed:
        user.version += 1
        user.save(update_fields=[*changed, "version", "updated_at"])
        emit(
            events.ProfileChanged(user_id=user.pk, fields=sorted(changed)),
            actor=actor,
            scope=Scope(events.user_topic(user.pk)),
            subject=("user", user.pk),
        )
    return user


# The first start


@dataclass(frozen=True, slots=True)
class Started:
    """``link_token`` is None once somebody has claimed the instance."""

    organization_id: UUID
    project_id: UUID
    link_token: str | None


@transaction.atomic
def start_first(*, email: str = "", password: str = "") -> Started:
    """Make what a fresh installation needs; repeating it adds nothing but a new link while nobody has claimed it.

    With ``email`` and ``password`` the person exists at once. Other apps add their part through the door, which is
    asked at every start and says whether this is the first one.
    """
    _lock_first_start()
    home = Organization.objects.filter(is_home=True).first()
    is_first = home is None
    if home is None:
        home, project = make_organization(name=_("Our organization"), actor=SYSTEM, is_home=True)
    else:
        project = Project.objects.filter(organization=home, deleted_at=None).order_by("created_at").first() or (
            Project.objects.filter(organization=home).earliest("created_at")
        )
    if email and password and not is_claimed():
        user = User.objects.filter(email__iexact=email).first() or create_user(
            email=email, password=password, how="first_start"
        )
        _make_operator(user, home)
    owner = OrganizationMember.objects.filter(organization=home, role=OrganizationRole.OWNER).first()
    for step in first_start_steps:
        step(FirstStart(home.pk, project.pk, owner.user_id if owner else None, is_first=is_first))
    token = None if is_claimed() else sessions.make_sign_in_link(actor=SYSTEM, user=None)
    return Started(home.pk, project.pk, token)


def is_claimed() -> bool:
    return User.objects.filter(is_superuser=True, anonymized_at=None).exists()


@transaction.atomic
def claim_instance(*, token: str, email: str, password: str, name: str) -> User:
    """The first person. Of many who try at once with the one link, exactly one succeeds; the others get ``LinkNotValid``."""
    _lock_first_start()
    link = (
        SignInLink.objects.select_for_update()
        .filter(token_hash=actors.hash_token(token), user=None, used_at=None, expires_at__gt=database_now())
        .first()
    )
    if link is None or is_claimed():
        raise LinkNotValid
    user = create_user(email=email, password=password, name=name, how="first_start")
    home = Organization.objects.get(is_home=True)
    _make_operator(user, home)
    link.used_at, link.used_by = database_now(), user
    link.save(update_fields=["used_at", "used_by", "updated_at"])
    return user


def _make_operator(user: User, home: Organization) -> None:
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    user.is_staff = user.is_superuser = True
    if not OrganizationMember.objects.filter(organization=home, user=user).exists():
        add_member(organization=home, user=user, role=OrganizationRole.OWNER, actor=SYSTEM)
    emit(
        events.InstanceClaimed(user_id=user.pk),
        actor=SYSTEM,
        scope=Scope(events.organization_topic(home.pk), organization_id=home.pk),
        subject=("user", user.pk),
    )


def _lock_first_start() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_START_LOCK])


def is_sign_up_open() -> bool:
    """``open``, or ``invitation``. Without a setting: open on one's own machine, by invitation at a public address.

    Never before the installation has its first owner: the name that a later start gives them must not be somebody's already.
    """
    return settings.PARLANCE_SIGN_UP == "open" and is_claimed()


@transaction.atomic
def note_email_changed(*, user: User, former: str = "") -> None:
    """After allauth has confirmed and saved the new address. The ``former`` one is told."""
    if former and former.lower() != user.email.lower():
        letters.send_address_changed(user=user, recipient=former)
    emit(
        mailbox_events.EmailChanged(user_id=user.pk),
        actor=actors.member(user),
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )


@transaction.atomic
def note_email_change_begun(*, user: User) -> None:
    """The address so far is told before anybody opens the link that goes to the new one."""
    letters.send_address_change_begun(user=user)
    emit(
        mailbox_events.EmailChangeBegun(user_id=user.pk),
        actor=actors.member(user),
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )


def hold_address(*, address: EmailAddress) -> None:
    """At the link, in its transaction: what held when the change began is asked again, of the locked row.

    ``LinkNotValid`` (400) when it was given up meanwhile or the account is switched off, and ``MailDomainNotAllowed`` (400).
    """
    User.objects.select_for_update().filter(pk=address.user_id).first()  # first the person, as where all sessions end
    held = EmailAddress.objects.select_for_update(of=("self",)).select_related("user").filter(pk=address.pk).first()
    if held is None or held.verified or not held.user.is_active:
        raise LinkNotValid
    if held.email.lower() != held.user.email.lower():
        sign_in_rules.require_mail_domains_of(user_id=held.user_id, email=held.email)
