"""A pack made of a project: what is installed from it elsewhere is the same."""

import pytest

from apps.accounts.types import ProjectRole
from apps.core.errors import Forbidden, NotFound
from apps.extraction import services as records
from apps.extraction.models import Collection
from apps.packs import archive, contents, exporting, reading, services
from apps.packs.types import ObjectKind, PackRejected
from tests.accounts.factories import ProjectFactory, UserFactory, actor_of, add_to_project, join
from tests.packs.factories import installed

pytestmark = pytest.mark.django_db
SAID = {"name": "mine", "version": "2.0.0", "title": "Mine", "summary": "What we use.", "licence": "CC0-1.0"}


@pytest.fixture
def me(owner):
    return actor_of(owner)


def said_in(actor, project):
    found = contents.of_project(actor, project.pk)
    return {(each.kind, each.address): each.content for each in found if each.address != "assistant"}


def test_export_installs_equal_elsewhere(me, owner, project):
    installed(me, project)
    records.create_collection(
        actor=me, project_id=project.pk, name="Tricky: yes", description="no\n\n  two: [lines]\ttab ", slug="tricky",
        trust="accept", aliases={"on": ["off", "1", "~"]}, title_template="{on}: {no}", unique_keys=[["on", "no"]], needed=["no"],
        document={"type": "object", "properties": {
            "on": {"type": "string", "title": "yes", "pattern": "^[a-z]+$", "default": "1e3"},
            "no": {"type": ["number", "null"], "minimum": 0.1, "title": "2025-01-01"},
            "self": {"type": "array", "items": {"type": "string"}, "x-relation": "tricky"},
        }},
    )  # fmt: skip
    records.make_template(
        actor=me,
        collection_id=Collection.objects.get(slug="tricky").pk,
        name="Blatt",
        source="a\r\n  b\n\n",
        format="html",
    )
    elsewhere = ProjectFactory(owner=owner)

    content = exporting.exported(me, project_id=project.pk, **SAID)
    services.install_pack(actor=me, project_id=elsewhere.pk, pack=reading.read(archive.of_zip(content)))

    before, after = said_in(me, project), said_in(me, elsewhere)
    before[ObjectKind.TEMPLATE, "tricky/Blatt"]["source"] = "a\n  b\n\n"
    assert after == before
    assert archive.of_zip(exporting.exported(me, project_id=elsewhere.pk, **SAID)) == archive.of_zip(content)


def test_chosen_collections_bring_those_that_they_point_to(me, project):
    installed(me, project)
    records.create_collection(actor=me, project_id=project.pk, name="Other", document={"type": "object"})

    found = reading.read(archive.of_zip(exporting.exported(me, project_id=project.pk, collections=["animals"], **SAID)))

    assert [each.name for each in found.objects] == ["animals", "houses", "animals/Sign"]
    with pytest.raises(NotFound):
        exporting.exported(me, project_id=project.pk, collections=["fish"], **SAID)


def test_name_that_no_pack_may_have_is_refused_before_it_leaves(me, project):
    records.create_collection(actor=me, project_id=project.pk, name="A_b", document={"type": "object"})

    with pytest.raises(PackRejected) as refused:
        exporting.exported(me, project_id=project.pk, **SAID)

    assert refused.value.fields[0].field == "pack.yaml#/collections/0"


def test_only_who_manages_the_project_makes_packs_of_it(me, project):
    installed(me, project)
    person = UserFactory()
    join(person, project.organization)
    add_to_project(person, project, role=ProjectRole.EDITOR)

    with pytest.raises(Forbidden):
        exporting.exported(actor_of(person), project_id=project.pk, **SAID)
    with pytest.raises(NotFound):
        exporting.exported(actor_of(UserFactory()), project_id=project.pk, **SAID)
