"""An account that somebody made with an address of somebody else, and the day its owner comes."""

import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from apps.accounts import selectors
from apps.accounts.models import (
    ApiKey,
    Device,
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    SignInAttempt,
    User,
    UserSession,
)
from apps.accounts.services import codes, invitations, keys, organizations, proof_codes, service_accounts
from apps.accounts.services.unproved import AddressNotConfirmed
from apps.accounts.types import CodeRefused, OrganizationRole, RiskVerdict, SecondFactorNotValid
from apps.conversations import services as conversations
from apps.conversations.types import Visibility
from apps.core.errors import Forbidden, NotFound
from apps.core.models import Event, MailMessage
from apps.llm import services as providers
from apps.llm.presets import ProviderKind
from apps.workflows import services as workflows
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of
from tests.workflows.factories import defined

pytestmark = pytest.mark.django_db

VICTIM = "vera@example.org"
SCHEDULE = {"every": {"hours": 1}}
NEW_PASSWORD = "a quiet walk by the river"


@pytest.fixture
def stranger(settings):
    """Signed up with an address that is not theirs, and set up all that might open the account later."""
    settings.PARLANCE_SIGN_UP = "open"
    settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
    settings.PARLANCE_SIGN_IN_RISK = (1000, 1000)
    UserFactory(is_superuser=True)
    client = Client()
    client.post("/accounts/signup/", {"name": "Vera", "email": VICTIM, "password1": PASSWORD})
    vera = User.objects.get(email=VICTIM)
    organization_id = OrganizationMember.objects.get(user=vera).organization_id
    actor = actor_of(vera)
    keys.make_api_key(actor=actor, organization_id=organization_id, name="mine", scopes=())
    program = service_accounts.create_service_account(
        actor=actor, organization_id=organization_id, name="robot", role=OrganizationRole.MEMBER
    )
    keys.make_api_key(
        actor=actor, organization_id=organization_id, name="its", scopes=(), service_account_id=program.pk
    )
    Authenticator.objects.create(user=vera, type=Authenticator.Type.WEBAUTHN, data={})
    SocialAccount.objects.create(user=vera, provider="google", uid="stranger")
    EmailAddress.objects.create(user=vera, email="stranger@example.net")
    invitations.invite(actor=actor, organization_id=organization_id, email="friend@example.net")
    return client


def what_opens():
    vera = User.objects.get(email=VICTIM)
    return {
        "sessions": UserSession.objects.in_force().filter(user=vera).count(),
        "keys": ApiKey.objects.filter(revoked_at=None).count(),
        "factors": Authenticator.objects.filter(user=vera).count(),
        "identities": SocialAccount.objects.filter(user=vera).count(),
        "devices": Device.objects.filter(user=vera, forgotten_at=None).count(),
        "changes": EmailAddress.objects.filter(user=vera, email="stranger@example.net").count(),
        "invitations": Invitation.objects.filter(revoked_at=None, accepted_at=None).count(),
    }


def token_mailed():
    Client().post("/accounts/password/reset/", {"email": VICTIM})
    letter = MailMessage.objects.filter(recipient=VICTIM, text__contains="/password/reset/key/").latest("created_at")
    return re.search(r"/password/reset/key/([^/\s]+)/", letter.text)[1]


def reset_on_the_page():
    client = Client()
    form = client.get(f"/accounts/password/reset/key/{token_mailed()}/")["Location"]
    return client.post(form, {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})


def reset_over_the_api():
    body = {"token": token_mailed(), "password": NEW_PASSWORD}
    return Client().post("/api/v1/auth/password/reset/confirm/", body, content_type="application/json")


@pytest.mark.parametrize("reset", [reset_on_the_page, reset_over_the_api])
def test_new_password_for_an_address_that_was_never_confirmed_ends_what_was_set_up_before(stranger, reset):
    before = what_opens()

    answer = reset()

    assert answer.status_code in {204, 302}
    assert min(before.values()) == 1
    assert what_opens() == dict.fromkeys(before, 0)
    assert stranger.get("/settings/profile/").status_code == 302
    assert Client().login(email=VICTIM, password=NEW_PASSWORD)
    assert EmailAddress.objects.get().verified is True
    told = Event.objects.get(type="accounts.mailbox_proved").payload
    counts = {"keys": 2, "second_factors": 1, "identities": 1, "sessions": 1, "organizations": 1}
    assert told == {"user_id": str(User.objects.get(email=VICTIM).pk), "how": "password_reset"} | counts
    ended = Event.objects.filter(type__in=["accounts.api_key_revoked", "accounts.second_factor_removed"])
    assert ended.count() == 3
    assert MailMessage.objects.filter(recipient=VICTIM, subject__contains="yours alone").count() == 1


def seen_by(user):
    return sorted(selectors.visible_organizations(actor_of(user)).values_list("pk", flat=True))


def test_owner_of_an_address_begins_in_a_new_organization_and_is_told_of_those_with_others_in_them(stranger):
    """What stands in the stranger's, a provider with an address of their own, answers nobody who is honest."""
    vera = User.objects.get(email=VICTIM)
    [before] = seen_by(vera)
    Organization.objects.filter(pk=before).update(name="Set up")
    shared = ProjectFactory(organization__name="Lodge", owner=UserFactory()).organization
    OrganizationMember.objects.create(organization=shared, user=vera)

    reset_over_the_api()

    assert seen_by(vera) == [shared.pk]
    letter = MailMessage.objects.get(recipient=VICTIM, subject__contains="yours alone").text
    assert "“Set up”, which nobody else was in, is put away" in letter
    assert "belongs to the organization “Lodge”, too" in letter
    assert Event.objects.filter(type="accounts.organization_put_away", subject_id=before).count() == 1

    organizations.give_back(actor=actor_of(UserFactory(is_staff=True, is_superuser=True)), organization_id=before)

    assert seen_by(vera) == sorted([before, shared.pk])
    assert what_opens() == dict.fromkeys(what_opens(), 0)


def test_owner_of_an_address_who_is_in_no_other_organization_gets_one_of_their_own(stranger):
    vera = User.objects.get(email=VICTIM)
    before = seen_by(vera)

    reset_over_the_api()

    after = seen_by(vera)
    assert len(after) == 1
    assert after != before


def test_organization_is_given_back_by_operators_and_only_one_that_was_put_away(stranger):
    vera = User.objects.get(email=VICTIM)
    [before] = seen_by(vera)
    operator = actor_of(UserFactory(is_staff=True, is_superuser=True))
    with pytest.raises(NotFound):
        organizations.give_back(actor=operator, organization_id=before)
    reset_over_the_api()

    with pytest.raises(Forbidden):
        organizations.give_back(actor=actor_of(vera), organization_id=before)
    Organization.objects.filter(pk=before).update(erased_for="operator")
    with pytest.raises(NotFound):
        organizations.give_back(actor=operator, organization_id=before)

    assert before not in seen_by(vera)


def makes(actor, project, conversation_id, definition_id):
    organization_id = project.organization_id
    return {
        "organization": lambda: organizations.create_organization(actor=actor, name="Another"),
        "invitation": lambda: invitations.invite(
            actor=actor, organization_id=organization_id, email="nuno@example.org"
        ),
        "key": lambda: keys.make_api_key(actor=actor, organization_id=organization_id, name="late", scopes=()),
        "service account": lambda: service_accounts.create_service_account(
            actor=actor, organization_id=organization_id, name="late"
        ),
        "provider": lambda: providers.create_provider(
            actor=actor,
            organization_id=organization_id,
            kind=ProviderKind.OPENAI_COMPATIBLE,
            name="Mine",
            base_url="https://models.example.net/v1",
        ),
        "share link": lambda: conversations.make_link(actor=actor, conversation_id=conversation_id),
        "secret": lambda: workflows.keep_secret(
            actor=actor, project_id=project.pk, name="shop", value={"token": "sesame"}
        ),
        "schedule": lambda: defined(actor, project, [{"keep": {"set": "${ . }"}}], name="late", schedule=SCHEDULE),
        "schedule again": lambda: workflows.resume_start(actor=actor, definition_id=definition_id),
    }


def test_account_whose_address_nobody_confirmed_makes_nothing_that_lasts_or_lets_others_in(stranger, settings):
    vera = User.objects.get(email=VICTIM)
    actor = actor_of(vera)
    [organization_id] = seen_by(vera)
    project = Project.objects.get(organization=organization_id)
    linked = conversations.start_conversation(actor=actor, project_id=project.pk)
    armed = defined(actor, project, [{"keep": {"set": "${ . }"}}], schedule=SCHEDULE)
    workflows.pause_start(actor=actor, definition_id=armed.pk)
    conversations.change_conversation(actor=actor, conversation_id=linked.pk, changes={"visibility": Visibility.LINK})
    assert b">Confirm</a>" not in stranger.get("/settings/profile/").content
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    there = (ApiKey.objects.count(), Invitation.objects.count(), Organization.objects.count())

    for act in makes(actor, project, linked.pk, armed.pk).values():
        with pytest.raises(AddressNotConfirmed):
            act()

    assert (ApiKey.objects.count(), Invitation.objects.count(), Organization.objects.count()) == there
    page = stranger.post("/settings/people/", {"form": "invite", "email": "nuno@example.org", "role": "member"})
    assert "Confirm your e-mail address first" in page.content.decode()
    assert b'href="/accounts/email/">Confirm</a>' in stranger.get("/settings/profile/").content
    assert b"Send the link again" in stranger.get("/accounts/email/").content

    EmailAddress.objects.filter(email=VICTIM).update(verified=True)

    for act in makes(actor, project, linked.pk, armed.pk).values():
        act()
    assert (ApiKey.objects.count(), Organization.objects.count()) == (there[0] + 1, there[2] + 1)


def test_new_password_for_an_address_that_was_confirmed_leaves_keys_and_factors(stranger):
    EmailAddress.objects.filter(email=VICTIM).update(verified=True)

    reset_over_the_api()

    kept = what_opens()
    assert (kept["sessions"], kept["keys"], kept["factors"], kept["identities"]) == (0, 2, 1, 1)
    assert not Event.objects.filter(type="accounts.mailbox_proved").exists()


def test_link_that_confirms_counts_only_for_who_is_signed_in_to_the_account(stranger):
    """Its owner would click it and confirm what a stranger has set up."""
    path = f"/accounts/confirm-email/{EmailConfirmationHMAC(EmailAddress.objects.get(email=VICTIM)).key}/"
    somebody = Client()
    somebody.force_login(UserFactory())

    answers = [client.post(path) for client in (Client(), somebody)]

    assert [answer["Location"] for answer in answers] == [
        f"/accounts/login/?next={path.replace('/', '%2F').replace(':', '%3A')}"
    ] * 2
    assert EmailAddress.objects.get(email=VICTIM).verified is False
    assert b"Sign in to confirm the address" in Client().get(path, follow=True).content

    stranger.post(path)

    assert EmailAddress.objects.get(email=VICTIM).verified is True


def code_at_the_sign_in(vera):
    attempt = SignInAttempt.objects.create(
        user=vera, account_hash=b"x" * 32, verdict=RiskVerdict.STEP_UP, judged_at=timezone.now()
    )
    codes.send_code(attempt=attempt)
    return lambda code: codes.take_code(attempt_id=attempt.pk, code=code)


def code_as_a_fresh_proof(vera):
    kept = proof_codes.send_code(actor=actor_of(vera))
    return lambda code: proof_codes.check_code(actor=actor_of(vera), code=code, kept=kept)


@pytest.mark.parametrize("asked", [code_at_the_sign_in, code_as_a_fresh_proof])
def test_mailed_code_confirms_the_address_for_who_types_it_and_nothing_ends(stranger, asked):
    take = asked(User.objects.get(email=VICTIM))
    code = re.search(r"^ {4}(\d{4} \d{4})$", MailMessage.objects.latest("created_at").text, re.MULTILINE)[1]
    before = what_opens()
    with pytest.raises((SecondFactorNotValid, CodeRefused)):
        take("0000 000x")
    assert EmailAddress.objects.get(email=VICTIM).verified is False

    take(code)

    assert EmailAddress.objects.get(email=VICTIM).verified is True
    assert what_opens() == before


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_page_of_the_new_password_says_what_ends_where_the_address_was_never_confirmed(stranger, is_confirmed):
    EmailAddress.objects.filter(email=VICTIM).update(verified=is_confirmed)
    client = Client()

    page = client.get(client.get(f"/accounts/password/reset/key/{token_mailed()}/")["Location"])

    assert page.status_code == 200
    assert ("ends what was set up before" in page.content.decode()) is not is_confirmed


def test_new_password_goes_to_no_address_that_a_change_is_on_its_way_to(stranger):
    MailMessage.objects.all().delete()

    Client().post("/accounts/password/reset/", {"email": "stranger@example.net"})

    assert not MailMessage.objects.exists()


@pytest.mark.parametrize("is_mailed", [True, False])
def test_invitation_confirms_the_address_by_the_mailed_link_alone(stranger, is_mailed):
    """Whoever invites sees a link too, and could join with it as somebody else."""
    organization_id = OrganizationMember.objects.get(user__email=VICTIM).organization_id
    shown = invitations.invite(
        actor=actor_of(User.objects.get(email=VICTIM)), organization_id=organization_id, email="nuno@example.org"
    ).link
    mailed = re.search(r"https?://\S+/invitation/\S+", MailMessage.objects.get(recipient="nuno@example.org").text)[0]
    path = re.sub(r"^https?://[^/]+", "", mailed if is_mailed else shown)

    answer = Client().post(path, {"name": "Nuno", "password": NEW_PASSWORD})

    assert answer.status_code == 302
    assert EmailAddress.objects.get(email="nuno@example.org").verified is is_mailed


@pytest.mark.parametrize("is_mailed", [True, False])
def test_invitation_of_who_is_signed_in_confirms_their_address_too(stranger, is_mailed):
    nuno = UserFactory(email="nuno@example.org")
    EmailAddress.objects.create(user=nuno, email=nuno.email, primary=True)
    organization_id = OrganizationMember.objects.get(user__email=VICTIM).organization_id
    shown = invitations.invite(
        actor=actor_of(User.objects.get(email=VICTIM)), organization_id=organization_id, email=nuno.email
    ).link
    mailed = re.search(r"https?://\S+/invitation/\S+", MailMessage.objects.get(recipient=nuno.email).text)[0]
    client = Client()
    client.force_login(nuno)

    client.post(re.sub(r"^https?://[^/]+", "", mailed if is_mailed else shown))

    assert OrganizationMember.objects.filter(user=nuno).exists()
    assert EmailAddress.objects.get(email=nuno.email).verified is is_mailed
