"""What is kept of a person leaves with them: all kinds of it, no secret, nothing of others."""

import json
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from apps.accounts.models import ApiKey, CodeGuess, Device, SignInAttempt, SignInSignal, UserSession
from apps.accounts.services import denials, keys, personal
from apps.accounts.services.attempts import account_hash
from apps.accounts.types import RiskSignal
from apps.core import preferences
from apps.core.doors.settings import Level
from apps.core.models import Event
from tests.accounts.factories import (
    PASSWORD,
    ProjectFactory,
    UserFactory,
    actor_of,
    add_to_project,
    bearer,
    key_of,
    member_of,
    team_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return UserFactory(name="Ann")


@pytest.fixture
def project(owner):
    return ProjectFactory(owner=owner)


@pytest.fixture
def ines(owner, project):
    user = member_of(project)
    add_to_project(user, project)
    team_of(project.organization, user, name="Quay")
    denials.deny(
        actor=actor_of(owner),
        organization_id=project.organization_id,
        user_id=user.pk,
        permission="manage",
        reason="Why",
    )
    keys.make_api_key(actor=actor_of(user), organization_id=project.organization_id, name="Report")
    device = Device.objects.create(user=user, token_hash=b"d" * 32, user_agent="Firefox")
    attempt = SignInAttempt.objects.create(
        user=user, device=device, account_hash=account_hash(user.email), address="192.0.2.1", score=20
    )
    SignInSignal.objects.create(attempt=attempt, signal=RiskSignal.NEW_DEVICE, points=20, facts={"devices": 1})
    SignInAttempt.objects.create(account_hash=account_hash(user.email), address="192.0.2.2")
    UserSession.objects.create(
        user=user, epoch=user.epoch, device=device, expires_at=timezone.now() + timedelta(days=1)
    )
    CodeGuess.objects.create(user=user)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "SEED"})
    SocialAccount.objects.create(user=user, provider="harbour", uid="42", extra_data={"name": "Inês"})
    preferences.change_setting(actor=actor_of(user), key="web.theme", level=Level.USER, target_id=user.pk, value="dark")
    return user


def test_every_kind_is_told(ines):
    told = personal.export_person(actor=actor_of(ines))["accounts"]

    assert {kind: len(rows) for kind, rows in told.items() if rows} == {
        "account": 1,
        "organizations": 1,
        "teams": 1,
        "projects": 1,
        "denials": 1,
        "api_keys": 1,
        "sessions": 1,
        "devices": 1,
        "sign_in_attempts": 2,
        "second_factors": 1,
        "second_factor_guesses": 1,
        "identities": 1,
        "settings": 1,
    }
    assert told["sign_in_attempts"][0]["signals"] == [{"signal": "new_device", "points": 20, "facts": {"devices": 1}}]
    assert told["devices"][0]["user_agent"] == "Firefox"


def test_no_secret_and_no_reason_of_others_leaves(ines):
    text = json.dumps(personal.export_person(actor=actor_of(ines)), default=str)
    key = ApiKey.objects.get()

    for secret in (
        "SEED",
        "Why",
        ines.password,
        bytes(key.token_hash).hex(),
        str(bytes(key.token_hash)),
        str(b"d" * 32),
    ):
        assert secret not in text
    assert "hash" not in text


def test_nothing_of_others_is_told(ines, owner):
    text = json.dumps(personal.export_person(actor=actor_of(owner)), default=str)

    assert str(ines.pk) not in text
    assert ines.email not in text
    assert "Firefox" not in text


def test_it_leaves_by_api_and_page_in_person_and_is_logged(ines, project):
    token = Client().post("/api/v1/auth/token/", {"email": ines.email, "password": PASSWORD}, "application/json")
    browser = Client()
    browser.force_login(ines)

    by_key = Client(headers=bearer(key_of(ines, project.organization))).get("/api/v1/me/export/")
    page = browser.get("/settings/erase/take-along/")

    assert (by_key.status_code, token.status_code) == (403, 401)  # the second factor is asked of programs too
    assert (page.status_code, page["Cache-Control"]) == (200, "no-store")
    assert page["Content-Disposition"].startswith("attachment")
    assert page.json()["accounts"]["account"][0]["email"] == ines.email
    assert "/settings/erase/take-along/" in browser.get("/settings/erase/").content.decode()
    assert Event.objects.filter(type="accounts.person_exported").count() == 1


def test_api_gives_the_same(owner, project):
    token = (
        Client().post("/api/v1/auth/token/", {"email": owner.email, "password": PASSWORD}, "application/json").json()
    )
    told = Client(headers=bearer(token["access"])).get("/api/v1/me/export/")

    assert told["Cache-Control"] == "no-store"
    assert told.json().keys() >= {"accounts", "conversations", "files"}
    assert told.json()["accounts"]["sessions"][0]["kind"] == "token"
