"""Identity providers of organizations, and whom their word lets in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from apps.accounts import actors, events, letters, policies, selectors, sign_in_selectors
from apps.accounts.identity.known import find_known, of_row
from apps.accounts.models import IdentityProvider, Organization, OrganizationMember, User, UserSession
from apps.accounts.rules import is_in, rules_of
from apps.accounts.services import fresh_proofs, mailboxes, people, sessions
from apps.accounts.services.organizations import add_member, scope_of
from apps.accounts.services.sign_in_rules import enforce, require_mail_domain
from apps.accounts.types import (
    SYSTEM,
    Actor,
    EmailTaken,
    IdentityProviderKind,
    LastWayIn,
    OrganizationRole,
    SessionEnd,
    SignInMethod,
    SlugTaken,
    SsoNotLinked,
    SsoRefused,
)
from apps.core import addresses, rules
from apps.core.errors import FieldError, Invalid, NotFound
from apps.core.events import emit
from apps.core.types import Scope
from apps.core.versions import require_version

#: Names in addresses that are taken by the platform's own.
RESERVED = frozenset({"google", "github", "microsoft", "oidc", "openid_connect"})
WORDS = {"name": rules.NAME, "issuer": rules.URL.of(500).or_empty(), "client_id": rules.NAME.of(300)}
CHANGEABLE = ("name", "issuer", "client_id", "client_secret", "domains", "joins_as", "is_enabled")


def find_provider_id(*, slug: str) -> UUID | None:
    return IdentityProvider.objects.filter(slug=slug).values_list("pk", flat=True).first() if slug else None


@transaction.atomic
def make_provider(
    *, actor: Actor, organization_id: UUID, kind: IdentityProviderKind, slug: str, **values: Any
) -> IdentityProvider:
    """``slug`` is in the address that is registered with the provider, so it never changes. Raises ``SlugTaken``."""
    organization = _lock_organization(actor, organization_id)
    slug, values = rules.SLUG(slug, field="slug"), _checked(kind, values)
    if slug in RESERVED:
        raise SlugTaken
    try:
        with transaction.atomic():
            row = IdentityProvider.objects.create(organization=organization, kind=kind, slug=slug, **values)
    except IntegrityError:
        raise SlugTaken from None
    _announce(events.IdentityProviderMade(provider_id=row.pk), row, actor)
    enforce(organization_id=organization_id, actor=actor)
    return row


@transaction.atomic
def change_provider(
    *, actor: Actor, provider_id: UUID, expected_version: int | None = None, **values: Any
) -> IdentityProvider:
    """An empty ``client_secret`` keeps the one that is there. Switched off, its sessions end.

    Another issuer is somebody else: whom the old one named is a stranger to it (OpenID Connect Core 1.0, section 2: a person is
    ``iss`` and ``sub``), so links and sessions end with it. At Microsoft ``sub`` is made for one client, so with that too.
    """
    row = _lock(actor, provider_id)
    before = _who_names(row)
    require_version(row.version, expected_version)
    if not values.get("client_secret"):
        values.pop("client_secret", None)
    values = _checked(IdentityProviderKind(row.kind), {"issuer": row.issuer} | values)
    changed = sorted(name for name, value in values.items() if name in CHANGEABLE and getattr(row, name) != value)
    for name in changed:
        setattr(row, name, values[name])
    if changed:
        row.version += 1
        row.save(update_fields=[*changed, "version", "updated_at"])
        _announce(events.IdentityProviderChanged(provider_id=row.pk, fields=changed), row, actor)
        if _who_names(row) != before:
            SocialAccount.objects.filter(provider=row.slug).delete()
        if not row.is_enabled or _who_names(row) != before:
            _end_its_sessions(row, actor)
        enforce(organization_id=row.organization_id, actor=actor)
    return row


@transaction.atomic
def remove_provider(*, actor: Actor, provider_id: UUID, expected_version: int | None = None) -> None:
    """With every link of a person to it; who has no password sets one by mail."""
    row = _lock(actor, provider_id)
    require_version(row.version, expected_version)
    _end_its_sessions(row, actor)
    UserSession.objects.filter(identity_provider=row).update(identity_provider=None)
    SocialAccount.objects.filter(provider=row.slug).delete()
    _announce(events.IdentityProviderRemoved(provider_id=row.pk), row, actor)
    row.delete()


def _who_names(row: IdentityProvider) -> tuple[str, str]:
    """Names of people are good as long as this stays."""
    is_per_client = row.kind == IdentityProviderKind.MICROSOFT
    return of_row(row).issuer.rstrip("/"), row.client_id if is_per_client else ""


def _end_its_sessions(row: IdentityProvider, actor: Actor) -> None:
    sessions.end_listed(UserSession.objects.filter(identity_provider=row), SessionEnd.RULES, actor)


def _lock(actor: Actor, provider_id: UUID) -> IdentityProvider:
    """``NotFound`` also for members who may not see which providers there are."""
    seen = sign_in_selectors.visible_identity_providers(actor)
    row = IdentityProvider.objects.select_for_update().filter(pk__in=seen.filter(pk=provider_id).values("pk")).first()
    if row is None:
        raise NotFound
    _lock_organization(actor, row.organization_id)
    return row


def _lock_organization(actor: Actor, organization_id: UUID) -> Organization:
    """Operators manage the providers of every organization, so that one that went wrong can be switched off.

    In person, with a fresh proof: whose word counts is more than any key may, and not for who finds a screen unlocked.
    """
    found = _find_organization(actor, organization_id)
    if actor != SYSTEM:
        fresh_proofs.require_fresh(actor=actor)
    return found


def _find_organization(actor: Actor, organization_id: UUID) -> Organization:
    if policies.can_operate(actor):
        found = Organization.objects.select_for_update().filter(pk=organization_id, deleted_at=None).first()
        if found is None:
            raise NotFound
        return found
    organization = selectors.lock_organization(organization_id, actor)
    role = selectors.role_of(actor, organization)
    policies.require(policies.can_manage_identity(actor, role, is_home=organization.is_home))
    return organization


def _checked(kind: IdentityProviderKind, values: dict[str, Any]) -> dict[str, Any]:
    """The name is on the sign-in page, whoever calls."""
    values = values | {name: rule(values[name], field=name) for name, rule in WORDS.items() if name in values}
    if "domains" in values:
        values["domains"] = rules.domains(values["domains"])
    if kind == IdentityProviderKind.OIDC and not values.get("issuer"):
        raise Invalid(fields=[FieldError("issuer", "required", str(Invalid.default_detail))])
    if values.get("issuer"):
        addresses.check_url(values["issuer"], resolves=False)
    return values


def _announce(fact: object, row: IdentityProvider, actor: Actor) -> None:
    emit(fact, actor=actor, scope=scope_of(row.organization_id), subject=("identity_provider", row.pk))


# Who comes in


@dataclass(frozen=True, slots=True)
class Word:
    """What a provider says about somebody: ``uid`` is theirs at that provider for good, the address is only a claim."""

    slug: str
    uid: str
    email: str
    is_verified: bool
    name: str = ""


@transaction.atomic
def admit(*, word: Word, linked_to: UUID | None) -> User:
    """The person this is, linked and, where the provider may bring people in, made and a member.

    A link that is there counts as long as the person belongs to the provider's organization. Without one only a confirmed
    address in the provider's domains counts, and only for somebody who belongs already, whom it has not named otherwise (an
    address that was given away again is another person's) and who decides about nobody else; the others connect it while they
    are signed in. Strangers join where the provider lets them, with an account of their own. Raises ``SsoRefused``,
    ``SsoNotLinked``, ``MailDomainNotAllowed``.
    """
    row = IdentityProvider.objects.select_related("organization").filter(slug=word.slug, is_enabled=True).first()
    if linked_to is not None:
        user = User.objects.get(pk=linked_to)
        if row is not None and not _belongs(user, row):
            raise SsoRefused
        return user
    if not word.is_verified or not word.email or (row is not None and not is_in(word.email, row.domains)):
        raise SsoRefused
    found = User.objects.select_for_update().filter(email__iexact=word.email).first()
    if found is not None and (row is None or not _may_be_linked(found, row)):
        raise SsoNotLinked
    person = found or _bring_in(word, row)
    if found is not None and mailboxes.clear_unproved(user=person, how="sso"):
        person.set_unusable_password()
        person.save(update_fields=["password", "updated_at"])
    _link(person, word)
    return person


def require_may_connect(*, actor: Actor, word: Word) -> None:
    """For somebody who is signed in and adds this provider to their account."""
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    if _is_named_otherwise(user, word):
        raise SsoNotLinked
    row = IdentityProvider.objects.filter(slug=word.slug).first()
    if row is None:
        return
    is_own = word.is_verified and word.email.casefold() == user.email.casefold()
    if not is_own or not is_in(word.email, row.domains) or not _belongs(user, row):
        raise SsoRefused


@transaction.atomic
def disconnect(*, actor: Actor, account_id: int) -> None:
    """Take an identity off one's own account; sessions that began with it end, but the one that asks.

    ``LastWayIn`` (409) where nothing else would let the person in. Takes a fresh proof.
    """
    policies.require(policies.can_change_own_account(actor))
    fresh_proofs.require_fresh(actor=actor)
    user = User.objects.select_for_update().get(pk=actor.user_id)
    account = SocialAccount.objects.filter(user=user, pk=account_id).first()
    if account is None:
        raise NotFound
    if not _has_another_way_in(user, account):
        raise LastWayIn
    provider_id, slug = find_provider_id(slug=account.provider), account.provider
    known = find_known(slug)
    account.delete()
    theirs = UserSession.objects.filter(user=user, method=SignInMethod.SSO, identity_provider=provider_id)
    sessions.end_listed(theirs.exclude(pk=actor.session_id), SessionEnd.REVOKED, actor)
    emit(
        events.IdentityUnlinked(user_id=user.pk, provider=slug),
        actor=actor,
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
    letters.send_way_in(user=user, what=known.name if known else slug, is_added=False)


def _has_another_way_in(user: User, account: SocialAccount) -> bool:
    """A password or a passkey, unless an organization takes no such thing; or another identity that is on."""
    rules = rules_of(user.pk)
    if rules.providers is None:
        has_passkey = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).exists()
        if user.has_usable_password() or has_passkey:
            return True
    others = SocialAccount.objects.filter(user=user).exclude(pk=account.pk).values_list("provider", flat=True)
    own = IdentityProvider.objects.filter(slug__in=others, is_enabled=True, organization__deleted_at=None)
    if rules.providers is not None:
        return own.filter(pk__in=rules.providers).exists()
    return own.exists() or bool(set(others) & settings.PARLANCE_IDENTITY_PROVIDERS.keys())


@transaction.atomic
def note_connected(*, actor: Actor, slug: str, name: str) -> None:
    """After allauth has stored the link that ``require_may_connect`` allowed."""
    policies.require(policies.can_change_own_account(actor))
    user = User.objects.get(pk=actor.user_id)
    emit(
        events.IdentityLinked(user_id=user.pk, provider=slug),
        actor=actor,
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
    letters.send_way_in(user=user, what=name, is_added=True)


def _belongs(user: User, row: IdentityProvider) -> bool:
    return OrganizationMember.objects.filter(organization=row.organization_id, user=user).exists()


def _may_be_linked(user: User, row: IdentityProvider) -> bool:
    """By an address alone: whoever runs a provider could write any address into it, so nobody's rights over others go that way."""
    if user.is_staff or user.is_superuser or not _belongs(user, row):
        return False
    if SocialAccount.objects.filter(user=user, provider=row.slug).exists():
        return False
    decides = OrganizationMember.objects.filter(
        user=user, role__in=policies.ORGANIZATION_PERMISSIONS["manage"], organization__deleted_at=None
    )
    others = OrganizationMember.objects.filter(organization=OuterRef("organization")).exclude(user=user)
    return not decides.filter(
        Q(organization=row.organization_id) | Q(organization__is_home=True) | Exists(others)
    ).exists()


def _is_named_otherwise(user: User, word: Word) -> bool:
    return SocialAccount.objects.filter(user=user, provider=word.slug).exclude(uid=word.uid).exists()


def _bring_in(word: Word, row: IdentityProvider | None) -> User:
    if row is None and not people.is_sign_up_open():
        raise SsoRefused
    if row is not None and not row.joins_as:
        raise SsoRefused
    if row is not None:
        require_mail_domain(organization_id=row.organization_id, email=word.email)
    try:
        user = people.create_user(
            email=word.email,
            password=None,
            name=word.name[:120],
            how="sso",
        )
    except EmailTaken:
        raise SsoNotLinked from None  # somebody was quicker
    if row is None:
        people.settle_in(user=user)
    else:
        add_member(
            organization=row.organization, user=user, role=OrganizationRole(row.joins_as), actor=actors.member(user)
        )
    return user


def _link(user: User, word: Word) -> None:
    SocialAccount.objects.create(user=user, provider=word.slug, uid=word.uid)
    emit(
        events.IdentityLinked(user_id=user.pk, provider=word.slug),
        actor=actors.member(user),
        scope=Scope(events.user_topic(user.pk)),
        subject=("user", user.pk),
    )
