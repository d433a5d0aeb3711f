"""A54: what is brought in from elsewhere holds commands, hooks and code. None of it runs, and none of it is kept as if it might."""

import json
import sys

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.accounts.types import ProjectRole
from apps.conversations import services
from apps.conversations.models import Conversation
from apps.conversations.transfer_format import digest
from tests.accounts.factories import ProjectFactory, bearer, key_of
from tests.attacks.caller import Client
from tests.attacks.world import rows
from tests.conversations.factories import answer, say, someone, start
from tests.packs.factories import KEEPER, MANIFEST, files, zipped

pytestmark = pytest.mark.django_db

FOUND = "found-a54"
#: What other products' files hold that runs: each writes a file, were it run.
POISON = {
    "command": sys.executable,
    "args": ["-c", f"open('{FOUND}', 'w')"],
    "transport": "stdio",
    "mcp_servers": [{"command": "sh", "args": ["-c", f"touch {FOUND}"]}],
    "hooks": {"on_import": f"touch {FOUND}", "on_open": f"touch {FOUND}"},
    "remote_code": "https://evil.example/x.py",
    "__class__": "subprocess.Popen",
}


@pytest.fixture
def project(db):
    return ProjectFactory()


@pytest.fixture
def manager(project):
    return someone(project, ProjectRole.MANAGER)


@pytest.fixture
def a(manager, project):
    client = Client(headers=bearer(key_of(User.objects.get(pk=manager.user_id), project.organization)))
    assert client.get("/api/v1/projects/").status_code == 200  # a key notes when it was used
    return client


@pytest.fixture(autouse=True)
def _nothing_ran(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.rglob(FOUND)) == []


def kept(text):
    """Whether what was sent in stands anywhere in the database."""
    from django.apps import apps
    from django.db import connection

    tables = [model._meta.db_table for model in apps.get_models()]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}" AS each WHERE each::text LIKE %s', [f"%{text}%"])
            if cursor.fetchone()[0]:
                return table
    return ""


@pytest.mark.parametrize("place", ["conversation", "message", "part"])
def test_a54_conversation_with_what_would_run_is_refused_or_is_only_words(a, manager, project, place):
    conversation = start(manager, project, title="The port")
    answer(say(manager, conversation, "Look"))
    document = services.export_json(conversation=conversation, viewer=manager)
    body = document["conversation"]
    {"conversation": body, "message": body["messages"][0], "part": body["messages"][0]["parts"][0]}[place].update(
        POISON
    )
    document["digest"] = digest(body)
    before = Conversation.objects.count()

    answered = a.post(
        "/api/v1/conversations/import/",
        {"project": str(project.pk), "file": SimpleUploadedFile("export.json", json.dumps(document).encode())},
    )

    assert answered.status_code in {201, 400}, answered.content
    assert Conversation.objects.count() - before == (answered.status_code == 201)
    if answered.status_code == 201:
        made = answered.json()["id"]
        for address in (f"/api/v1/conversations/{made}/", f"/api/v1/conversations/{made}/messages/"):
            shown = a.get(address)
            assert shown.status_code == 200
            assert FOUND not in shown.content.decode()
    assert kept(FOUND) == ""


@pytest.mark.parametrize(
    "poisoned",
    [
        {"manifest": MANIFEST | POISON},
        {"agents__keeper": KEEPER | POISON},
        {"agents__keeper": KEEPER | {"tools": [POISON]}},
        {"agents__keeper": f"name: Keeper\ninstructions: !!python/object/apply:os.system ['touch {FOUND}']\n"},
        {
            "agents__keeper": f"name: Keeper\ninstructions: !!python/object/new:subprocess.Popen [['touch', '{FOUND}']]\n"
        },
        {"templates__sign": "{{ cycler.__init__.__globals__.os.popen('touch " + FOUND + "').read() }}"},
        {"templates__sign": "{% import 'os' as os %}{{ os.system('touch " + FOUND + "') }}"},
    ],
    ids=["manifest", "agent", "agent tools", "yaml apply", "yaml new", "template globals", "template import"],
)
def test_a54_pack_with_what_would_run_is_refused(a, project, poisoned):
    before = rows()

    answered = a.post(
        "/api/v1/packs/installations/",
        {"project": str(project.pk), "file": SimpleUploadedFile("zoo.zip", zipped(files(**poisoned)))},
    )

    if answered.status_code == 201:  # a template may be kept as it is: it is drawn in a sandbox, and says nothing there
        assert "templates__sign" in poisoned
        drawn_in_a_sandbox(a, project)
    else:
        assert (answered.status_code, answered.json()["code"]) == (400, "pack_rejected")
        assert rows() == before


def drawn_in_a_sandbox(client, project):
    shown = client.get(f"/api/v1/collections/?project={project.pk}").json()["results"]
    animals = next(row for row in shown if row["slug"] == "animals")
    templates = f"/api/v1/collections/{animals['id']}/templates/"
    template = client.get(templates).json()["results"][0]
    drawn = client.post(f"{templates}{template['id']}/render/", json.dumps({}), content_type="application/json")
    assert drawn.status_code in {200, 400, 422}, drawn.content
