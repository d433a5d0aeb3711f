from django.test import Client

from apps.files.models import File
from tests.accounts.factories import UserFactory
from tests.files import samples
from tests.files.factories import upload


def test_operator_lists_files_and_releases_one_from_quarantine(owner, project):
    file = upload(owner, project, samples.PROGRAM, "holiday.jpg")
    client = Client()
    client.force_login(UserFactory(is_staff=True))

    listed = client.get("/admin/files/file/")
    shown = client.get(f"/admin/files/file/{file.pk}/change/")
    done = client.post("/admin/files/file/", {"action": "release", "_selected_action": [str(file.pk)]}, follow=True)

    assert "holiday.jpg" in listed.content.decode()
    assert shown.status_code == 200
    assert "1 file released." in done.content.decode()
    assert File.objects.get().state == "ready"


def test_admin_of_files_is_closed_to_members(owner, project):
    file = upload(owner, project, samples.PROGRAM, "holiday.jpg")
    client = Client()
    client.force_login(owner)

    answer = client.post("/admin/files/file/", {"action": "release", "_selected_action": [str(file.pk)]})

    assert answer.status_code == 302
    assert File.objects.get().state == "quarantined"
