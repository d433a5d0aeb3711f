import threading
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from apps.accounts.models import Organization, OrganizationMember, Project, SignInAttempt, SignInLink, User
from apps.accounts.services import people, sessions
from apps.accounts.types import SYSTEM, LinkNotValid, OrganizationRole, SignInMethod
from tests.accounts.factories import UserFactory

PASSWORD = "correct horse battery"


@pytest.mark.django_db
def test_start_first_makes_one_home_and_a_new_link_until_claimed():
    first = people.start_first()
    second = people.start_first()

    assert (first.organization_id, first.project_id) == (second.organization_id, second.project_id)
    assert Organization.objects.count() == Project.objects.count() == 1
    assert sessions.find_sign_in_link(token=first.link_token) is None
    assert sessions.find_sign_in_link(token=second.link_token) is not None
    user = people.claim_instance(token=second.link_token, email="a@example.org", password=PASSWORD, name="A")
    assert user.is_superuser
    assert OrganizationMember.objects.get().role == OrganizationRole.OWNER
    assert people.start_first().link_token is None
    with pytest.raises(LinkNotValid):
        people.claim_instance(token=second.link_token, email="b@example.org", password=PASSWORD, name="B")


@pytest.mark.django_db
def test_first_start_takes_the_person_from_the_environment(monkeypatch):
    monkeypatch.setenv("PARLANCE_ADMIN_EMAIL", "admin@example.org")
    monkeypatch.setenv("PARLANCE_ADMIN_PASSWORD", PASSWORD)
    output = StringIO()

    call_command("first_start", stdout=output)
    call_command("first_start", stdout=output)

    assert output.getvalue() == ""
    admin = User.objects.get()
    assert (admin.email, admin.is_superuser, admin.check_password(PASSWORD)) == ("admin@example.org", True, True)


@pytest.mark.django_db
def test_link_signs_in_once_and_get_does_not_use_it(client):
    user = UserFactory()
    token = sessions.make_sign_in_link(actor=SYSTEM, user=user)
    path = f"/accounts/link/{token}/"

    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.post(path).status_code == 400
    assert client.get(path).status_code == 400
    assert bytes(SignInLink.objects.get().token_hash) != token.encode()


@pytest.mark.django_db
def test_claim_page_signs_in_the_first_person(client):
    output = StringIO()
    call_command("first_start", stdout=output)
    path = "/" + output.getvalue().removeprefix("link: ").strip().split("/", 3)[3]

    weak = client.post(path, {"name": "Ann", "email": "ann@example.org", "password": "123"})
    filled = {"name": "Ann", "email": "ann@example.org", "password": PASSWORD}
    good = client.post(path, filled, headers={"Accept-Language": "de"})

    assert weak.status_code == 400
    assert good.status_code == 302
    assert User.objects.get().is_superuser
    assert User.objects.get().language == "de"
    attempt = SignInAttempt.objects.get()
    assert (attempt.user, attempt.has_succeeded, attempt.method) == (User.objects.get(), True, SignInMethod.LINK)
    activity = client.get("/settings/sign-in-activity/").content.decode()
    assert "Hereingelassen" in activity
    assert "Anmeldelink" in activity


@pytest.mark.django_db(transaction=True)
def test_twenty_who_claim_at_once_make_one_admin():
    token = people.start_first().link_token
    outcomes = []
    barrier = threading.Barrier(20)

    def claim(number):
        barrier.wait()
        try:
            people.claim_instance(token=token, email=f"p{number}@example.org", password=PASSWORD, name="P")
            outcomes.append("claimed")
        except LinkNotValid:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["claimed"] + ["refused"] * 19
    assert User.objects.filter(is_superuser=True).count() == User.objects.count() == 1


@pytest.mark.django_db
def test_link_that_is_no_longer_good_names_the_way_back_that_there_is(client):
    token = people.start_first().link_token
    people.start_first()  # prints the next link, and this one is over
    path = f"/accounts/link/{token}/"

    before = client.get(path).content.decode()
    UserFactory(is_superuser=True)
    after = client.get(path).content.decode()

    assert "Start the server again: it prints a new link." in before
    assert "Start the server again" not in after
    assert "manage.py create_sign_in_link" in after
    assert 'href="/accounts/password/reset/"' in after
