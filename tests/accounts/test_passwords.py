"""Words that are guessed first here are no passwords, and what a person types is what is looked at."""

from urllib.parse import urlsplit

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command

from apps.accounts.models import User
from apps.accounts.services import invitations, people
from apps.accounts.types import OrganizationRole, PasswordRefused
from tests.accounts.factories import OrganizationMemberFactory, ProjectFactory, UserFactory, actor_of


@pytest.mark.parametrize(
    "password",
    ["Parlance2026!", "parlance-parlance", "my.parlance.99", "Lighthouse#123", "HarbourClub-2026", "12harbourclub34"],
)
def test_little_more_than_a_word_of_ours_is_refused(password, settings):
    settings.PARLANCE_URL = "https://lighthouse.example.org"
    settings.PARLANCE_PASSWORD_WORDS = ["parlance", "HarbourClub"]

    with pytest.raises(ValidationError) as refused:
        validate_password(password)

    assert "password_too_common" in {error.code for error in refused.value.error_list}


@pytest.mark.parametrize(
    "password", ["parlance of seven sailors", "correct horse battery", "x" * 3 + " quiet parlances", "ⅷ" * 12]
)
def test_longer_thoughts_are_taken(password):
    validate_password(password)


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [" two spaces ", "Two Spaces", "  two spaces", "two spaces"])
def test_password_is_looked_at_as_it_was_typed(typed, client):
    UserFactory(email="ann@example.org", password="  two spaces ")

    answer = client.post(
        "/api/v1/auth/token/", {"email": "ann@example.org", "password": typed}, content_type="application/json"
    )
    exact = client.post(
        "/api/v1/auth/token/",
        {"email": "ann@example.org", "password": "  two spaces "},
        content_type="application/json",
    )

    assert (answer.status_code, exact.status_code) == (401, 200)


@pytest.mark.parametrize(
    ("password", "name", "email"),
    [
        ("maraNewcomer1", "Mara Newcomer", "owner@example.org"),
        ("leoBrandt2026", "Leo Brandt", "l@example.org"),
        ("2026-LiWu-2026", "Li Wu", "l@example.org"),
        ("quiet.harbour.7", "Ann", "quiet.harbour@example.org"),
        ("ann@studio-north", "Ann", "ann@studio-north.example"),
        ("Ångström-1234", "Åsa Ångström", "a@example.org"),
    ],
)
def test_name_and_address_of_the_person_are_no_password(password, name, email):
    validate_password(password)

    with pytest.raises(ValidationError) as refused:
        validate_password(password, User(name=name, email=email))

    assert "password_too_similar" in {error.code for error in refused.value.error_list}


def test_longer_thought_with_ones_own_name_in_it_is_taken():
    validate_password("mara likes calm mornings", User(name="Mara Newcomer", email="mara@example.org"))


@pytest.mark.django_db
class TestEveryDoor:
    """The person that a form speaks of is known to the rule, wherever a password is set."""

    weak = "maraNewcomer1"
    person = {"name": "Mara Newcomer", "email": "owner@example.org"}

    def test_first_start_page(self, client):
        path = f"/accounts/link/{people.start_first().link_token}/"

        answer = client.post(path, {**self.person, "password": self.weak})

        assert (answer.status_code, User.objects.count()) == (400, 0)
        assert "too similar to your name" in answer.content.decode()

    def test_first_start_command(self, monkeypatch):
        monkeypatch.setenv("PARLANCE_ADMIN_EMAIL", "mara.newcomer@example.org")
        monkeypatch.setenv("PARLANCE_ADMIN_PASSWORD", self.weak)

        with pytest.raises(PasswordRefused, match="too similar to your name"):
            call_command("first_start")

        assert not User.objects.exists()

    def test_invitation_page(self, client):
        project = ProjectFactory()
        owner = OrganizationMemberFactory(organization=project.organization, role=OrganizationRole.OWNER).user
        link = invitations.invite(
            actor=actor_of(owner), organization_id=project.organization_id, email="lb@example.org"
        ).link

        answer = client.post(urlsplit(link).path, {"name": "Mara Newcomer", "password": self.weak})

        assert (answer.status_code, User.objects.filter(email="lb@example.org").exists()) == (400, False)
        assert "too similar to your name" in answer.content.decode()

    def test_sign_up_page(self, client, settings):
        settings.EMAIL_BACKEND = "apps.core.mail_log.EmailBackend"
        UserFactory(is_superuser=True)

        answer = client.post("/accounts/signup/", {**self.person, "password1": self.weak})

        assert "too similar to your name" in answer.content.decode()
        assert not User.objects.filter(email="owner@example.org").exists()

    def test_change_page(self, client):
        user = UserFactory(**self.person, password="correct horse battery")
        client.force_login(user)

        answer = client.post(
            "/accounts/password/change/", {"oldpassword": "correct horse battery", "password1": self.weak}
        )

        user.refresh_from_db()
        assert "too similar to your name" in answer.content.decode()
        assert user.check_password("correct horse battery")

    def test_reset_by_api(self, client, mailoutbox):
        user = UserFactory(**self.person, password="correct horse battery")
        key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"

        answer = client.post(
            "/api/v1/auth/password/reset/confirm/",
            {"token": key, "password": self.weak},
            content_type="application/json",
        )

        assert (answer.status_code, answer.json()["code"]) == (400, "password_refused")
        user.refresh_from_db()
        assert user.check_password("correct horse battery")
