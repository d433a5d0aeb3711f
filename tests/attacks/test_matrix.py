"""A1: every address of the OpenAPI file by everybody who has no business there by ids of somebody else's things.

Generated: an address with an id in it for which there is no rule here fails, and so does one without an id that writes and is
not named here with the reason why everybody may.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from apps.accounts import tokens
from apps.accounts.models import ApiKey, Invitation, Organization, OrganizationMember, Project, UserSession
from apps.accounts.services import invitations, sessions
from apps.accounts.types import SessionKind
from apps.agents.models import Agent
from apps.agents.services import create_agent
from apps.conversations.models import Conversation, Message, Turn
from apps.files.models import File
from apps.llm.models import Model, Provider
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    bearer,
    key_of,
    member_of,
    reader_of,
)
from tests.conversations.factories import answer, say, start
from tests.files.factories import upload
from tests.llm.factories import ModelFactory, ProviderFactory

pytestmark = pytest.mark.django_db

#: Writes without an id in the address that everybody signed in may make, and why that gives nothing away.
OPEN_WRITES = {
    "me_change": "one's own profile",
    "organizations_create": "an organization of one's own",
}
#: Addresses that take no credentials.
PUBLIC = {
    "auth_token_create",
    "auth_token_refresh",
    "auth_token_revoke",
    "auth_password_reset",
    "auth_password_reset_confirm",
}
HIDDEN = {403, 404}


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    parameters: tuple
    body: dict | None
    media_type: str


def read_operations():
    schema = SchemaGenerator().get_schema(request=None, public=True)
    for path, methods in schema["paths"].items():
        for method, found in methods.items():
            content = found.get("requestBody", {}).get("content", {})
            media_type = next(iter(content), "application/json")
            body = content[media_type]["schema"] if content else None
            yield (
                Operation(
                    found["operationId"],
                    method.upper(),
                    path,
                    tuple(found.get("parameters", ())),
                    body,
                    media_type,
                ),
                schema["components"]["schemas"],
            )


class World:
    """One organization full of things, none of which the callers may know of."""

    def __init__(self):
        owner = UserFactory(name="Zoe Secret")
        project = ProjectFactory(owner=owner, name="Secret project")
        project.organization.name = "Secret organization"
        project.organization.save()
        actor = actor_of(owner)
        self.model = ModelFactory(provider=ProviderFactory(organization=project.organization), name="secret-model")
        conversation = start(actor, project, title="Secret talk")
        posted = say(actor, conversation, "Secret words")
        message = answer(posted, "Secret answer")
        key_of(owner, project.organization)
        invited = invitations.invite(actor=actor, organization_id=project.organization_id, email="secret@example.org")
        agent = create_agent(actor=actor, project_id=project.pk, name="secret-agent")
        self.ids = {
            "agent_id": agent.pk,
            "attachment_id": upload(owner, project, name="secret.txt").pk,
            "conversation_id": conversation.pk,
            "invitation_id": invited.invitation.pk,
            "key_id": ApiKey.objects.get(organization=project.organization).pk,
            "member_id": OrganizationMember.objects.get(organization=project.organization).pk,
            "message_id": message.pk,
            "model_id": self.model.pk,
            "organization_id": project.organization_id,
            "project_id": project.pk,
            "provider_id": self.model.provider_id,
            "session_id": sessions.begin_session(user=owner, kind=SessionKind.TOKEN).pk,
            "turn_id": posted.turn.pk,
            "user_id": owner.pk,
        }

    def fill(self, path):
        return path.format(**{name: str(pk) for name, pk in self.ids.items()})

    def secrets(self):
        return ["ecret", *(str(pk) for pk in self.ids.values())]

    def sample(self, schema, components, name=""):  # noqa: PLR0911  (one line a type)
        """A plausible value whose references point at the hidden things."""
        if "$ref" in schema:
            return self.sample(components[schema["$ref"].rsplit("/", 1)[1]], components, name)
        for several in ("allOf", "oneOf", "anyOf"):
            if several in schema:
                return self.sample(schema[several][0], components, name)
        if "enum" in schema:
            return schema["enum"][0]
        reference = self.ids.get(f"{name}_id") or {
            "leaf": self.ids["message_id"],
            "head": self.ids["message_id"],
            "parent": self.ids["message_id"],
            "user": self.ids["user_id"],
            "default": self.ids["model_id"],
            "fallback": self.ids["model_id"],
        }.get(name)
        match schema.get("type"), schema.get("format"):
            case "object", _:
                required = set(schema.get("required", ())) | {
                    "organization",
                    "project",
                    "model",
                    "agent",
                    "conversation",
                }
                properties = schema.get("properties", {})
                taken = [key for key in properties if key in required] or list(properties)[:1]
                return {key: self.sample(properties[key], components, key) for key in taken}
            case "array", _:
                return [self.sample(schema["items"], components, name.rstrip("s"))]
            case "string", "uuid":
                return str(reference or uuid.uuid4())
            case "string", "date-time":
                return datetime(2030, 1, 1, tzinfo=UTC).isoformat()
            case "string", "email":
                return "x@example.org"
            case "string", "uri":
                return "https://example.org/"
            case "string", "decimal":
                return "1.00"
            case "string", _:
                return str(reference) if reference else "x"
            case (("integer" | "number"), _):
                return schema.get("minimum", 1)
            case "boolean", _:
                return True
            case _:
                return {}


def counts():
    models = (
        Agent,
        ApiKey,
        Conversation,
        File,
        Invitation,
        Message,
        Model,
        OrganizationMember,
        Project,
        Provider,
        Turn,
    )
    return {model.__name__: model.objects.count() for model in models} | {
        "ended": UserSession.objects.filter(ended_at__isnull=False).count(),
        "versions": list(Project.objects.order_by("pk").values_list("version", "archived_at")),
        "organizations": list(Organization.objects.order_by("pk").values_list("pk", "name", "version")),
    }


def caller(who):
    """Headers of a person of another organization."""
    owner = UserFactory()
    project = ProjectFactory(owner=owner)
    match who:
        case "N":
            return {}
        case "R":
            person = reader_of(project)
        case "A":
            person = member_of(project)
        case "X" | "revoked":
            person = owner
    if who == "A":  # a person, not a key: may also do what is only one's own
        session = sessions.begin_session(user=person, kind=SessionKind.TOKEN)
        return bearer(tokens.pair_for(session).access)
    token = key_of(person, project.organization)
    if who == "revoked":
        ApiKey.objects.filter(user=person).update(revoked_at=timezone.now())
    return bearer(token)


def call(operation, components, world, headers):
    body = world.sample(operation.body, components) if operation.body else None
    query = {
        parameter["name"]: str(world.ids[f"{parameter['name']}_id"])
        for parameter in operation.parameters
        if parameter["in"] == "query" and f"{parameter['name']}_id" in world.ids
    }
    if operation.media_type == "multipart/form-data":
        form = {"project": str(world.ids["project_id"]), "file": SimpleUploadedFile("a.txt", b"words")}
        return Client().post(world.fill(operation.path), form, headers=headers)
    return Client().generic(
        operation.method,
        world.fill(operation.path),
        data=json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers=headers,
        query_params=query,
    )


def content_of(response):
    return b"".join(response.streaming_content) if response.streaming else response.content


def judge(operation, response, who, world):
    """What is wrong with this answer, or nothing."""
    status = response.status_code
    if status >= 500:
        return f"{status}"
    if who in {"N", "revoked"}:
        if operation.id in PUBLIC:
            return None
        return None if status == 401 else f"{status} instead of 401"
    if "{" in operation.path:
        return None if status in HIDDEN else f"{status} instead of hidden: {content_of(response)[:200]}"
    leaked = [secret for secret in world.secrets() if secret.encode() in content_of(response)]
    if status < 300 and leaked:
        return f"tells {leaked}"
    if status < 300 and operation.method != "GET" and operation.id not in OPEN_WRITES.keys() | PUBLIC:
        return f"{status}: a write that succeeded"
    return None


@pytest.mark.parametrize("who", ["N", "R", "A", "X", "revoked"])
def test_a1_strangers_get_nothing_on_any_route(who):
    world, headers = World(), caller(who)
    before = counts()
    wrong = []

    for operation, components in read_operations():
        if operation.id in OPEN_WRITES and who not in {"N", "revoked"}:
            continue
        response = call(operation, components, world, headers)
        if problem := judge(operation, response, who, world):
            wrong.append(f"{operation.method} {operation.path}: {problem}")

    assert wrong == []
    assert counts() == before


def test_every_id_in_an_address_has_a_rule():
    known = World().ids.keys()

    unknown = [
        f"{operation.path}: {parameter['name']}"
        for operation, _components in read_operations()
        for parameter in operation.parameters
        if parameter["in"] == "path" and parameter["name"] not in known
    ]

    assert unknown == []


def test_exemptions_still_exist():
    there = {operation.id for operation, _components in read_operations()}

    assert (OPEN_WRITES.keys() | PUBLIC) - there == set()
