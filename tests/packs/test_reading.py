"""What a pack is: everything that is wrong with one is told at once, with the file and the place."""

import pytest

from apps.packs import archive, reading
from apps.packs.types import ObjectKind, PackNeedsNewer, PackRejected
from tests.packs.factories import ANIMALS, HOUSES, KEEPER, files, pack, zipped


def wrong(found):
    with pytest.raises(PackRejected) as refused:
        reading.read(found)
    return {(each.field, each.code) for each in refused.value.fields}


def test_pack_is_read_with_all_that_it_brings():
    found = pack()

    assert (found.name, found.version, found.title, found.language) == ("zoo", "1.0.0", "Zoo", "en")
    assert [(each.kind, each.name) for each in found.objects] == [
        (ObjectKind.COLLECTION, "animals"),
        (ObjectKind.COLLECTION, "houses"),
        (ObjectKind.TEMPLATE, "animals/Sign"),
        (ObjectKind.AGENT, "keeper"),
    ]
    assert found.objects[0].content["trust"] == "review"
    assert found.digest != pack({"version": "1.0.1"}).digest


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (files({"version": "1"}), {("pack.yaml#/version", "pattern")}),
        (files({"colour": "red"}), {("pack.yaml#/colour", "additional_properties")}),
        (files({"pack": 2}), {("pack.yaml#/pack", "const")}),
        ({}, {("pack.yaml", "missing")}),
        (files(collections__animals=None), {("collections/animals.yaml", "missing")}),
        (files(collections__animals="name: [", collections__houses="- 1"), {
            ("collections/animals.yaml", "yaml"), ("collections/houses.yaml", "type"),
        }),
        (files(collections__animals=ANIMALS | {"document": {"type": "array"}}), {
            ("collections/animals.yaml#/document/type", "root_type"),
        }),
        (files(collections__animals=ANIMALS | {"needed": ["wings"], "title_template": "{wings}"}), {
            ("collections/animals.yaml#/needed", "unknown_field"),
            ("collections/animals.yaml#/title_template", "unknown_field"),
        }),
        (files({"collections": ["animals"]}, collections__houses=None), {
            ("collections/animals.yaml#/document/house", "unknown_collection"),
        }),
        (files(templates__sign="{{ record.__class__() }}"), {("templates/sign.md", "template_rejected")}),
        (files({"templates": [{"name": "Sign", "collection": "birds", "file": "templates/sign.md"}]}), {
            ("pack.yaml#/templates/0/collection", "unknown_collection"),
        }),
        (files() | {"run.py": b"import os"}, {("run.py", "unknown_file")}),
        (files() | {"templates/sign.md": b"\xff"}, {("templates/sign.md", "not_text")}),
        (files({"languages": ["en", "de"]}, texts__de={"Zoo": "Zoo"}, **{"templates__sign.de": "x"}), None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_place(found, expected):
    said = wrong(found)

    if expected is None:
        assert said == {("texts/de.yaml", "missing_text")}
    else:
        assert said == expected


def test_words_are_those_of_the_language_and_complete():
    texts = {
        "Zoo": "Tiergarten",
        "Animals and where they live.": "Tiere und wo sie wohnen.",
        "Animals": "Tiere",
        "Houses": "Häuser",
        "Name": "Name",
        "Keeper": "Wärter",
        "Feed them.": "Füttern.",
        "Sign": "Schild",
    }
    both = {"languages": ["en", "de"]}
    more = {"templates__sign.de": "# Hier wohnt {{ record.name }}\n"}

    german = pack(both, language="de", texts__de=texts, **more)

    assert (german.language, german.title) == ("de", "Tiergarten")
    assert [each.content["name"] for each in german.objects] == ["Tiere", "Häuser", "Schild", "Wärter"]
    assert german.of(ObjectKind.TEMPLATE)[0].content["source"].startswith("# Hier wohnt")
    assert pack(both, language="fr", texts__de=texts, **more).title == "Zoo"
    assert wrong(files(both, texts__de=texts | {"Fish": "Fische"}, **more)) == {("texts/de.yaml", "unknown_text")}


def test_a_field_called_title_is_a_field():
    document = {"type": "object", "properties": {"title": {"type": "string", "title": "Name"}}}

    found = pack(collections__houses=HOUSES | {"document": document})

    assert found.of(ObjectKind.COLLECTION)[1].content["document"]["properties"] == document["properties"]


def test_pack_for_a_later_version_is_refused(settings):
    settings.PARLANCE_VERSION = "0.9.4"
    assert pack({"requires": {"parlance": ">=0.9"}}).name == "zoo"

    with pytest.raises(PackNeedsNewer) as refused:
        pack({"requires": {"parlance": ">=0.10"}})

    assert refused.value.extra == {"requires": ">=0.10", "version": "0.9.4"}


def test_samples_come_in_every_language():
    one = {"samples": [{"title": "Try", "text": "A lion."}]}

    assert pack(samples__en=one).samples[0].text == "A lion."
    assert ("samples/en.yaml#/samples", "required") in wrong(files(samples__en={"sample": []}))


def test_folder_around_everything_does_not_matter():
    entries = files()

    assert archive.of_zip(zipped(entries)) == entries
    assert archive.of_zip(zipped(entries, folder="zoo/")) == entries
    assert archive.of_zip(archive.as_zip(entries)) == entries
    assert archive.as_zip(entries) == archive.as_zip(dict(reversed(entries.items())))


def test_keeper_without_instructions_is_none():
    assert wrong(files(agents__keeper={"name": KEEPER["name"]})) == {("agents/keeper.yaml#/instructions", "required")}
