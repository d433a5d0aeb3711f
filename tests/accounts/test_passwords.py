"""Words that are guessed first here are no passwords, and what a person types is what is looked at."""

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from tests.accounts.factories import UserFactory


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
