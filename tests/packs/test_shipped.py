"""The packs that come with the installation: whole, in both languages, and what they bring works."""

import json
from pathlib import Path

import pytest
from django.conf import settings

from apps.extraction import coercion, rendering, repair, schema, strict_schema
from apps.extraction import selectors as records
from apps.extraction import services as record_services
from apps.llm.adapters import demo_answers, demo_making
from apps.llm.types import NeutralMessage, Role
from apps.packs import archive, catalogue, reading
from apps.packs.types import ObjectKind
from tests.accounts.factories import actor_of
from tests.packs.factories import installed

NAMES = sorted(path.name for path in Path(settings.PARLANCE_PACKS_DIR).iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "de"])
def test_shipped_pack_is_whole(name, language):
    found = reading.read(archive.of_folder(Path(settings.PARLANCE_PACKS_DIR) / name), language=language)

    assert (found.name, found.language) == (name, language)
    assert found.of(ObjectKind.WORKFLOW)
    assert found.samples


def test_a_broken_pack_hides_no_other(settings, tmp_path):
    for name in ("film", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "pack.yaml").write_text("pack: [")
    (tmp_path / "film").rmdir()
    (tmp_path / "film").symlink_to(Path(settings.PARLANCE_PACKS_DIR) / "film")
    settings.PARLANCE_PACKS_DIR = str(tmp_path)

    assert [each.name for each in catalogue.list_shipped()] == ["film"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_demo_finds_two_linked_characters_in_the_sample(language):
    pack = catalogue.get_shipped("film", language)
    schemas = {each.name: schema.check(each.content["document"]) for each in pack.of(ObjectKind.COLLECTION)}
    wanted = strict_schema.envelope(schemas, "openai").schema

    said = demo_answers.extracted([NeutralMessage.of_text(Role.USER, pack.samples[0].text)], wanted)

    found = coercion.fit(repair.read(json.dumps(said, ensure_ascii=False)).value, schemas)
    people = [each.fields for each in found.entities if each.collection == "characters"]
    assert [(each["name"], each.get("age")) for each in people] == [("Sarah", 28), ("Tomás", None)]
    ids = {each.id: each.fields["name"] for each in found.entities}
    family = {(ids[link.from_id], ids[link.to_id]) for link in found.links if link.field == "/family"}
    assert ("Sarah", "Tomás") in family or ("Tomás", "Sarah") in family


@pytest.mark.parametrize(("language", "brief"), [("en", "a noir set in Lisbon"), ("de", "Figuren für einen Krimi")])
def test_demo_makes_characters_of_a_few_fields_that_differ(language, brief):
    pack = catalogue.get_shipped("film", language)
    document = next(each.content["document"] for each in pack.of(ObjectKind.COLLECTION) if each.name == "characters")
    wanted = strict_schema.envelope({"characters": schema.check(document)}, "openai").schema

    made = []
    for number in (1, 2, 3):
        prompt = f"Brief: {brief}\nThis is number {number} of 3"
        fields = demo_making.make(prompt, wanted)["entities"]["characters"][0]["fields"]
        made.append({name: value for name, value in fields.items() if value is not None})

    few = {"name", "age", "role", "occupation", "description", "motivation"}
    assert [set(each) for each in made] == [few] * 3
    for each in made:
        assert len({str(value) for value in each.values()}) == len(few)
    for name in few:
        assert len({each[name] for each in made}) == 3, name


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "de"])
def test_templates_of_the_film_make_documents(owner, project, language):
    me = actor_of(owner)
    installed(me, project, catalogue.get_shipped("film", language))
    slugs = ["story", "locations", "characters", "relationships", "scenes", "shots", "assets"]
    there = records.collections_by_slug(me, project.pk, slugs)

    def make(slug, **data):
        return str(record_services.create_record(actor=me, collection_id=there[slug].pk, data=data).pk)

    port = make("locations", name="Port")
    sarah = make("characters", name="Sarah", age=28, occupation="journalist", lives_in=port)
    tomas = make("characters", name="Tomás", family=[sarah])
    make("relationships", name="Sarah and Tomás", one=sarah, other=tomas, kind="family")
    scene = make("scenes", number=1, title="The pier", location=port, characters=[sarah, tomas], breakdown="A boat.")
    make("shots", number="1A", action="Sarah waits.\nRain.", scene=scene, framing="wide", lens_mm=35)
    make("shots", number="1B", action="Tomás comes.", characters=[tomas])
    make("assets", name="Boat", scenes=[scene], cost=120.5)
    make("assets", name="Umbrella", kind="prop", needed_by="2026-05-01")

    assert {slug: records.list_records(collection=there[slug]).filter(is_complete=True).count() for slug in slugs} == {
        "story": 0,
        "locations": 1,
        "characters": 1,
        "relationships": 1,
        "scenes": 1,
        "shots": 1,
        "assets": 0,
    }
    for template in rendering.visible_templates(me).filter(project_id=project.pk):
        collection = records.get_collection(collection_id=template.collection_id, viewer=me)
        rows = list(records.list_records(collection=collection).order_by("title"))
        words = rendering.words_of(template.source, collection, rows, me)
        assert len(words) > 20, template.name
        assert "undefined" not in words
        if template.name in {"Shot list", "Einstellungsliste"}:
            assert "| 1A | 1 The pier | wide | 35 mm |  | Sarah waits. Rain. |  |" in words
