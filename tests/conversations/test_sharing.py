"""Who was let into one conversation sees that one and nothing else of its project; who is kept out sees nothing of it."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm, get_objects_for_user, get_perms

from apps.accounts.models import Team, TeamMember, User
from apps.accounts.types import SYSTEM, OrganizationRole, Permission, ProjectRole
from apps.conversations import portability, selectors, services
from apps.conversations.models import Conversation, ConversationDenial, ConversationGrant, ShareLink
from apps.conversations.search import MessageSearch, TitleSearch
from apps.conversations.topics import ConversationTopic
from apps.conversations.types import (
    LinkNotFound,
    LinksClosed,
    LinksOff,
    OwnConversation,
    TooManyLinks,
    Visibility,
)
from apps.core import preferences
from apps.core.doors.search_sources import SearchQuery
from apps.core.doors.settings import Level
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from tests.accounts.factories import UserFactory, actor_of, bearer, deny, join, key_of, member_of, team_of
from tests.conversations.factories import answer, say, someone, start
from tests.files import samples
from tests.files.factories import upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def guest(project):
    user = UserFactory()
    join(user, project.organization, role=OrganizationRole.GUEST)
    return user


@pytest.fixture
def given(ines, project, guest):
    """One conversation for the guest, and one like it that is not."""
    owner = User.objects.get(pk=ines.user_id)
    conversations = []
    for title in ("Harbour plan", "Harbour secrets"):
        conversation = start(ines, project, title=title)
        file = upload(owner, project, samples.image(), f"{title}.png")
        answer(say(ines, conversation, f"words of {title}", attachments=[file.pk]), f"answer to {title}")
        conversations.append((conversation, file))
    services.invite_participant(
        actor=ines, conversation_id=conversations[0][0].pk, user_id=guest.pk, permission=Permission.VIEW
    )
    return conversations


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_guest_sees_exactly_the_one_conversation(given, guest, project):
    (mine, my_file), (other, other_file) = given
    actor, api = actor_of(guest), Client(headers=bearer(key_of(guest, project.organization)))

    listed = api.get("/api/v1/conversations/").json()["results"]
    assert [row["id"] for row in listed] == [str(mine.pk)]
    assert [row.pk for row in selectors.list_conversations(viewer=actor)] == [mine.pk]
    hits = [
        *MessageSearch().search(actor, SearchQuery("harbour")),
        *TitleSearch().search(actor, SearchQuery("harbour")),
    ]
    assert {hit.extra["conversation"] for hit in hits} == {str(mine.pk)}
    for conversation, file, expected in ((mine, my_file, 200), (other, other_file, 404)):
        base = f"/api/v1/conversations/{conversation.pk}/"
        turn = conversation_turn(conversation)
        for url in (base, f"{base}messages/", f"{base}export/", f"{base}participants/", f"{base}branches/", turn):
            assert api.get(url).status_code == expected, url
        assert api.get(f"/api/v1/attachments/{file.pk}/").status_code == expected
        assert browser_of(guest).get(f"/c/{conversation.pk}/").status_code == expected
        assert browser_of(guest).get(f"/c/{conversation.pk}/context/people/").status_code == expected
        assert browser_of(guest).get(f"/files/{file.pk}/").status_code == expected
        assert ConversationTopic().is_allowed(actor, conversation.pk) is (expected == 200)
        assert api.get(f"{turn}events/").status_code == expected


def conversation_turn(conversation):
    return f"/api/v1/turns/{conversation_rows(conversation).last().turn_id}/"


def conversation_rows(conversation):
    return selectors.messages().filter(conversation=conversation).order_by("number")


def test_guest_sees_nothing_of_the_project(given, guest, project, ines):
    (mine, _file), _other = given
    api = Client(headers=bearer(key_of(guest, project.organization)))

    assert api.get("/api/v1/projects/").json()["results"] == []
    assert api.get(f"/api/v1/projects/{project.pk}/").status_code == 404
    assert api.get("/api/v1/agents/").json()["results"] == []
    page = browser_of(guest).get(f"/c/{mine.pk}/").content.decode()
    assert "Harbour plan" in page
    assert project.name not in page
    assert "Harbour secrets" not in page
    people = browser_of(guest).get(f"/c/{mine.pk}/context/people/").content.decode()
    assert project.name not in people
    assert "Shared with you" in browser_of(guest).get("/").content.decode()
    with pytest.raises(Forbidden):
        services.fork_conversation(actor=actor_of(guest), conversation_id=mine.pk)


def test_grant_to_read_lets_read_and_grant_to_write_lets_write(given, guest, ines):
    (mine, _file), _other = given
    actor = actor_of(guest)

    with pytest.raises(Forbidden):
        say(actor, mine)
    assert ConversationTopic().may_write(actor, mine.pk) is False
    services.invite_participant(actor=ines, conversation_id=mine.pk, user_id=guest.pk, permission=Permission.POST)
    assert say(actor, mine, "from outside").message.number == 3
    assert ConversationTopic().may_write(actor, mine.pk) is True
    assert selectors.find_writable(conversation_id=mine.pk, asker=actor) is not None
    services.invite_participant(actor=ines, conversation_id=mine.pk, user_id=guest.pk, permission=Permission.VIEW)

    assert selectors.find_writable(conversation_id=mine.pk, asker=actor) is None
    assert [each.can_post for each in selectors.list_participants(conversation=mine, viewer=ines)] == [False]


def test_who_left_the_organization_has_no_grants(given, guest, project):
    (mine, _file), _other = given
    from apps.accounts.models import OrganizationMember

    OrganizationMember.objects.filter(user=guest).delete()

    assert not selectors.is_visible(conversation_id=mine.pk, viewer=actor_of(guest))


def test_team_is_let_in_and_kept_out(ines, project):
    teacher, pupil = (member_of(project, role=OrganizationRole.GUEST) for _each in range(2))
    team = Team.objects.create(organization=project.organization, name="Pupils")
    for person in (teacher, pupil):
        TeamMember.objects.create(organization=project.organization, team=team, user=person)
    conversation = start(ines, project, visibility="private")
    url = f"/api/v1/conversations/{conversation.pk}/"
    api = Client(headers=bearer(key_of(User.objects.get(pk=ines.user_id), project.organization)))

    made = api.post(f"{url}participants/", {"team": str(team.pk)}, content_type="application/json")
    assert made.status_code == 204
    assert say(actor_of(pupil), conversation).message.number == 1
    listed = api.get(f"{url}participants/").json()
    assert (listed["results"], listed["teams"]) == ([], [{"id": str(team.pk), "name": "Pupils", "can_post": True}])
    services.deny_participant(actor=ines, conversation_id=conversation.pk, user_id=pupil.pk, permission=Permission.POST)
    with pytest.raises(Forbidden):
        say(actor_of(pupil), conversation)
    assert say(actor_of(teacher), conversation).message.number == 3
    denial = services.deny_participant(actor=ines, conversation_id=conversation.pk, team_id=team.pk)
    assert not selectors.is_visible(conversation_id=conversation.pk, viewer=actor_of(teacher))
    told = api.get(f"{url}denials/").json()["results"]
    assert [(row["permission"], bool(row["team"])) for row in told] == [("post", False), ("view", True)]
    assert api.delete(f"{url}denials/{denial.pk}/").status_code == 204
    assert selectors.is_visible(conversation_id=conversation.pk, viewer=actor_of(teacher))
    assert api.delete(f"{url}participants/teams/{team.pk}/").status_code == 204
    assert not selectors.is_visible(conversation_id=conversation.pk, viewer=actor_of(pupil))
    kinds = [row.type.rpartition(".")[2] for row in Event.objects.filter(type__contains="participant").order_by("pk")]
    assert kinds == [
        "participant_added",
        "participant_denied",
        "participant_denied",
        "participant_allowed",
        "participant_removed",
    ]


def test_denial_wins_over_role_grant_and_ownership(ines, project):
    manager, editor = someone(project, ProjectRole.MANAGER), someone(project)
    conversation = start(ines, project)
    services.invite_participant(actor=ines, conversation_id=conversation.pk, user_id=editor.user_id)

    services.deny_participant(actor=manager, conversation_id=conversation.pk, user_id=editor.user_id)
    services.deny_participant(actor=manager, conversation_id=conversation.pk, user_id=ines.user_id)

    for person in (editor, ines):
        assert not selectors.is_visible(conversation_id=conversation.pk, viewer=person)
        assert conversation.pk not in [row.pk for row in selectors.list_conversations(viewer=person)]
    with pytest.raises(OwnConversation):
        services.deny_participant(actor=manager, conversation_id=conversation.pk, user_id=manager.user_id)
    row = ConversationDenial.objects.get(user=ines.user_id)
    services.lift_denial(actor=manager, conversation_id=conversation.pk, denial_id=row.pk)
    assert selectors.is_visible(conversation_id=conversation.pk, viewer=ines)
    with pytest.raises(NotFound):
        services.lift_denial(actor=manager, conversation_id=conversation.pk, denial_id=row.pk)


@pytest.mark.parametrize("permission", list(Permission)[:2])
def test_owner_does_not_shut_themselves_out_with_their_team(ines, project, permission):
    conversation = start(ines, project, visibility=Visibility.PRIVATE)
    team = Team.objects.create(organization=project.organization, name="Harbour")
    TeamMember.objects.create(organization=project.organization, team=team, user_id=ines.user_id)

    with pytest.raises(OwnConversation):
        services.deny_participant(actor=ines, conversation_id=conversation.pk, team_id=team.pk, permission=permission)

    assert not ConversationDenial.objects.exists()
    assert selectors.is_visible(conversation_id=conversation.pk, viewer=ines)
    TeamMember.objects.all().delete()
    services.deny_participant(actor=ines, conversation_id=conversation.pk, team_id=team.pk, permission=permission)
    assert ConversationDenial.objects.count() == 1


def test_only_owner_and_managers_keep_people_out(ines, project):
    editor, other = someone(project), someone(project)
    conversation = start(ines, project)

    with pytest.raises(Forbidden):
        services.deny_participant(actor=editor, conversation_id=conversation.pk, user_id=other.user_id)

    assert not ConversationDenial.objects.exists()


def test_nobody_of_another_organization_is_let_in(ines, project):
    stranger = UserFactory()
    conversation = start(ines, project)

    with pytest.raises(NotFound):
        services.invite_participant(actor=ines, conversation_id=conversation.pk, user_id=stranger.pk)

    assert not ConversationGrant.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"user": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3d", "team": "019a9c0e-6a6e-7c3b-8f52-0d4f3a1b2c3e"}]
)
def test_one_person_or_one_team_is_named(ines, project, api, body):
    conversation = start(ines, project)

    for address in ("participants", "denials"):
        refused = api.post(f"/api/v1/conversations/{conversation.pk}/{address}/", body, content_type="application/json")
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid")


def test_guardian_reads_and_writes_the_same_rows(ines, project, guest):
    conversation = start(ines, project, visibility="private")

    assign_perm("view_conversation", guest, conversation)

    assert get_perms(guest, conversation) == ["view_conversation"]
    assert selectors.is_visible(conversation_id=conversation.pk, viewer=actor_of(guest))
    found = get_objects_for_user(guest, "conversations.view_conversation", Conversation)
    assert [row.pk for row in found] == [conversation.pk]


def test_list_with_grants_takes_the_same_few_queries(given, guest, project, django_assert_max_num_queries):
    api = Client(headers=bearer(key_of(guest, project.organization)))
    api.get("/api/v1/conversations/")

    with django_assert_max_num_queries(3):
        assert len(api.get("/api/v1/conversations/").json()["results"]) == 1


def test_erasing_a_person_takes_grants_denials_and_links(given, ines, guest):
    (mine, _file), (other, _other_file) = given
    services.deny_participant(actor=ines, conversation_id=other.pk, user_id=guest.pk)
    services.change_conversation(actor=ines, conversation_id=other.pk, changes={"visibility": "link"})
    made = services.make_link(actor=ines, conversation_id=other.pk)

    portability._erase_person(guest.pk)
    portability._erase_person(ines.user_id)

    assert not ConversationGrant.objects.exists()
    assert not ConversationDenial.objects.exists()
    with pytest.raises(LinkNotFound):
        selectors.get_link(token=made.token)
    portability._erase_organization(mine.organization_id)
    assert not ShareLink.objects.exists()


# Share links


@pytest.fixture
def linked(ines, project):
    conversation = start(ines, project, title="Harbour plan", visibility="link")
    answer(say(ines, conversation, "first words"), "first answer")
    return conversation


def test_link_is_made_listed_renewed_and_withdrawn(linked, ines, project, api):
    url = f"/api/v1/conversations/{linked.pk}/share/"

    made = api.post(url, {}, content_type="application/json")
    assert made.status_code == 201
    told = made.json()
    token = told["url"].rstrip("/").rpartition("/")[2]
    assert len(token) == 43
    assert told["up_to_position"] == 2
    listed = api.get(url).json()["results"]
    assert [(row["id"], row["hint"], row["url"], row["is_in_force"]) for row in listed] == [
        (told["id"], token[-4:], None, True)
    ]
    answer(say(ines, linked, "later words"), "later answer")
    read = Client().get(f"/api/v1/shared/{token}/")
    assert [row["content"] for row in read.json()["messages"]] == ["first words", "first answer"]
    assert (read["Cache-Control"], read["X-Robots-Tag"]) == ("no-store", "noindex, nofollow")
    renewed = api.post(f"{url}{told['id']}/renew/", {}, content_type="application/json").json()
    assert (renewed["up_to_position"], renewed["url"]) == (4, None)
    assert len(Client().get(f"/api/v1/shared/{token}/").json()["messages"]) == 4
    assert api.delete(f"{url}{told['id']}/").status_code == 204
    assert api.delete(f"{url}{told['id']}/").json()["code"] == "link_not_found"
    assert Client().get(f"/api/v1/shared/{token}/").json()["code"] == "link_not_found"
    assert bytes(ShareLink.objects.get().token_hash) != token.encode()
    kinds = [row.type.rpartition(".")[2] for row in Event.objects.filter(type__contains=".link_").order_by("pk")]
    assert kinds == ["link_made", "link_renewed", "link_withdrawn"]


def test_page_shows_words_and_files_and_how_it_came_about_to_nobody(linked, ines, project):
    file = upload(User.objects.get(pk=ines.user_id), project, samples.image(), "map.png")
    posted = say(ines, linked, "see the **map**", attachments=[file.pk])
    message = answer(posted, "seen")
    message.parts = [{"type": "reasoning", "text": "hidden thoughts"}, *message.parts]
    message.save(update_fields=["stored_parts", "content"])
    token = services.make_link(actor=ines, conversation_id=linked.pk).token

    page = Client().get(f"/s/{token}/")
    text = page.content.decode()

    assert page.status_code == 200
    assert "<strong>map</strong>" in text
    assert "hidden thoughts" not in text
    assert "noindex" in text
    assert (page["Cache-Control"], page["X-Robots-Tag"], page["Referrer-Policy"]) == (
        "no-store",
        "noindex, nofollow",
        "no-referrer",
    )
    shown = Client().get(f"/s/{token}/files/{file.pk}/")
    assert (shown.status_code, shown["Cache-Control"]) == (200, "no-store")
    assert Client().get(f"/s/{token}/files/{file.pk}/preview/").status_code == 200
    assert Client().post(f"/s/{token}/").status_code == 405
    assert "person" not in text.lower().replace(User.objects.get(pk=ines.user_id).name.lower(), "")


def test_long_conversation_is_read_in_pages(linked, ines, monkeypatch):
    for number in range(3):
        answer(say(ines, linked, f"more {number}"))
    monkeypatch.setattr("apps.conversations.selectors.sharing.SHOWN_AT_ONCE", 5)
    token = services.make_link(actor=ines, conversation_id=linked.pk).token

    first = Client().get(f"/api/v1/shared/{token}/").json()
    rest = Client().get(f"/api/v1/shared/{token}/?after={first['next']}").json()

    assert [row["position"] for row in first["messages"] + rest["messages"]] == list(range(1, 9))
    assert rest["next"] is None
    assert f"?after={first['next']}" in Client().get(f"/s/{token}/").content.decode()


@pytest.mark.parametrize("count", [1, 3, 30])
def test_shared_page_takes_the_same_few_queries(linked, ines, count, django_assert_max_num_queries):
    for number in range(count):
        answer(say(ines, linked, f"more {number}"))
    token = services.make_link(actor=ines, conversation_id=linked.pk).token
    Client().get(f"/api/v1/shared/{token}/")

    with django_assert_max_num_queries(3):
        Client().get(f"/api/v1/shared/{token}/")
    with django_assert_max_num_queries(6):
        Client().get(f"/s/{token}/")


def test_only_the_owner_makes_links_and_managers_see_and_withdraw_them(linked, ines, project):
    manager, editor = someone(project, ProjectRole.MANAGER), someone(project)
    made = services.make_link(actor=ines, conversation_id=linked.pk)
    url = f"/api/v1/conversations/{linked.pk}/share/"

    for person in (manager, editor):
        with pytest.raises(Forbidden):
            services.make_link(actor=person, conversation_id=linked.pk)
    for person, status in ((manager, 200), (editor, 403)):
        key = key_of(User.objects.get(pk=person.user_id), project.organization)
        assert Client(headers=bearer(key)).get(url).status_code == status
    with pytest.raises(Forbidden):
        services.withdraw_link(actor=editor, conversation_id=linked.pk, link_id=made.link.pk)
    services.withdraw_link(actor=manager, conversation_id=linked.pk, link_id=made.link.pk)
    assert ShareLink.objects.get().revoked_by_id == manager.user_id


@pytest.mark.parametrize("how", ["person", "team", "organization", "conversation", "switched off"])
def test_link_opens_nothing_while_its_maker_may_not_see_it(linked, ines, project, how):
    manager = someone(project, ProjectRole.MANAGER)
    token = services.make_link(actor=ines, conversation_id=linked.pk).token
    url = f"/api/v1/conversations/{linked.pk}/share/"
    key = key_of(User.objects.get(pk=manager.user_id), project.organization)
    maker = User.objects.get(pk=ines.user_id)

    def seen():
        listed = Client(headers=bearer(key)).get(url).json()["results"]
        opened = {Client().get(path).status_code for path in (f"/api/v1/shared/{token}/", f"/s/{token}/")}
        return opened, [row["is_in_force"] for row in listed]

    assert seen() == ({200}, [True])
    match how:
        case "person":
            row = deny(maker, project)
        case "team":
            row = deny(team_of(project.organization, maker), project)
        case "organization":
            row = deny(maker, project.organization)
        case "conversation":
            row = services.deny_participant(actor=manager, conversation_id=linked.pk, user_id=maker.pk)
        case _:
            row = None
            User.objects.filter(pk=maker.pk).update(is_active=False)
    assert seen() == ({404}, [False])
    if row is not None:
        row.delete()
    User.objects.filter(pk=maker.pk).update(is_active=True)
    deny(maker, project, permission=Permission.POST)
    assert seen() == ({200}, [True])


@pytest.mark.parametrize("what", ["project", "organization"])
def test_link_ends_with_its_project_and_its_organization(linked, ines, project, what):
    token = services.make_link(actor=ines, conversation_id=linked.pk).token
    row = project if what == "project" else project.organization

    type(row).objects.filter(pk=row.pk).update(deleted_at=timezone.now())

    assert {Client().get(path).status_code for path in (f"/api/v1/shared/{token}/", f"/s/{token}/")} == {404}


def test_links_need_a_conversation_that_is_open_to_them(ines, project):
    conversation = start(ines, project)

    with pytest.raises(LinksClosed):
        services.make_link(actor=ines, conversation_id=conversation.pk)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"visibility": "link"})
    token = services.make_link(actor=ines, conversation_id=conversation.pk).token
    selectors.get_link(token=token)
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"visibility": "private"})
    services.change_conversation(actor=ines, conversation_id=conversation.pk, changes={"visibility": "link"})

    with pytest.raises(LinkNotFound):
        selectors.get_link(token=token)
    changes = Event.objects.filter(type="conversations.conversation_privacy_changed").order_by("pk")
    assert [(row.payload["before"], row.payload["after"]) for row in changes] == [
        ("project", "link"),
        ("link", "private"),
        ("private", "link"),
    ]


def test_organization_switches_links_off_and_on_again(linked, ines, project):
    token = services.make_link(actor=ines, conversation_id=linked.pk).token

    def switch(value):
        preferences.change_setting(
            actor=SYSTEM,
            key="conversations.share_links",
            level=Level.ORGANIZATION,
            target_id=project.organization_id,
            value=value,
        )
        preferences.forget_kept()

    switch(False)
    assert Client().get(f"/s/{token}/").status_code == 404
    with pytest.raises(LinksOff):
        services.make_link(actor=ines, conversation_id=linked.pk)
    switch(True)
    assert Client().get(f"/s/{token}/").status_code == 200


def test_links_are_bounded_and_end_in_the_future(linked, ines, monkeypatch):
    from datetime import timedelta

    from django.utils import timezone

    with pytest.raises(Invalid):
        services.make_link(actor=ines, conversation_id=linked.pk, expires_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr("apps.conversations.services.links.MAX_LINKS", 1)
    services.make_link(actor=ines, conversation_id=linked.pk)
    with pytest.raises(TooManyLinks):
        services.make_link(actor=ines, conversation_id=linked.pk)


def test_copies_of_a_linked_conversation_have_no_links(linked, ines, project):
    document = services.export_json(conversation=linked, viewer=ines)

    fork = services.fork_conversation(actor=ines, conversation_id=linked.pk)
    imported = services.import_conversation(
        actor=ines, project_id=project.pk, document=json.loads(json.dumps(document))
    )

    assert {fork.visibility, imported.visibility} == {Visibility.PROJECT}
    assert zipfile.ZipFile(
        io.BytesIO(b"".join(services.export_archive(conversation=linked, viewer=ines)))
    ).namelist() == ["conversation.json"]


def test_operator_withdraws_a_link_in_the_admin(linked, ines):
    made = services.make_link(actor=ines, conversation_id=linked.pk)
    operator = UserFactory(is_staff=True, is_superuser=True)
    client = browser_of(operator)

    listed = client.get("/admin/conversations/sharelink/")
    done = client.post(
        "/admin/conversations/sharelink/", {"action": "withdraw", "_selected_action": [str(made.link.pk)]}
    )

    assert (listed.status_code, done.status_code) == (200, 302)
    with pytest.raises(LinkNotFound):
        selectors.get_link(token=made.token)
    for page in ("conversationgrant", "teamgrant", "conversationdenial"):
        assert client.get(f"/admin/conversations/{page}/").status_code == 200


def test_managers_see_all_links_and_switch_them_off_on_a_page(linked, ines, project):
    made = services.make_link(actor=ines, conversation_id=linked.pk)
    admin = browser_of(member_of(project, role=OrganizationRole.ADMIN))
    editor = browser_of(member_of(project))
    owner = browser_of(User.objects.get(pk=ines.user_id))

    for browser, sees in ((admin, True), (owner, True), (editor, False)):
        assert (f"…{made.link.hint}" in browser.get("/settings/links/").content.decode()) is sees
    assert editor.post("/settings/links/", {"form": "switch", "on": "no"}).status_code == 403
    assert admin.post("/settings/links/", {"form": "switch", "on": "no"}).status_code == 302
    preferences.forget_kept()
    assert Client().get(f"/s/{made.token}/").status_code == 404
    assert admin.post("/settings/links/", {"form": "switch", "on": "yes"}).status_code == 302
    preferences.forget_kept()
    assert Client().get(f"/s/{made.token}/").status_code == 200
    assert editor.post("/settings/links/", {"form": "withdraw", "link": str(made.link.pk)}).status_code == 404
    assert admin.post("/settings/links/", {"form": "withdraw", "link": str(made.link.pk)}).status_code == 302
    assert Client().get(f"/s/{made.token}/").status_code == 404


def test_links_are_forgotten_long_after_their_end(ines, project):
    conversation = start(ines, project, visibility=Visibility.LINK)
    answer(say(ines, conversation, "words"), "answer")
    made = [services.make_link(actor=ines, conversation_id=conversation.pk).link for _each in range(3)]
    long_ago = timezone.now() - timedelta(days=91)
    ShareLink.objects.filter(pk=made[0].pk).update(revoked_at=long_ago)
    ShareLink.objects.filter(pk=made[1].pk).update(expires_at=long_ago)

    assert services.forget_ended_links(actor=SYSTEM) == 2

    assert list(ShareLink.objects.values_list("pk", flat=True)) == [made[2].pk]
    assert selectors.count_silent_links(project.organization_id) == {}
    deny(User.objects.get(pk=ines.user_id), project)
    assert selectors.count_links(project.organization_id) == {}
    assert selectors.count_silent_links(project.organization_id) == {ines.user_id: 1}
