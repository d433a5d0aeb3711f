"""What an organization asks of a sign-in: a second factor, its own provider, its mail domains, the length of a session."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from apps.accounts import receivers, rules
from apps.accounts.models import ApiKey, IdentityProvider, UserSession
from apps.accounts.pages.forms import SetPasswordForm
from apps.accounts.services import invitations, sessions, sign_in_rules
from apps.accounts.types import SYSTEM, MailDomainNotAllowed, OrganizationRole, SessionEnd, SessionKind, SsoNeeded
from apps.core.models import Event, MailMessage
from tests.accounts.factories import PASSWORD, ProjectFactory, UserFactory, actor_of, member_of
from tests.accounts.test_second_factors import code_of, with_app

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


@pytest.fixture
def user(project):
    return member_of(project)


def sign_in(client, user):
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})


def token(user, **more):
    body = {"email": user.email, "password": PASSWORD, **more}
    return Client().post("/api/v1/auth/token/", body, content_type="application/json")


def change(project, owner, **values):
    return sign_in_rules.change_rules(actor=actor_of(owner), organization_id=project.organization_id, **values)


def reset_token(user):
    user.refresh_from_db()
    return f"{user_pk_to_url_str(user)}-{EmailAwarePasswordResetTokenGenerator().make_token(user)}"


def provider_of(project, **values):
    defaults = {"kind": "oidc", "name": "Sand", "slug": "sand", "issuer": "https://id.sand.example", "client_id": "x"}
    return IdentityProvider.objects.create(organization=project.organization, **(defaults | values))


@pytest.mark.django_db(transaction=True)
def test_second_factor_is_set_up_before_anything_else_opens(project, owner, user):
    change(project, owner, require_second_factor=True)
    client = Client()

    sign_in(client, user)

    assert client.get("/api/v1/me/").status_code == 401
    assert client.get("/settings/profile/")["Location"].startswith("/accounts/login/")
    assert client.get("/accounts/login/?next=/settings/profile/")["Location"] == "/accounts/2fa/"
    assert "Set up a second factor" in client.get("/accounts/2fa/").content.decode()
    assert client.get("/accounts/password/change/").status_code == 302
    secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
    assert client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    assert client.get("/api/v1/me/").status_code == 200
    assert client.get("/settings/security/").status_code == 200
    answer = client.post("/accounts/2fa/totp/deactivate/")
    assert "You cannot deactivate" in answer.content.decode()  # the last one stays while the rule holds


def test_programs_need_the_second_factor_too(project, owner, user):
    change(project, owner, require_second_factor=True)

    assert (token(user).status_code, token(user).json()["code"]) == (403, "second_factor_missing")
    assert token(user, code=code_of(with_app(user))).status_code == 200


def test_rule_that_is_switched_on_ends_sessions_that_fall_short(project, owner, user):
    client = Client()
    sign_in(client, user)
    access = token(user).json()["access"]
    stranger = Client()
    sign_in(stranger, UserFactory())

    assert change(project, owner, require_second_factor=True) == 2

    assert client.get("/api/v1/me/").status_code == 401
    assert Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {access}"}).status_code == 401
    assert stranger.get("/api/v1/me/").status_code == 200
    assert set(UserSession.objects.filter(user=user).values_list("end_reason", flat=True)) == {SessionEnd.RULES}


def test_rule_changed_by_a_command_is_followed(project, user, owner):
    from apps.core import preferences
    from apps.core.doors.settings import Level
    from apps.core.eventlog.consumers import logged

    client = Client()
    sign_in(client, user)
    preferences.change_setting(
        actor=replace(SYSTEM, user_id=owner.pk),
        key="accounts.require_second_factor",
        level=Level.ORGANIZATION,
        target_id=project.organization_id,
        value=True,
    )
    event = Event.objects.get(type="core.setting_changed")
    Event.objects.filter(pk=event.pk).update(position=1)
    event.refresh_from_db()

    receivers.follow_settings(logged(event))

    assert client.get("/api/v1/me/").status_code == 401
    assert Event.objects.filter(type="accounts.sessions_ended").values_list("actor_id", flat=True)[0] == owner.pk


def test_length_of_sessions(project, owner, user):
    client = Client()
    sign_in(client, user)

    change(project, owner, session_hours=2)
    sign_in(other := Client(), user)

    assert client.get("/api/v1/me/").status_code == other.get("/api/v1/me/").status_code == 200
    for session in UserSession.objects.filter(user=user):
        assert session.expires_at <= timezone.now() + timedelta(hours=2)


def test_single_sign_on_only_refuses_passwords_and_ends_their_sessions(project, owner, user):
    client = Client()
    sign_in(client, user)
    provider_of(project)

    assert change(project, owner, sso_only=True) == 1

    assert client.get("/api/v1/me/").status_code == 401
    assert sign_in(client, user).status_code == 403
    assert client.post("/accounts/password/reset/", {"email": user.email}).status_code == 302
    assert not MailMessage.objects.exists()
    reset = {"token": reset_token(user), "password": "another horse battery"}
    refused = client.post("/api/v1/auth/password/reset/confirm/", reset, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "sso_needed")
    assert (token(user).status_code, token(user).json()["code"]) == (403, "sso_needed")
    link = sessions.make_sign_in_link(actor=SYSTEM, user=user)
    client.post(f"/accounts/link/{link}/")
    assert client.get("/api/v1/me/").status_code == 200  # who is locked out gets in by an operator's link
    body = {"organization": str(project.organization_id), "name": "x"}
    refused = client.post("/api/v1/api-keys/", body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"], ApiKey.objects.count()) == (403, "sso_needed", 0)


def test_single_sign_on_only_takes_no_new_password_either(project, owner, user):
    """It would open the account as soon as the rule is off or the person has left."""
    provider_of(project)
    change(project, owner, sso_only=True)
    client = Client()
    client.post(f"/accounts/link/{sessions.make_sign_in_link(actor=SYSTEM, user=user)}/")
    new = {"password1": "another horse battery", "password2": "another horse battery"}

    changed = client.post("/accounts/password/change/", {"oldpassword": PASSWORD} | new)
    user.refresh_from_db()
    kept = user.check_password(PASSWORD)
    user.set_unusable_password()
    user.save()
    client.post(f"/accounts/link/{sessions.make_sign_in_link(actor=SYSTEM, user=user)}/")
    answers = client.get("/accounts/password/set/"), client.post("/accounts/password/set/", new)

    user.refresh_from_db()
    assert (changed.status_code, kept) == (403, True)
    assert [answer.status_code for answer in answers] == [403, 403]
    assert not user.has_usable_password()
    form = SetPasswordForm(user=user, data=new)
    with pytest.raises(SsoNeeded):
        form.is_valid()  # wherever it is shown


def test_mail_domains_hold_for_another_address_too(project, owner, user):
    change(project, owner, mail_domains=["sand.example"])
    client = Client()
    client.force_login(user)

    refused = client.post("/accounts/email/", {"email": "new@elsewhere.example", "action_add": ""})
    taken = client.post("/accounts/email/", {"email": "new@sand.example", "action_add": ""})

    assert "takes only people with an address in its own mail domains" in refused.content.decode()
    assert taken.status_code == 302
    assert set(EmailAddress.objects.filter(user=user).values_list("email", flat=True)) - {user.email} == {
        "new@sand.example"
    }


def test_menu_leads_nobody_to_rules_that_are_not_theirs(owner, user):
    pages = {}
    for person in (owner, user):
        client = Client()
        client.force_login(person)
        pages[person] = "/settings/sign-in/" in client.get("/settings/profile/").content.decode()

    assert pages == {owner: True, user: False}


def test_single_sign_on_only_needs_a_provider_to_be_in_force(project, owner, user):
    change(project, owner, sso_only=True)

    assert sign_in(Client(), user).status_code == 302


def test_mail_domains_hold_for_invitations(project, owner):
    change(project, owner, mail_domains=["sand.example"])

    with pytest.raises(MailDomainNotAllowed) as refused:
        invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email="x@elsewhere.example")

    assert refused.value.code == "mail_domain_not_allowed"
    invitations.invite(actor=actor_of(owner), organization_id=project.organization_id, email="x@Sand.example")


def test_members_change_no_rules(project, user):
    from apps.core.errors import Forbidden

    with pytest.raises(Forbidden):
        change(project, user, require_second_factor=True)

    assert rules.rules_of(user.pk) == rules.SignInRules()


def test_strictest_of_all_organizations_holds():
    first, second = UserFactory().pk, UserFactory().pk
    each = [
        rules.SignInRules(hours=8, providers=frozenset({first})),
        rules.SignInRules(needs_second_factor=True, providers=frozenset({second}), hours=2),
        rules.SignInRules(),
    ]

    assert rules.strictest(each) == rules.SignInRules(True, frozenset({first, second}), 2)
    assert rules.strictest([]) == rules.SignInRules()
    assert OrganizationRole.OWNER


@pytest.mark.django_db(transaction=True)
def test_session_that_begins_while_a_rule_is_made_does_not_outlive_it():
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    user = member_of(project)
    has_begun, may_end = threading.Event(), threading.Event()

    def begin():
        try:
            with transaction.atomic():
                sessions.begin_session(user=user, kind=SessionKind.COOKIE, session_key="slow")
                has_begun.set()
                may_end.wait(20)
        finally:
            connection.close()

    def make_rule():
        try:
            change(project, owner, require_second_factor=True)
        finally:
            connection.close()

    slow, rule = threading.Thread(target=begin), threading.Thread(target=make_rule)
    slow.start()
    assert has_begun.wait(20)
    rule.start()
    rule.join(1)
    may_end.set()
    slow.join()
    rule.join()

    assert UserSession.objects.get(user=user).end_reason == SessionEnd.RULES
