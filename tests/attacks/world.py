"""The API as the OpenAPI file tells it, and an organization full of things that its callers have no business with."""

import functools
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from apps.accounts import tokens
from apps.accounts.actors import hash_token
from apps.accounts.models import ApiKey, Device, IdentityProvider, OrganizationMember
from apps.accounts.services import denials, invitations, service_accounts, sessions
from apps.accounts.types import ProjectAccess, SessionKind
from apps.agents.services import create_agent
from apps.bulk import models as bulk
from apps.conversations.models import ConversationDenial, ShareLink
from apps.conversations.types import Visibility
from apps.extraction.models import CollectionReader, ExtractionRun, FollowUp, Proposal, Wish
from apps.extraction.services import (
    add_comment,
    create_collection,
    create_record,
    keep_view,
    make_template,
    merge_records,
)
from apps.packs.models import PackInstallation
from apps.workflows.services import create_definition, keep_secret, start_run
from tests.accounts.factories import (
    ProjectFactory,
    UserFactory,
    actor_of,
    bearer,
    give_team,
    key_of,
    member_of,
    reader_of,
    team_of,
)
from tests.conversations.factories import answer, say, start
from tests.files.factories import upload
from tests.llm.factories import ModelFactory, ProviderFactory

WORKFLOW = {
    "schedule": {"every": {"days": 1}},
    "document": {"dsl": "1.0.3", "namespace": "x", "name": "secret", "version": "1.0.0", "title": "Secret workflow"},
    "do": [
        {"secret": {"set": {"x": 1}, "metadata": {"parlance": {"stage": {"title": "Secret stage", "manual": True}}}}}
    ],
}
#: Rows that refusals, sign-in attempts and clocks leave behind; everything else must stay as it is.
NOISE = {
    "core_topic": "false",
    "core_processheartbeat": "false",  # of the process that answers in the long form
    # What looked like an attack is counted; who takes along what is kept of them is noted.
    "core_event": "NOT is_refusal AND type NOT IN ('core.suspicion_noted', 'accounts.person_exported')",
    "core_suspicioncount": "false",  # counts what looks like an attack, which this is
    "core_idempotencykey": "false",
    "accounts_signinattempt": "false",
}
#: A session notes once a minute that it is used, and who reads for longer than that uses theirs.
TEXT = {"accounts_usersession": "(to_jsonb(t) - 'last_seen_at')::text"}
#: Names of references in bodies and in queries that are not `<name>_id` of something in an address.
ALIASES = {
    "author": "user_id",
    "default": "model_id",
    "fallback": "model_id",
    "head": "message_id",
    "leaf": "message_id",
    "parent": "message_id",
    "attachment": "attachment_id",
}


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    parameters: tuple
    body: dict | None
    media_type: str

    @property
    def names(self):
        """Ids in the address."""
        return [each["name"] for each in self.parameters if each["in"] == "path"]

    @property
    def query(self):
        return [each["name"] for each in self.parameters if each["in"] == "query"]


@functools.cache
def schema():
    # Whatever addresses a test has put in place of ours meanwhile: the answer is kept.
    return SchemaGenerator(urlconf="config.urls").get_schema(request=None, public=True)


@functools.cache
def operations():
    return [_operation(path, method, found) for path, row in schema()["paths"].items() for method, found in row.items()]


def _operation(path, method, found):
    content = found.get("requestBody", {}).get("content", {})
    media_type = next(iter(content), "application/json")
    return Operation(
        found["operationId"],
        method.upper(),
        path,
        tuple(found.get("parameters", ())),
        content[media_type]["schema"] if content else None,
        media_type,
    )


def resolved(shape):
    """A schema without the one step of indirection that it may have."""
    if "$ref" in shape:
        return resolved(schema()["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]])
    for several in ("allOf", "oneOf", "anyOf"):
        if several in shape:
            return resolved(shape[several][0])
    return shape


def sample(shape, ids, name="", *, whole=False):  # noqa: PLR0911  (one line a type)
    """A plausible value whose references are ``ids``; ``whole``: with everything optional too."""
    shape = resolved(shape)
    if "enum" in shape:
        return shape["enum"][0]
    reference = ids.get(f"{name}_id") or ids.get(ALIASES.get(name, ""))
    match shape.get("type"), shape.get("format"):
        case "object", _:
            wanted = {*shape.get("required", ()), "organization", "project", "model", "agent", "conversation"}
            properties = shape.get("properties", {})
            taken = [key for key in properties if whole or key in wanted] or list(properties)[:1]
            return {key: sample(properties[key], ids, key, whole=whole) for key in taken}
        case "array", _:
            return [sample(shape["items"], ids, name.rstrip("s"), whole=whole)]
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
            return shape.get("minimum", 1)
        case "boolean", _:
            return True
        case _:
            return {}


class World:
    """An organization whose owner has private things in it, and people inside and outside.

    ``is_shared``: the same things where everybody in the organization sees them.
    """

    def __init__(self, *, is_shared=False):
        self.owner = owner = UserFactory(name="Zoe Owner")
        project = ProjectFactory(owner=owner, name="Open project")
        organization = project.organization
        closed = project
        if not is_shared:
            closed = ProjectFactory(organization=organization, access=ProjectAccess.RESTRICTED, name="Secret project")
        self.project, self.organization = project, organization
        actor = actor_of(owner)
        self.model = ModelFactory(provider=ProviderFactory(organization=organization), name="the-model")
        conversation = start(
            actor,
            project,
            title="Secret talk",
            visibility=Visibility.PROJECT if is_shared else Visibility.PRIVATE,
        )
        attached = upload(owner, project, name="secret.txt")
        posted = say(actor, conversation, "Secret words", attachments=[attached.pk])
        message = answer(posted, "Secret answer")
        self.conversation, self.said = conversation, posted.message.pk
        kept = create_collection(actor=actor, project_id=closed.pk, name="Secrets", document={"type": "object"})
        run = ExtractionRun.objects.create(
            organization=organization, project=closed, requested_by=owner, collections=[kept.pk], status="completed"
        )
        suggested = Proposal.objects.create(
            organization=organization, run=run, project=closed, collection=kept, number=1, entity_id="#1", data={"a": 1}
        )
        asked = FollowUp.objects.create(
            organization=organization,
            project=closed,
            collection=kept,
            proposal=suggested,
            conversation_id=conversation.pk,
            subject=b"secret",
            title="Secret thing",
            questions=[{"field": "a", "cause": "missing", "state": "asked", "message": None}],
        )
        wished = Wish.objects.create(
            organization=organization,
            project=closed,
            conversation_id=conversation.pk,
            shown_under=posted.message.pk,
            status="proposed",
            count=3,
            brief="Secret agents",
            collection=kept,
        )
        key_of(owner, organization)
        invited = invitations.invite(actor=actor, organization_id=organization.pk, email="secret@example.org")
        team = team_of(organization, name="Support")
        give_team(team, closed)
        program = service_accounts.create_service_account(actor=actor, organization_id=organization.pk, name="Import")
        denied = denials.deny(
            actor=actor, organization_id=organization.pk, user_id=program.user_id, reason="A secret reason"
        )
        self.people = {"R": reader_of(project), "A": member_of(project), "X": UserFactory(), "revoked": UserFactory()}
        ProjectFactory(owner=self.people["X"])
        elsewhere = ProjectFactory(owner=self.people["revoked"])
        self.headers = {who: _token_of(self.people[who]) for who in ("R", "A", "X")}
        self.headers |= {"N": {}, "B": _token_of(owner)}
        self.headers["revoked"] = bearer(key_of(self.people["revoked"], elsewhere.organization))
        ApiKey.objects.filter(user=self.people["revoked"]).update(revoked_at=timezone.now())
        ConversationDenial.objects.create(  # one id for both kinds of denial
            id=denied.pk,
            organization=organization,
            conversation=conversation,
            user=self.people["revoked"],
            permission="view",
        )
        link = ShareLink.objects.create(
            organization=organization,
            conversation=conversation,
            token_hash=hash_token("secret-token"),
            hint="oken",
            created_by=owner,
            up_to_number=2,
            shared_at=timezone.now(),
        )
        operation = bulk.Operation.objects.create(
            organization=organization,
            project=closed,
            requested_by=owner,
            kind="secret.kind",
            params={"words": "Secret parameter"},
            lane="inside",
            request_digest=b"",
            status="planned",
            total=1,
            pending=1,
        )
        bulk.Item.objects.create(
            organization=organization, operation=operation, number=1, payload={"of": "Secret item"}
        )
        workflow = create_definition(actor=actor, project_id=closed.pk, document=WORKFLOW)
        begun = start_run(actor=actor, definition_id=workflow.pk, data={"words": "Secret input"})
        secret = create_record(actor=actor, collection_id=kept.pk, data={"secret": 1})
        double = create_record(actor=actor, collection_id=kept.pk, data={"secret": 2})
        packed = PackInstallation.objects.create(
            organization=organization,
            project=closed,
            name="zoo",
            version="1.0.0",
            title="Secret pack",
            summary="Secret summary",
            licence="CC0-1.0",
            language="en",
            origin="uploaded",
            digest="",
        )
        joined = merge_records(actor=actor, winner_id=secret.pk, loser_id=double.pk)
        self.ids = {
            "comment_id": add_comment(actor=actor, record_id=secret.pk, text="Secret comment").pk,
            "template_id": make_template(
                actor=actor, collection_id=kept.pk, name="Secret template", source="Secret source"
            ).pk,
            "view_id": keep_view(actor=actor, collection_id=kept.pk, name="Secret view", state={}).pk,
            "link_id": link.pk,
            "token": "secret-token",
            "agent_id": create_agent(actor=actor, project_id=closed.pk, name="secret-agent").pk,
            "attachment_id": attached.pk,
            "collection_id": kept.pk,
            "conversation_id": conversation.pk,
            "denial_id": denied.pk,
            "device_id": Device.objects.create(user=owner, token_hash=hash_token("a device")).pk,
            "follow_up_id": asked.pk,
            "identity_provider_id": IdentityProvider.objects.create(
                organization=organization,
                kind="oidc",
                slug="secret-provider",
                name="Secret provider",
                issuer="https://secret.example.org",
                client_id="x",
                client_secret="secret",
            ).pk,
            "invitation_id": invited.invitation.pk,
            "key_id": ApiKey.objects.get(user=owner).pk,
            "merge_id": joined.pk,
            "member_id": OrganizationMember.objects.get(user=owner).pk,
            "message_id": message.pk,
            "model_id": self.model.pk,
            "operation_id": operation.pk,
            "organization_id": organization.pk,
            "project_id": closed.pk,
            "installation_id": packed.pk,
            "proposal_id": suggested.pk,
            "run_id": run.pk,
            "wish_id": wished.pk,
            "workflow_id": workflow.pk,
            "workflow_run_id": begun.pk,
            "workflow_secret_id": keep_secret(
                actor=actor, project_id=closed.pk, name="secret_key", value={"token": "Secret token"}
            ).pk,
            "stage": "secret",
            "number": 1,
            "record_id": secret.pk,
            "reader_id": CollectionReader.objects.create(organization=organization, collection=kept, user=owner).pk,
            "provider_id": self.model.provider_id,
            "service_account_id": program.pk,
            "session_id": sessions.begin_session(user=owner, kind=SessionKind.TOKEN).pk,
            "team_id": team.pk,
            "turn_id": posted.turn.pk,
            "user_id": owner.pk,
        }


def _token_of(user):
    session = sessions.begin_session(user=user, kind=SessionKind.TOKEN)
    headers = bearer(tokens.pair_for(session).access)
    Client().get("/api/v1/me/", headers=headers)  # notes when the session was last seen
    return headers


def random_ids(ids):
    """As others have them; numbers stay, they name nothing by themselves."""
    return {name: pk if isinstance(pk, int) else uuid.uuid4() for name, pk in ids.items()}


def call(operation, ids, headers, *, body=None, query=None):
    path = operation.path.format(**{name: str(pk) for name, pk in ids.items()})
    if operation.media_type == "multipart/form-data" and body is None:
        form = {"project": str(ids["project_id"]), "file": SimpleUploadedFile("a.txt", b"words")}
        return Client().post(path, form, headers=headers)
    if body is None and operation.body:
        body = sample(operation.body, ids)
    if query is None:
        query = {
            name: str(ids.get(f"{name}_id") or ids[ALIASES[name]])
            for name in operation.query
            if f"{name}_id" in ids or name in ALIASES
        }
    if not isinstance(body, bytes):
        body = json.dumps(body).encode() if body is not None else b""
    return Client(raise_request_exception=False).generic(
        operation.method, path, data=body, content_type="application/json", headers=headers, query_params=query
    )


def content_of(response):
    return response.content if not response.streaming else b""


def rows():
    """Every table of ours as (number of rows, digest over them)."""
    names = sorted(model._meta.db_table for model in apps.get_models() if model.__module__.startswith("apps."))
    parts = [
        f"SELECT '{name}', count(*), md5(coalesce(string_agg({text}, '|' ORDER BY {text}), '')) "
        f'FROM "{name}" t WHERE {NOISE.get(name, "true")}'
        for name in names
        for text in [TEXT.get(name, "t::text")]
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {name: (count, digest) for name, count, digest in cursor.fetchall()}
