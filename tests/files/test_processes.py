"""The real jobs process reads what the real web process took."""

import json
import time

import httpx
import pytest

from tests.files import samples
from tests.stack import Stack

SEED = """
import json
from tests.accounts.factories import ProjectFactory, UserFactory, key_of
owner = UserFactory()
project = ProjectFactory(owner=owner)
print(json.dumps({"key": key_of(owner, project.organization), "project": str(project.pk)}))
"""


@pytest.fixture(scope="module")
def stack():
    with Stack(interactives=0) as running:
        running.made = json.loads(running.manage("shell", "-v0", "-c", SEED).strip().splitlines()[-1])
        yield running


def send(stack, content, name):
    answer = httpx.post(
        f"{stack.base_url}/api/v1/attachments/",
        headers={"Authorization": f"Bearer {stack.made['key']}"},
        data={"project": stack.made["project"]},
        files={"file": (name, content)},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def read(stack, file_id, done):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = httpx.get(
            f"{stack.base_url}/api/v1/attachments/{file_id}/",
            headers={"Authorization": f"Bearer {stack.made['key']}"},
        ).json()
        if done(found):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def test_document_picture_and_bomb_are_read_by_the_worker(stack):
    document = send(stack, samples.docx("Terms of the lease"), "lease.docx")
    picture = send(stack, samples.image(2000, 1000, kind="BMP"), "plan.bmp")
    bomb = send(stack, samples.bomb(), "bomb.docx")

    assert read(stack, document, lambda file: file["text"]["state"] != "pending")["text"] == {
        "state": "ready",
        "reason": "",
        "detail": "",
        "length": 18,
    }
    assert read(stack, picture, lambda file: file["preview_url"])["width"] == 2000
    failed = read(stack, bomb, lambda file: file["text"]["state"] != "pending")
    assert (failed["state"], failed["reason"]) == ("failed", "archive_bomb")
    assert failed["detail"] == "The document unpacks to far more than it should."


def test_file_whose_hint_was_lost_is_read_all_the_same(stack):
    """Redis forgets: the coordinator finds the row."""
    stack.kill("jobs")
    stack.redis().flushdb()
    document = send(stack, samples.docx("Found again"), "lost.docx")
    stack.redis().flushdb()
    stack.sql("UPDATE files_file SET created_at = now() - interval '1 minute' WHERE id = %s", [document])
    stack.start("jobs")

    assert read(stack, document, lambda file: file["text"]["state"] == "ready")["text"]["length"] == 11
