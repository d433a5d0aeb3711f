"""Packs over JSON."""

import io
import json

import pytest
from django.test import Client

from apps.extraction.models import Collection
from apps.packs import archive
from tests.accounts.factories import UserFactory, bearer, key_of, reader_of
from tests.packs.factories import files, row, zipped

pytestmark = pytest.mark.django_db
URL = "/api/v1/packs/"
INSTALLATIONS = f"{URL}installations/"


def post(api, path, body=None, status=200, **headers):
    answer = api.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json()


def sent(api, project, entries, status=201, path=INSTALLATIONS, **more):
    file = io.BytesIO(entries if isinstance(entries, bytes) else zipped(entries))
    file.name = "zoo.zip"
    form = {"project": str(project.pk), **more} if path == INSTALLATIONS else more
    answer = api.post(path, form | {"file": file})
    assert answer.status_code == status, answer.content
    return answer.json()


def test_packs_that_ship_are_offered(api):
    found = api.get(URL).json()["results"]

    assert [each["name"] for each in found] == ["film", "support-desk"]
    assert found[0]["samples"][0]["text"].startswith("Sarah, a 28-year-old journalist")


def test_install_look_upgrade_remove(api, project):
    made = sent(api, project, files())
    one = f"{INSTALLATIONS}{made['installation']['id']}/"

    assert len(made["report"]["made"]) == 4
    assert made["installation"]["origin"] == "uploaded"
    shown = api.get(one).json()
    assert [(each["kind"], each["title"], each["state"]) for each in shown["objects"]] == [
        ("collection", "Animals", "as_brought"),
        ("collection", "Houses", "as_brought"),
        ("template", "Sign", "as_brought"),
        ("agent", "Keeper", "as_brought"),
    ]
    newer = sent(api, project, files({"version": "1.1.0"}, templates__sign="# New\n"), 200, f"{one}upgrade/")
    assert newer["report"]["changed"] == [{"kind": "template", "name": "animals/Sign"}]
    gone = post(api, f"{one}remove/")
    assert len(gone["removed"]) == 4
    assert api.get(one).status_code == 404


def test_collection_for_who_is_named_is_told_to_them_and_managers(api, project):
    made = sent(api, project, files())
    one = f"{INSTALLATIONS}{made['installation']['id']}/"
    Collection.objects.filter(project=project, slug="animals").update(visibility="named")
    reader = Client(headers=bearer(key_of(reader_of(project), project.organization)))

    titles = {who: [each["title"] for each in who.get(one).json()["objects"]] for who in (api, reader)}

    assert titles == {api: ["Animals", "Houses", "Sign", "Keeper"], reader: ["Houses", "Keeper"]}


def test_shipped_pack_is_installed_by_name(api, project):
    made = post(api, INSTALLATIONS, {"project": str(project.pk), "pack": "support-desk"}, 201)

    assert (made["installation"]["version"], made["installation"]["origin"]) == ("1.0.0", "shipped")
    again = post(api, f"{INSTALLATIONS}{made['installation']['id']}/upgrade/")
    assert again["report"] == {"made": [], "changed": [], "removed": [], "kept": [], "operations": []}
    assert post(api, INSTALLATIONS, {"project": str(project.pk), "pack": "nothing"}, 404)["code"] == "not_found"


def test_what_is_wrong_with_a_pack_is_listed(api, project):
    wrong = sent(api, project, files() | {"evil.py": b"import os"}, 400)

    assert wrong["code"] == "pack_rejected"
    assert wrong["errors"] == [
        {"field": "evil.py", "code": "unknown_file", "detail": "Nothing in pack.yaml speaks of this file."}
    ]
    assert sent(api, project, b"no archive", 400)["errors"][0]["code"] == "archive"


def test_clash_another_version_and_another_pack_are_told_apart(api, project):
    post(
        api, "/api/v1/collections/", {"project": str(project.pk), "name": "Houses", "document": {"type": "object"}}, 201
    )
    clash = sent(api, project, files(), 409)
    assert clash["code"] == "pack_clashes"
    assert [each["name"] for each in clash["clashes"]] == ["houses"]

    made = sent(api, project, files(), prefix="zoo")
    one = f"{INSTALLATIONS}{made['installation']['id']}/"
    assert sent(api, project, files({"version": "2.0.0"}), 409, prefix="zoo")["code"] == "pack_installed_already"
    assert sent(api, project, files({"version": "0.1.0"}), 409, f"{one}upgrade/")["code"] == "pack_version_older"
    assert sent(api, project, files({"name": "park"}), 409, f"{one}upgrade/")["code"] == "pack_is_another"
    assert sent(api, project, files({"requires": {"parlance": ">=99.0"}}), 422)["code"] == "pack_needs_newer"


def test_export_is_a_pack(api, project):
    sent(api, project, files())
    body = {"project": str(project.pk), "name": "mine", "title": "Mine", "summary": "x", "licence": "CC0-1.0"}

    answer = api.post(f"{URL}export/", json.dumps(body), content_type="application/json")

    assert answer["Content-Disposition"] == 'attachment; filename="mine-1.0.0.zip"'
    assert {"pack.yaml", "collections/animals.yaml"} <= archive.of_zip(answer.content).keys()


def test_readers_see_and_cannot_install(project, api):
    sent(api, project, files())
    reader = Client(headers=bearer(key_of(reader_of(project), project.organization)))
    assert len(reader.get(INSTALLATIONS).json()["results"]) == 1
    assert sent(reader, project, files({"name": "park"}), 403)["code"] == "forbidden"
    stranger = Client(headers=bearer(key_of(UserFactory(), project.organization)))
    assert stranger.get(INSTALLATIONS).json()["results"] == []


@pytest.mark.parametrize("number", [1, 3, 30])
def test_list_costs_the_same_however_long(api, project, number, django_assert_max_num_queries):
    for place in range(number):
        row(project, f"p{place}", objects=4)
    api.get(INSTALLATIONS)

    with django_assert_max_num_queries(6):
        found = api.get(f"{INSTALLATIONS}?project={project.pk}&limit=50").json()

    assert [each["object_count"] for each in found["results"]] == [4] * number


def test_project_begins_with_a_pack(api, project):
    body = {"organization": str(project.organization_id), "name": "Noir", "beginning": "packs:film"}

    made = post(api, "/api/v1/projects/", body, 201)

    found = api.get(f"/api/v1/collections/?project={made['id']}").json()["results"]
    assert [each["slug"] for each in found] == [
        "assets", "characters", "locations", "relationships", "scenes", "shots", "story",
    ]  # fmt: skip
    refused = post(api, "/api/v1/projects/", body | {"name": "Noir 2", "beginning": "packs:nothing"}, 400)
    assert refused["errors"][0]["field"] == "beginning"
    assert "Noir 2" not in [each["name"] for each in api.get("/api/v1/projects/").json()["results"]]
