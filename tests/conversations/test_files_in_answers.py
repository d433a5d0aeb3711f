"""Through all real processes: what is attached reaches the model as a picture or as words."""

import base64
import io
import json
import time
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.files import samples
from tests.provider.fixtures import provider, running_provider
from tests.stack import Stack

__all__ = ["provider", "running_provider"]

SEED = """
import json
from apps.llm.models import Model, Provider
from tests.accounts.factories import ProjectFactory, UserFactory, key_of
owner = UserFactory()
project = ProjectFactory(owner=owner)
made = Provider.objects.create(organization=project.organization, kind="openai", name="stub", base_url=%r)
models = {
    name: str(Model.objects.create(organization=project.organization, provider=made, name=name, can_see=can_see).pk)
    for name, can_see in (("stub-vision", True), ("stub-small", False))
}
print(json.dumps({"key": key_of(owner, project.organization), "project": str(project.pk), "models": models}))
"""


@pytest.fixture
def stack(provider):
    with Stack(env={"PARLANCE_ALLOW_PRIVATE_ADDRESSES": "127.0.0.1/32"}) as running:
        seed = SEED % f"{provider.url}/v1"
        running.made = json.loads(running.manage("shell", "-v0", "-c", seed).strip().splitlines()[-1])
        yield running


def test_pictures_are_shown_and_documents_are_read(stack, provider):
    made = stack.made
    headers = {"Authorization": f"Bearer {made['key']}"}
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers=headers, timeout=20) as http:

        def attach(name, content):
            answer = http.post("/attachments/", data={"project": made["project"]}, files={"file": (name, content)})
            assert answer.status_code == 201, answer.text
            return answer.json()["id"]

        def ask(model):
            conversation = http.post("/conversations/", json={"project": made["project"], "model": model}).json()["id"]
            posted = http.post(
                f"/conversations/{conversation}/messages/",
                json={
                    "client_id": str(uuid4()),
                    "content": "What do you see?",
                    "attachments": [
                        attach("plan.jpg", samples.image(3000, 1500, kind="JPEG")),
                        attach("lease.docx", samples.docx("Nine hundred euros")),
                        attach("notes.md", b"# Seven boats"),
                    ],
                },
            )
            assert posted.status_code == 202, posted.text
            deadline = time.monotonic() + 40
            while time.monotonic() < deadline:
                turn = http.get(f"/turns/{posted.json()['turn']['id']}/").json()
                if turn["status"] not in {"queued", "running"}:
                    assert turn["status"] == "completed", turn
                    return
                time.sleep(0.1)
            raise AssertionError(turn)

        for model, sees in (("stub/stub-vision", True), ("stub/stub-small", False)):
            provider.reset()
            ask(model)
            body = next(body for body in provider.bodies if body["model"] == model.partition("/")[2])
            sent = json.dumps(body["messages"])
            assert "Nine hundred euros" in sent
            assert "Seven boats" in sent
            shown = [
                part["image_url"]["url"]
                for message in body["messages"]
                if isinstance(message["content"], list)
                for part in message["content"]
                if part["type"] == "image_url"
            ]
            assert len(shown) == int(sees)
            for url in shown:
                picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
                assert picture.size == (1568, 784)
