"""Compiled queries give what Django gives, for every value and shape."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from apps.accounts import selectors as accounts
from apps.accounts.models import ApiKey, OrganizationMember, Project, User
from apps.accounts.types import NOBODY, SYSTEM, Actor, ActorKind, OrganizationRole
from apps.conversations import selectors as conversations
from apps.conversations.models import Conversation, Message
from apps.core.compiled import MOST_PLANS, Compiled, insert
from apps.llm.models import Provider
from tests.accounts.factories import OrganizationFactory, ProjectFactory, UserFactory, join
from tests.conversations.factories import say, someone, start

pytestmark = pytest.mark.django_db


def test_rows_are_those_of_the_queryset():
    users = UserFactory.create_batch(3)
    by_email = Compiled(lambda *, email: User.objects.filter(email=email))

    for user in users:
        assert by_email.fetch(email=user.email) == [user]
    assert by_email.fetch(email="nobody@example.org") == []


def test_related_rows_come_with_it():
    organization = OrganizationFactory()
    rows = [join(UserFactory(), organization) for _each in range(2)]
    members = Compiled(lambda *, pk: OrganizationMember.objects.select_related("user", "organization").filter(pk=pk))

    with CaptureQueriesContext(connection) as seen:
        for row in rows:
            (found,) = members.fetch(pk=row.pk)
            assert (found.user.email, found.organization.slug) == (row.user.email, organization.slug)

    assert len(seen) == 2


def test_values_and_limits_and_order():
    organization = OrganizationFactory()
    names = sorted(ProjectFactory(organization=organization).name for _each in range(3))
    listed = Compiled(
        lambda limit, *, organization: (
            Project.objects.filter(organization=organization).order_by("name").values_list("name", flat=True)[:limit]
        )
    )

    assert listed.fetch(2, organization=organization.pk) == names[:2]
    assert listed.fetch(3, organization=organization.pk) == names
    assert listed.first(1, organization=uuid.uuid4()) is None


def test_bytes_and_numbers():
    organization, user = OrganizationFactory(), UserFactory()
    key = ApiKey.objects.create(
        organization=organization, user=user, name="k", token_hash=b"\x01" * 32, hint="abcd", scopes=[]
    )
    by_hash = Compiled(lambda *, value: ApiKey.objects.filter(token_hash=value))
    by_epoch = Compiled(lambda *, epoch: User.objects.filter(epoch=epoch, pk=F("pk")))

    assert by_hash.fetch(value=b"\x01" * 32) == [key]
    assert by_hash.fetch(value=b"\x02" * 32) == []
    assert user in by_epoch.fetch(epoch=user.epoch)
    assert by_epoch.fetch(epoch=user.epoch + 1000) == []


def test_value_that_is_no_plain_parameter_is_refused():
    patterns = Compiled(lambda *, word: User.objects.filter(email__contains=word))

    with pytest.raises(LookupError, match="word is not a plain parameter"):
        patterns.fetch(word="a")
    with pytest.raises(TypeError, match="not list"):
        Compiled(lambda *, pks: User.objects.filter(pk__in=pks)).fetch(pks=[1])


def test_query_that_has_no_rows_asks_nothing(django_assert_num_queries):
    none = Compiled(lambda *, pk: User.objects.filter(pk=pk).none())

    with django_assert_num_queries(0):
        assert none.fetch(pk=uuid.uuid4()) == []


def test_plans_are_bounded():
    by_pk = Compiled(lambda _shape, *, pk: User.objects.filter(pk=pk))
    user = UserFactory()

    for shape in range(MOST_PLANS + 5):
        assert by_pk.fetch(shape, pk=user.pk) == [user]

    assert len(by_pk._plans) <= MOST_PLANS


@pytest.mark.django_db(transaction=True)
def test_lock_needs_a_transaction():
    user = UserFactory()
    locked = Compiled(lambda *, pk: User.objects.select_for_update().filter(pk=pk))

    with transaction.atomic(), CaptureQueriesContext(connection) as seen:
        assert locked.fetch(pk=user.pk) == [user]
    assert "FOR UPDATE" in seen[0]["sql"]
    with pytest.raises(TransactionManagementError):
        locked.fetch(pk=user.pk)


def viewers(member, organization, project):
    yield Actor(ActorKind.MEMBER, user_id=member.pk)
    yield Actor(
        ActorKind.KEY, user_id=member.pk, organization_id=organization.pk, scopes=frozenset({"conversations:write"})
    )
    yield Actor(ActorKind.KEY, user_id=member.pk, organization_id=organization.pk, project_id=project.pk)
    yield Actor(ActorKind.KEY, user_id=member.pk, organization_id=uuid.uuid4())
    yield Actor(ActorKind.KEY, user_id=member.pk, organization_id=organization.pk, scopes=frozenset({"files:read"}))
    yield Actor(ActorKind.MEMBER, user_id=UserFactory().pk)
    yield SYSTEM
    yield NOBODY


def test_viewers_see_what_the_queryset_shows_them():
    member, organization = UserFactory(), OrganizationFactory()
    join(member, organization, role=OrganizationRole.MEMBER)
    projects = [
        ProjectFactory(organization=organization),
        ProjectFactory(organization=organization, access="restricted"),
    ]
    made = [start(someone(project), project) for project in projects]

    for _twice in range(2):
        for viewer in viewers(member, organization, projects[0]):
            for conversation in made:
                shown = conversations.visible_to(viewer).filter(pk=conversation.pk).exists()
                assert conversations.is_visible(conversation_id=conversation.pk, viewer=viewer) is shown, viewer
            for project in projects:
                found = accounts.visible_projects(viewer).filter(pk=project.pk).first()
                role = accounts.role_in(viewer, found) if found else None
                assert accounts.project_role(viewer, project.pk) == role, viewer
    assert Conversation.objects.count() == len(made)


def test_times_arrive_as_django_reads_them():
    users = UserFactory.create_batch(2)
    User.objects.filter(pk=users[0].pk).update(created_at=datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC))
    since = Compiled(lambda *, at: User.objects.filter(created_at__gte=at).order_by("created_at"))

    for at in (datetime(1999, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)):
        found, expected = since.fetch(at=at), list(User.objects.filter(created_at__gte=at).order_by("created_at"))
        assert [(user.created_at, user.created_at.tzinfo) for user in found] == [
            (user.created_at, user.created_at.tzinfo) for user in expected
        ]


def test_percent_signs_of_the_statement_are_no_places_for_values():
    user = UserFactory(name="50% off")
    half = Compiled(lambda *, pk: User.objects.extra(where=["name LIKE '50%%'"]).filter(pk=pk))

    assert half.fetch(pk=user.pk) == [user]
    with CaptureQueriesContext(connection):
        assert half.fetch(pk=user.pk) == [user]


def test_instances_hold_what_djangos_hold():
    organization, viewer = OrganizationFactory(), UserFactory()
    project = ProjectFactory(organization=organization)
    member = someone(project)
    conversation = start(member, project)
    say(member, conversation)
    provider = Provider.objects.create(
        organization=organization,
        kind="openai-compatible",
        name="p",
        base_url="http://127.0.0.1:9",
        api_key="sk-secret",
    )
    builds = [
        Provider.objects.filter,
        lambda **pk: Message.objects.defer("words").select_related("author", "turn__message", "agent").filter(**pk),
        lambda **pk: (
            Conversation.objects.only("title", "owner", "model__name").select_related("owner", "model").filter(**pk)
        ),
        lambda **pk: Project.objects.with_roles_of(viewer.pk).filter(**pk),
    ]
    pks = [provider.pk, Message.objects.earliest("number").pk, conversation.pk, project.pk]

    def told(row):
        related = {name: told(each) if each else None for name, each in row._state.fields_cache.items()}
        columns = {name: getattr(value, "stored", value) for name, value in row.__dict__.items() if name != "_state"}
        return type(row), columns, related, row._state.adding, row._state.db, row.get_deferred_fields()

    for build, pk in zip(builds, pks, strict=True):
        (ours,), (djangos,) = Compiled(build).fetch(pk=pk), build(pk=pk)
        assert told(ours) == told(djangos)

    (found,) = Compiled(builds[0]).fetch(pk=provider.pk)
    assert found.api_key == "sk-secret"
    (found,) = Compiled(builds[2]).fetch(pk=conversation.pk)
    assert found.system_prompt == ""  # what was deferred is fetched
    found.title = "Renamed"
    found.save(update_fields=["title"])
    assert Conversation.objects.get().title == "Renamed"


def test_statement_is_part_of_another():
    users = UserFactory.create_batch(2)
    ids = Compiled(lambda *, email: User.objects.filter(email=email).values("pk"))

    for user in users:
        statement, parameters = ids.statement(email=user.email)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM accounts_user WHERE id IN ({statement})", parameters)
            assert cursor.fetchall() == [(user.pk,)]
    assert Compiled(lambda *, pk: User.objects.filter(pk=pk).none()).statement(pk=users[0].pk) is None


def test_part_of_another_queryset_finds_what_the_queryset_in_its_place_finds(django_assert_num_queries):
    member, organization = UserFactory(), OrganizationFactory()
    join(member, organization, role=OrganizationRole.MEMBER)
    projects = [
        ProjectFactory(organization=organization),
        ProjectFactory(organization=organization, access="restricted"),
        ProjectFactory(),
    ]
    for project in projects:
        start(someone(project), project)

    for _twice in range(2):
        for viewer in viewers(member, organization, projects[0]):
            seen = Project.objects.visible_to(viewer).values("pk")
            rows = Conversation.objects.order_by("pk")
            with django_assert_num_queries(2 if viewer is not NOBODY else 0):
                inside = list(rows.filter(accounts.project_filter(viewer)))
                outside = list(rows.exclude(accounts.project_filter(viewer))) if viewer is not NOBODY else []
            assert inside == list(rows.filter(project__in=seen))
            assert viewer is NOBODY or outside == list(rows.exclude(project__in=seen))


def test_part_is_carried_by_a_query_that_is_compiled_itself():
    users = UserFactory.create_batch(2)
    ids = Compiled(lambda *, email: User.objects.filter(email=email).values("pk"))
    names = Compiled(lambda *, email, pk: User.objects.filter(pk__in=ids.part(email=email)).exclude(pk=pk))

    for user, other in (users, users[::-1]):
        assert names.fetch(email=user.email, pk=other.pk) == [user]
        assert names.fetch(email=user.email, pk=user.pk) == []


def test_inserted_rows_are_what_bulk_create_would_write():
    organization, user = OrganizationFactory(), UserFactory()

    def keys(first):
        return [
            ApiKey(
                organization=organization,
                user=user,
                name=f"k{n}",
                token_hash=bytes([n]) * 32,
                hint="é'%s",
                scopes=["a"],
            )
            for n in range(first, first + 2)
        ]

    ours, theirs = keys(1), keys(3)
    insert(ours)
    ApiKey.objects.bulk_create(theirs)

    assert all(row.created_at and not row._state.adding for row in ours)
    columns = [
        f.attname
        for f in ApiKey._meta.concrete_fields
        if f.name not in ("id", "name", "token_hash", "created_at", "updated_at")
    ]
    read = ApiKey.objects.in_bulk([row.pk for row in (*ours, *theirs)])
    for mine, other in zip(ours, theirs, strict=True):
        stored, as_django = read[mine.pk], read[other.pk]
        assert {c: getattr(stored, c) for c in columns} == {c: getattr(as_django, c) for c in columns}
        assert (stored.name, bytes(stored.token_hash), stored.created_at) == (
            mine.name,
            mine.token_hash,
            mine.created_at,
        )
