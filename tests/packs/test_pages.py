"""The page of packs: install, clash, upload, export, look, upgrade, remove."""

import io

import pytest
from django.test import Client

from apps.accounts.models import Project
from apps.extraction import services as records
from apps.extraction.models import Collection
from apps.packs import archive
from apps.packs.models import PackInstallation
from tests.accounts.factories import actor_of, reader_of
from tests.packs.factories import files, installed, pack, zipped

pytestmark = pytest.mark.django_db
URL = "/settings/packs/"


@pytest.fixture
def browser(owner, project):
    client = Client()
    client.force_login(owner)
    return client


def sent(browser, entries, **more):
    file = io.BytesIO(zipped(entries))
    file.name = "zoo.zip"
    return browser.post(URL, {"form": "upload", "file": file, **more})


def test_pack_is_installed_by_one_click(browser, project):
    page = browser.get(URL).content.decode()
    assert "From an idea to a production package" in page

    answer = browser.post(URL, {"form": "install", "pack": "film"})

    installation = PackInstallation.objects.get(project=project)
    assert answer["Location"] == f"{URL}{installation.pk}/"
    shown = browser.get(answer["Location"]).content.decode()
    assert "Scene breakdown" in shown
    assert "Sarah, a 28-year-old journalist" in shown
    assert "Installed" in browser.get(URL).content.decode()


def test_clash_offers_a_prefix(browser, owner, project):
    records.create_collection(
        actor=actor_of(owner), project_id=project.pk, name="Characters", document={"type": "object"}
    )

    answer = browser.post(URL, {"form": "install", "pack": "film"})

    assert answer.status_code == 409
    assert "Install under this prefix" in answer.content.decode()
    browser.post(URL, {"form": "install", "pack": "film", "prefix": "film"})
    assert Collection.objects.filter(project=project, slug="film-characters").exists()


def test_file_is_checked_and_installed(browser, project):
    answer = sent(browser, files() | {"evil.sh": b"rm -rf /"})
    assert answer.status_code == 400
    assert "evil.sh" in answer.content.decode()
    assert not PackInstallation.objects.exists()

    assert sent(browser, files()).status_code == 302
    assert PackInstallation.objects.get(project=project).name == "zoo"
    assert browser.post(URL, {"form": "upload"}).status_code == 302


def test_project_leaves_as_a_pack(browser, owner, project):
    installed(actor_of(owner), project)
    said = {"name": "mine", "title": "Mine", "summary": "x", "version": "1.0.0", "licence": "CC0-1.0"}

    answer = browser.post(URL, {"form": "export", **said})

    assert "collections/animals.yaml" in archive.of_zip(answer.content)
    assert browser.post(URL, {"form": "export", **said, "version": "one"}).status_code == 400
    records.create_collection(actor=actor_of(owner), project_id=project.pk, name="A_b", document={"type": "object"})
    refused = browser.post(URL, {"form": "export", **said})
    assert refused.status_code == 400
    assert "pack.yaml#/collections/" in refused.content.decode()


def test_pack_is_removed_and_what_stays_is_said(browser, owner, project):
    me = actor_of(owner)
    found = installed(me, project, pack())
    records.create_record(actor=me, collection_id=Collection.objects.get(slug="houses").pk, data={"name": "Den"})

    answer = browser.post(f"{URL}{found.pk}/", {"form": "remove"}, follow=True)

    assert "houses" in answer.content.decode()
    assert list(Collection.objects.filter(project=project, deleted_at=None).values_list("slug", flat=True)) == [
        "houses"
    ]


def test_readers_look_and_have_no_buttons(project, owner):
    found = installed(actor_of(owner), project)
    reader = Client()
    reader.force_login(reader_of(project))

    page, one = (reader.get(path).content.decode() for path in (URL, f"{URL}{found.pk}/"))

    assert "Zoo" in page
    assert 'value="install"' not in page
    assert 'value="remove"' not in one
    assert reader.post(URL, {"form": "install", "pack": "film"}).status_code == 403


def test_new_project_begins_with_a_pack(browser, project):
    assert "packs:support-desk" in browser.get("/settings/projects/").content.decode()

    browser.post("/settings/projects/", {"name": "Desk", "access": "organization", "beginning": "packs:support-desk"})

    made = Project.objects.get(name="Desk")
    assert Collection.objects.filter(project=made).count() == 3


def test_welcome_offers_words_to_try_the_pack_with(browser, owner, project):
    assert "journalist" not in browser.get("/").content.decode()
    browser.post(URL, {"form": "install", "pack": "film"})

    assert "Sarah, a 28-year-old journalist" in browser.get("/").content.decode()
