"""A question that came by mail is answered by its link: by whom it was sent to, for this one choice."""

import re

import pytest
from django.core import signing
from django.test import Client

from apps.accounts.models import User
from apps.core.models import MailMessage
from apps.workflows import letters, selectors
from apps.workflows.types import AnswerLinkGone
from tests.accounts.factories import UserFactory, add_to_project, member_of, reader_of
from tests.workflows.factories import fresh, ran, walked

pytestmark = pytest.mark.django_db

OPTIONS = [{"key": "boat", "title": "The boat"}, {"key": "trial", "title": "The trial", "category": "recommended"}]


def asked(actor, project, **more):
    given = {"question": "How does it end?", "options": OPTIONS, "mail": True, **more}
    run = ran(actor, project, [{"ending": {"call": "choose", "with": given}}])
    (choice,) = selectors.list_choices(run)
    return run, choice


def link_in(mail):
    return re.search(r"/answer/\S+/", mail.text)[0]


def test_link_answers_without_signing_in(actor, owner, project):
    run, _choice = asked(actor, project)
    (mail,) = MailMessage.objects.filter(recipient=owner.email)
    client = Client()

    page = client.get(link_in(mail))
    assert page.status_code == 200
    assert b"How does it end?" in page.content
    assert b"The trial" in page.content
    assert page["Cache-Control"] == "no-store"
    assert fresh(run).status == "waiting"

    assert client.post(link_in(mail), {"option": "trial"}).status_code == 302
    assert walked(run).output["title"] == "The trial"
    assert b"This is decided" in client.get(link_in(mail)).content
    late = client.post(link_in(mail), {"text": "They <b>sink</b>."})
    assert late.status_code == 409
    assert b"You wrote: <q>They &lt;b&gt;sink&lt;/b&gt;.</q>" in late.content
    assert b"This is decided. Thank you." in late.content


def test_each_answers_in_their_own_name(actor, owner, project):
    other = member_of(project)
    add_to_project(other, project)
    run, choice = asked(actor, project, rule="quorum", quorum=2)

    for mail in MailMessage.objects.order_by("created_at"):
        Client().post(link_in(mail), {"option": "boat"})

    answers = selectors.list_answers([choice.pk])[choice.pk]
    assert {each.person_id for each in answers} == {owner.pk, other.pk}
    assert walked(run).output["title"] == "The boat"


def test_own_words_and_wrong_ones(actor, owner, project):
    run, choice = asked(actor, project, rule="quorum", quorum=2)
    address = f"/answer/{letters.token_of(choice.pk, owner.pk)}/"
    client = Client()

    assert client.post(address, {}).status_code == 400
    assert client.post(address, {"option": "nothing"}).status_code == 400
    both = client.post(address, {"option": "boat", "text": "She walks away."})
    assert b"You chose an option and wrote words of your own." in both.content
    client.post(address, {"text": "She walks away."})

    assert b"Your answer is noted" in client.get(address).content
    assert selectors.list_answers([choice.pk])[choice.pk][0].text == "She walks away."
    assert fresh(run).status == "waiting"


def test_mail_and_page_say_until_when_and_what_decides(actor, owner, project):
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    _run, choice = asked(actor, project, rule="quorum", quorum=2, deadline="PT1H")
    (mail,) = MailMessage.objects.filter(recipient=owner.email)

    assert "(Asia/Tokyo)" in mail.text
    assert "As soon as 2 people say the same" in mail.text
    page = Client().get(link_in(mail)).content.decode()
    assert f'datetime="{choice.deadline.date()}' in page
    assert "Decided as soon as 2 people say the same." in page


def test_what_is_no_answer_comes_back_with_its_words_and_why(actor, owner, project):
    do = [{"age": {"call": "ask", "with": {"question": "How old?", "type": "number", "mail": True}}}]
    run = ran(actor, project, do)
    (choice,) = selectors.list_choices(run)
    address = f"/answer/{letters.token_of(choice.pk, owner.pk)}/"

    page = Client().post(address, {"text": "about thirty"})

    assert page.status_code == 400
    assert 'value="about thirty"' in page.content.decode()
    assert "The answer is a number, such as 3 or 2.5." in page.content.decode()
    assert "Your answer is noted" not in page.content.decode()
    assert Client().post(address, {"text": "31"}).status_code == 302


def test_who_has_no_role_any_more_finds_nothing(actor, owner, project):
    _run, choice = asked(actor, project)
    stranger = UserFactory()
    address = f"/answer/{letters.token_of(choice.pk, stranger.pk)}/"
    assert Client().get(address).status_code == 404
    assert Client().post(address, {"option": "boat"}).status_code == 404

    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert Client().get(f"/answer/{letters.token_of(choice.pk, owner.pk)}/").status_code == 404


def test_who_only_reads_does_not_answer(actor, project):
    reader = reader_of(project)
    _run, choice = asked(actor, project)

    assert Client().post(f"/answer/{letters.token_of(choice.pk, reader.pk)}/", {"option": "boat"}).status_code == 403


def test_token_of_nobody_or_of_something_else_is_none(actor, owner, project):
    _run, choice = asked(actor, project)
    good = letters.token_of(choice.pk, owner.pk)
    other = signing.dumps([choice.pk.hex, owner.pk.hex], salt="something.else")

    for token in (good[:-2], f"{good}x", other, "x", signing.dumps("x", salt="workflows.choice")):
        page = Client().get(f"/answer/{token}/", headers={"Accept": "application/json"})
        assert page.status_code == 404
    with pytest.raises(AnswerLinkGone) as refused:
        letters.read_token("x")
    assert refused.value.code == "answer_link_gone"


def test_link_ends_after_thirty_days(actor, owner, project, monkeypatch):
    _run, choice = asked(actor, project)
    address = f"/answer/{letters.token_of(choice.pk, owner.pk)}/"
    monkeypatch.setattr(letters, "LINK_SECONDS", -1)

    assert Client().get(address).status_code == 404


def test_mail_is_in_the_language_of_who_gets_it(actor, owner, project):
    User.objects.filter(pk=owner.pk).update(language="de")
    asked(actor, project)

    assert "Guten Tag" in MailMessage.objects.get(recipient=owner.email).text
