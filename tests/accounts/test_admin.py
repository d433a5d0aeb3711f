import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.accounts import actors, models
from apps.accounts.models import ApiKey, User, UserSession
from apps.accounts.services import operators, sessions
from apps.accounts.types import NOBODY, SessionKind
from apps.core.errors import Forbidden
from apps.core.models import Event, MailMessage
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, key_of

pytestmark = pytest.mark.django_db

OURS = [model for model in admin.site._registry if model.__module__ == models.__name__]


@pytest.fixture
def operator():
    return UserFactory(is_staff=True)


@pytest.fixture
def browser(operator):
    client = Client()
    client.force_login(operator)
    return client


def act(browser, model, action, *rows):
    return browser.post(
        reverse(f"admin:accounts_{model}_changelist"),
        {"action": action, "_selected_action": [str(row.pk) for row in rows]},
        follow=True,
    )


def test_index_names_each_app_once_and_shows_no_tables_of_libraries_beside_ours():
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True))

    shown = client.get("/admin/").context["app_list"]

    names = [str(app["name"]) for app in shown]
    assert sorted(names) == sorted(set(names))
    assert not {"account", "auth"} & {app["app_label"] for app in shown}


def test_index_says_what_may_be_done_and_spells_its_tables(browser):
    shown = browser.get("/admin/").content.decode()

    assert "Most of this is only looked at." in shown
    wrong = [model for model in apps.get_models() if re.search("[^aeiou]ys$", str(model._meta.verbose_name_plural))]
    assert wrong == []


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_lists_open_search_and_take_no_additions(browser, model):
    ProjectFactory(owner=UserFactory())
    name = model._meta.model_name

    assert browser.get(reverse(f"admin:accounts_{name}_changelist") + "?q=x").status_code == 200
    assert browser.get(reverse(f"admin:accounts_{name}_add")).status_code == 403


def test_person_page_shows_no_password(browser, operator):
    answer = browser.get(reverse("admin:accounts_user_change", args=[operator.pk]))

    assert answer.status_code == 200
    assert operator.password.encode() not in answer.content


def test_admin_is_closed_to_others(client):
    client.force_login(UserFactory())

    assert client.get("/admin/").status_code in {302, 403}


def test_operator_ends_sessions_of_a_person(browser):
    person = UserFactory()
    session = sessions.begin_session(user=person, kind=SessionKind.TOKEN)

    answer = act(browser, "user", "end_sessions", person)

    session.refresh_from_db()
    assert "1 session has ended." in answer.content.decode()
    assert session.ended_at is not None


def test_operator_ends_one_session_and_withdraws_a_key(browser):
    person = UserFactory()
    session = sessions.begin_session(user=person, kind=SessionKind.TOKEN)
    token = key_of(person, ProjectFactory(owner=person).organization)

    act(browser, "usersession", "end", session)
    act(browser, "apikey", "revoke", ApiKey.objects.get())

    assert UserSession.objects.get(pk=session.pk).end_reason == "operator"
    assert actors.actor_for(api_key=token) == NOBODY
    assert Event.objects.filter(type="accounts.api_key_revoked").count() == 1


def test_operator_mails_a_link_that_only_the_person_sees(browser):
    person = UserFactory()

    answer = act(browser, "user", "send_link", person)

    letter = MailMessage.objects.get()
    token = letter.text.split("/accounts/link/")[1].split("/")[0]
    assert letter.recipient == person.email
    assert token not in answer.content.decode()
    assert sessions.use_sign_in_link(token=token) == person


def test_operator_keeps_somebody_out_but_not_themselves(browser, operator):
    person = UserFactory()

    act(browser, "user", "deactivate", person)
    refused = act(browser, "user", "deactivate", operator)

    assert refused.status_code == 403
    assert list(User.objects.order_by("created_at").values_list("is_active", flat=True)) == [True, False]


def test_services_of_operators_refuse_others():
    person = UserFactory()

    with pytest.raises(Forbidden):
        operators.end_sessions_of(actor=actor_of(person), user_id=person.pk)
