"""An account that somebody made with an address of somebody else, and the day its owner comes."""

import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from apps.accounts.models import ApiKey, Device, Invitation, OrganizationMember, SignInAttempt, User, UserSession
from apps.accounts.services import codes, invitations, keys, proof_codes, service_accounts
from apps.accounts.types import CodeRefused, OrganizationRole, RiskVerdict, SecondFactorNotValid
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, UserFactory, actor_of

pytestmark = pytest.mark.django_db

VICTIM = "vera@example.org"
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
    counts = {"keys": 2, "second_factors": 1, "identities": 1, "sessions": 1}
    assert told == {"user_id": str(User.objects.get(email=VICTIM).pk), "how": "password_reset"} | counts
    ended = Event.objects.filter(type__in=["accounts.api_key_revoked", "accounts.second_factor_removed"])
    assert ended.count() == 3
    assert MailMessage.objects.filter(recipient=VICTIM, subject__contains="yours alone").count() == 1


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
