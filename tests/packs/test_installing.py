"""A pack comes into a project, follows a newer version, and goes again."""

import pytest

from apps.accounts.types import ProjectRole
from apps.agents.models import Agent
from apps.bulk import engine
from apps.core.errors import Forbidden, Invalid, NotFound
from apps.core.models import Event
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.extraction.models import Collection, Record, RecordTemplate
from apps.packs import reading, selectors, services
from apps.packs.models import InstalledObject, PackInstallation
from apps.packs.types import (
    ObjectState,
    PackClashes,
    PackInstalledAlready,
    PackIsAnother,
    PackVersionOlder,
)
from tests.accounts.factories import UserFactory, actor_of, add_to_project, join
from tests.packs.factories import ANIMALS, HOUSES, KEEPER, files, installed, pack

pytestmark = pytest.mark.django_db
OLDER = {"version": "0.9.0"}
NEWER = {"version": "1.1.0"}


@pytest.fixture
def me(owner):
    return actor_of(owner)


def there(project):
    return sorted(Collection.objects.filter(project=project, deleted_at=None).values_list("slug", flat=True))


def slug(project, name):
    return Collection.objects.get(project=project, slug=name, deleted_at=None)


def counts(report):
    return {name: len(getattr(report, name)) for name in ("made", "changed", "removed", "kept")}


# In


def test_install_brings_everything_and_says_so(me, project):
    found, report = services.install_pack(actor=me, project_id=project.pk, pack=pack())

    assert counts(report) == {"made": 4, "changed": 0, "removed": 0, "kept": 0}
    assert there(project) == ["animals", "houses"]
    field = records.schema_of(records.get_collection(collection_id=slug(project, "animals").pk, viewer=me)).named(
        "house"
    )
    assert field.relation.collection_slug == "houses"
    assert RecordTemplate.objects.get(project=project).name == "Sign"
    assert {agent.name: agent.is_default for agent in Agent.objects.filter(project=project)} == {
        "Assistant": True,
        "Keeper": False,
    }
    assert {each.state for each in selectors.brought_by(found, me)} == {ObjectState.AS_BROUGHT}
    event = Event.objects.get(type="packs.pack_installed")
    assert (event.subject_id, event.payload["made"], event.payload["found"]) == (found.pk, 4, 0)


def test_the_same_pack_again_changes_nothing(me, project):
    first = installed(me, project)

    again, report = services.install_pack(actor=me, project_id=project.pk, pack=pack())

    assert (again.pk, counts(report)["made"]) == (first.pk, 0)
    assert Event.objects.filter(type="packs.pack_installed").count() == 1
    with pytest.raises(PackInstalledAlready) as refused:
        services.install_pack(actor=me, project_id=project.pk, pack=pack(NEWER))
    assert refused.value.extra == {"installation": str(first.pk), "version": "1.0.0"}


def test_clash_is_listed_and_nothing_is_installed(me, project):
    record_services.create_collection(actor=me, project_id=project.pk, name="Houses", document={"type": "object"})

    with pytest.raises(PackClashes) as refused:
        installed(me, project)

    assert [(each["kind"], each["name"]) for each in refused.value.extra["clashes"]] == [("collection", "houses")]
    assert there(project) == ["houses"]
    assert not PackInstallation.objects.exists()
    assert not Agent.objects.filter(project=project, name="Keeper").exists()


def test_what_is_there_and_equal_is_taken_as_it_is(me, project):
    own = record_services.create_collection(actor=me, project_id=project.pk, slug="houses", **HOUSES)

    found, report = services.install_pack(actor=me, project_id=project.pk, pack=pack())

    assert counts(report)["made"] == 3
    row = InstalledObject.objects.get(installation=found, name="houses")
    assert (row.object_id, row.is_own) == (own.pk, False)
    report = services.remove_pack(actor=me, installation_id=found.pk)
    assert [(each.name, each.reason) for each in report.kept] == [("houses", "not_ours")]
    assert there(project) == ["houses"]


def test_pack_beside_another_stands_under_its_prefix(me, project):
    record_services.create_collection(actor=me, project_id=project.pk, name="Houses", document={"type": "object"})

    found = installed(me, project, prefix="old")

    assert there(project) == ["houses", "old-animals", "old-houses"]
    schema = records.schema_of(records.get_collection(collection_id=slug(project, "old-animals").pk, viewer=me))
    assert schema.named("house").relation.collection_slug == "old-houses"
    assert RecordTemplate.objects.get(project=project).collection == slug(project, "old-animals")
    assert Agent.objects.filter(project=project, name="old Keeper").exists()
    assert {each.state for each in selectors.brought_by(found, me)} == {ObjectState.AS_BROUGHT}
    installed(me, project, prefix="new")
    with pytest.raises(Invalid):
        installed(me, project, prefix="not a slug")


def test_collections_may_point_in_a_circle(me, project):
    houses = {"name": "Houses", "document": {"type": "object", "properties": {
        "name": {"type": "string", "title": "Name"}, "first": {"type": "string", "format": "uuid", "x-relation": "animals"},
    }}}  # fmt: skip

    found = installed(me, project, pack(collections__houses=houses))

    both = {
        name: records.get_collection(collection_id=slug(project, name).pk, viewer=me) for name in ("animals", "houses")
    }
    assert records.schema_of(both["animals"]).named("house").relation.collection_slug == "houses"
    assert records.schema_of(both["houses"]).named("first").relation.collection_slug == "animals"
    assert {each.state for each in selectors.brought_by(found, me)} == {ObjectState.AS_BROUGHT}


@pytest.mark.parametrize("role", [ProjectRole.VIEWER, ProjectRole.EDITOR])
def test_only_who_manages_the_project_installs_and_removes(me, project, role):
    found = installed(me, project)
    person = UserFactory()
    join(person, project.organization)
    add_to_project(person, project, role=role)
    theirs = actor_of(person)

    for act in (
        lambda: services.install_pack(actor=theirs, project_id=project.pk, pack=pack(OLDER)),
        lambda: services.upgrade_pack(actor=theirs, installation_id=found.pk, pack=pack(NEWER)),
        lambda: services.remove_pack(actor=theirs, installation_id=found.pk),
    ):
        with pytest.raises(Forbidden):
            act()

    assert selectors.get_installation(installation_id=found.pk, viewer=theirs).version == "1.0.0"
    assert there(project) == ["animals", "houses"]
    stranger = actor_of(UserFactory())
    with pytest.raises(NotFound):
        services.remove_pack(actor=stranger, installation_id=found.pk)
    assert not selectors.list_installations(stranger).exists()


# Newer


def test_upgrade_changes_what_nobody_changed(me, project):
    found = installed(me, project)
    sign = RecordTemplate.objects.get(project=project)
    record_services.change_template(actor=me, template_id=sign.pk, changes={"source": "Mine"})
    animals = {**ANIMALS, "document": {**ANIMALS["document"], "properties": {
        **ANIMALS["document"]["properties"], "legs": {"type": "integer"},
    }}}  # fmt: skip
    new = {"collections": ["animals", "houses", "foods"], "agents": []}
    foods = {"name": "Foods", "document": {"type": "object"}}

    upgraded, report = services.upgrade_pack(
        actor=me,
        installation_id=found.pk,
        pack=pack(
            NEWER | new,
            collections__animals=animals,
            collections__foods=foods,
            agents__keeper=None,
            templates__sign="# New\n",
        ),
    )

    assert upgraded.version == "1.1.0"
    assert [name for _kind, name in report.made] == ["foods"]
    assert [name for _kind, name in report.changed] == ["animals"]
    assert [name for _kind, name in report.removed] == ["keeper"]
    assert [(each.name, each.reason) for each in report.kept] == [("animals/Sign", "changed")]
    sign.refresh_from_db()
    assert sign.source == "Mine"
    states = {each.row.name: each.state for each in selectors.brought_by(upgraded, me)}
    assert states.pop("animals/Sign") == ObjectState.CHANGED
    assert set(states.values()) == {ObjectState.AS_BROUGHT}
    assert Event.objects.get(type="packs.pack_upgraded").payload["kept"] == 1


def test_records_follow_the_fields_of_the_newer_version(me, project):
    found = installed(me, project)
    lion = record_services.create_record(
        actor=me, collection_id=slug(project, "animals").pk, data={"name": "Leo", "age": 3}
    )
    properties = dict(ANIMALS["document"]["properties"])
    properties["years"] = {"type": "integer", "x-was": "age"}
    del properties["age"]
    animals = {**ANIMALS, "document": {**ANIMALS["document"], "properties": properties}}

    _upgraded, report = services.upgrade_pack(
        actor=me, installation_id=found.pk, pack=pack(NEWER, collections__animals=animals)
    )

    assert len(report.operations) == 1
    engine.plan_operation(operation_id=report.operations[0])
    engine.run_all()
    assert Record.objects.get(pk=lion.pk).data == {"name": "Leo", "years": 3}


def test_what_was_deleted_stays_deleted(me, project):
    found = installed(me, project)
    record_services.delete_collection(actor=me, collection_id=slug(project, "animals").pk)

    _upgraded, report = services.upgrade_pack(
        actor=me, installation_id=found.pk, pack=pack(NEWER, templates__sign="# New\n")
    )

    assert {(each.name, each.reason) for each in report.kept} == {("animals", "gone"), ("animals/Sign", "gone")}
    assert there(project) == ["houses"]


def test_packs_go_forward_only_and_stay_themselves(me, project):
    found = installed(me, project)

    with pytest.raises(PackVersionOlder):
        services.upgrade_pack(actor=me, installation_id=found.pk, pack=pack(OLDER))
    with pytest.raises(PackIsAnother):
        services.upgrade_pack(actor=me, installation_id=found.pk, pack=pack({"name": "park"}))

    assert selectors.get_installation(installation_id=found.pk, viewer=me).version == "1.0.0"


def test_new_thing_of_an_upgrade_may_clash(me, project):
    found = installed(me, project)
    record_services.create_collection(actor=me, project_id=project.pk, name="Foods", document={"type": "object"})
    foods = {"name": "Other foods", "document": {"type": "object"}}

    with pytest.raises(PackClashes):
        services.upgrade_pack(
            actor=me,
            installation_id=found.pk,
            pack=pack(NEWER | {"collections": ["animals", "houses", "foods"]}, collections__foods=foods),
        )

    assert selectors.get_installation(installation_id=found.pk, viewer=me).version == "1.0.0"


# Out


def test_remove_takes_all_away(me, project):
    found = installed(me, project)

    report = services.remove_pack(actor=me, installation_id=found.pk)

    assert (len(report.removed), report.kept) == (4, [])
    assert there(project) == []
    assert not RecordTemplate.objects.filter(project=project).exists()
    assert not Agent.objects.filter(project=project, name="Keeper", archived_at=None).exists()
    assert not PackInstallation.objects.exists()
    assert Event.objects.get(type="packs.pack_removed").payload["removed"] == 4


def test_remove_says_what_stays_and_why(me, project):
    found = installed(me, project)
    record_services.create_record(actor=me, collection_id=slug(project, "animals").pk, data={"name": "Leo"})
    keeper = Agent.objects.get(project=project, name="Keeper")
    Agent.objects.filter(pk=keeper.pk).update(instructions="Feed them twice.")

    report = services.remove_pack(actor=me, installation_id=found.pk)

    assert {(each.name, each.reason) for each in report.kept} == {
        ("animals", "has_data"),
        ("houses", "pointed_to"),
        ("keeper", "changed"),
    }
    assert there(project) == ["animals", "houses"]
    assert Record.objects.count() == 1


def test_remove_takes_everything_when_told(me, project):
    found = installed(me, project)
    record_services.create_record(actor=me, collection_id=slug(project, "animals").pk, data={"name": "Leo"})

    report = services.remove_pack(actor=me, installation_id=found.pk, everything=True)

    assert report.kept == []
    assert there(project) == []


def test_what_two_packs_bring_stays_for_the_other(me, project):
    one = installed(me, project)
    installed(me, project, pack({"name": "park", "collections": ["houses"], "templates": [], "agents": []},
                                collections__animals=None, agents__keeper=None, templates__sign=None))  # fmt: skip

    report = services.remove_pack(actor=me, installation_id=one.pk)

    assert [(each.name, each.reason) for each in report.kept] == [("houses", "in_use")]


def test_own_template_of_a_collection_keeps_it(me, project):
    found = installed(me, project)
    record_services.make_template(actor=me, collection_id=slug(project, "animals").pk, name="Mine", source="x")

    report = services.remove_pack(actor=me, installation_id=found.pk)

    assert {(each.name, each.reason) for each in report.kept} == {("animals", "has_data"), ("houses", "pointed_to")}
    assert RecordTemplate.objects.get(project=project).name == "Mine"


def test_keeper_is_brought_in_german(me, project):
    texts = {
        name: name.upper()
        for name in ("Zoo", "Animals and where they live.", "Animals", "Houses", "Name", "Keeper", "Feed them.", "Sign")
    }
    both = files({"languages": ["en", "de"]}, texts__de=texts, agents__keeper=KEEPER, **{"templates__sign.de": "# x\n"})

    found = installed(me, project, reading.read(both, language="de"))

    assert (found.language, found.title) == ("de", "ZOO")
    assert slug(project, "animals").name == "ANIMALS"
    assert {each.title for each in selectors.brought_by(found, me)} == {"ANIMALS", "HOUSES", "SIGN", "KEEPER"}
